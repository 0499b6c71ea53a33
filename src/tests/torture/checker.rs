//! The independent checker: file, ledger, result file and counters against each other.

use super::file::{End, RefundFile, minor};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
};

/// The result file's columns that are compared.
const COLUMNS: [&str; 7] =
    ["S.No", "Order/Transaction Id", "Amount", "Refund Status", "Unique Id", "GW Transaction Id", "Task Status"];

/// One line of the gateway's ledger.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) merchant: String,
    pub(super) key: String,
    pub(super) order: String,
    pub(super) txn: Option<String>,
    pub(super) amount: String,
    pub(super) effect: bool,
}

/// Reads a ledger. A line that cannot be read is a failure of its own.
pub(super) fn ledger(text: &str) -> Vec<Line> {
    text.lines()
        .map(|line| {
            let json: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("ledger: {error}: {line}"));
            let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("ledger: {name}: {line}")).to_owned();
            Line {
                merchant: text("merchant"),
                key: text("key"),
                order: text("order_id"),
                txn: json["txn_id"].as_str().map(str::to_owned),
                amount: text("amount"),
                effect: json["effect"].as_bool().unwrap_or_else(|| panic!("ledger: effect: {line}")),
            }
        })
        .collect()
}

/// What became of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Refunds that the gateway carried out for rows of the file.
    pub(super) effects: usize,
    /// ACCEPTED without effect.
    pub(super) lost: usize,
    /// Rows whose order was refunded more than once.
    pub(super) doubled: usize,
    /// Refunds of another amount, or by another transaction, than the row says.
    pub(super) wrong: usize,
    /// FAILED, and refunded.
    pub(super) failed_with_effect: usize,
    pub(super) accepted: usize,
    pub(super) failed: usize,
    pub(super) queued: usize,
    /// Everything that does not hold, one sentence each.
    pub(super) breaches: Vec<String>,
}

impl Verdict {
    /// Adds what became of another file.
    pub(super) fn add(&mut self, other: Self) {
        self.effects += other.effects;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.wrong += other.wrong;
        self.failed_with_effect += other.failed_with_effect;
        self.accepted += other.accepted;
        self.failed += other.failed;
        self.queued += other.queued;
        self.breaches.extend(other.breaches);
    }
}

/// Compares a file with the ledger, the result file and the API's snapshot. The batch has ended.
pub(super) fn check(merchant: &str, file: &RefundFile, ledger: &[Line], results: &str, snapshot: &Value) -> Verdict {
    let mut verdict = Verdict::default();
    let mut breaches = Vec::new();
    let mut posts: HashMap<&str, Vec<&Line>> = HashMap::new();
    for line in ledger {
        posts.entry(&line.order).or_default().push(line);
    }
    let results = read(results, &mut breaches);
    if results.len() != file.rows.len() {
        breaches.push(format!("the result file has {} rows of {}", results.len(), file.rows.len()));
    }
    let mut sums: BTreeMap<&str, (u64, i64)> = BTreeMap::new();
    for (at, row) in file.rows.iter().enumerate() {
        let mut breach = |what: String| breaches.push(format!("row {} ({}): {what}", at + 1, row.order));
        let sent = posts.get(row.order.as_str()).map_or(&[][..], Vec::as_slice);
        let effects: Vec<&&Line> = sent.iter().filter(|line| line.effect).collect();
        verdict.effects += effects.len();
        if effects.len() > 1 {
            verdict.doubled += 1;
            breach(format!("refunded {} times", effects.len()));
        }
        for line in sent {
            let right = minor(&line.amount) == Some(row.amount) && line.txn == row.txn && line.merchant == merchant;
            if !right {
                verdict.wrong += usize::from(line.effect);
                breach(format!("the gateway was asked for {} by {:?} of {}", line.amount, line.txn, line.merchant));
            }
            if line.key != sent[0].key {
                breach(format!("sent under two keys, {} and {}", sent[0].key, line.key));
            }
        }
        let Some([number, order, amount, refund, unique_id, reference, status]) = results.get(at) else {
            breach("is missing in the result file".to_owned());
            continue;
        };
        if *number != (at + 1).to_string() || *order != row.order || minor(amount) != Some(row.amount) {
            breach(format!("the result file has {number}, {order}, {amount} in its place"));
            continue;
        }
        if row.unique_id.as_ref().is_some_and(|own| own != unique_id) || sent.iter().any(|line| line.key != *unique_id)
        {
            breach(format!("its key in the result file is {unique_id}"));
        }
        let word = match (status.as_str(), effects.len()) {
            ("ACCEPTED", count) => {
                verdict.accepted += 1;
                if count == 0 {
                    verdict.lost += 1;
                    breach("ACCEPTED, and not refunded".to_owned());
                }
                if refund != "SUCCESS" || reference.is_empty() {
                    breach(format!("ACCEPTED with Refund Status {refund:?} and GW Transaction Id {reference:?}"));
                }
                "accepted"
            }
            ("FAILED", count) => {
                verdict.failed += 1;
                if count > 0 {
                    verdict.failed_with_effect += 1;
                    breach("FAILED, and refunded".to_owned());
                }
                "failed"
            }
            ("QUEUED", count) => {
                verdict.queued += 1;
                if row.end != End::Open {
                    breach(format!("QUEUED in the end, refunded {count} times"));
                }
                "queued"
            }
            (other, _) => {
                breach(format!("has the status {other:?}"));
                continue;
            }
        };
        let expected = match row.end {
            End::Accepted => "accepted",
            End::Failed => "failed",
            End::Open => "queued",
        };
        if word != expected {
            breach(format!("is {word}, not {expected}"));
        }
        // An order that the gateway does not know is found out before anything is sent.
        if row.order.starts_with("ORD_MISSING_") && !sent.is_empty() {
            breach("was sent although the gateway does not know the order".to_owned());
        }
        let sum = sums.entry(word).or_default();
        *sum = (sum.0 + 1, sum.1 + row.amount);
    }
    counters(file, &sums, snapshot, &mut breaches);
    verdict.breaches = breaches;
    verdict
}

