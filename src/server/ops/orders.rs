//! The organisation's orders as last seen at the gateway, and what happened to each.

mod history;
pub mod refund;

use super::{
    access::{Caller, authorise, readable},
    time_format, uploads,
};
use crate::{
    db::{
        self, Tx,
        orders::store::{Listing, OrderRecord, Start, StoreRow},
    },
    domain::{
        access::{Module, Right},
        error::RefusalKind,
        ids::BatchId,
        money::{Currency, Money},
        operation::{Operation, Work},
        page::PAGE_SIZE,
        text::{ORDER_ID, ORDER_STATUS},
        view::orders::{From, GatewayRefund, OrderList, OrderPage, OrderQuery, Place, Refunded, StoredOrder},
    },
    error::{OpError, OpResult},
    formats::{csv_lines::guarded, registry, sheet::Sheet, stored_record::StoredRecord},
    state::AppState,
};
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::HashMap;
use time::OffsetDateTime;
use uploads::{Submitted, Upload};
use uuid::Uuid;

/// Records of an order that its page tells of.
const RECORDS_SHOWN: usize = 60;

/// A page of the store. Needs Read.
pub async fn list(state: &AppState, caller: &Caller, query: OrderQuery) -> OpResult<OrderList> {
    authorise(caller, Module::Orders, Right::Read)?;
    let query = read(query)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let place = match &query.from {
        None => None,
        Some(From::After(place) | From::Before(place)) => Some(place),
    };
    let start = place.and_then(|place| match query.search.is_empty() {
        true => Some(Start::Seen(seen_at(&place.key)?, &place.order_id)),
        false => Some(Start::Matched(&place.key, &place.order_id)),
    });
    let back = start.is_some() && matches!(query.from, Some(From::Before(_)));
    let listing = Listing {
        search: &query.search,
        status: &query.status,
        refunded: query.refunded.map_or("", Refunded::code),
        since: query.since.as_ref().and_then(|day| time_format::day(day, &zone)).map(|(begin, _)| begin),
        back,
        // One more than is shown tells whether there is another page.
        limit: i64::from(PAGE_SIZE) + 1,
        start,
    };
    let begun = listing.start.is_some();
    let mut rows = db::orders::store::list(&mut tx, &listing).await?;
    let more = rows.len() > PAGE_SIZE as usize;
    rows.truncate(PAGE_SIZE as usize);
    if back {
        rows.reverse();
    }
    let neighbour = |row: Option<&StoreRow>, from: fn(Place) -> From| {
        let row = row?;
        let key = row.matched.clone().unwrap_or_else(|| row.seen_micros.to_string());
        let from = Some(from(Place { key, order_id: row.order_id.clone() }));
        Some(OrderQuery { from, ..query.clone() }.to_path())
    };
    let newer = if back { more } else { begun };
    let older = back || more;
    let newer = newer.then(|| neighbour(rows.first(), From::Before)).flatten();
    let older = older.then(|| neighbour(rows.last(), From::After)).flatten();
    let eye = OrderPresenter::open(&mut tx, caller, &zone).await?;
    let orders: Vec<_> = rows.into_iter().map(|row| eye.order(row)).collect();
    let any = !orders.is_empty() || db::orders::store::any(&mut tx).await?;
    let statuses = db::orders::store::statuses(&mut tx).await?;
    tx.commit().await?;
    Ok(OrderList {
        query,
        orders,
        any,
        statuses,
        newer,
        older,
        may_refund: may_refund(caller),
        may_sync: may_sync(caller),
    })
}

/// A list as it was asked for, once its texts were read. A place that no page of ours named is none.
fn read(query: OrderQuery) -> OpResult<OrderQuery> {
    let fits = |place: &Place| ORDER_ID.is(&place.key) && ORDER_ID.is(&place.order_id);
    Ok(OrderQuery {
        search: ORDER_ID.named("The search").read(&query.search)?,
        status: ORDER_STATUS.read(&query.status)?,
        from: query.from.filter(|(From::After(place) | From::Before(place))| fits(place)),
        ..query
    })
}

fn may_refund(caller: &Caller) -> bool {
    caller.permissions.allow(Module::Refunds, Right::ReadWrite)
}

fn may_sync(caller: &Caller) -> bool {
    caller.permissions.allow(Module::Orders, Right::ReadWrite)
}

fn seen_at(micros: &str) -> Option<OffsetDateTime> {
    let micros: i64 = micros.parse().ok()?;
    // No order was seen before there was Unix time, and the database knows no time that is much older.
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok();
    at.filter(|at| *at >= OffsetDateTime::UNIX_EPOCH)
}

