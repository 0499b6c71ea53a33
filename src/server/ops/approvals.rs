//! Maker-checker: the inbox, what the checker is shown, and the decision.

use super::{
    access::{Caller, authorise, authorise_some, needs_proof},
    audit, records,
    refused::{Refused, about, plain},
    time_format, views,
};
use crate::{
    db::{
        self,
        approvals::{InboxPart, Request},
        batches::BatchRow,
        retries::Change,
    },
    domain::{
        access::Right,
        batch::BatchStatus,
        error::RefusalKind,
        ids::BatchId,
        money::Money,
        operation::Operation,
        page::TaskQuery,
        task::RecordExtra,
        text::REASON,
        view::{
            ApprovalDetail, ApprovalInbox, ApprovalRow, BatchSnapshot, EarlierRefund, LargeRow, RepeatedOrder,
            retries::{RetryAskedRow, RetryRequest},
        },
    },
    error::{OpError, OpResult},
    gateway::fails_again,
    state::AppState,
};
use jiff::tz::TimeZone;
use serde_json::json;
use std::collections::BTreeMap;
use time::Duration;

/// How far back look-alikes are shown.
const EARLIER: Duration = Duration::days(30);
/// Upper bounds of amount classes, major units.
const CLASSES: [i64; 5] = [500, 1_000, 2_000, 5_000, 10_000];

/// Approve or reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The tasks may be sent.
    Approve,
    /// They may not; needs a reason.
    Reject,
}

impl Verdict {
    /// The verdict with this word in forms.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "approve" => Some(Self::Approve),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

/// A decision as the form sent it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Which way, if it is one of the two.
    pub verdict: Option<Verdict>,
    /// Hash of what was shown, 64 hex digits.
    pub content_hash: String,
    /// 1 to 500 characters for a rejection, optional for an approval.
    pub reason: String,
}

/// The inbox. Needs Read on any module whose batches can wait for approval; shows those of the modules one may read.
pub async fn inbox(state: &AppState, caller: &Caller) -> OpResult<ApprovalInbox> {
    let readable = authorise_some(caller)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let mut inbox = ApprovalInbox::default();
    for operation in readable {
        let may_decide = caller.permissions.allow(operation.module(), Right::Approve);
        for request in db::approvals::inbox(&mut tx, operation).await? {
            let list = match request.part {
                InboxPart::Waiting if !may_decide => continue,
                InboxPart::Waiting => &mut inbox.waiting,
                InboxPart::Submitted => &mut inbox.submitted,
                InboxPart::Decided => &mut inbox.decided,
            };
            list.push(approval_row(operation, &request, &zone));
        }
    }
    tx.commit().await?;
    Ok(inbox)
}

fn approval_row(operation: Operation, request: &Request, zone: &TimeZone) -> ApprovalRow {
    let decision = match (request.verdict.as_deref(), request.status, request.dropped.as_deref()) {
        (Some(verdict), ..) => views::decision::decided_by(
            verdict,
            request.checker_email.as_deref(),
            request.decided_at,
            request.reason.as_deref(),
            zone,
        ),
        (_, BatchStatus::Withdrawn, _) | (.., Some("WITHDRAWN")) => "Withdrawn by its maker".to_owned(),
        (_, BatchStatus::Expired, _) | (.., Some("EXPIRED")) => "Nobody decided in time".to_owned(),
        _ => String::new(),
    };
    ApprovalRow {
        id: request.id,
        operation,
        file_name: request.file_name.clone(),
        description: request.description.clone(),
        maker: request.maker_email.clone(),
        submitted: time_format::display_time(request.at, zone),
        amount: Money::new(request.amount_minor, request.currency),
        records: u64::try_from(request.records).unwrap_or(0),
        expires: request.expires_at.map(|at| time_format::display_time(at, zone)),
        status: request.status,
        decision,
        retry: request.revision > 1,
    }
}

