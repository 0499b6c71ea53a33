//! Text, numbers and shapes that nobody in their right mind would send.

use super::random::Random;
use serde_json::{Value, json};

/// One of `items`.
pub(super) fn one<'a, T>(random: &mut Random, items: &'a [T]) -> &'a T {
    &items[usize::try_from(random.within(0..=items.len() as u64 - 1)).unwrap()]
}

/// Whether the one case of `of` comes.
pub(super) fn rarely(random: &mut Random, of: u64) -> bool {
    random.within(1..=of) == 1
}

/// A text: short or endless, of any script, with what breaks parsers, pages, headers and databases.
pub(super) fn text(random: &mut Random, most: u64) -> String {
    const WORDS: &[&str] = &[
        "",
        " ",
        "\0",
        "a\0b",
        "\u{1}\u{2}\u{7f}\u{85}",
        "\r\nSet-Cookie: a=b",
        "\u{1b}[2J",
        "\u{202e}txt.exe",
        "\u{2066}\u{2029}\u{feff}\u{fffe}\u{10ffff}",
        "</title><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "';DROP TABLE batch;--",
        "$1 %s %n {} {{}} \\",
        "=cmd|' /C calc'!A0",
        "../../../etc/passwd",
        "%00%ff%",
        "-1",
        "0",
        "1",
        "2147483648",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551616",
        "1e400",
        "NaN",
        "0x1F",
        "١٢٣",
        "1.1.1",
        "1.1.\0",
        "5.a",
        "99999999999999999999.a",
        "16.9223372036854775807x",
        "17.-9223372036854775808x",
        "18.-62135596800000001x",
        "true",
        "null",
        "[]",
        "2026-02-29",
        "9999-12-31",
        "0001-01-01",
        "2026-11-20",
        "00000000-0000-0000-0000-000000000000",
        "01999999-0000-7000-8000-000000000000",
        "{01999999-0000-7000-8000-000000000000}",
        "cafe\u{301}",
        "👩\u{200d}🚒",
        "ORD_1",
        "refund",
        "order_sync",
        "send",
        "go:4294967295:x",
        "drop:",
        "approve",
        "reject",
        "done",
        "https://example.invalid/",
        "http://[::1%25lo]/",
        "whsec_AAAA",
        "1",
    ];
    match random.within(0..=9) {
        0 => "a".repeat(usize::try_from(random.within(1..=most)).unwrap()),
        1 => "₹".repeat(usize::try_from(random.within(1..=most / 3)).unwrap()),
        2 => "e\u{301}\u{323}\u{300}".repeat(usize::try_from(random.within(1..=most / 8)).unwrap()),
        3 => "9".repeat(usize::try_from(random.within(1..=most.min(1_000))).unwrap()),
        4 => (0..random.within(1..=most.min(300)))
            .map(|_| char::from_u32(u32::try_from(random.next() % 0x11_0000).unwrap()).unwrap_or('\u{0}'))
            .collect(),
        _ => (*one(random, WORDS)).to_owned(),
    }
}

/// Bytes of no meaning.
pub(super) fn noise(random: &mut Random, most: u64) -> Vec<u8> {
    (0..random.within(0..=most)).map(|_| u8::try_from(random.next() % 256).unwrap()).collect()
}

/// A value of JSON that is not expected.
pub(super) fn value(random: &mut Random) -> Value {
    match random.within(0..=10) {
        0 => json!(null),
        1 => json!(true),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1e300),
        5 => json!([]),
        6 => json!({ "a": [1, { "b": null }] }),
        7 => (0..100).fold(json!([]), |inner, _| json!([inner])),
        8 => json!(vec![0; 10_000]),
        _ => json!(text(random, 20_000)),
    }
}

/// The same input with one of its values exchanged, or one more.
pub(super) fn changed(random: &mut Random, input: &Value) -> Value {
    let mut input = input.clone();
    let mut place = &mut input;
    loop {
        let Value::Object(fields) = place else {
            *place = value(random);
            return input;
        };
        if fields.is_empty() || rarely(random, 8) {
            fields.insert(text(random, 100), value(random));
            return input;
        }
        let names: Vec<String> = fields.keys().cloned().collect();
        place = &mut fields[one(random, &names)];
    }
}

/// As a part of an address: percent-encoded, sometimes wrongly.
pub(super) fn encoded(random: &mut Random, most: u64) -> String {
    match random.within(0..=9) {
        0 => "%FF%FE%C3".to_owned(),
        1 => "%zz%4".to_owned(),
        2 => "..%2F..%2F".to_owned(),
        3 => noise(random, 40).iter().map(|byte| format!("%{byte:02X}")).collect(),
        _ => batchdesk::domain::page::encode(&text(random, most / 9 + 9)),
    }
}
