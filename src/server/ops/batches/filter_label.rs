//! What a list is narrowed to beside search and status, in words.

use super::time_format;
use crate::domain::{ids::PersonId, page::BatchQuery};

/// The person and the days, in words that go on a sentence; empty when the list is narrowed to neither.
pub(super) fn filter_label(query: &BatchQuery, makers: &[(PersonId, String)]) -> String {
    let mut words = String::new();
    if let Some(maker) = query.maker {
        let known = makers.iter().find(|(id, _)| *id == maker).map(|(_, email)| email.as_str());
        words.push_str(&format!(", uploaded by {}", known.unwrap_or("somebody who uploaded nothing here")));
    }
    let day = time_format::day_label;
    match (&query.from, &query.to) {
        (Some(from), Some(to)) if from == to => words.push_str(&format!(", created on {}", day(from))),
        (Some(from), Some(to)) => words.push_str(&format!(", created from {} to {}", day(from), day(to))),
        (Some(from), None) => words.push_str(&format!(", created on {} or later", day(from))),
        (None, Some(to)) => words.push_str(&format!(", created on {} or before", day(to))),
        (None, None) => {}
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_narrows_the_list_is_named() {
        let id: PersonId = "01999999-0000-7000-8000-000000000000".parse().unwrap();
        let makers = [(id, "maker@acme.test".to_owned())];
        let words = |pairs: &[(&str, &str)]| filter_label(&BatchQuery::from_pairs(pairs.iter().copied()), &makers);
        assert_eq!(words(&[("q", "x"), ("status", "completed")]), "");
        assert_eq!(words(&[("maker", &id.to_string())]), ", uploaded by maker@acme.test");
        assert_eq!(
            words(&[("maker", "01999999-0000-7000-8000-000000000001"), ("from", "2026-11-01"), ("to", "2026-11-20")]),
            ", uploaded by somebody who uploaded nothing here, created from 1 Nov 2026 to 20 Nov 2026"
        );
        assert_eq!(words(&[("from", "2026-11-01"), ("to", "2026-11-01")]), ", created on 1 Nov 2026");
        assert_eq!(words(&[("from", "2026-11-01")]), ", created on 1 Nov 2026 or later");
        assert_eq!(words(&[("to", "2026-11-01")]), ", created on 1 Nov 2026 or before");
    }
}