/// What the checker is shown. Needs Read on the batch's module.
pub async fn detail(state: &AppState, caller: &Caller, batch: BatchId) -> OpResult<ApprovalDetail> {
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = db::batches::load(&mut tx, batch).await?.ok_or_else(|| OpError::not_found("batch"))?;
    authorise(caller, row.operation.module(), Right::Read)?;
    if row.verdict.as_deref() == Some("NOT_REQUIRED") {
        return Err(OpError::refuse(RefusalKind::NotFound, "This batch needed no approval."));
    }
    let revision = row.revision;
    // What only money has: largest rows, look-alikes, classes of amounts, parts.
    let amounts = row.operation.has_amounts();
    let (mut largest, mut repeated, mut earlier) = (Vec::new(), Vec::new(), Vec::new());
    let (mut classes, mut extras) = (Vec::new(), Vec::new());
    if amounts {
        largest = db::approvals::largest(&mut tx, batch, revision).await?;
        repeated = db::approvals::repeated(&mut tx, batch, revision).await?;
        earlier = db::approvals::earlier(&mut tx, batch, revision, row.asked_at - EARLIER).await?;
        let bounds: Vec<i64> = CLASSES.iter().map(|bound| bound * row.unit().scale()).collect();
        classes = db::approvals::classes(&mut tx, batch, revision, &bounds).await?;
        extras = db::approvals::extras(&mut tx, batch, revision).await?;
    }
    let gateway = super::gateways::of_batch(&mut tx, &row).await?;
    // Of a retry every row is shown beside what it was before.
    let (preview, retry) = match revision {
        1 => {
            let first = TaskQuery { page: 1, ..TaskQuery::default() };
            (db::batches::tasks(&mut tx, row.operation, batch, &first, Some(0)).await?.0, None)
        }
        _ => {
            let connector = gateway.as_ref().map_or("", |gateway| gateway.connector.as_str());
            (Vec::new(), Some(asked_again(&row, connector, &db::retries::changes(&mut tx, batch, revision).await?)?))
        }
    };
    tx.commit().await?;
    let money = |minor| Money::new(minor, row.unit());
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    let why_not = why_not(caller, &row);
    let waiting = row.status == BatchStatus::AwaitingApproval;
    Ok(ApprovalDetail {
        snapshot: asked_for(&row, views::batch::snapshot(&row, &zone, None, String::new())),
        // Of a retry it is not its maker's word.
        description: if revision == 1 { row.description.clone() } else { String::new() },
        maker: row.asked_by_email.clone(),
        submitted: time_format::display_time(row.asked_at, &zone),
        expires: row.expires_at.map(|at| time_format::display_time(at, &zone)),
        decided: row.decided_at.map(|at| time_format::display_time(at, &zone)),
        gateway: gateway.map(|gateway| views::connection::gateway_name(&gateway)).unwrap_or_default(),
        switch: row.operation.switched(&row.options),
        largest: largest
            .into_iter()
            .map(|large| LargeRow {
                row: number(large.sheet_row),
                order_id: large.order_id,
                amount: money(large.amount_minor),
                per_mille: per_mille(large.amount_minor, row.asked.1),
            })
            .collect(),
        repeated: repeated
            .into_iter()
            .map(|order| RepeatedOrder {
                total: money(order.amounts.iter().sum()),
                rows: order.rows.into_iter().map(number).zip(order.amounts.into_iter().map(money)).collect(),
                order_id: order.order_id,
            })
            .collect(),
        earlier: earlier
            .into_iter()
            .map(|look| EarlierRefund {
                row: number(look.sheet_row),
                order_id: look.order_id,
                amount: money(look.amount_minor),
                at: time_format::display_time(look.created_at, &zone),
                batch: BatchId(look.other),
                file_name: look.file_name,
            })
            .collect(),
        classes: class_labels(row.unit()).into_iter().zip(classes).collect(),
        parts: parts(extras),
        retry,
        preview: preview.iter().map(|task| views::batch::task_row(task, &row, &zone)).collect(),
        can_decide: waiting && why_not.is_none(),
        why_not: if waiting { why_not } else { None },
        can_withdraw: waiting
            && row.asked_by == Some(caller.person.id.0)
            && caller.permissions.allow(row.operation.module(), Right::ReadWrite),
        needs_password: needs_proof(state, caller),
    })
}

