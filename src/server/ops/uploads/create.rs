//! A clean file becomes a batch, unless it repeats what went out before or takes an id that another refund has.

use super::{
    REPEAT_WINDOW,
    intake::{Instructed, Intake, Prepared, Source},
};
use crate::{
    db::{self, Tx, organisations::OrganisationRow},
    domain::{
        error::RefusalKind,
        finding::{Finding, FindingCode, Severity},
        ids::{BatchId, DraftId, GatewayId},
        money::{Currency, Money},
        view::Repeat,
    },
    error::{OpError, OpResult},
    files::{self, Placement},
    formats::{
        findings::{At, finding},
        printable::printable,
    },
    ops::{access::Caller, audit, gateways, time_format},
    state::AppState,
};
use jiff::tz::TimeZone;
use serde_json::json;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::sync::mpsc;

/// Repeats that are named one by one.
const REPEATS_LISTED: usize = 50;

/// A file that was read, with what was found in it.
pub(super) struct File {
    /// The batch that it becomes.
    pub(super) batch: BatchId,
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) description: String,
    /// What else is approved with it.
    pub(super) options: String,
    pub(super) checked: Arc<Intake>,
    /// What went out before.
    pub(super) repeats: Vec<Repeat>,
    /// Where its bytes wait for their name.
    pub(super) placement: Placement,
}

/// What a batch is made under.
pub(super) struct BatchContext<'a> {
    pub(super) organisation: &'a OrganisationRow,
    /// None, like the currency: an import.
    pub(super) gateway: Option<GatewayId>,
    pub(super) currency: Option<Currency>,
}

/// What the person said is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sure {
    /// What went out before.
    pub(super) repeats: bool,
    /// What was warned of.
    pub(super) warnings: bool,
}

/// What became of a clean file. Where no batch was made the transaction goes on.
pub(super) enum Created {
    Batch(BatchId),
    /// These rows have ids that others have.
    IdsTaken(Tx, Vec<Finding>),
    /// Nobody said that what went out before or what was warned of is meant.
    Unconfirmed(Tx),
}

/// Makes the batch, all or nothing, and forgets the drafts that it was made of. The caller has authorised, and keeps others
/// waiting since before the file was looked at.
pub(super) async fn create(
    state: &AppState,
    mut tx: Tx,
    caller: &Caller,
    BatchContext { organisation, gateway, currency }: BatchContext<'_>,
    file: &File,
    sure: Sure,
    drafts: [Option<DraftId>; 2],
) -> OpResult<Created> {
    let (id, operation) = (file.batch, file.source.operation);
    // Its content names the connection, and the file was sent and read since that was looked up.
    if gateways::for_new_batch(&mut tx, operation).await?.map(|row| GatewayId(row.id)) != gateway {
        let sentence =
            "Another gateway connection was chosen while the file was read. Nothing was made. Upload it again.";
        return Err(OpError::refuse(RefusalKind::Conflict, sentence));
    }
    // Whatever is still to be confirmed is asked all at once.
    if !sure.warnings || !sure.repeats && !file.repeats.is_empty() {
        return Ok(Created::Unconfirmed(tx));
    }
    tx.savepoint().await?;
    let spool = &file.source.spool;
    files::keep(state, &mut tx, spool, file.placement).await?;
    let batch = db::batches::NewBatch {
        id,
        gateway,
        operation,
        file_name: &file.name,
        currency,
        description: &file.description,
        template: file.checked.template,
        file_sha256: spool.sha256(),
        file_bytes: i64::try_from(spool.len()).unwrap_or(i64::MAX),
        row_limit: i32::try_from(file.source.limits.rows).unwrap_or(i32::MAX),
        options: &file.options,
    };
    db::batches::insert(&mut tx, &batch).await?;
    let submitted = match gateway {
        // Its rows are stored by the processor, from the file that is kept.
        None => db::imports::submit(&mut tx, id).await,
        Some(_) => {
            let prepared = file.checked.prepared.clone();
            let Prepared { records, content_sha256 } =
                prepared.ok_or_else(|| OpError::internal("the records were not prepared"))?;
            let rows;
            (tx, rows) = db::batches::copy_prepared(tx, records).await?;
            if rows != file.checked.rows {
                return Err(OpError::internal("the records are not what was checked"));
            }
            db::batches::submit(&mut tx, id, &content_sha256, organisation.approval_days).await
        }
    };
    if let Err(error) = submitted {
        let Some(taken) = db::batches::taken_ids(&error) else { return Err(error.into()) };
        tx.back_to_savepoint().await?;
        return Ok(Created::IdsTaken(tx, taken.into_iter().map(taken_finding).collect()));
    }
    let mut detail = json!({ "file": file.name, "records": file.checked.rows, "amount_minor": file.checked.total_minor,
                             "sha256": hex::encode(spool.sha256()) });
    let switch = operation.descriptor().switch;
    if let (Some(switch), Some(on), Some(detail)) = (switch, operation.switched(&file.options), detail.as_object_mut())
    {
        detail.insert(switch.name.to_owned(), on.into());
    }
    if let (false, Some(detail)) = (operation.has_amounts(), detail.as_object_mut()) {
        detail.remove("amount_minor");
    }
    audit::record(state, &mut tx, caller, "batch.created", Some(id.0), detail).await?;
    for draft in drafts.into_iter().flatten() {
        db::drafts::delete(&mut tx, draft).await?;
    }
    tx.commit_at("submit").await?;
    Ok(Created::Batch(id))
}

