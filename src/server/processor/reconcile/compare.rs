//! The three-way comparison: records of the file, our outcomes, the gateway's list. Pure.

use crate::{
    db::reconcile::{Found, OurRow},
    gateway::{ListedRefund, Listing, ReplyClass},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The gateway took back its last word about a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reversal {
    pub(super) row: i32,
    pub(super) revision: i16,
    /// Whether it was carried out after all.
    pub(super) succeeded: bool,
    pub(super) refund: ListedRefund,
}

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    pub(super) found: Vec<Found>,
    pub(super) reversals: Vec<Reversal>,
    /// Tasks without a last word about which the gateway has news: S.No and revision.
    pub(super) ask: Vec<(i32, i16)>,
    pub(super) orders: i32,
    pub(super) unread: i32,
}

/// Compares orders: our rows by order, the gateway's lists by order, and the (order, key) pairs of our other batches.
pub(super) fn compare(
    ours: &BTreeMap<String, Vec<OurRow>>,
    theirs: &HashMap<String, Listing>,
    others: &BTreeSet<(String, String)>,
) -> Compared {
    let mut out = Compared::default();
    for (order, rows) in ours {
        out.orders += 1;
        let Some(Listing::Refunds(refunds)) = theirs.get(order) else {
            out.unread += 1;
            out.found.push(Found { money: false, ..not_ours(order, "unread", None) });
            continue;
        };
        for row in rows {
            let under_key: Vec<&ListedRefund> =
                refunds.iter().filter(|refund| refund.key.as_deref() == Some(row.gateway_key.as_str())).collect();
            one(&mut out, row, &under_key);
        }
        let known = |key: &str| {
            rows.iter().any(|row| row.gateway_key == key) || others.contains(&(order.clone(), key.to_owned()))
        };
        let strangers = refunds.iter().filter(|refund| !refund.key.as_deref().is_some_and(known));
        out.found.extend(strangers.map(|refund| not_ours(order, "outside", Some(refund))));
    }
    out
}

fn one(out: &mut Compared, row: &OurRow, listed: &[&ListedRefund]) {
    let state = row.state.as_str();
    let (refund, more) = match listed {
        // The gateway took it by its own word, and shows nothing of it.
        [] if matches!(state, "SUCCEEDED" | "PENDING") => return out.found.push(differs(row, "missing", None)),
        [] => return,
        [first, more @ ..] => (*first, more),
    };
    // Several refunds under one key: money may have moved more than once.
    out.found.extend(more.iter().map(|extra| differs(row, "extra", Some(extra))));
    let sent = row.attempts > 0;
    match (state, refund.class) {
        // Nothing was ever sent of it, and the gateway has it.
        ("READY", _) => out.found.push(differs(row, "extra", Some(refund))),
        ("FAILED", class) if !sent && class != ReplyClass::Failed => {
            out.found.push(differs(row, "extra", Some(refund)))
        }
        ("FAILED", ReplyClass::Failed) => {}
        // Whatever the state: what the gateway has is not what was approved.
        ("SUCCEEDED" | "FAILED" | "PENDING", _) if refund.amount_minor != Some(row.amount_minor) => {
            out.found.push(differs(row, "amount", Some(refund)));
        }
        ("SUCCEEDED", ReplyClass::Succeeded) | ("PENDING", ReplyClass::Pending | ReplyClass::Review) => {}
        // A refund under way counts as taken: until it ended there, the row must not be sent again.
        ("FAILED", ReplyClass::Succeeded | ReplyClass::Pending) | ("SUCCEEDED", ReplyClass::Failed) => {
            out.found.push(differs(row, "status", Some(refund)));
            if row.latest && !row.reversed && more.is_empty() {
                out.reversals.push(Reversal {
                    row: row.row_no,
                    revision: row.revision,
                    succeeded: state == "FAILED",
                    refund: refund.clone(),
                });
            }
        }
        ("SUCCEEDED" | "FAILED", _) => {
            // One that the gateway finishes by itself is no matter for people yet.
            let money = !(state == "SUCCEEDED" && refund.class == ReplyClass::Pending);
            out.found.push(Found { money, ..differs(row, "status", Some(refund)) });
        }
        // No last word of ours, and the gateway has one: it is asked in the usual way, which moves the task.
        _ => out.ask.push((row.row_no, row.revision)),
    }
}

fn differs(row: &OurRow, kind: &'static str, refund: Option<&ListedRefund>) -> Found {
    Found {
        row: Some((row.row_no, row.revision)),
        gateway_key: Some(row.gateway_key.clone()),
        ours: Some(row.state.clone()),
        ours_minor: Some(row.amount_minor),
        money: true,
        since: row.since,
        ..not_ours(&row.order_id, kind, refund)
    }
}

