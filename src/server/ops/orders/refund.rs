//! Refunds that are made from orders: their rows are those of the file that somebody would have uploaded, and go the way
//! of every file. What is added here is only what an order's page knows: an order that has nothing left is not
//! taken.

use super::{OrderPresenter, file_name};
use crate::{
    db,
    domain::{
        access::{Module, Right},
        error::RefusalKind,
        finding::{Finding, Severity},
        ids::{BatchId, DraftId},
        limits::Limits,
        money::{Currency, Money, group},
        operation::Operation,
        text::{DESCRIPTION, ORDER_ID},
        view::orders::{RefundLine, RefundOrders, RefundSelection},
    },
    error::{OpError, OpResult},
    formats::{
        refunds::{TypedRefund, check_sheet, typed_rows},
        sheet::{self, Sheet},
    },
    ops::{
        access::{Caller, authorise},
        time_format,
        uploads::{self, Submitted, Ticks, Upload},
    },
    state::AppState,
};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// What became of orders that were to be refunded.
#[derive(Clone, Debug)]
pub enum RefundOutcome {
    /// They are a batch now.
    Batch {
        /// Which.
        batch: BatchId,
        /// How many refunds.
        records: u64,
        /// Whether a checker must decide first.
        waits: bool,
    },
    /// Nothing was made: the page shows why, with what the intake kept.
    Findings {
        /// The draft that names what is wrong, or what went out before.
        draft: Option<DraftId>,
        /// One sentence.
        sentence: String,
        /// The field that it is about.
        field: Option<&'static str>,
    },
}

/// The page that refunds these orders, as far as it is typed. Needs `refunds` ReadWrite and `orders` Read.
pub async fn page(state: &AppState, caller: &Caller, chosen: RefundSelection) -> OpResult<RefundOrders> {
    authorise(caller, Module::Refunds, Right::ReadWrite)?;
    authorise(caller, Module::Orders, Right::Read)?;
    let Preview { lines, left_out, total, new, rows } = look(state, caller, &chosen).await?;
    let (findings, repeats) = new.draft.map(|draft| (draft.findings, draft.repeats)).unwrap_or_default();
    let warnings = findings.iter().filter(|finding| finding.must_be_confirmed()).cloned().collect();
    let (placed, whole): (Vec<Finding>, Vec<Finding>) = findings
        .into_iter()
        .filter(is_error)
        .partition(|finding| lines.iter().any(|line| Some(line.row) == finding.row));
    let mut lines = lines;
    for finding in placed {
        for line in lines.iter_mut().filter(|line| Some(line.row) == finding.row) {
            let error = at_column(&finding);
            if !line.errors.contains(&error) {
                line.errors.push(error);
            }
        }
    }
    Ok(RefundOrders {
        lines,
        left_out,
        total,
        description: chosen.description,
        maker_checker: new.maker_checker,
        approvers: new.approvers,
        findings: whole.into_iter().map(|finding| finding.message).collect(),
        repeats,
        warnings,
        seal: fingerprint(&rows),
    })
}

/// Names the rows of a file.
fn fingerprint(rows: &Sheet) -> String {
    hex::encode(Sha256::digest(sheet::write(rows)))
}

/// Makes the batch, all or nothing. A tick is the seal of the lines that it was shown with. Needs
/// `refunds` ReadWrite and `orders` Read.
pub async fn send(
    state: &AppState,
    caller: &Caller,
    chosen: &RefundSelection,
    ticks: Ticks<'_>,
) -> OpResult<RefundOutcome> {
    authorise(caller, Module::Refunds, Right::ReadWrite)?;
    authorise(caller, Module::Orders, Right::Read)?;
    let looked = look(state, caller, chosen).await?;
    let stay = |sentence: String, field| Ok(RefundOutcome::Findings { draft: None, sentence, field });
    if looked.lines.is_empty() && looked.left_out.is_empty() {
        return stay("No order is chosen. Nothing was made.".to_owned(), None);
    }
    match looked.left_out.len() {
        0 => {}
        1 => return stay("1 order cannot be refunded. Nothing was made: look at what is left.".to_owned(), None),
        some => {
            return stay(
                format!(
                    "{} orders cannot be refunded. Nothing was made: look at what is left.",
                    group(some as u64, true)
                ),
                None,
            );
        }
    }
    match looked.lines.iter().map(|line| line.errors.len()).sum() {
        0 => {}
        1 => return stay("1 error. Nothing was made.".to_owned(), None),
        errors => return stay(format!("{} errors. Nothing was made.", group(errors as u64, true)), None),
    }
    let description = match DESCRIPTION.read(&chosen.description) {
        Ok(text) if text.is_empty() && looked.new.maker_checker => {
            Err("Describe the refunds, so that the checker knows what they are for.".to_owned())
        }
        read => read.map_err(|refusal| refusal.message),
    };
    let description = match description {
        Ok(description) => description,
        Err(sentence) => return stay(sentence, Some("description")),
    };
    let records = looked.lines.len() as u64;
    let shown = fingerprint(&looked.rows);
    let upload = Upload {
        confirm_repeat: ticks.repeats == shown,
        confirm_warnings: if ticks.warnings == shown { "1".to_owned() } else { String::new() },
        description,
        ..Upload::of_rows(file_name(state, caller, "orders"), looked.rows)
    };
    match uploads::submit(state, caller, Operation::Refund, upload).await? {
        Submitted::Batch(batch) => Ok(RefundOutcome::Batch { batch, records, waits: looked.new.maker_checker }),
        Submitted::Draft(draft) => {
            let sentence = match (draft.findings.iter().any(is_error), draft.repeats.is_empty()) {
                (true, _) => "Something must be corrected. Nothing was made.",
                (false, true) => {
                    "Some of these refunds must be confirmed. Nothing was made now: look at them, then confirm."
                }
                (false, false) => {
                    "Some of these refunds went out before. Nothing was made now: look at them, then confirm."
                }
            };
            Ok(RefundOutcome::Findings { draft: Some(draft.id), sentence: sentence.to_owned(), field: None })
        }
    }
}

