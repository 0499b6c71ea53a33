//! Batches: lists, pages, and what people do with them. The statements of the money protocol are in `tasks`.

mod copy;
mod ingest;
mod lists;
mod tasks;

pub use copy::{PreparedRecords, RecordSink, copy_prepared, copy_records, insert_records};
pub use ingest::{
    LookAlike, NewBatch, NewRecord, NewRecords, TakenId, insert, look_alikes, one_at_a_time, same_file, submit,
    taken_ids, unique_ids,
};
pub use lists::{Between, any, count_by_status, list, makers, newest};
pub use tasks::{FailureRow, TaskRow, failures, row_map, tasks, tasks_after};

use super::{Tx, codes};
use crate::domain::{
    batch::BatchStatus,
    ids::{BatchId, GatewayId},
    money::Currency,
    operation::Operation,
};
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// A batch with its counters.
#[derive(Clone, Debug)]
pub struct BatchRow {
    /// Which.
    pub id: BatchId,
    /// What it does.
    pub operation: Operation,
    /// Name of the file.
    pub file_name: String,
    /// Where it stands.
    pub status: BatchStatus,
    /// Sum, minor units.
    pub amount_minor: i64,
    /// Currency of all amounts; none: an import.
    pub currency: Option<Currency>,
    /// Date Created.
    pub created_at: OffsetDateTime,
    /// Last Modified.
    pub modified_at: OffsetDateTime,
    /// Data rows.
    pub records: i32,
    /// Counters: tasks and minor units.
    pub queued: (i32, i64),
    /// The gateway took them.
    pub accepted: (i32, i64),
    /// Definitely not done.
    pub failed: (i32, i64),
    /// Part of accepted: not final at the gateway.
    pub pending: i32,
    /// Part of queued: the gateway is asked.
    pub checking: i64,
    /// Part of queued: people must look.
    pub review: i64,
    /// Who submitted.
    pub maker: Option<Uuid>,
    /// E-mail of the maker.
    pub maker_email: String,
    /// What the maker wrote.
    pub description: String,
    /// Name of the template.
    pub template: String,
    /// What else is approved with it, canonical text.
    pub options: String,
    /// Hash of the file.
    pub file_sha256: Vec<u8>,
    /// Bytes of the file.
    pub file_bytes: i64,
    /// When it was deleted, because it was kept as long as it had to be.
    pub file_deleted_at: Option<OffsetDateTime>,
    /// Hash of what a decision is about; empty for an import, on which nobody decides.
    pub content_sha256: Vec<u8>,
    /// Which connection it is sent to; none: an import.
    pub gateway: Option<GatewayId>,
    /// When it expires, while it waits.
    pub expires_at: Option<OffsetDateTime>,
    /// When "Sync with Gateway" was pressed last.
    pub last_synced_at: Option<OffsetDateTime>,
    /// APPROVE, REJECT or NOT_REQUIRED.
    pub verdict: Option<String>,
    /// E-mail of the checker.
    pub checker_email: Option<String>,
    /// When it was decided.
    pub decided_at: Option<OffsetDateTime>,
    /// What the checker wrote.
    pub reason: Option<String>,
    /// Why it is invalid, as a sentence; also why it was rejected, withdrawn, expired or cancelled.
    pub ended_reason: Option<String>,
    /// Latest submission: 2 and up are failed rows sent again.
    pub revision: i16,
    /// Who made the latest submission.
    pub asked_by: Option<Uuid>,
    /// E-mail of them.
    pub asked_by_email: String,
    /// When they did.
    pub asked_at: OffsetDateTime,
    /// Rows of the latest submission, and their sum.
    pub asked: (i32, i64),
    /// Whether an administrator paused it: then nobody else lets it go on.
    pub paused_by_admin: bool,
    /// Whether the transaction's person had a part in it: they may not decide.
    pub own: bool,
}

impl BatchRow {
    /// The currency of cells that are money; an import has none of them.
    pub fn unit(&self) -> Currency {
        self.currency.unwrap_or(Currency::UNUSED)
    }
}

const SELECT: &str = "
SELECT b.id, b.operation, b.file_name, b.status, b.amount_minor, b.currency, b.created_at,
  greatest(b.updated_at, p.updated_at) AS modified_at,
       b.records, p.queued, p.queued_minor, p.accepted, p.accepted_minor, p.failed, p.failed_minor, p.pending,
       o.checking, o.review, b.maker, coalesce(m.email, 'API key') AS maker_email, b.description, b.template, b.options,
         b.file_sha256, b.file_bytes, b.file_deleted_at,
       coalesce(v.content_sha256, '') AS content_sha256, b.gateway_id, b.expires_at, b.last_synced_at, d.verdict,
         c.email AS checker_email, d.at AS decided_at, d.reason, b.ended_reason,
       b.revision, v.maker AS asked_by, coalesce(a.email, 'API key') AS asked_by_email,
         coalesce(v.created_at, b.created_at) AS asked_at,
       coalesce(v.records, b.records) AS asked_records, coalesce(v.amount_minor, 0) AS asked_minor,
       b.paused_by_admin, had_part(b, v.maker) AS own
  FROM batch b
  JOIN batch_progress p ON p.organisation_id = b.organisation_id AND p.batch_id = b.id
  LEFT JOIN batch_revision v ON v.organisation_id = b.organisation_id AND v.batch_id = b.id AND v.revision = b.revision
  LEFT JOIN person m ON m.id = b.maker
  LEFT JOIN person a ON a.id = v.maker
  LEFT JOIN decision d ON d.organisation_id = b.organisation_id AND d.batch_id = b.id AND d.revision = b.revision
  LEFT JOIN person c ON c.id = d.checker
  CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE t.state IN ('UNKNOWN', 'SENDING')) AS checking, count(*)
    FILTER (WHERE t.state = 'REVIEW') AS review
                        FROM open_task t WHERE t.organisation_id = b.organisation_id AND t.batch_id = b.id) o
 WHERE b.organisation_id = $1 ";

