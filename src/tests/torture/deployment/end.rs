//! The end of a scenario: everything is compared with everything.

use super::{Batch, Deployment};
use crate::torture::{
    checker::{self, Verdict},
    cluster::Cluster,
    report::Report,
};
use serde_json::Value;
use sqlx::{Connection, FromRow, PgConnection, postgres::PgRow};
use std::fs;

impl Deployment {
    /// What the gateway wrote: whole lines only.
    pub(in crate::torture) fn ledger(&self) -> Vec<checker::Line> {
        let mut text = fs::read_to_string(self.folder().join("ledger.jsonl")).unwrap();
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        checker::ledger(&text)
    }

    /// Waits for every batch to end, compares everything with everything. `ended` says when a batch has.
    pub(in crate::torture) fn finish(mut self, injected: String, ended: impl Fn(&Value) -> bool) -> Report {
        let mut verdict = Verdict::default();
        let snapshots: Vec<Value> = (0..self.batches.len()).map(|batch| self.wait(batch, &ended)).collect();
        let ledger = self.ledger();
        for (batch, snapshot) in self.batches.iter().zip(&snapshots) {
            let results = self.client.results(batch.organisation, &batch.id);
            verdict.add(checker::check(batch.organisation.merchant, &batch.file, &ledger, &results, snapshot));
            verdict.breaches.extend(self.facts(batch, &ledger));
        }
        verdict.breaches.extend(checker::refunded_twice(&ledger));
        self.report(injected, verdict)
    }

    /// The end without the comparison of rows.
    pub(in crate::torture) fn report(mut self, injected: String, mut verdict: Verdict) -> Report {
        let stopped =
            self.text("SELECT coalesce(stopped_reason, 'no reason') FROM batchdesk.organisation WHERE NOT sending");
        verdict.breaches.extend(stopped.into_iter().map(|reason| format!("sending was stopped: {reason}")));
        verdict.breaches.append(&mut self.breaches);
        self.failed = !verdict.breaches.is_empty();
        Report {
            scenario: self.scenario,
            injected,
            rows: self.batches.iter().map(|batch| batch.file.rows.len()).sum(),
            verdict,
            took: self.begun.elapsed(),
            seed: self.seed,
        }
    }

    /// The tables against file and ledger: rows as uploaded, no request without a committed intent, one key, one state.
    pub(super) fn facts(&self, batch: &Batch, ledger: &[checker::Line]) -> Vec<String> {
        let facts: Vec<Fact> = self.rows(&format!(
            "SELECT r.row_no, r.order_id, r.amount_minor, r.gateway_key,
             coalesce(x.succeeded, o.succeeded) AS succeeded, t.state,
                    (SELECT count(*) FROM batchdesk.attempt a WHERE a.batch_id = r.batch_id AND a.revision = r.revision
                        AND r.row_no BETWEEN a.from_row AND a.to_row) AS intents
               FROM batchdesk.record r
               LEFT JOIN batchdesk.outcome o USING (organisation_id, batch_id, row_no, revision)
               LEFT JOIN batchdesk.reversal x USING (organisation_id, batch_id, row_no, revision)
               LEFT JOIN batchdesk.open_task t USING (organisation_id, batch_id, row_no, revision)
              WHERE r.batch_id = '{}' ORDER BY r.row_no",
            batch.id
        ));
        let mut breaches = Vec::new();
        if facts.len() != batch.file.rows.len() {
            breaches.push(format!("{} rows in the database, {} in the file", facts.len(), batch.file.rows.len()));
        }
        let mut posts = std::collections::HashMap::<(&str, &str), i64>::new();
        for line in ledger {
            *posts.entry((&line.order, &line.key)).or_default() += 1;
        }
        for (fact, row) in facts.iter().zip(&batch.file.rows) {
            let mut breach = |what: String| breaches.push(format!("row {} ({}): {what}", fact.row_no, row.order));
            if fact.order_id != row.order || fact.amount_minor != row.amount {
                breach(format!("the database has {} over {}", fact.order_id, fact.amount_minor));
            }
            if fact.succeeded.is_some() == fact.state.is_some() {
                breach(format!("final {:?} and open {:?}", fact.succeeded, fact.state));
            }
            let sent = posts.get(&(fact.order_id.as_str(), fact.gateway_key.as_str())).copied().unwrap_or(0);
            if sent > fact.intents {
                breach(format!("asked for {sent} times with {} intents", fact.intents));
            }
        }
        breaches
    }

    /// A number from the database.
    pub(in crate::torture) fn number(&self, sql: &str) -> i64 {
        let found: Vec<(i64,)> = self.rows(sql);
        found[0].0
    }

    pub(super) fn text(&self, sql: &str) -> Vec<String> {
        self.rows::<(String,)>(sql).into_iter().map(|(text,)| text).collect()
    }

    pub(super) fn rows<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(&self, sql: &str) -> Vec<T> {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.cluster.url(None)).await.unwrap();
            sqlx::query_as(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap()
        })
    }

    /// Statements, as the owner of everything.
    pub(in crate::torture) fn sql(&self, sql: &str) {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.cluster.url(None)).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        });
    }

    /// What every session of the database does and waits for, beside the logs.
    pub(super) fn keep_activity(&self) {
        let lines = self.text(
            "SELECT concat_ws(' | ', a.pid, a.state, a.wait_event_type, a.wait_event, now() - a.xact_start,
             'blocked by', pg_blocking_pids(a.pid)::text, left(a.query, 300))
               FROM pg_stat_activity a WHERE a.datname IS NOT NULL ORDER BY a.xact_start",
        );
        let _ = fs::write(self.folder().join("activity.txt"), lines.join("\n"));
    }

    /// The database's server is gone; an empty one stands in its place.
    pub(in crate::torture) fn another_cluster(&mut self) {
        let new = Cluster::empty(&self.folder().join("new"));
        self.cluster = new;
    }
}

#[derive(FromRow)]
struct Fact {
    row_no: i32,
    order_id: String,
    amount_minor: i64,
    gateway_key: String,
    succeeded: Option<bool>,
    state: Option<String>,
    intents: i64,
}
