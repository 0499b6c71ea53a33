//! A clean file becomes a batch, unless it repeats what went out before or takes an id that another refund has.

use super::{
    REPEAT_WINDOW,
    intake::{Intake, Prepared},
};
use crate::{
    domain::{
        error::RefusalKind,
        finding::{Finding, FindingCode, Severity},
        ids::{BatchId, DraftId, GatewayId},
        limits::Limits,
        money::{Currency, Money},
        operation::Operation,
        view::Repeat,
    },
    formats::{
        findings::{At, finding},
        shown::shown,
    },
    server::{
        db::{self, Tx, organisations::OrganisationRow},
        error::{OpError, OpResult},
        ops::{access::Caller, audit, gateways, moment},
        state::AppState,
    },
};
use bytes::Bytes;
use jiff::tz::TimeZone;
use serde_json::json;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// Repeats that are named one by one.
const REPEATS_LISTED: usize = 50;

/// A file that was read, with what was found in it.
pub(super) struct File {
    pub(super) name: String,
    pub(super) sha256: Vec<u8>,
    pub(super) bytes: Bytes,
    pub(super) description: String,
    /// What else is approved with it.
    pub(super) options: String,
    pub(super) checked: Arc<Intake>,
}

/// What a batch is made under.
pub(super) struct Under<'a> {
    pub(super) organisation: &'a OrganisationRow,
    /// None, like the currency: an import.
    pub(super) gateway: Option<GatewayId>,
    pub(super) currency: Option<Currency>,
    pub(super) limits: Limits,
}

/// What the person said is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sure {
    /// What went out before.
    pub(super) repeats: bool,
    /// What was warned of.
    pub(super) warnings: bool,
}

/// What became of a clean file.
pub(super) enum Created {
    Batch(BatchId),
    /// These rows have ids that others have.
    Taken(Vec<Finding>),
    /// Nobody said that what went out before, which is this, or what was warned of is meant.
    Unconfirmed(Vec<Repeat>),
}

/// Makes the batch, all or nothing, and forgets the drafts that it was made of. The caller has authorised.
pub(super) async fn create(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    Under { organisation, gateway, currency, limits }: Under<'_>,
    file: &File,
    sure: Sure,
    drafts: [Option<DraftId>; 2],
) -> OpResult<Created> {
    let id = BatchId(Uuid::now_v7());
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    // The same thing twice at once (a double click) is a repeat, too: the second looks when the first is there.
    db::batches::one_at_a_time(&mut tx, operation).await?;
    // Its content names the connection, and the file was sent and read since that was looked up.
    if gateways::for_new_batch(&mut tx, operation).await?.map(|row| GatewayId(row.id)) != gateway {
        let sentence =
            "Another gateway connection was chosen while the file was read. Nothing was made. Upload it again.";
        return Err(OpError::refuse(RefusalKind::Conflict, sentence));
    }
    // Whatever is still to be confirmed is asked all at once.
    if !(sure.repeats && sure.warnings) {
        let repeats = repeats(state, &mut tx, caller, operation, currency, file).await?;
        if !sure.warnings || !repeats.is_empty() && !sure.repeats {
            return Ok(Created::Unconfirmed(repeats));
        }
    }
    super::keep_file(state, &mut tx, file).await?;
    let batch = db::batches::NewBatch {
        id,
        gateway,
        operation,
        file_name: &file.name,
        currency,
        description: &file.description,
        template: file.checked.template,
        file_sha256: &file.sha256,
        file_bytes: i64::try_from(file.bytes.len()).unwrap_or(i64::MAX),
        row_limit: i32::try_from(limits.rows).unwrap_or(i32::MAX),
        options: &file.options,
    };
    db::batches::insert(&mut tx, &batch).await?;
    let submitted = match gateway {
        // Its rows are stored by the processor, from the file that is kept.
        None => db::imports::submit(&mut tx, id).await,
        Some(gateway) => {
            (tx, _) = db::batches::insert_records(tx, id, file.checked.clone().new_records(id)).await?;
            let head = format!("{}|{}|{gateway}|{}\n", operation.code(), caller.organisation.id, file.options);
            db::batches::submit(&mut tx, id, &file.checked.content_sha256(&head), organisation.approval_days).await
        }
    };
    if let Err(error) = submitted {
        return match db::batches::taken_ids(&error) {
            Some(taken) => Ok(Created::Taken(taken.into_iter().map(taken_finding).collect())),
            None => Err(error.into()),
        };
    }
    let mut detail = json!({ "file": file.name, "records": file.checked.rows, "amount_minor": file.checked.total_minor,
                             "sha256": hex::encode(&file.sha256) });
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

pub(in crate::server::ops) fn taken_finding(taken: db::batches::TakenId) -> Finding {
    let message = format!(
        "Unique ID already used: {} belongs to a refund of batch {}. Give this refund an id of its own, or leave the cell empty.",
        shown(&taken.unique_id),
        taken.batch_id
    );
    let at = At::cell(taken.sheet_row, "unique_id", &taken.unique_id);
    finding(at, FindingCode::UniqueIdTaken, Severity::Error, message)
}

async fn repeats(
    state: &AppState,
    tx: &mut Tx,
    caller: &Caller,
    operation: Operation,
    currency: Option<Currency>,
    file: &File,
) -> OpResult<Vec<Repeat>> {
    let zone = moment::zone(&caller.organisation.zone);
    let since = state.clock.now() - REPEAT_WINDOW;
    let mut found = Vec::new();
    for (batch, file_name, at) in db::batches::same_file(tx, operation, &file.sha256, since).await? {
        found.push(Repeat {
            row: None,
            message: format!("The same file was uploaded on {}.", moment::moment(at, &zone).text),
            batch: BatchId(batch),
            file_name,
        });
    }
    // The same order may be brought up to date any day; only money that goes out again is worth a question.
    if let (true, Some(currency)) = (operation.has_amounts(), currency) {
        let records = file.checked.records.iter();
        let rows: Vec<Sent<'_>> = records
            .map(|Prepared { record, .. }| (record.row, record.order_id.as_str(), record.amount_minor))
            .collect();
        found.extend(look_alikes(tx, currency, &zone, &rows, since).await?);
    }
    Ok(found)
}

/// Row of the spreadsheet, order and minor units of what is to be sent.
pub(in crate::server::ops) type Sent<'a> = (u32, &'a str, i64);

/// Rows with the same order and amount that went out since `since`, the first of them one by one.
pub(in crate::server::ops) async fn look_alikes(
    tx: &mut Tx,
    currency: Currency,
    zone: &TimeZone,
    records: &[Sent<'_>],
    since: OffsetDateTime,
) -> OpResult<Vec<Repeat>> {
    let mut found = Vec::new();
    let alike = db::batches::look_alikes(tx, records, since).await?;
    let more = alike.len().saturating_sub(REPEATS_LISTED);
    for look in alike.into_iter().take(REPEATS_LISTED) {
        let record = usize::try_from(look.place).ok().and_then(|place| records.get(place));
        let Some((row, order, minor)) = record else { continue };
        let amount = Money::new(*minor, currency);
        found.push(Repeat {
            row: Some(*row),
            message: format!(
                "{} of {} went out on {} already.",
                amount,
                order,
                moment::moment(look.created_at, zone).text
            ),
            batch: BatchId(look.batch_id),
            file_name: look.file_name,
        });
    }
    if more > 0
        && let Some(last) = found.last().cloned()
    {
        found.push(Repeat { row: None, message: format!("{more} more rows went out before."), ..last });
    }
    Ok(found)
}
