//! T5: tasks that are not final, row by row.

use super::{TaskRecord, TaskReply, Verdict, record::record_columns};
use crate::{
    db::{Tx, codes},
    domain::{ids::GatewayId, task::TaskState},
};
use sqlx::{Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

/// Names one row of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKey {
    /// Batch.
    pub batch: Uuid,
    /// Row.
    pub row: i32,
    /// Revision.
    pub revision: i16,
}

/// An open task that this worker holds.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OpenTask {
    /// Batch.
    pub batch_id: Uuid,
    /// The record.
    #[sqlx(flatten)]
    pub record: TaskRecord,
    /// The fence.
    pub epoch: i64,
    /// RETRY, UNKNOWN, PENDING; REVIEW when an abandoned send of class N was found.
    pub state: String,
    /// Sends so far.
    pub attempts: i16,
    /// Status queries since the last send that were answered.
    pub queries: i16,
    /// Code of the last reply.
    pub code: Option<String>,
    /// Whether the key may still be sent again (class K, within 0.8 of its window; never once people reviewed it).
    pub in_window: bool,
    /// Two people had the gateway asked again: it is only asked after.
    pub reviewed: bool,
    /// Status of the batch.
    pub batch_status: String,
}

impl OpenTask {
    /// Its name.
    pub fn key(&self) -> RowKey {
        RowKey { batch: self.batch_id, row: self.record.row_no, revision: self.record.revision }
    }
}

/// Leases due open tasks of a connection, earliest first. An abandoned re-send becomes UNKNOWN (REVIEW on class N).
pub async fn claim_open(
    tx: &mut Tx,
    gateway: GatewayId,
    limit: i32,
    worker: Uuid,
    lease: Duration,
) -> sqlx::Result<Vec<OpenTask>> {
    let organisation = tx.organisation();
    sqlx::query_as(concat!(
        "WITH due AS MATERIALIZED (
           SELECT batch_id, row_no, revision FROM open_task
            WHERE organisation_id = $1 AND gateway_id = $2 AND state <> 'REVIEW' AND run_at <= now()
            ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED),
         claimed AS (
           UPDATE open_task t SET epoch = t.epoch + 1, owner = $4, leased_at = now(),
             run_at = now() + make_interval(secs => $5), updated_at = now(),
                  state = CASE WHEN t.state <> 'SENDING' THEN t.state WHEN coalesce(g.class, 'N') = 'N' THEN 'REVIEW'
                    ELSE 'UNKNOWN' END
             FROM due d
             JOIN batch b ON b.organisation_id = $1 AND b.id = d.batch_id
             JOIN operation e ON e.code = b.operation
             LEFT JOIN gateway_promise g ON g.organisation_id = $1 AND g.gateway_id = $2 AND g.effect = e.effect
            WHERE t.organisation_id = $1 AND t.batch_id = d.batch_id AND t.row_no = d.row_no AND t.revision = d.revision
           RETURNING t.batch_id, t.row_no, t.revision, t.epoch, t.state, t.attempts, t.queries, t.code,
                     coalesce(g.class = 'K' AND now() < t.first_sent_at + 0.8 * g.key_window
                       AND NOT t.reviewed, false) AS in_window, t.reviewed)
         SELECT c.batch_id, c.epoch, c.state, c.attempts, c.queries, c.code, c.in_window, c.reviewed,
           b.status AS batch_status, ",
        record_columns!(),
        " FROM claimed c
           JOIN batch b ON b.organisation_id = $1 AND b.id = c.batch_id
           CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1 AND r.batch_id = c.batch_id
             AND r.row_no = c.row_no AND r.revision = c.revision OFFSET 0) r",
    ))
    .bind(organisation.0)
    .bind(gateway.0)
    .bind(limit)
    .bind(worker)
    .bind(lease.as_secs_f64())
    .fetch_all(tx.conn())
    .await
}

