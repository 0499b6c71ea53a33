//! Bodies: forms, multipart forms and inputs of server functions, in shapes that nobody should send.

use super::{
    super::shapes,
    files::{self, SAMPLE_WITH_FLAWS},
    random::Random,
    texts::{changed, encoded, noise, one, rarely, text},
};
use batchdesk::domain::operation::Operation;

const BOUNDARY: &str = "hostile-7f3a";

/// What a form takes.
pub(super) enum Takes {
    Fields(&'static [&'static str]),
    File,
}

/// What the form at a route's address takes. A form that is not here fails the test.
pub(super) fn takes(path: &str) -> Takes {
    const ACCOUNT: &[&str] =
        &["connector", "base_url", "merchant_id", "api_key", "sandbox", "untested", "reason", "password"];
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let fields: &[&str] = match parts.as_slice() {
        ["batch", _] => return Takes::File,
        ["batch", _, "new", "description"] => &["description"],
        ["batch", _, _, "sync" | "withdraw" | "resume" | "cancel"] => &["next"],
        ["batch", _, _, "pause"] => &["reason", "next"],
        ["batch", _, _, "retry"] => {
            &["do", "page", "revision", "row", "take-1", "c1-order_id", "c1-amount", "c1-udf1", "confirm_repeat"]
        }
        ["login"] => &["email", "password", "next"],
        ["logout"] | ["settings", "resume"] | ["orders", _, "sync"] => &[],
        ["theme"] => &["theme", "next"],
        ["approvals", _] => &["decision", "content_hash", "reason", "password"],
        ["review", _, "propose"] => &["finding", "row", "reason", "reference-1.1"],
        ["review", _, "answer"] => &["answer", "proposal", "note", "password"],
        ["review", _, "withdraw"] => &["proposal"],
        ["review", _, "acknowledge"] => &["entry", "note"],
        ["orders", "refund"] => &["do", "order", "amount", "unique_id", "description", "draft", "confirm_repeat"],
        ["notices", "read"] => &["until"],
        ["settings", "limits"] => &["row_limit", "approval_days", "reason", "password"],
        ["settings", "approval"] => &["operation", "needed", "reason", "password"],
        ["settings", "pause"] => &["reason"],
        ["settings", "changes", _, _] => &["answer", "content_hash", "note", "password"],
        ["settings", "external"] => &["url", "secret", "enabled", "reason", "password"],
        ["settings", "connections"] | ["settings", "connections", _, "change"] => ACCOUNT,
        ["settings", "connections", _, "test" | "resume"] => &[],
        ["settings", "connections", _, "pause"] => &["reason"],
        ["settings", "connections", _, "choose"] => &["password"],
        ["settings", "connections", _, "limits"] => &["concurrency", "rate_limit", "rate_burst"],
        ["settings", "connections", _, "measure"] => &["order", "declined_order", "failing_order", "key_window_hours"],
        _ => panic!("{path}: write down here what this form takes"),
    };
    Takes::Fields(fields)
}

/// A body, what is wrong with it, and what kind it says it is.
pub(super) struct Body {
    pub(super) what: &'static str,
    pub(super) kind: Option<String>,
    pub(super) bytes: Vec<u8>,
    /// Sent without its length.
    pub(super) chunked: bool,
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A plain form with these fields.
pub(super) fn form(random: &mut Random, names: &[&str]) -> Body {
    let chunked = rarely(random, 5);
    let name = |random: &mut Random| if names.is_empty() || rarely(random, 9) { "other" } else { *one(random, names) };
    let (what, bytes) = match random.within(0..=13) {
        0 => ("one field many times", format!("{}=1&", name(random)).repeat(3_000).into_bytes()),
        1 => ("fields without names", "&=&".repeat(15_000).into_bytes()),
        2 => ("one byte more than is taken", format!("{}={}", name(random), "a".repeat(64 * 1024)).into_bytes()),
        3 => ("much more than is taken", format!("{}={}", name(random), "a".repeat(3_000_000)).into_bytes()),
        4 => ("noise", noise(random, 5_000)),
        5 => ("JSON without end", "{\"a\":[".repeat(8_000).into_bytes()),
        _ => {
            let mut pairs: Vec<String> =
                names.iter().map(|name| format!("{name}={}", encoded(random, 60_000))).collect();
            pairs.extend(
                (0..random.within(0..=3)).map(|_| format!("{}={}", encoded(random, 300), encoded(random, 3_000))),
            );
            random.shuffle(&mut pairs);
            ("hostile fields", pairs.join("&").into_bytes())
        }
    };
    let kind = match random.within(0..=14) {
        0 => None,
        1 => Some("application/json".to_owned()),
        2 => Some(format!("multipart/form-data; boundary={BOUNDARY}")),
        3 => Some("x".repeat(7_000)),
        _ => Some(FORM.to_owned()),
    };
    Body { what, kind, bytes, chunked }
}

/// An input of a server function.
pub(super) fn input(random: &mut Random, path: &str) -> Body {
    let good = shapes::input(path);
    let chunked = rarely(random, 5);
    let (what, bytes) = match random.within(0..=9) {
        0 => ("noise", noise(random, 3_000)),
        1 => ("JSON without end", "[".repeat(60_000).into_bytes()),
        2 => ("much more than is taken", format!("\"{}\"", "a".repeat(1_000_000)).into_bytes()),
        3 => ("one byte more than is taken", vec![b' '; 64 * 1024 + 1]),
        _ => ("an input that was changed", changed(random, &good).to_string().into_bytes()),
    };
    let kind = match random.within(0..=12) {
        0 => None,
        1 => Some(FORM.to_owned()),
        _ => Some("application/json; charset=utf-8".to_owned()),
    };
    Body { what, kind, bytes, chunked }
}

fn part(head: &str, bytes: &[u8]) -> Vec<u8> {
    [format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes(), bytes, b"\r\n"].concat()
}

fn field(name: &str, value: &str) -> Vec<u8> {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), value.as_bytes())
}