/// Orders that the gateway refunded more than once, whoever asked for it.
pub(super) fn refunded_twice(ledger: &[Line]) -> Vec<String> {
    let mut effects: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in ledger.iter().filter(|line| line.effect) {
        *effects.entry((&line.merchant, &line.order)).or_default() += 1;
    }
    let twice = effects.into_iter().filter(|(_, count)| *count > 1);
    twice.map(|((merchant, order), count)| format!("{merchant}: {order} was refunded {count} times")).collect()
}

/// What always holds between the counters of a snapshot.
pub(super) fn conserved(snapshot: &Value) -> Result<(), String> {
    let count = |path: &str| snapshot.pointer(path).and_then(Value::as_i64).ok_or_else(|| format!("{path} is missing"));
    let counted = count("/counts/queued")? + count("/counts/accepted")? + count("/counts/failed")?;
    let amounts = count("/amounts/queued")? + count("/amounts/accepted")? + count("/amounts/failed")?;
    if counted != count("/records")? || amounts != count("/amounts/total")? {
        return Err(format!("the counters do not add up: {snapshot}"));
    }
    Ok(())
}

fn counters(file: &RefundFile, sums: &BTreeMap<&str, (u64, i64)>, snapshot: &Value, breaches: &mut Vec<String>) {
    breaches.extend(conserved(snapshot).err());
    let total: i64 = file.rows.iter().map(|row| row.amount).sum();
    if snapshot["records"] != file.rows.len() || snapshot["amounts"]["total"] != total {
        breaches.push(format!("the API counts other records or another total: {snapshot}"));
    }
    for word in ["accepted", "failed", "queued"] {
        let (count, amount) = sums.get(word).copied().unwrap_or_default();
        if snapshot["counts"][word] != count || snapshot["amounts"][word] != amount {
            let (told, sum) = (&snapshot["counts"][word], &snapshot["amounts"][word]);
            breaches.push(format!("{word}: the API says {told} of {sum}, the result file {count} of {amount}"));
        }
    }
}

/// The compared columns of a result file.
pub(super) fn read(text: &str, breaches: &mut Vec<String>) -> Vec<[String; 7]> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().cloned().unwrap_or_default();
    let columns = COLUMNS.map(|name| header.iter().position(|cell| cell == name));
    if columns.contains(&None) {
        breaches.push(format!("the result file's header is {header:?}"));
        return Vec::new();
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                rows.push(columns.map(|column| column.and_then(|at| record.get(at)).unwrap_or_default().to_owned()));
            }
            Err(error) => breaches.push(format!("the result file cannot be read: {error}")),
        }
    }
    rows
}

/// The first breaches, for a panic's text.
pub(super) fn breaches_text(breaches: &[String]) -> String {
    let mut text = String::new();
    for breach in breaches.iter().take(25) {
        let _ = writeln!(text, "  {breach}");
    }
    let _ = writeln!(text, "  ({} in all)", breaches.len());
    text
}

/// A checker that sees nothing proves nothing.
mod sees {
    use super::{super::random::Random, *};
    use serde_json::json;

    struct Ended {
        file: RefundFile,
        ledger: Vec<Line>,
        results: Vec<[String; 7]>,
    }

