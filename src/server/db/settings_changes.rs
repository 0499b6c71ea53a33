//! Changes of settings that were asked for, and what became of each.

use super::Tx;
use crate::domain::ids::ChangeId;
use time::OffsetDateTime;
use uuid::Uuid;

/// A change that is asked for.
#[derive(Debug)]
pub struct NewChange<'a> {
    /// Word of its kind.
    pub kind: &'static str,
    /// What it is about.
    pub object: &'a str,
    /// Whose checkers are told; none: all.
    pub module: Option<&'static str>,
    /// One sentence.
    pub summary: &'a str,
    /// JSON of the setting as it is, with its version.
    pub was: &'a serde_json::Value,
    /// JSON of the setting as it is to be.
    pub becomes: &'a serde_json::Value,
    /// A new secret, sealed.
    pub sealed_secret: Option<&'a [u8]>,
    /// Why.
    pub reason: &'a str,
    /// Whether there is no second administrator.
    pub alone: bool,
    /// When.
    pub at: OffsetDateTime,
    /// Until when it can be confirmed.
    pub expires_at: OffsetDateTime,
}

/// A change that was asked for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ChangeRow {
    /// Which.
    pub id: Uuid,
    /// One sentence.
    pub summary: String,
    /// JSON of the setting as it was.
    pub was: serde_json::Value,
    /// JSON of the setting as it is to be.
    pub becomes: serde_json::Value,
    /// A new secret, sealed; none once the change has ended.
    pub sealed_secret: Option<Vec<u8>>,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub proposer: Uuid,
    /// E-mail of who asked.
    pub proposer_email: String,
    /// Hash of what is shown.
    pub content_sha256: Vec<u8>,
    /// When.
    pub at: OffsetDateTime,
    /// Until when it can be confirmed.
    pub expires_at: OffsetDateTime,
    /// CONFIRM, REJECT, WITHDRAW, EXPIRE, ALONE; none while it waits.
    pub verdict: Option<String>,
    /// E-mail of who ended it.
    pub ended_by: Option<String>,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.summary, c.was, c.becomes, c.sealed_secret, c.reason, c.proposer, p.email AS proposer_email,
             c.content_sha256, c.at,
                    c.expires_at, e.verdict, w.email AS ended_by
               FROM settings_change c JOIN person p ON p.id = c.proposer
               LEFT JOIN settings_change_end e ON e.organisation_id = c.organisation_id AND e.change_id = c.id
               LEFT JOIN person w ON w.id = e.person_id
              WHERE c.organisation_id = $1 ",
            $rest
        )
    };
}

/// Changes of settings of this organisation wait for one another from here on.
pub async fn lock(tx: &mut Tx) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('settings' || $1, 0))")
        .bind(id.to_string())
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Members who may change settings, besides the person of this transaction.
pub async fn other_administrators(tx: &mut Tx) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT other_administrators()").fetch_one(tx.conn()).await
}

/// The person of this transaction asks for a change. `BD409`: one of the same thing waits; `BD403`: it is not theirs
/// alone to make.
pub async fn propose(tx: &mut Tx, id: ChangeId, new: &NewChange<'_>) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO settings_change (organisation_id, id, kind, object, module, summary, was, becomes, sealed_secret,
         reason, alone, at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(organisation.0)
    .bind(id.0)
    .bind(new.kind)
    .bind(new.object)
    .bind(new.module)
    .bind(new.summary)
    .bind(new.was)
    .bind(new.becomes)
    .bind(new.sealed_secret)
    .bind(new.reason)
    .bind(new.alone)
    .bind(new.at)
    .bind(new.expires_at)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// The person of this transaction ends a change. `BD403`: not this person; `BD409`: it has ended; `BD410`: its time is
/// over; `BD412`: it is not what was shown.
pub async fn end(
    tx: &mut Tx,
    id: ChangeId,
    verdict: &str,
    content_sha256: &[u8],
    note: Option<&str>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO settings_change_end (organisation_id, change_id, verdict, content_sha256, note, at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(organisation.0)
    .bind(id.0)
    .bind(verdict)
    .bind(content_sha256)
    .bind(note)
    .bind(now)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// One change.
pub async fn load(tx: &mut Tx, id: ChangeId) -> sqlx::Result<Option<ChangeRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(columns!("AND c.id = $2")).bind(organisation.0).bind(id.0).fetch_optional(tx.conn()).await
}

/// Changes that wait, oldest first.
pub async fn waiting(tx: &mut Tx, now: OffsetDateTime) -> sqlx::Result<Vec<ChangeRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(columns!("AND e.change_id IS NULL AND c.expires_at > $2 ORDER BY c.id LIMIT 100"))
        .bind(organisation.0)
        .bind(now)
        .fetch_all(tx.conn())
        .await
}

/// Ends changes whose time is over, and forgets their secrets.
pub async fn expire(tx: &mut Tx, now: OffsetDateTime) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT expire_settings_changes($1)").bind(now).fetch_one(tx.conn()).await
}