pub(in crate::ops) fn taken_finding(taken: db::batches::TakenId) -> Finding {
    let message = format!(
        "Unique ID already used: {} belongs to a refund of batch {}. Give this refund an id of its own, or leave the \
         cell empty.",
        printable(&taken.unique_id),
        taken.batch_id
    );
    let at = At::cell(taken.sheet_row, "unique_id", &taken.unique_id);
    finding(at, FindingCode::UniqueIdTaken, Severity::Error, message)
}

/// What went out before: the same file, and of what it is said to be about, each order with the same amount.
pub(super) async fn repeats(
    state: &AppState,
    tx: &mut Tx,
    caller: &Caller,
    source: &Source,
    mut instructed: mpsc::Receiver<Vec<Instructed>>,
) -> OpResult<Vec<Repeat>> {
    let zone = time_format::zone(&caller.organisation.zone);
    let since = state.clock.now() - REPEAT_WINDOW;
    let mut found = Vec::new();
    for (batch, file_name, at) in db::batches::same_file(tx, source.operation, source.spool.sha256(), since).await? {
        found.push(Repeat {
            row: None,
            message: format!("The same file was uploaded on {}.", time_format::display_time(at, &zone).text),
            batch: BatchId(batch),
            file_name,
        });
    }
    // The same order may be brought up to date any day; only money that goes out again is worth a question.
    let looks = source.operation.has_amounts();
    let currency = source.currency.unwrap_or(Currency::UNUSED);
    let mut looked = LookAlikes { currency, zone: &zone, since, found: Vec::new(), more: 0 };
    loop {
        match tokio::time::timeout(db::KEEP_ALIVE, instructed.recv()).await {
            Ok(Some(rows)) if looks => {
                let rows: Vec<SentRow<'_>> =
                    rows.iter().map(|(row, order, minor)| (*row, order.as_str(), *minor)).collect();
                looked.add(tx, &rows).await?;
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            // A long file on a busy machine, or one without a row that could be sent.
            Err(_) => tx.keep_alive().await?,
        }
    }
    found.extend(looked.finish());
    Ok(found)
}

/// Row of the spreadsheet, order and minor units of what is to be sent.
pub(in crate::ops) type SentRow<'a> = (u32, &'a str, i64);

/// Rows with the same order and amount that went out since `since`, the first of them one by one.
pub(in crate::ops) async fn look_alikes(
    tx: &mut Tx,
    currency: Currency,
    zone: &TimeZone,
    records: &[SentRow<'_>],
    since: OffsetDateTime,
) -> OpResult<Vec<Repeat>> {
    let mut looked = LookAlikes { currency, zone, since, found: Vec::new(), more: 0 };
    looked.add(tx, records).await?;
    Ok(looked.finish())
}

/// The same, some records after the others.
struct LookAlikes<'a> {
    currency: Currency,
    zone: &'a TimeZone,
    since: OffsetDateTime,
    found: Vec<Repeat>,
    /// Found, but not named.
    more: usize,
}

impl LookAlikes<'_> {
    async fn add(&mut self, tx: &mut Tx, records: &[SentRow<'_>]) -> OpResult<()> {
        for look in db::batches::look_alikes(tx, records, self.since).await? {
            if self.found.len() >= REPEATS_LISTED {
                self.more += 1;
                continue;
            }
            let record = usize::try_from(look.place).ok().and_then(|place| records.get(place));
            let Some((row, order, minor)) = record else { continue };
            let amount = Money::new(*minor, self.currency);
            self.found.push(Repeat {
                row: Some(*row),
                message: format!(
                    "{} of {} went out on {} already.",
                    amount,
                    order,
                    time_format::display_time(look.created_at, self.zone).text
                ),
                batch: BatchId(look.batch_id),
                file_name: look.file_name,
            });
        }
        Ok(())
    }

    fn finish(self) -> Vec<Repeat> {
        let Self { mut found, more, .. } = self;
        if more > 0
            && let Some(last) = found.last().cloned()
        {
            found.push(Repeat { row: None, message: format!("{more} more rows went out before."), ..last });
        }
        found
    }
}
