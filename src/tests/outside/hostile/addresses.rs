//! Query strings and headers that nobody should send.

use super::{
    random::Random,
    texts::{encoded, one, rarely},
};

/// Names that pages read in their addresses, with values that they do not expect.
pub(super) fn query(random: &mut Random) -> String {
    const NAMES: &[&str] = &[
        "q",
        "status",
        "page",
        "case",
        "maker",
        "from",
        "to",
        "sort",
        "order",
        "draft",
        "upload",
        "next",
        "after",
        "before",
        "since",
        "refunded",
        "batch",
        "operation",
        "watch",
        "session",
        "amount",
        "unique_id",
        "description",
        "a",
        "%00",
        "%FF",
    ];
    let name = |random: &mut Random| *one(random, NAMES);
    match random.within(0..=7) {
        0 => format!("?{}={}", name(random), "%C3%A9".repeat(5_000)),
        1 => format!("?{}", format!("{}=1&", name(random)).repeat(2_000)),
        2 => format!("?{}", "&".repeat(10_000)),
        _ => {
            let pairs = (0..random.within(1..=4)).map(|_| format!("{}={}", name(random), encoded(random, 4_000)));
            format!("?{}", pairs.collect::<Vec<_>>().join("&"))
        }
    }
}

/// Headers that nobody's browser sends.
pub(super) fn headers(random: &mut Random) -> Vec<(&'static str, String)> {
    const HEADERS: &[(&str, &str)] = &[
        ("cookie", "batchdesk=; batchdesk=AAAA; theme=\u{e9}; batchdesk-flash=////"),
        ("x-forwarded-for", "999.1.1.1, ::ffff:1, , 1.1.1.1:99999"),
        ("if-none-match", "W/\"\", *"),
        ("range", "bytes=0-,-1,5-2"),
        ("last-event-id", "99999999999999999999999"),
        ("accept-encoding", "br;q=9, gzip;q=-1, *"),
        ("accept-language", "xx-\u{fffd};q=a"),
        ("x-batchdesk-poll", "\u{ff}"),
        ("referer", "http://[::1"),
    ];
    if !rarely(random, 4) {
        return Vec::new();
    }
    let (name, value) = one(random, HEADERS);
    let value = if rarely(random, 3) { "v".repeat(8_000) } else { (*value).to_owned() };
    vec![(name, value)]
}
