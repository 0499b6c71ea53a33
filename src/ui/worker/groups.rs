//! Findings as people go through them: by kind, errors first.

use crate::domain::finding::{Finding, FindingCode, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Findings of one kind that a page lists; more are counted.
const LISTED: usize = 100;
/// Bytes of all that it lists.
const LISTED_BYTES: usize = 160 * 1024;

/// A repair of cells that is beyond doubt, with what it does to the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// Which.
    pub kind: FixKind,
    /// How many cells it would change.
    pub cells: u64,
    /// The first of them, as it is.
    pub before: String,
    /// The first of them, repaired.
    pub after: String,
}

/// What a repair of cells does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixKind {
    /// Takes thousands separators and the currency's sign away.
    PlainAmounts,
    /// Takes blanks around values away.
    OuterBlanks,
    /// Takes what a tool put around ids away: `="0012345"` becomes `0012345`.
    GuardedIds,
}

/// All findings of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Which kind.
    pub code: FindingCode,
    /// Whether it keeps the file out.
    pub severity: Severity,
    /// How many there are.
    pub count: u64,
    /// The first of them, by row.
    pub listed: Vec<Finding>,
    /// What would repair them, where that is beyond doubt.
    pub fix: Option<Fix>,
}

impl Group {
    /// What they all say, where they all say the same.
    pub fn common(&self) -> Option<&str> {
        let first = self.listed.first()?;
        let same = self.listed.iter().all(|finding| finding.row.is_some() && finding.message == first.message);
        same.then(|| detail(first))
    }

    /// Whether a person must say that they are meant.
    pub fn must_be_confirmed(&self) -> bool {
        self.severity == Severity::Warning && self.code.must_be_confirmed()
    }

    /// How many are not listed.
    pub fn unlisted(&self) -> u64 {
        self.count.saturating_sub(self.listed.len() as u64)
    }
}

/// Groups findings by kind: errors before warnings, what holds for the whole file first, then by number.
pub fn group(findings: &[Finding]) -> Vec<Group> {
    let mut groups: BTreeMap<(Severity, FindingCode), Group> = BTreeMap::new();
    let mut bytes = 0;
    for finding in findings {
        let group = groups.entry((finding.severity, finding.code)).or_insert_with(|| Group {
            code: finding.code,
            severity: finding.severity,
            count: 0,
            listed: Vec::new(),
            fix: None,
        });
        group.count += 1;
        let more = finding.message.len() + finding.value.len() + finding.column.as_ref().map_or(0, String::len);
        // The first of each kind always stands.
        if group.listed.is_empty() || (group.listed.len() < LISTED && bytes + more <= LISTED_BYTES) {
            bytes += more;
            group.listed.push(finding.clone());
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    let of_rows = |group: &Group| group.listed.first().is_some_and(|finding| finding.row.is_some());
    groups.sort_by_key(|group| (group.severity, of_rows(group), std::cmp::Reverse(group.count)));
    groups
}

/// The sentence without the words of its kind, under which it stands.
pub fn detail(finding: &Finding) -> &str {
    // A sentence may begin with a part of the title: "Same order ID: rows 2 and 7 …" below "Same order ID twice".
    let told = |head: &str| !head.is_empty() && finding.code.title().starts_with(head);
    let rest = finding.message.split_once(':').filter(|(head, _)| told(head)).map(|(_, rest)| rest.trim_start());
    rest.filter(|rest| !rest.is_empty()).unwrap_or(&finding.message)
}

/// The words of its kind that stand before `detail`; empty where the sentence begins otherwise.
pub fn lead(finding: &Finding) -> &str {
    let length = finding.message.len() - detail(finding).len();
    finding.message.get(..length).unwrap_or("")
}

/// A few words for below the cell: `Has a thousands separator`.
pub fn short(finding: &Finding) -> String {
    let clause = detail(finding).split(';').next().unwrap_or_default();
    // Column and value stand above these words already.
    let after_value = clause.split_once('"').and_then(|(_, rest)| rest.split_once("\" ")).map(|(_, rest)| rest);
    let text = after_value.filter(|rest| !rest.trim().is_empty()).unwrap_or(clause).trim().trim_end_matches('.');
    // The name of a column stays as it is written.
    if finding.column.as_ref().is_some_and(|column| text.starts_with(column.as_str())) {
        return text.to_owned();
    }
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{limits::Limits, money::Currency};
    use crate::formats::{
        header::Layout,
        refunds::{Template, check_refunds},
    };

    fn findings(rows: &str) -> Vec<Finding> {
        let header = Template::Split.template().sample.lines().next().unwrap();
        let text = format!("{header}\n{rows}");
        check_refunds(text.as_bytes(), Currency::Inr, Limits::default()).findings
    }

    #[test]
    fn errors_stand_first_and_the_most_frequent_before_others() {
        let found = findings("A,5,5,,,,,,\nA,5,5,,,,,,\n,5,5,,,,,,\nB,\"1,250\",5,,,,,,\nC,x,5,,,,,,\n D,5,5,,,,,,\n");
        let groups = group(&found);
        let order: Vec<_> = groups.iter().map(|group| (group.code, group.count)).collect();
        assert_eq!(
            order,
            [
                (FindingCode::InvalidDataType, 2),
                (FindingCode::MissingMandatoryFields, 1),
                (FindingCode::RepeatedOrder, 1),
                (FindingCode::OuterBlanks, 1),
            ]
        );
        assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), found.len() as u64);
        assert_eq!(groups[1].common(), Some("order_id is empty."));
        assert_eq!(groups[0].common(), None);
    }

    #[test]
    fn what_is_not_listed_is_counted() {
        let found = findings(&",5,5,,,,,,\n".repeat(140));
        let groups = group(&found);
        assert_eq!((groups[0].count, groups[0].listed.len(), groups[0].unlisted()), (140, 100, 40));
    }

    #[test]
    fn a_sentence_is_cut_where_its_place_says_the_rest() {
        let found = findings("B,\"1,250\",5,,,,,,\n,5,5,,,,,,\n");
        let amount = found.iter().find(|finding| finding.code == FindingCode::InvalidDataType).unwrap();
        assert_eq!(short(amount), "Has a thousands separator");
        assert_eq!(lead(amount), "Invalid data type: ");
        assert_eq!(format!("{}{}", lead(amount), detail(amount)), amount.message);
        let empty = found.iter().find(|finding| finding.code == FindingCode::MissingMandatoryFields).unwrap();
        assert_eq!(short(empty), "order_id is empty");
        let twice = findings("A,5,5,,,,,,\nA,5,5,,,,,,\n");
        assert_eq!(lead(&twice[0]), "Same order ID: ");
        let part = Finding { message: "Kept as it is".into(), ..empty.clone() };
        assert_eq!((lead(&part), detail(&part)), ("", "Kept as it is"));
    }
}