/// Orders that begin with `text`, or have a transaction that does, at most `limit`: for the search from every page.
pub(super) async fn beginning(tx: &mut Tx, caller: &Caller, text: &str, limit: i64) -> OpResult<Vec<StoredOrder>> {
    let listing = Listing { search: text, status: "", refunded: "", since: None, start: None, back: false, limit };
    let rows = db::orders::store::list(tx, &listing).await?;
    let zone = time_format::zone(&caller.organisation.zone);
    let eye = OrderPresenter::open(tx, caller, &zone).await?;
    Ok(rows.into_iter().map(|row| eye.order(row)).collect())
}

/// An order's page. Needs Read; refunds are told of to those who may read them. An order is there when it was seen at
/// the gateway or when a record of ours names it.
pub async fn page(state: &AppState, caller: &Caller, order_id: &str) -> OpResult<OrderPage> {
    authorise(caller, Module::Orders, Right::Read)?;
    named(order_id)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let mut records = records(&mut tx, caller, order_id).await?;
    let more = records.len() > RECORDS_SHOWN;
    records.truncate(RECORDS_SHOWN);
    let syncs: Vec<Uuid> = records.iter().filter(|record| is_sync(record)).map(|record| record.batch_id).collect();
    let presses = db::orders::store::presses(&mut tx, &syncs).await?;
    let detail = db::orders::store::detail(&mut tx, order_id).await?;
    let row = db::orders::store::some(&mut tx, &[order_id.to_owned()]).await?.into_iter().next();
    let eye = OrderPresenter::open(&mut tx, caller, &zone).await?;
    tx.commit().await?;
    if row.is_none() && records.is_empty() {
        return Err(OpError::not_found("order"));
    }
    let seen = row.map(|row| eye.order(row));
    let currency = seen.as_ref().map_or(caller.organisation.currency, |seen| seen.amount.currency);
    let stories: HashMap<&str, String> = records
        .iter()
        .filter(|record| !is_sync(record))
        .map(|record| (record.gateway_key.as_str(), history::last_event(record)))
        .collect();
    let told: Vec<AtGateway> =
        detail.as_ref().and_then(|detail| serde_json::from_str(&detail.refunds).ok()).unwrap_or_default();
    let refunds = told.into_iter().map(|refund| GatewayRefund {
        amount: refund.amount.map(|minor| Money::new(minor, currency)),
        history: stories.get(refund.unique_request_id.as_str()).cloned(),
        key: refund.unique_request_id,
        reference: refund.reference,
        status: refund.status,
        kind: refund.kind,
    });
    Ok(OrderPage {
        order_id: order_id.to_owned(),
        refunds: refunds.collect(),
        history: history::of(&records, &presses, &zone),
        raw: detail.as_ref().map(|detail| super::history::readable(&detail.body)).unwrap_or_default(),
        transactions: detail.map(|detail| detail.transactions).unwrap_or_default(),
        seen,
        more,
        may_refund: may_refund(caller),
        may_sync: may_sync(caller),
    })
}

/// No order has such an id, and the database could not even be asked.
fn named(order_id: &str) -> OpResult<()> {
    if ORDER_ID.is(order_id) { Ok(()) } else { Err(OpError::not_found("order")) }
}

/// A refund in a stored order.
#[derive(Deserialize)]
struct AtGateway {
    #[serde(default)]
    unique_request_id: String,
    #[serde(default)]
    reference: String,
    amount: Option<i64>,
    #[serde(default)]
    status: String,
    #[serde(default, rename = "type")]
    kind: String,
}

/// One more record of an order than is shown, in the modules that the caller may read.
async fn records(tx: &mut Tx, caller: &Caller, order_id: &str) -> OpResult<Vec<OrderRecord>> {
    let operations: Vec<&'static str> = readable(caller).map(Operation::code).collect();
    let limit = i64::try_from(RECORDS_SHOWN).unwrap_or(i64::MAX).saturating_add(1);
    Ok(db::orders::store::records(tx, order_id, &operations, limit).await?)
}

/// Whether a record was only asked about.
fn is_sync(record: &OrderRecord) -> bool {
    record.operation.work() == Work::Query
}