    impl Ended {
        /// As it should be.
        fn well() -> Self {
            let file = RefundFile::new("seen", &mut Random::new(7), 1, 10);
            let (mut ledger, mut results) = (Vec::new(), Vec::new());
            for (at, row) in file.rows.iter().enumerate() {
                let key = row.unique_id.clone().unwrap_or_else(|| format!("K{at}"));
                let line = Line {
                    merchant: "globex".to_owned(),
                    key: key.clone(),
                    order: row.order.clone(),
                    txn: row.txn.clone(),
                    amount: super::super::file::rupees(row.amount),
                    effect: row.end == End::Accepted,
                };
                let (refund, reference, status) = match row.end {
                    End::Accepted => ("SUCCESS", format!("SIM{at}"), "ACCEPTED"),
                    End::Failed | End::Open => ("", String::new(), "FAILED"),
                };
                results.push([
                    (at + 1).to_string(),
                    row.order.clone(),
                    line.amount.clone(),
                    refund.to_owned(),
                    key,
                    reference,
                    status.to_owned(),
                ]);
                if !row.order.starts_with("ORD_MISSING_") {
                    ledger.push(line);
                }
            }
            Self { file, ledger, results }
        }

        fn row(&self, prefix: &str) -> usize {
            self.file.rows.iter().position(|row| row.order.starts_with(prefix)).unwrap()
        }

        fn line(&mut self, prefix: &str) -> &mut Line {
            self.ledger.iter_mut().find(|line| line.order.starts_with(prefix)).unwrap()
        }

        fn verdict(&self) -> Verdict {
            let mut text = format!("{}\n", COLUMNS.join(","));
            for row in &self.results {
                let _ = writeln!(text, "{}", row.join(","));
            }
            let of = |status: &str| -> (usize, i64) {
                let rows = self.results.iter().filter(|row| row[6] == status);
                rows.fold((0, 0), |(count, sum), row| (count + 1, sum + minor(&row[2]).unwrap()))
            };
            let [accepted, failed, queued] = ["ACCEPTED", "FAILED", "QUEUED"].map(of);
            let total: i64 = self.file.rows.iter().map(|row| row.amount).sum();
            let snapshot = json!({
                "records": self.file.rows.len(),
                "counts": {"accepted": accepted.0, "failed": failed.0, "queued": queued.0},
                "amounts": {"total": total, "accepted": accepted.1, "failed": failed.1, "queued": queued.1},
            });
            check("globex", &self.file, &self.ledger, &text, &snapshot)
        }
    }

    #[test]
    fn nothing_where_all_is_well() {
        let ended = Ended::well();
        let verdict = ended.verdict();
        assert_eq!(verdict.breaches, [""; 0]);
        assert_eq!((verdict.effects, verdict.accepted, verdict.failed), (18, 18, 2));
        assert_eq!(refunded_twice(&ended.ledger), [""; 0]);
    }

    #[test]
    fn a_refund_that_was_made_twice() {
        let mut ended = Ended::well();
        let again = ended.line("ORD_T_AFTER_").clone();
        ended.ledger.push(again);
        assert_eq!(ended.verdict().doubled, 1);
        assert_eq!(refunded_twice(&ended.ledger).len(), 1);
    }

    #[test]
    fn a_refund_that_was_never_made() {
        let mut ended = Ended::well();
        ended.line("ORD_T_BEFORE_").effect = false;
        assert_eq!(ended.verdict().lost, 1);
        let at = ended.row("ORD_T_BEFORE_");
        ended.results[at][6] = "QUEUED".to_owned();
        let verdict = ended.verdict();
        assert_eq!((verdict.lost, verdict.queued), (0, 1));
        assert!(!verdict.breaches.is_empty());
    }

    #[test]
    fn a_refund_that_is_called_failed() {
        let mut ended = Ended::well();
        let at = ended.row("ORD_500_AFTER_");
        ended.results[at][6] = "FAILED".to_owned();
        assert_eq!(ended.verdict().failed_with_effect, 1);
    }

    #[test]
    fn another_amount_transaction_or_key() {
        let changes: [fn(&mut Line); 4] = [
            |line| line.amount = "0.01".to_owned(),
            |line| line.txn = Some("another".to_owned()),
            |line| line.key = "ANOTHER".to_owned(),
            |line| line.merchant = "acme".to_owned(),
        ];
        for change in changes {
            let mut ended = Ended::well();
            change(ended.line("ORD_SLOW_"));
            assert!(!ended.verdict().breaches.is_empty());
        }
    }

    #[test]
    fn a_row_that_is_missing_or_in_the_wrong_place() {
        let mut ended = Ended::well();
        ended.results.pop();
        assert!(ended.verdict().breaches.iter().any(|breach| breach.contains("missing in the result file")));
        let mut ended = Ended::well();
        ended.results.swap(0, 1);
        assert!(!ended.verdict().breaches.is_empty());
    }

    #[test]
    fn counters_that_do_not_add_up() {
        let with = |queued: u64| {
            json!({"records": 2, "counts": {"queued": queued, "accepted": 1, "failed": 0},
                   "amounts": {"total": 30, "queued": 10, "accepted": 20, "failed": 0}})
        };
        assert!(conserved(&with(1)).is_ok());
        assert!(conserved(&with(0)).is_err());
        assert!(conserved(&json!({})).is_err());
    }
}
