//! What a list shows: search, sort, filter and page, to and from the query string of its address.

use super::batch::BatchStatus;
use super::task::TaskStatus;
use serde::{Deserialize, Serialize};

/// Rows of one page of a list.
pub const PAGE_SIZE: u32 = 50;

/// Columns that batch lists sort by (File Name, Status, Amount, Date Created, Total Tasks; Total Records counts the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchSort {
    /// File Name.
    FileName,
    /// File Upload Status, in life cycle order.
    Status,
    /// Amount.
    Amount,
    /// Date Created.
    Created,
    /// Total Records.
    Records,
    /// Total Tasks.
    Tasks,
}

impl BatchSort {
    /// All sortable columns.
    pub const ALL: [Self; 6] = [Self::FileName, Self::Status, Self::Amount, Self::Created, Self::Records, Self::Tasks];

    /// The name in the address.
    pub const fn code(self) -> &'static str {
        match self {
            Self::FileName => "name",
            Self::Status => "status",
            Self::Amount => "amount",
            Self::Created => "created",
            Self::Records => "records",
            Self::Tasks => "tasks",
        }
    }
}

/// The state of a batch list. In the address: `?q=&case=0&status=processing&sort=-created&page=2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchQuery {
    /// Part of a file name; empty for all.
    pub search: String,
    /// Whether the search minds upper and lower case (on unless switched off, as specified).
    pub case_sensitive: bool,
    /// Only this status.
    pub status: Option<BatchStatus>,
    /// The column sorted by.
    pub sort: BatchSort,
    /// Largest, newest or last first.
    pub descending: bool,
    /// From 1.
    pub page: u32,
}

impl Default for BatchQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            case_sensitive: true,
            status: None,
            sort: BatchSort::Created,
            descending: true,
            page: 1,
        }
    }
}

impl BatchQuery {
    /// Reads the pairs of a query string; what is unknown or makes no sense is ignored.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        for (name, value) in pairs {
            match name {
                "q" => query.search = value.to_owned(),
                "case" => query.case_sensitive = value != "0",
                "status" => query.status = BatchStatus::from_code(value),
                "sort" => {
                    let (descending, code) = match value.strip_prefix('-') {
                        Some(code) => (true, code),
                        None => (false, value),
                    };
                    if let Some(sort) = BatchSort::ALL.into_iter().find(|sort| sort.code() == code) {
                        query.sort = sort;
                        query.descending = descending;
                    }
                }
                "page" => query.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        query
    }

    /// The query string of this state, with its `?`; empty for the default state.
    pub fn to_query(&self) -> String {
        let standard = Self::default();
        let mut pairs = Vec::new();
        if !self.search.is_empty() {
            pairs.push(format!("q={}", encode(&self.search)));
        }
        if !self.case_sensitive {
            pairs.push("case=0".to_owned());
        }
        if let Some(status) = self.status {
            pairs.push(format!("status={}", status.code()));
        }
        if (self.sort, self.descending) != (standard.sort, standard.descending) {
            pairs.push(format!("sort={}{}", if self.descending { "-" } else { "" }, self.sort.code()));
        }
        if self.page > 1 {
            pairs.push(format!("page={}", self.page));
        }
        join(&pairs)
    }
}

/// The state of the table of tasks on a batch's page. In the address: `?status=FAILED&q=ORD_&page=2`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskQuery {
    /// Only this status.
    pub status: Option<TaskStatus>,
    /// The beginning of an order id; empty for all.
    pub order: String,
    /// From 1 (0 counts as 1).
    pub page: u32,
}

impl TaskQuery {
    /// Reads the pairs of a query string; what is unknown or makes no sense is ignored.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self { page: 1, ..Self::default() };
        for (name, value) in pairs {
            match name {
                "status" => query.status = TaskStatus::from_code(value),
                "q" => query.order = value.to_owned(),
                "page" => query.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        query
    }

    /// The query string of this state, with its `?`; empty for the default state.
    pub fn to_query(&self) -> String {
        let mut pairs = Vec::new();
        if let Some(status) = self.status {
            pairs.push(format!("status={}", status.code()));
        }
        if !self.order.is_empty() {
            pairs.push(format!("q={}", encode(&self.order)));
        }
        if self.page > 1 {
            pairs.push(format!("page={}", self.page));
        }
        join(&pairs)
    }
}

fn join(pairs: &[String]) -> String {
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Percent-encodes one value of a query string or one segment of a path: all but unreserved characters (RFC 3986).
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// One page of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paged<T> {
    /// The rows of this page.
    pub rows: Vec<T>,
    /// Rows on all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a full page.
    pub size: u32,
}

impl<T> Paged<T> {
    /// How many pages there are, at least 1.
    pub fn pages(&self) -> u32 {
        let pages = self.total.div_ceil(u64::from(self.size.max(1)));
        u32::try_from(pages).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
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
        for query in
            ["?sort=size", "?sort=-size", "?status=gone", "?page=0", "?page=-1", "?page=x", "?other=1", "?case=2"]
        {
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
            sort in 0..BatchSort::ALL.len(), descending in any::<bool>(), page in 1u32..,
        ) {
            let status = status.map(|index| BatchStatus::ALL[index]);
            let query = BatchQuery { search, case_sensitive, status, sort: BatchSort::ALL[sort], descending, page };
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
}