fn why_not(caller: &Caller, row: &BatchRow) -> Option<String> {
    if row.own {
        return Some(own_request(caller, row).to_owned());
    }
    if !caller.permissions.allow(row.operation.module(), Right::Approve) {
        return Some(format!("You need {} – Approve to decide.", row.operation.module().code()));
    }
    None
}

/// The numbers of what is asked for: of a retry its rows and their sum, not those of the whole batch.
fn asked_for(row: &BatchRow, mut snapshot: BatchSnapshot) -> BatchSnapshot {
    if row.revision > 1 {
        snapshot.records = u64::try_from(row.asked.0).unwrap_or(0);
        if let Some(amounts) = &mut snapshot.amounts {
            amounts.total = row.asked.1;
        }
    }
    snapshot
}

/// Why this person may not decide: who made the batch, who sent rows of it again, and who had a hand in the key that
/// sent it must leave it to others.
fn own_request(caller: &Caller, row: &BatchRow) -> &'static str {
    let person = Some(caller.person.id.0);
    if row.asked_by == person {
        "You made this request, so another person must decide."
    } else if row.maker == person {
        "You made the batch that these rows belong to, so another person must decide."
    } else {
        "You made or changed the API key that sent this request, so another person must decide."
    }
}

/// Failed rows that are to be sent again, beside what they were.
fn asked_again(row: &BatchRow, connector: &str, changes: &[Change]) -> OpResult<RetryRequest> {
    let template = records::template(row)?;
    let mut rows: Vec<(bool, RetryAskedRow)> = Vec::with_capacity(changes.len());
    let (mut changed, mut again) = (0, 0);
    for change in changes {
        let (was, now) = records::before_and_now(change);
        let differences = records::differences(row, template, &was, &now);
        changed += u64::from(!differences.is_empty());
        again += u64::from(differences.is_empty() && fails_again(connector, change.code.as_deref()).is_some());
        rows.push((
            differences.is_empty(),
            RetryAskedRow {
                number: now.number,
                row: now.row,
                amount: Money::new(now.amount_minor, row.unit()),
                order_id: now.order_id,
                changes: differences,
                why: change.message.clone().or_else(|| change.code.clone()).unwrap_or_default(),
            },
        ));
    }
    // Stable: in file order within both parts.
    rows.sort_by_key(|(unchanged, _)| *unchanged);
    Ok(RetryRequest {
        number: u32::try_from(row.revision).unwrap_or(1).saturating_sub(1),
        maker: row.asked_by_email.clone(),
        before: Money::new(changes.iter().map(|change| change.was_amount_minor).sum(), row.unit()),
        changed,
        fails_again: again,
        rows: rows.into_iter().map(|(_, row)| row).take(RetryRequest::SHOWN).collect(),
    })
}

fn per_mille(part: i64, whole: i64) -> u32 {
    let share = i128::from(part) * 1_000 / i128::from(whole.max(1));
    u32::try_from(share).unwrap_or(0)
}

fn class_labels(currency: crate::domain::money::Currency) -> Vec<String> {
    let text = |major: i64| {
        let parts = Money::new(major * currency.scale(), currency).parts();
        format!("{}{}", parts.symbol, parts.whole)
    };
    let mut labels = Vec::new();
    let mut below: Option<i64> = None;
    for bound in CLASSES {
        labels.push(match below {
            None => format!("under {}", text(bound)),
            Some(from) => format!("{} to {}", text(from), text(bound)),
        });
        below = Some(bound);
    }
    labels.push(format!("{} and over", text(below.unwrap_or(0))));
    labels
}

fn parts(extras: Vec<RecordExtra>) -> Vec<(String, i64)> {
    let mut marketplace = 0;
    let mut vendors: BTreeMap<String, i64> = BTreeMap::new();
    let mut any = false;
    for split in extras.into_iter().filter_map(|extra| extra.split) {
        any = true;
        marketplace += split.marketplace.unwrap_or(0);
        for (vendor, minor) in split.vendors {
            *vendors.entry(vendor).or_default() += minor;
        }
    }
    let mut parts: Vec<(String, i64)> = vendors.into_iter().collect();
    parts.sort_by_key(|(_, minor)| std::cmp::Reverse(*minor));
    if any {
        parts.insert(0, ("Marketplace".to_owned(), marketplace));
    }
    parts
}