/// What was chosen, looked up and checked.
struct Preview {
    lines: Vec<RefundLine>,
    left_out: Vec<(String, String)>,
    total: Option<Money>,
    /// The rows that they become.
    rows: Sheet,
    /// What a new batch is made under.
    new: crate::domain::view::NewBatch,
}

async fn look(state: &AppState, caller: &Caller, chosen: &RefundSelection) -> OpResult<Preview> {
    for order in &chosen.orders {
        ORDER_ID.read(&order.order_id)?;
    }
    let new = uploads::new_batch(state, caller, Operation::Refund, chosen.draft).await?;
    let many = chosen.orders.len() as u64;
    if many > u64::from(new.limits.rows) {
        return Err(OpError::refuse(
            RefusalKind::Invalid,
            format!(
                "Row limit exceeded: {} orders, at most {} can be refunded at once.",
                group(many, true),
                group(u64::from(new.limits.rows), true)
            ),
        ));
    }
    let (mut lines, left_out) = lines(state, caller, chosen).await?;
    let rows = typed_rows(lines.iter().map(|line| TypedRefund {
        order_id: &line.order.order_id,
        amount: &line.amount,
        unique_id: &line.unique_id,
    }));
    let total = check(&mut lines, rows.clone(), new.currency, new.limits).await?;
    Ok(Preview { lines, left_out, total, rows, new })
}

/// A line for each order that can be refunded, and why the others cannot.
async fn lines(
    state: &AppState,
    caller: &Caller,
    chosen: &RefundSelection,
) -> OpResult<(Vec<RefundLine>, Vec<(String, String)>)> {
    let zone = time_format::zone(&caller.organisation.zone);
    let ids: Vec<String> = chosen.orders.iter().map(|order| order.order_id.clone()).collect();
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let rows = db::orders::store::some(&mut tx, &ids).await?;
    let eye = OrderPresenter::open(&mut tx, caller, &zone).await?;
    tx.commit().await?;
    let mut known = HashMap::new();
    for row in rows {
        known.insert(row.order_id.clone(), eye.order(row));
    }
    let (mut lines, mut left_out) = (Vec::new(), Vec::new());
    for typed in &chosen.orders {
        let Some(order) = known.remove(&typed.order_id) else {
            let why = "It was never seen at the gateway. Synchronise it first.".to_owned();
            left_out.push((typed.order_id.clone(), why));
            continue;
        };
        match order.left.clone() {
            Err(why) => left_out.push((typed.order_id.clone(), why)),
            Ok(left) => lines.push(RefundLine {
                row: u32::try_from(lines.len()).unwrap_or(u32::MAX).saturating_add(2),
                amount: typed.amount.clone().unwrap_or_else(|| left.bare()),
                unique_id: typed.unique_id.clone(),
                left,
                order,
                errors: Vec::new(),
            }),
        }
    }
    Ok((lines, left_out))
}

/// Puts what the validator of files says at the lines, and amounts that are more than is left. Returns what they come
/// to.
async fn check(lines: &mut [RefundLine], rows: Sheet, currency: Currency, limits: Limits) -> OpResult<Option<Money>> {
    if lines.is_empty() {
        return Ok(Some(Money::new(0, currency)));
    }
    let checked =
        tokio::task::spawn_blocking(move || check_sheet(&rows, currency, limits)).await.map_err(OpError::failed)?;
    for finding in checked.findings.iter().filter(|finding| is_error(finding)) {
        // What is said of the whole file is said at its first line.
        let row = finding.row.filter(|row| lines.iter().any(|line| line.row == *row)).unwrap_or(2);
        for line in lines.iter_mut().filter(|line| line.row == row) {
            line.errors.push(at_column(finding));
        }
    }
    for record in &checked.records {
        for line in lines.iter_mut().filter(|line| line.row == record.row) {
            if record.order_id != line.order.order_id {
                line.errors
                    .push(("order_id".to_owned(), "This order id cannot be written into a file as it is.".to_owned()));
            }
            if record.amount_minor > line.left.minor {
                line.errors.push(("amount".to_owned(), over(line)));
            }
        }
    }
    let clean = lines.iter().all(|line| line.errors.is_empty());
    Ok(clean.then(|| Money::new(checked.total_minor, currency)))
}

fn over(line: &RefundLine) -> String {
    match line.order.on_way.minor {
        0 => format!("Too much: {} can be refunded.", line.left),
        _ => format!("Too much: {} can be refunded, for {} is on its way already.", line.left, line.order.on_way),
    }
}

fn at_column(finding: &Finding) -> (String, String) {
    (finding.column.clone().unwrap_or_else(|| "order_id".to_owned()), finding.message.clone())
}

fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
}