/// Asks the gateway about one order: a batch of one row, made like any other. Needs ReadWrite.
pub async fn synchronise(state: &AppState, caller: &Caller, order_id: &str) -> OpResult<BatchId> {
    authorise(caller, Module::Orders, Right::ReadWrite)?;
    named(order_id)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let known = db::orders::store::detail(&mut tx, order_id).await?.is_some()
        || !records(&mut tx, caller, order_id).await?.is_empty();
    tx.commit().await?;
    if !known {
        return Err(OpError::not_found("order"));
    }
    let record = StoredRecord { number: 1, row: 2, order_id: order_id.to_owned(), ..StoredRecord::default() };
    let format = registry::of(Operation::OrderSync);
    let columns = format.templates().first().map_or(&[] as &[&str], |template| template.columns);
    let cell = |column: &&str| guarded(&format.cell(column, &record, caller.organisation.currency)).into_owned();
    let rows = Sheet::of(columns, std::iter::once(columns.iter().map(cell).collect()));
    let upload = Upload {
        description: format!("Order {order_id}, asked about from its page"),
        // The same order may be brought up to date any day.
        confirm_repeat: true,
        // Its id is the gateway's own.
        confirm_warnings: "1".to_owned(),
        switch: true,
        ..Upload::of_rows(file_name(state, caller, "order"), rows)
    };
    match uploads::submit(state, caller, Operation::OrderSync, upload).await? {
        Submitted::Batch(batch) => Ok(batch),
        Submitted::Draft(draft) => {
            let said = draft.findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
            Err(OpError::refuse(RefusalKind::Invalid, format!("The order cannot be asked about. {said}")))
        }
    }
}

/// The name of a file that was made from orders: `orders-2026-11-21.csv`, by the day of the organisation.
fn file_name(state: &AppState, caller: &Caller, what: &str) -> String {
    let zone = time_format::zone(&caller.organisation.zone);
    format!("{what}-{}.csv", time_format::day_text(state.clock.now(), &zone))
}

/// How one caller sees stored orders.
struct OrderPresenter<'a> {
    caller: &'a Caller,
    zone: &'a TimeZone,
    /// The connection that new batches go to.
    gateway: Option<Uuid>,
}

impl<'a> OrderPresenter<'a> {
    async fn open(tx: &mut Tx, caller: &'a Caller, zone: &'a TimeZone) -> OpResult<Self> {
        let gateway = super::gateways::chosen_for(tx, Operation::OrderSync).await?.map(|gateway| gateway.id);
        Ok(Self { caller, zone, gateway })
    }

    fn order(&self, row: StoreRow) -> StoredOrder {
        let currency = row.currency;
        let money = |minor| Money::new(minor, currency);
        let on_way = money(self.on_way(&row));
        StoredOrder {
            left: self.left(&row, currency),
            transaction: row.matched.filter(|matched| *matched != row.order_id),
            status: row.status,
            charged: row.charged,
            amount: money(row.amount_minor),
            refunded: money(row.refunded_minor),
            refunds: u64::try_from(row.refunds).unwrap_or(0),
            on_way,
            seen: time_format::display_time(row.seen_at, self.zone),
            asked_by: row.asked_by,
            batch: (BatchId(row.batch_id), row.file_name),
            batch_path: format!("{}/{}", row.operation.path(), row.batch_id),
            order_id: row.order_id,
        }
    }

    /// What of our own is on its way; nothing is told of it to who may not read refunds.
    fn on_way(&self, row: &StoreRow) -> i64 {
        if self.caller.permissions.allow(Module::Refunds, Right::Read) { row.on_way_minor } else { 0 }
    }

    /// What can be refunded now, or why nothing can. The gateway is asked once more before anything is sent.
    fn left(&self, row: &StoreRow, currency: Currency) -> Result<Money, String> {
        let ours = self.caller.organisation.currency;
        if currency != ours {
            return Err(format!("It is in {}, and refunds are made in {}.", currency.code(), ours.code()));
        }
        if !row.charged {
            return Err(format!("Nothing was captured: the gateway says {}.", row.status));
        }
        if self.gateway != Some(row.gateway_id) {
            return Err("It was seen at another gateway connection. Synchronise it again.".to_owned());
        }
        let refundable = row.refundable_minor.unwrap_or(row.amount_minor.saturating_sub(row.refunded_minor));
        if refundable <= 0 {
            return Err("Nothing is left to refund.".to_owned());
        }
        match refundable.saturating_sub(self.on_way(row)) {
            left if left > 0 => Ok(Money::new(left, currency)),
            _ => Err(format!(
                "{} is on its way already; no more can be refunded.",
                Money::new(row.on_way_minor, currency)
            )),
        }
    }
}