fn not_ours(order: &str, kind: &'static str, refund: Option<&ListedRefund>) -> Found {
    Found {
        row: None,
        kind,
        order_id: order.to_owned(),
        gateway_key: refund.and_then(|refund| refund.key.clone()),
        ours: None,
        ours_minor: None,
        theirs: refund.map(|refund| refund.status.clone()),
        theirs_minor: refund.and_then(|refund| refund.amount_minor),
        reference: refund.and_then(|refund| refund.reference.clone()),
        reversed: false,
        money: false,
        since: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &str, attempts: i16) -> OurRow {
        OurRow {
            row_no: 1,
            revision: 1,
            latest: true,
            order_id: "O".to_owned(),
            gateway_key: "K".to_owned(),
            amount_minor: 100,
            state: state.to_owned(),
            attempts,
            reversed: false,
            since: None,
        }
    }

    fn refund(key: &str, class: ReplyClass, minor: i64) -> ListedRefund {
        let status = format!("{class:?}");
        ListedRefund { key: Some(key.to_owned()), reference: None, status, class, amount_minor: Some(minor) }
    }

    fn look(row: OurRow, refunds: Vec<ListedRefund>) -> Compared {
        let ours = BTreeMap::from([("O".to_owned(), vec![row])]);
        let theirs = HashMap::from([("O".to_owned(), Listing::Refunds(refunds))]);
        compare(&ours, &theirs, &BTreeSet::from([("O".to_owned(), "OTHER".to_owned())]))
    }

    fn kinds(compared: &Compared) -> Vec<(&str, bool)> {
        compared.found.iter().map(|found| (found.kind, found.money)).collect()
    }

    #[test]
    fn what_agrees_is_not_a_difference() {
        use ReplyClass::{Failed, Pending, Review, Succeeded};
        for (state, attempts, refunds) in [
            ("SUCCEEDED", 1, vec![refund("K", Succeeded, 100)]),
            ("PENDING", 1, vec![refund("K", Pending, 100)]),
            ("PENDING", 1, vec![refund("K", Review, 100)]),
            ("FAILED", 1, vec![refund("K", Failed, 100)]),
            ("FAILED", 1, vec![]),
            ("FAILED", 0, vec![]),
            ("READY", 0, vec![]),
            ("UNKNOWN", 1, vec![]),
            ("REVIEW", 1, vec![]),
            ("SUCCEEDED", 1, vec![refund("K", Succeeded, 100), refund("OTHER", Succeeded, 5)]),
        ] {
            let found = look(row(state, attempts), refunds);
            assert!(found.found.is_empty() && found.reversals.is_empty() && found.ask.is_empty(), "{state}: {found:?}");
        }
    }

    #[test]
    fn every_difference_has_its_kind() {
        use ReplyClass::{Failed, Pending, Review, Succeeded, Unknown};
        for (state, attempts, refunds, expected) in [
            ("SUCCEEDED", 1, vec![], ("missing", true)),
            ("PENDING", 1, vec![], ("missing", true)),
            ("FAILED", 0, vec![refund("K", Succeeded, 100)], ("extra", true)),
            ("READY", 0, vec![refund("K", Pending, 100)], ("extra", true)),
            ("SUCCEEDED", 1, vec![refund("K", Succeeded, 100), refund("K", Succeeded, 100)], ("extra", true)),
            ("SUCCEEDED", 1, vec![refund("K", Succeeded, 101)], ("amount", true)),
            ("FAILED", 1, vec![refund("K", Succeeded, 101)], ("amount", true)),
            ("SUCCEEDED", 1, vec![refund("K", Failed, 100)], ("status", true)),
            ("FAILED", 1, vec![refund("K", Succeeded, 100)], ("status", true)),
            ("SUCCEEDED", 1, vec![refund("K", Review, 100)], ("status", true)),
            ("FAILED", 1, vec![refund("K", Unknown, 100)], ("status", true)),
            ("SUCCEEDED", 1, vec![refund("K", Pending, 100)], ("status", false)),
            ("SUCCEEDED", 1, vec![refund("K", Succeeded, 100), refund("STRANGE", Succeeded, 5)], ("outside", false)),
        ] {
            assert_eq!(kinds(&look(row(state, attempts), refunds)), [expected], "{state} {expected:?}");
        }
        let unread =
            compare(&BTreeMap::from([("O".to_owned(), vec![row("SUCCEEDED", 1)])]), &HashMap::new(), &BTreeSet::new());
        assert_eq!((kinds(&unread), unread.unread), (vec![("unread", false)], 1));
    }

    #[test]
    fn the_gateways_last_word_is_taken_over_once_and_only_for_the_latest_revision() {
        let done = || vec![refund("K", ReplyClass::Succeeded, 100)];
        let reversal = |row| look(row, done()).reversals.len();
        assert_eq!(reversal(row("FAILED", 1)), 1);
        assert_eq!(reversal(OurRow { latest: false, ..row("FAILED", 1) }), 0);
        assert_eq!(reversal(OurRow { reversed: true, ..row("FAILED", 1) }), 0);
        assert_eq!(reversal(row("FAILED", 0)), 0, "never sent: people look first");
        let twice = look(
            row("FAILED", 1),
            vec![refund("K", ReplyClass::Succeeded, 100), refund("K", ReplyClass::Succeeded, 100)],
        );
        assert!(twice.reversals.is_empty(), "two under one key: people look first");
    }

    #[test]
    fn a_task_without_a_last_word_is_asked_about() {
        for state in ["UNKNOWN", "PENDING", "REVIEW"] {
            assert_eq!(look(row(state, 1), vec![refund("K", ReplyClass::Succeeded, 100)]).ask, [(1, 1)], "{state}");
        }
    }
}
