//! What a list shows: search, sort, filter and page, to and from the query string of its address.

mod day;

use super::batch::BatchStatus;
use super::ids::PersonId;
use super::task::TaskStatus;
pub use day::Day;
use serde::{Deserialize, Serialize};

/// Rows of one page of a list.
pub const PAGE_SIZE: u32 = 50;

/// Columns that batch lists sort by (File Name, Status, Amount, Date Created, Total Tasks; Total Records counts the
/// same).
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

/// The state of a batch list. In the address:
/// `?q=&case=0&status=processing&maker=&from=2026-11-01&to=2026-11-20&sort=-created&page=2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchQuery {
    /// Part of a file name; empty for all.
    pub search: String,
    /// Whether the search minds upper and lower case (on unless switched off, as specified).
    pub case_sensitive: bool,
    /// Only this status.
    pub status: Option<BatchStatus>,
    /// Only what this person uploaded.
    #[serde(default)]
    pub maker: Option<PersonId>,
    /// Only what was created on this day or later, in the organisation's zone.
    #[serde(default)]
    pub from: Option<Day>,
    /// Only what was created on this day or before, in the organisation's zone.
    #[serde(default)]
    pub to: Option<Day>,
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
            maker: None,
            from: None,
            to: None,
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
            query.set(name, value);
        }
        query
    }

    /// Changes what one pair of a query string says.
    pub fn set(&mut self, name: &str, value: &str) {
        match name {
            "q" => self.search = value.to_owned(),
            "case" => self.case_sensitive = value != "0",
            "status" => self.status = BatchStatus::from_code(value),
            "maker" => self.maker = value.parse().ok(),
            "from" => self.from = value.parse().ok(),
            "to" => self.to = value.parse().ok(),
            "sort" => {
                let (descending, code) = match value.strip_prefix('-') {
                    Some(code) => (true, code),
                    None => (false, value),
                };
                if let Some(sort) = BatchSort::ALL.into_iter().find(|sort| sort.code() == code) {
                    self.sort = sort;
                    self.descending = descending;
                }
            }
            "page" => self.page = value.parse().unwrap_or(1).max(1),
            _ => {}
        }
    }

    /// Whether the list is narrowed to a person or to days.
    pub const fn is_narrowed(&self) -> bool {
        self.maker.is_some() || self.from.is_some() || self.to.is_some()
    }

    /// The same without what narrows it, search and order kept.
    pub fn without_filters(&self) -> Self {
        Self { status: None, maker: None, from: None, to: None, page: 1, ..self.clone() }
    }

    /// What differs from the default state, as pairs of a query string; the page is not among them.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let standard = Self::default();
        let mut pairs = Vec::new();
        if !self.search.is_empty() {
            pairs.push(("q", self.search.clone()));
        }
        if !self.case_sensitive {
            pairs.push(("case", "0".to_owned()));
        }
        if let Some(status) = self.status {
            pairs.push(("status", status.code().to_owned()));
        }
        if let Some(maker) = self.maker {
            pairs.push(("maker", maker.to_string()));
        }
        for (name, day) in [("from", &self.from), ("to", &self.to)] {
            if let Some(day) = day {
                pairs.push((name, day.text().to_owned()));
            }
        }
        if (self.sort, self.descending) != (standard.sort, standard.descending) {
            pairs.push(("sort", format!("{}{}", if self.descending { "-" } else { "" }, self.sort.code())));
        }
        pairs
    }

    /// The query string of this state, with its `?`; empty for the default state.
    pub fn to_query(&self) -> String {
        let pairs = self.pairs().into_iter().map(|(name, value)| format!("{name}={}", encode(&value)));
        let mut pairs: Vec<String> = pairs.collect();
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
mod tests;