/// The intent of a re-send (RETRY; UNKNOWN of class K inside its key window): the same gate and table as a first send.
/// The reservation of the first intent still holds. Only what comes back may be sent.
pub async fn intend_again(tx: &mut Tx, worker: Uuid, tasks: &[&OpenTask]) -> sqlx::Result<Vec<RowKey>> {
    let organisation = tx.organisation();
    let rows: Vec<(Uuid, i32, i16)> = sqlx::query_as(
        "INSERT INTO attempt (organisation_id, batch_id, epoch, owner, from_row, to_row, revision, attempt)
         SELECT $1, u.batch_id, u.epoch, $2, u.row_no, u.row_no, u.revision, 0
           FROM unnest($3::uuid[], $4::int[], $5::smallint[], $6::bigint[]) AS u(batch_id, row_no, revision, epoch)
          ORDER BY u.batch_id, u.row_no, u.revision
         RETURNING batch_id, from_row, revision",
    )
    .bind(organisation.0)
    .bind(worker)
    .bind(tasks.iter().map(|task| task.batch_id).collect::<Vec<_>>())
    .bind(tasks.iter().map(|task| task.record.row_no).collect::<Vec<_>>())
    .bind(tasks.iter().map(|task| task.record.revision).collect::<Vec<_>>())
    .bind(tasks.iter().map(|task| task.epoch).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(batch, row, revision)| RowKey { batch, row, revision }).collect())
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The reply to a send.
    Send,
    /// The reply to a status query.
    Query,
}

impl Source {
    const fn code(self) -> &'static str {
        match self {
            Self::Send => "SEND",
            Self::Query => "QUERY",
        }
    }
}

/// What is known about an open task now.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// Which.
    pub key: RowKey,
    /// The fence.
    pub epoch: i64,
    /// What is known.
    pub answer: TaskReply,
    /// Whether it moves the back-off on (an answered status query).
    pub counts: bool,
    /// The reply as it came (a JSON array of one) and the id of its evidence; none when nobody was asked.
    pub evidence: Option<(Uuid, String)>,
}