fn file_part(name: &str, bytes: &[u8]) -> Vec<u8> {
    part(
        &format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv"),
        bytes,
    )
}

fn multipart(what: &'static str, parts: Vec<Vec<u8>>) -> Body {
    let mut bytes = parts.concat();
    bytes.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Body { what, kind: Some(format!("multipart/form-data; boundary={BOUNDARY}")), bytes, chunked: false }
}

/// The form that carries a file, as it should be but for the file.
pub(super) fn with_file(random: &mut Random, bytes: &[u8]) -> Body {
    let name = text(random, 2_000).replace(['"', '\r', '\n', '\0'], "_");
    multipart("a file", vec![field("description", "Hostile"), file_part(&format!("{name}.csv"), bytes)])
}

/// A form for a file in a shape that nobody should send.
pub(super) fn upload(random: &mut Random, operation: Operation) -> Body {
    let small = b"order_id,amount\nORD_1,1\n";
    let body = match random.within(0..=15) {
        0 => multipart("no part", Vec::new()),
        1 => multipart("no file", vec![field("description", &text(random, 8_000))]),
        2 => multipart("many parts", (0..5_000).map(|n| field(&format!("f{n}"), "1")).collect()),
        3 => multipart("two files", vec![file_part("a.csv", small), file_part("b.csv", small)]),
        4 => {
            let head =
                format!("Content-Disposition: form-data; name=\"file\"; filename=\"{}.csv\"", "n".repeat(4_000_000));
            multipart("a part header of megabytes", vec![part(&head, small)])
        }
        5 => {
            let head = format!("Content-Disposition: form-data; name=\"file\"\r\n{}x: y", "x: y\r\n".repeat(100_000));
            multipart("part headers without end", vec![part(&head, small)])
        }
        6 => {
            let head = format!("Content-Disposition: form-data; name=\"{}\"", "n".repeat(2_000_000));
            multipart("a part of an endless name", vec![part(&head, b"1")])
        }
        7 => multipart(
            "a field of megabytes",
            vec![field("description", &"d".repeat(3_000_000)), file_part("a.csv", small)],
        ),
        8 => multipart("a file of the limit and one byte", vec![file_part("a.csv", &vec![b'a'; 5 * 1024 * 1024 + 1])]),
        9 => multipart(
            "a field that is no text",
            vec![
                part("Content-Disposition: form-data; name=\"description\"", b"\xff\xfe\0"),
                file_part("a.csv", small),
            ],
        ),
        10 => {
            let mut body =
                multipart("a form that is cut", vec![field("description", "x"), file_part("a.csv", &[b'a'; 50_000])]);
            let length = usize::try_from(random.within(0..=50_000)).unwrap();
            body.bytes.truncate(length);
            body
        }
        11 => Body {
            what: "noise",
            kind: Some(format!("multipart/form-data; boundary={BOUNDARY}")),
            bytes: noise(random, 100_000),
            chunked: false,
        },
        12 => Body {
            kind: Some(
                one(random, &["multipart/form-data", "multipart/form-data; boundary=", "text/csv", ""]).to_string(),
            ),
            ..multipart("no boundary", vec![file_part("a.csv", small)])
        },
        13 => {
            let names = ["description", "draft", "upload", "confirm_repeat", "sync_with_gateway", "file", ""];
            let fields = (0..random.within(1..=15)).map(|_| {
                let name = *one(random, &names);
                field(name, &text(random, 9_000))
            });
            let fields = fields.collect();
            multipart("hostile fields", fields)
        }
        14 => multipart("no disposition", vec![part("x: y", small), part("Content-Disposition: form-data", small)]),
        _ => {
            let file = files::file(random, operation, SAMPLE_WITH_FLAWS);
            with_file(random, &file.bytes)
        }
    };
    Body { chunked: rarely(random, 3), ..body }
}
