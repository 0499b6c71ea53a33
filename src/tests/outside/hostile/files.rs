//! Files as nobody should send them.

use super::{
    random::Random,
    texts::{noise, one, rarely, text},
};
use batchdesk::{domain::operation::Operation, formats};
use std::fmt::Write;

/// A file, and what is wrong with it.
pub(super) struct Hostile {
    pub(super) what: &'static str,
    pub(super) bytes: Vec<u8>,
}

fn sample(operation: Operation) -> &'static str {
    formats::registry::of(operation).templates()[0].sample
}

fn header(operation: Operation) -> &'static str {
    sample(operation).lines().next().unwrap()
}

/// `rows` rows under the header of the operation, each made by `cell`.
fn table(operation: Operation, rows: usize, mut cell: impl FnMut(usize, &str) -> String) -> Vec<u8> {
    let header = header(operation);
    let mut file = format!("{header}\n");
    for row in 0..rows {
        let cells: Vec<String> = header.split(',').map(|name| cell(row, name)).collect();
        writeln!(file, "{}", cells.join(",")).unwrap();
    }
    file.into_bytes()
}

/// How many kinds [`file`] knows.
pub(super) const KINDS: u64 = 26;
/// One of them, which is small.
pub(super) const SAMPLE_WITH_FLAWS: u64 = 24;

/// A file of a kind, by the seed.
pub(super) fn file(random: &mut Random, operation: Operation, kind: u64) -> Hostile {
    let of = |what, bytes: Vec<u8>| Hostile { what, bytes };
    let header = header(operation);
    let size = |random: &mut Random, most: u64| usize::try_from(random.within(most / 4..=most)).unwrap();
    match kind % KINDS {
        0 => {
            let name = "h".repeat(size(random, 400_000));
            of("a long name, then quotes", format!("{name},b\n{}", "a\"b,1\n".repeat(900)).into_bytes())
        }
        1 => {
            let names: Vec<String> = (0..200).map(|n| format!("{n}{}", "n".repeat(1_000))).collect();
            of("200 long names", format!("{}\n{}", names.join(","), "x,y\n".repeat(500)).into_bytes())
        }
        2 => of("one cell of megabytes", format!("{header}\n{},1\n", "c".repeat(size(random, 5_000_000))).into_bytes()),
        3 => of(
            "one quoted cell of megabytes",
            format!("{header}\n\"{}\",1\n", "c,\n".repeat(size(random, 1_500_000))).into_bytes(),
        ),
        4 => of("every cell wrong", table(operation, 1_000, |row, name| format!("{name} {row} \u{200b}=wrong"))),
        5 => of("every cell long and wrong", table(operation, 30, |_, _| format!("={}", "w\u{200b}".repeat(2_000)))),
        6 => of("too many rows", table(operation, size(random, 60_000), |row, _| format!("O{row}"))),
        7 => of("deep quotes", format!("{header}\n{}\n", "\"".repeat(size(random, 2_000_000))).into_bytes()),
        8 => {
            of("quotes that never close", format!("{header}\n{}", "\"a,\n".repeat(size(random, 200_000))).into_bytes())
        }
        9 => of("NUL in every cell", table(operation, 500, |row, _| format!("O\0{row}"))),
        10 => of(
            "wide UTF-16",
            format!("\u{feff}{header}\nORD_1,1\n").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        11 => of("no UTF-8", [header.as_bytes(), b"\nORD_\xff\xfe\xed\xa0\x80,1\n"].concat()),
        12 => {
            let starts: [&[u8]; 6] =
                [b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"%PDF-1.7\n", b"<!DOCTYPE html>", b"{\"a\":[", b"\x1f\x8b\x08"];
            of("another kind of file", [one(random, &starts).to_vec(), noise(random, 50_000)].concat())
        }
        13 => of("noise", noise(random, 200_000)),
        14 => of("nothing but line ends", format!("{header}{}", "\n".repeat(size(random, 5_000_000))).into_bytes()),
        15 => of("nothing but commas", format!("{header}\n{}", ",".repeat(size(random, 4_000_000))).into_bytes()),
        16 => of("rows of commas", format!("{header}\n{}", ",,,,\n".repeat(size(random, 1_000_000))).into_bytes()),
        17 => of("the same name many times", format!("{}\nORD_1,1\n", "order_id,".repeat(5_000)).into_bytes()),
        18 => of("numbers without end", table(operation, 300, |_, _| "9".repeat(4_000))),
        19 => of("nothing", Vec::new()),
        20 => of("a mark and nothing", b"\xef\xbb\xbf".to_vec()),
        21 => {
            let cell = |_: usize, name: &str| match name {
                "order_id" => "ORD_1".to_owned(),
                "amount" => "1".to_owned(),
                _ => String::new(),
            };
            of("one id in all rows", table(operation, 1_000, cell))
        }
        22 => of("lines of carriage returns", format!("{header}\r{}", "ORD_1,1\r\r\n\r".repeat(20_000)).into_bytes()),
        23 => of("texts of all sorts", {
            let mut cells = |_: usize, _: &str| format!("\"{}\"", text(random, 3_000).replace('"', "\"\""));
            table(operation, 200, &mut cells)
        }),
        SAMPLE_WITH_FLAWS => {
            let mut bytes = sample(operation).as_bytes().to_vec();
            for _ in 0..random.within(1..=20) {
                let at = usize::try_from(random.next() % bytes.len() as u64).unwrap();
                match rarely(random, 2) {
                    true => bytes[at] = u8::try_from(random.next() % 256).unwrap(),
                    false => drop(bytes.splice(at..at, noise(random, 30))),
                }
            }
            of("the sample with flaws", bytes)
        }
        _ => of("tabs and semicolons", table(operation, 500, |row, name| format!("{name};{row}\t\"x")).to_vec()),
    }
}