/// Records answers about open tasks: evidence always, the state only where the task's epoch still holds. Counters move
/// by old and new state. What was ACCEPTED (PENDING) leaves it only for FAILED; a review after acceptance stays PENDING
/// with the gateway's word MANUAL_REVIEW. Returns what each task became.
pub async fn resolve(tx: &mut Tx, source: Source, resolutions: &[Resolution]) -> sqlx::Result<Vec<(RowKey, Verdict)>> {
    let organisation = tx.organisation();
    let kept: Vec<(&Resolution, &(Uuid, String))> =
        resolutions.iter().filter_map(|r| r.evidence.as_ref().map(|evidence| (r, evidence))).collect();
    let answers = || resolutions.iter().map(|resolution| &resolution.answer);
    let rows: Vec<(Uuid, i32, i16, codes::Code<Verdict>)> = sqlx::query_as(
        "WITH fence AS MATERIALIZED (
           SELECT t.batch_id, t.row_no, t.revision, t.state, t.attempts, t.gw_ref AS known_ref,
             t.gateway_kind AS known_type, x.class, x.http, x.gw_ref, x.gateway_status,
                  x.gateway_kind, x.code, x.message, x.confirmed_minor, x.wait, x.counts
             FROM unnest($7::uuid[], $8::int[], $9::smallint[], $10::bigint[], $11::text[], $12::smallint[],
               $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
                         $18::bigint[], $19::float8[], $20::bool[])
                  AS x(batch_id, row_no, revision, epoch, class, http, gw_ref, gateway_status, gateway_kind, code,
                    message, confirmed_minor, wait, counts)
             JOIN open_task t ON t.organisation_id = $1 AND t.batch_id = x.batch_id AND t.row_no = x.row_no
               AND t.revision = x.revision AND t.epoch = x.epoch
            ORDER BY t.batch_id, t.row_no, t.revision FOR UPDATE OF t),
         kept AS (
           INSERT INTO evidence (organisation_id, batch_id, id, from_row, to_row, source, fenced, replies)
           SELECT $1, u.batch_id, u.id, u.row_no, u.row_no, $2, NOT EXISTS (SELECT FROM fence f
             WHERE f.batch_id = u.batch_id AND f.row_no = u.row_no), u.replies
             FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::text[]) AS u(id, batch_id, row_no, replies)
               ON CONFLICT DO NOTHING),
         reply AS MATERIALIZED (
           SELECT f.batch_id, f.row_no, f.revision, f.attempts, f.http, coalesce(f.gw_ref, f.known_ref) AS gw_ref,
             coalesce(f.gateway_kind, f.known_type) AS gateway_kind,
                  CASE WHEN f.state = 'PENDING' AND m.class = 'REVIEW' THEN 'MANUAL_REVIEW'
                    ELSE f.gateway_status END AS gateway_status,
                  f.code, f.message, f.wait, f.counts, r.amount_minor, r.order_id, n.class,
                  CASE f.state WHEN 'PENDING' THEN 'A' ELSE 'Q' END AS was,
                  CASE n.class WHEN 'SUCCEEDED' THEN 'A' WHEN 'PENDING' THEN 'A' WHEN 'FAILED' THEN 'F'
                    ELSE 'Q' END AS becomes,
                  (n.class = 'PENDING')::int - (f.state = 'PENDING')::int AS pending
             FROM fence f
             CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1 AND r.batch_id = f.batch_id
               AND r.row_no = f.row_no AND r.revision = f.revision OFFSET 0) r
             CROSS JOIN LATERAL (SELECT CASE WHEN f.class IN ('SUCCEEDED', 'PENDING') AND f.confirmed_minor
               IS DISTINCT FROM r.amount_minor
                                                  AND NOT (f.class = 'PENDING' AND f.confirmed_minor IS NULL
                                                    AND f.state = 'PENDING') THEN 'REVIEW' ELSE f.class END AS class) m
             CROSS JOIN LATERAL (SELECT CASE WHEN f.state = 'PENDING' AND m.class NOT IN ('SUCCEEDED', 'FAILED')
               THEN 'PENDING' ELSE m.class END AS class) n),
         final AS (
           INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, http, gw_ref,
             gateway_status, gateway_kind, code, message)
           SELECT $1, batch_id, row_no, revision, attempts, class = 'SUCCEEDED', http, gw_ref, gateway_status,
             gateway_kind, code, message
             FROM reply WHERE class IN ('SUCCEEDED', 'FAILED')),
         closed AS (
           DELETE FROM open_task t USING reply y
            WHERE y.class IN ('SUCCEEDED', 'FAILED') AND t.organisation_id = $1 AND t.batch_id = y.batch_id
              AND t.row_no = y.row_no AND t.revision = y.revision),
         waits AS (
           UPDATE open_task t SET state = y.class, run_at = now() + make_interval(secs => y.wait),
             queries = t.queries + y.counts::int::smallint, owner = NULL,
                  gw_ref = y.gw_ref, gateway_status = coalesce(y.gateway_status, t.gateway_status),
                    gateway_kind = y.gateway_kind,
                  code = coalesce(y.code, t.code), message = coalesce(y.message, t.message), updated_at = now()
             FROM reply y
            WHERE y.class NOT IN ('SUCCEEDED', 'FAILED') AND t.organisation_id = $1 AND t.batch_id = y.batch_id
              AND t.row_no = y.row_no AND t.revision = y.revision),
         given AS (
           UPDATE order_balance ob SET committed_minor = ob.committed_minor - b.minor
             FROM (SELECT y.order_id, sum(y.amount_minor)::bigint AS minor FROM reply y
                     JOIN LATERAL (SELECT a.balanced FROM attempt a WHERE a.organisation_id = $1
                       AND a.batch_id = y.batch_id AND a.revision = y.revision AND a.attempt = 1
                                      AND a.from_row <= y.row_no ORDER BY a.from_row DESC LIMIT 1) a ON a.balanced
                    WHERE y.class = 'FAILED' GROUP BY 1 ORDER BY 1) b
            WHERE ob.organisation_id = $1 AND ob.order_id = b.order_id),
         counted AS (
           UPDATE batch_progress p SET queued = p.queued + s.queued, accepted = p.accepted + s.accepted,
             failed = p.failed + s.failed, pending = p.pending + s.pending,
                  queued_minor = p.queued_minor + s.queued_minor, accepted_minor = p.accepted_minor + s.accepted_minor,
                    failed_minor = p.failed_minor + s.failed_minor, updated_at = now()
             FROM (SELECT batch_id, sum(pending)::int AS pending,
                          sum((becomes = 'Q')::int - (was = 'Q')::int)::int AS queued,
                            sum(((becomes = 'Q')::int - (was = 'Q')::int) * amount_minor)::bigint AS queued_minor,
                          sum((becomes = 'A')::int - (was = 'A')::int)::int AS accepted,
                            sum(((becomes = 'A')::int - (was = 'A')::int) * amount_minor)::bigint AS accepted_minor,
                          sum((becomes = 'F')::int)::int AS failed, coalesce(sum(amount_minor)
                            FILTER (WHERE becomes = 'F'), 0)::bigint AS failed_minor
                     FROM reply WHERE was <> becomes OR pending <> 0 GROUP BY batch_id ORDER BY batch_id) s
            WHERE p.organisation_id = $1 AND p.batch_id = s.batch_id)
         SELECT batch_id, row_no, revision, class FROM reply",
    )
    .bind(organisation.0)
    .bind(source.code())
    .bind(kept.iter().map(|(_, (id, _))| *id).collect::<Vec<_>>())
    .bind(kept.iter().map(|(r, _)| r.key.batch).collect::<Vec<_>>())
    .bind(kept.iter().map(|(r, _)| r.key.row).collect::<Vec<_>>())
    .bind(kept.iter().map(|(_, (_, replies))| replies.clone()).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| r.key.batch).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| r.key.row).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| r.key.revision).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| r.epoch).collect::<Vec<_>>())
    .bind(answers().map(|a| a.verdict.code()).collect::<Vec<_>>())
    .bind(answers().map(|a| a.http).collect::<Vec<_>>())
    .bind(answers().map(|a| a.reference.clone()).collect::<Vec<_>>())
    .bind(answers().map(|a| a.gateway_status.clone()).collect::<Vec<_>>())
    .bind(answers().map(|a| a.gateway_kind.clone()).collect::<Vec<_>>())
    .bind(answers().map(|a| a.code.clone()).collect::<Vec<_>>())
    .bind(answers().map(|a| a.message.clone()).collect::<Vec<_>>())
    .bind(answers().map(|a| a.confirmed_minor).collect::<Vec<_>>())
    .bind(answers().map(|a| a.wait.as_secs_f64()).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| r.counts).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(batch, row, revision, verdict)| (RowKey { batch, row, revision }, verdict.0)).collect())
}

/// Leases one open task whatever it waits for, so that news about it go through [`resolve`]. None: it is final.
pub async fn claim_one(
    tx: &mut Tx,
    key: RowKey,
    worker: Uuid,
    lease: Duration,
) -> sqlx::Result<Option<(i64, TaskState)>> {
    let organisation = tx.organisation();
    sqlx::query(
        "UPDATE open_task t SET epoch = t.epoch + 1, owner = $5, leased_at = now(),
         run_at = now() + make_interval(secs => $6),
                state = CASE WHEN t.state = 'SENDING' THEN 'UNKNOWN' ELSE t.state END
          WHERE t.organisation_id = $1 AND t.batch_id = $2 AND t.row_no = $3 AND t.revision = $4
         RETURNING t.batch_id, t.row_no, t.epoch, t.state",
    )
    .bind(organisation.0)
    .bind(key.batch)
    .bind(key.row)
    .bind(key.revision)
    .bind(worker)
    .bind(lease.as_secs_f64())
    .try_map(|row: PgRow| {
        let read = |row: &PgRow| Ok((row.try_get("epoch")?, codes::code(row, "state")?));
        codes::read("open_task", &["batch_id", "row_no"], &row, read)
    })
    .fetch_optional(tx.conn())
    .await
}