/// What a batch does, and the name of its file: enough to know who may see it.
pub async fn locate(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Option<(Operation, String)>> {
    let organisation = tx.organisation();
    sqlx::query("SELECT id, operation, file_name FROM batch WHERE organisation_id = $1 AND id = $2")
        .bind(organisation.0)
        .bind(batch.0)
        .try_map(|row: PgRow| {
            codes::read("batch", KEY, &row, |row| Ok((codes::code(row, "operation")?, row.try_get("file_name")?)))
        })
        .fetch_optional(tx.conn())
        .await
}

const KEY: &[&str] = &["id"];

fn batch(row: &PgRow) -> sqlx::Result<BatchRow> {
    codes::read("batch", KEY, row, columns)
}

fn columns(row: &PgRow) -> sqlx::Result<BatchRow> {
    Ok(BatchRow {
        id: BatchId(row.try_get("id")?),
        operation: codes::code(row, "operation")?,
        file_name: row.try_get("file_name")?,
        status: codes::code(row, "status")?,
        amount_minor: row.try_get("amount_minor")?,
        currency: codes::code(row, "currency")?,
        created_at: row.try_get("created_at")?,
        modified_at: row.try_get("modified_at")?,
        records: row.try_get("records")?,
        queued: (row.try_get("queued")?, row.try_get("queued_minor")?),
        accepted: (row.try_get("accepted")?, row.try_get("accepted_minor")?),
        failed: (row.try_get("failed")?, row.try_get("failed_minor")?),
        pending: row.try_get("pending")?,
        checking: row.try_get("checking")?,
        review: row.try_get("review")?,
        maker: row.try_get("maker")?,
        maker_email: row.try_get("maker_email")?,
        description: row.try_get("description")?,
        template: row.try_get("template")?,
        options: row.try_get("options")?,
        file_sha256: row.try_get("file_sha256")?,
        file_bytes: row.try_get("file_bytes")?,
        file_deleted_at: row.try_get("file_deleted_at")?,
        content_sha256: row.try_get("content_sha256")?,
        gateway: row.try_get::<Option<Uuid>, _>("gateway_id")?.map(GatewayId),
        expires_at: row.try_get("expires_at")?,
        last_synced_at: row.try_get("last_synced_at")?,
        verdict: row.try_get("verdict")?,
        checker_email: row.try_get("checker_email")?,
        decided_at: row.try_get("decided_at")?,
        reason: row.try_get("reason")?,
        ended_reason: row.try_get("ended_reason")?,
        revision: row.try_get("revision")?,
        asked_by: row.try_get("asked_by")?,
        asked_by_email: row.try_get("asked_by_email")?,
        asked_at: row.try_get("asked_at")?,
        asked: (row.try_get("asked_records")?, row.try_get("asked_minor")?),
        paused_by_admin: row.try_get("paused_by_admin")?,
        own: row.try_get("own")?,
    })
}

/// One batch; none when there is no such batch in this organisation.
pub async fn load(tx: &mut Tx, id: BatchId) -> sqlx::Result<Option<BatchRow>> {
    let organisation = tx.organisation();
    sqlx::query(AssertSqlSafe(format!("{SELECT} AND b.id = $2")))
        .bind(organisation.0)
        .bind(id.0)
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(batch)
        .transpose()
}

/// "Sync with Gateway": makes everything that is not final due to be asked after; returns how many are being asked
/// about.
pub async fn sync(tx: &mut Tx, id: BatchId) -> sqlx::Result<u64> {
    sqlx::query_as::<_, (i32,)>("SELECT sync_batch($1)")
        .bind(id.0)
        .fetch_one(tx.conn())
        .await
        .map(|(n,)| u64::try_from(n).unwrap_or(0))
}

/// Pause, resume and cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Nothing new is sent.
    Pause,
    /// Sending goes on.
    Resume,
    /// What was not sent is called off.
    Cancel,
}

/// Pauses, resumes or cancels. A guard refuses (`BD409`) what the status does not allow.
pub async fn control(tx: &mut Tx, id: BatchId, control: Control) -> sqlx::Result<()> {
    let action = match control {
        Control::Pause => "PAUSE",
        Control::Resume => "RESUME",
        Control::Cancel => "CANCEL",
    };
    sqlx::query("SELECT control($1, $2)").bind(id.0).bind(action).execute(tx.conn()).await.map(|_| ())
}

/// The maker takes the batch back. A guard refuses others (`BD403`) and a batch that does not wait (`BD409`).
pub async fn withdraw(tx: &mut Tx, id: BatchId) -> sqlx::Result<()> {
    sqlx::query("SELECT withdraw($1)").bind(id.0).execute(tx.conn()).await.map(|_| ())
}