/// Decides. Needs Approve on the module and a proof of the password of the last 10 minutes (`caller.proved_at`); the
/// database refuses the maker. A lost race is `Conflict` with who decided and when, a changed content `Changed`.
/// Returns the verdict and the name of the batch's file.
pub async fn decide(
    state: &AppState,
    caller: &Caller,
    batch: BatchId,
    decision: Decision,
) -> Result<(Verdict, String), Refused> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await.map_err(plain)?;
    let row = db::batches::load(&mut tx, batch).await.map_err(plain)?;
    let row = row.ok_or_else(|| plain(OpError::not_found("batch")))?;
    authorise(caller, row.operation.module(), Right::Approve).map_err(plain)?;
    if row.own {
        return Err(plain(OpError::refuse(RefusalKind::Forbidden, own_request(caller, &row))));
    }
    let Some(verdict) = decision.verdict else { return Err(about("decision", "Choose Approve or Reject.")) };
    let reason = REASON.read(&decision.reason).map_err(|refusal| about("reason", refusal.message))?;
    if verdict == Verdict::Reject && reason.is_empty() {
        return Err(about("reason", "Say why you reject it: the maker reads the reason."));
    }
    if needs_proof(state, caller) {
        return Err(about("password", "Give your password again to decide."));
    }
    let Some(shown) = shown_hash(&decision.content_hash) else {
        return Err(plain(OpError::refuse(
            RefusalKind::Changed,
            "What was shown cannot be told. Load the page again and decide then.",
        )));
    };
    let approve = verdict == Verdict::Approve;
    let written =
        db::approvals::decide(&mut tx, batch, approve, &shown, (!reason.is_empty()).then_some(&*reason)).await;
    if let Err(error) = written {
        drop(tx);
        return Err(plain(decision_refused(state, caller, batch, error).await));
    }
    let action = if approve { "batch.approved" } else { "batch.rejected" };
    let detail = json!({ "content_sha256": decision.content_hash, "reason": reason, "revision": row.revision });
    audit::record(state, &mut tx, caller, action, Some(batch.0), detail).await.map_err(plain)?;
    tx.commit_at("decide").await.map_err(plain)?;
    Ok((verdict, row.file_name))
}

async fn decision_refused(state: &AppState, caller: &Caller, batch: BatchId, error: sqlx::Error) -> OpError {
    match db::guard_code(&error).as_deref() {
        Some("BD403") => {
            OpError::refuse(RefusalKind::Forbidden, "You made this request, so another person must decide.")
        }
        Some("BD412") => OpError::refuse(
            RefusalKind::Changed,
            "The content changed since it was shown to you. Nothing was decided. Look at it again.",
        ),
        Some("BD409") => OpError::refuse(RefusalKind::Conflict, where_it_stands(state, caller, batch).await),
        _ => error.into(),
    }
}

async fn where_it_stands(state: &AppState, caller: &Caller, batch: BatchId) -> String {
    let look = async {
        let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
        db::batches::load(&mut tx, batch).await
    };
    match look.await {
        Ok(Some(row)) => {
            let zone = time_format::zone(&caller.organisation.zone);
            let verdict = row.verdict.as_deref().unwrap_or_default();
            let told = views::decision::decided_by(
                verdict,
                row.checker_email.as_deref(),
                row.decided_at,
                row.reason.as_deref(),
                &zone,
            );
            if told.is_empty() {
                format!("This batch is {} and cannot be decided.", row.status.text())
            } else {
                format!("{told}. Nothing was changed.")
            }
        }
        _ => "This batch was decided already. Load the page again to see how.".to_owned(),
    }
}

/// The 32 bytes of a hash that a form gives back; none for what is no such hash.
pub(super) fn shown_hash(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.trim()).ok().filter(|bytes| bytes.len() == 32)
}
