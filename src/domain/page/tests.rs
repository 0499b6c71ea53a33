use super::*;
use proptest::prelude::*;

/// What a web server makes of a query string.
fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, tail @ ..] = rest {
            match (first, tail) {
                (b'%', [high, low, after @ ..]) => {
                    let hex = String::from_utf8(vec![*high, *low]).unwrap();
                    bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                    rest = after;
                }
                (b'+', _) => {
                    bytes.push(b' ');
                    rest = tail;
                }
                _ => {
                    bytes.push(*first);
                    rest = tail;
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = query.strip_prefix('?').unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

fn batch(query: &str) -> BatchQuery {
    let pairs = pairs(query);
    BatchQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn task(query: &str) -> TaskQuery {
    let pairs = pairs(query);
    TaskQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

#[test]
fn the_default_needs_no_query() {
    assert_eq!(BatchQuery::default().to_query(), "");
    assert_eq!(batch(""), BatchQuery::default());
    assert!(batch("").case_sensitive && batch("").descending);
    assert_eq!(TaskQuery::default().to_query(), "");
}

#[test]
fn what_makes_no_sense_is_ignored() {
    for query in [
        "?sort=size",
        "?sort=-size",
        "?status=gone",
        "?page=0",
        "?page=-1",
        "?page=x",
        "?other=1",
        "?case=2",
        "?maker=somebody",
        "?from=yesterday",
        "?from=2026-02-30",
        "?to=20-11-2026",
        "?to=2026-11-20%27",
    ] {
        assert_eq!(batch(query), BatchQuery::default(), "{query}");
    }
    assert_eq!(task("?status=failed&page=99999999999"), TaskQuery { page: 1, ..TaskQuery::default() });
}

#[test]
fn sort_has_both_directions() {
    for sort in BatchSort::ALL {
        for (sign, descending) in [("", false), ("-", true)] {
            let query = batch(&format!("?sort={sign}{}", sort.code()));
            assert_eq!((query.sort, query.descending), (sort, descending));
        }
    }
}

#[test]
fn pages_are_counted() {
    for (total, pages) in [(0, 1), (1, 1), (50, 1), (51, 2), (1_000_000, 20_000)] {
        assert_eq!(Paged::<()> { rows: vec![], total, page: 1, size: PAGE_SIZE }.pages(), pages);
    }
    assert_eq!(Paged::<()> { rows: vec![], total: u64::MAX, page: 1, size: 0 }.pages(), u32::MAX);
}

proptest! {
    #[test]
    fn a_batch_query_survives_the_address(
        search in "\\PC{0,12}", case_sensitive in any::<bool>(), status in proptest::option::of(0..BatchStatus::ALL.len()),
        maker in proptest::option::of(any::<u128>()), from in proptest::option::of((1900u32..2200, 1u32..=12, 1u32..=28)),
        sort in 0..BatchSort::ALL.len(), descending in any::<bool>(), page in 1u32..,
    ) {
        let status = status.map(|index| BatchStatus::ALL[index]);
        let maker = maker.map(|number| PersonId(uuid::Uuid::from_u128(number)));
        let from: Option<Day> = from.map(|(year, month, day)| format!("{year}-{month:02}-{day:02}").parse().unwrap());
        let to = from.clone();
        let query =
            BatchQuery { search, case_sensitive, status, maker, from, to, sort: BatchSort::ALL[sort], descending, page };
        prop_assert_eq!(batch(&query.to_query()), query);
    }

    #[test]
    fn a_task_query_survives_the_address(order in "\\PC{0,12}", status in proptest::option::of(0..3usize), page in 1u32..) {
        let query = TaskQuery { status: status.map(|index| TaskStatus::ALL[index]), order, page };
        prop_assert_eq!(task(&query.to_query()), query);
    }

    #[test]
    fn nothing_but_unreserved_characters_stays(text in "\\PC{0,12}") {
        let encoded = encode(&text);
        prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
    }
}

#[test]
fn what_narrows_a_list_can_be_taken_away_and_the_rest_stays() {
    let query =
        batch("?q=oct&status=completed&maker=01999999-0000-7000-8000-000000000000&from=2026-11-01&sort=name&page=3");
    assert!(query.is_narrowed());
    assert_eq!(query.without_filters().to_query(), "?q=oct&sort=name");
    assert!(!batch("?q=oct&status=completed").is_narrowed());
}
