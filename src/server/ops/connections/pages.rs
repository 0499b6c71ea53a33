//! What the pages of connections show.

use crate::{
    db::{self, connections::CapabilityRow, gateways::GatewayRow},
    domain::{
        access::{Module, Right},
        ids::GatewayId,
        operation::Effect,
        view::{
            connections::{Capability, ConnectionPage, ConnectionRow, Connections},
            settings_change::Changes,
        },
    },
    error::{OpError, OpResult},
    gateway::{self, GatewayClass},
    ops::{
        access::{Caller, authorise},
        settings_changes, time_format,
        views::connection::{gateway_name, organisation_sending, sending},
    },
    state::AppState,
};
use jiff::tz::TimeZone;
use std::time::Duration;

/// All connections. Needs Read on settings.
pub async fn list(state: &AppState, caller: &Caller) -> OpResult<Connections> {
    authorise(caller, Module::Settings, Right::Read)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = super::begin(state, caller).await?;
    let organisation = db::organisations::load(&mut tx).await?.ok_or_else(|| OpError::not_found("organisation"))?;
    let mut rows = Vec::new();
    for row in db::gateways::all(&mut tx).await? {
        let facts = db::connections::capabilities(&mut tx, GatewayId(row.id)).await?;
        rows.push(row_view(&row, &facts, &zone));
    }
    let changes = settings_changes::present_changes(state, &mut tx, caller).await?;
    tx.commit().await?;
    Ok(Connections {
        rows,
        changes,
        organisation: organisation_sending(&organisation, &zone),
        may_change: caller.permissions.allow(Module::Settings, Right::ReadWrite),
    })
}

/// One connection, or the page that adds one. Needs Read on settings; ReadWrite to add one.
pub async fn page(state: &AppState, caller: &Caller, id: Option<GatewayId>) -> OpResult<ConnectionPage> {
    authorise(caller, Module::Settings, if id.is_some() { Right::Read } else { Right::ReadWrite })?;
    let zone = time_format::zone(&caller.organisation.zone);
    let mut page = ConnectionPage {
        row: None,
        connectors: gateway::descriptors().map(|it| (it.name.to_owned(), it.label.to_owned())).collect(),
        open_batches: 0,
        capabilities: Vec::new(),
        default_concurrency: u32::try_from(state.config.gateway_concurrency).unwrap_or(u32::MAX),
        may_change: caller.permissions.allow(Module::Settings, Right::ReadWrite),
        changes: Changes::default(),
    };
    let mut tx = super::begin(state, caller).await?;
    page.changes = settings_changes::present_changes(state, &mut tx, caller).await?;
    let Some(id) = id else { return Ok(page) };
    let row = super::found(&mut tx, id).await?;
    let facts = db::connections::capabilities(&mut tx, id).await?;
    page.open_batches = u64::try_from(db::connections::open_batches(&mut tx, id).await?).unwrap_or(0);
    tx.commit().await?;
    page.row = Some(row_view(&row, &facts, &zone));
    page.capabilities = facts.iter().map(|fact| capability(fact, &row, &zone)).collect();
    Ok(page)
}

fn row_view(row: &GatewayRow, facts: &[CapabilityRow], zone: &TimeZone) -> ConnectionRow {
    let promise = row.promise(Effect::Refund);
    ConnectionRow {
        id: GatewayId(row.id),
        name: gateway_name(row),
        connector: gateway::descriptor(&row.connector).map_or_else(|| row.connector.clone(), |it| it.label.to_owned()),
        base_url: row.base_url.clone(),
        merchant_id: row.merchant_id.clone(),
        sandbox: row.sandbox,
        chosen: row.chosen,
        sending: sending(row, zone),
        class: promise.class.code().to_owned(),
        class_ground: ground(row, facts, zone),
        key_window: promise.key_window.map(hours).unwrap_or_default(),
        concurrency: row.concurrency.and_then(|n| u32::try_from(n).ok()),
        rate_limit: row.rate_limit.and_then(|n| u32::try_from(n).ok()),
        rate_burst: row.rate_burst.and_then(|n| u32::try_from(n).ok()),
        added: time_format::display_time(row.created_at, zone),
    }
}

/// `24 hours`.
fn hours(window: Duration) -> String {
    match window.as_secs() / 3600 {
        1 => "1 hour".to_owned(),
        hours => format!("{hours} hours"),
    }
}

/// What the class rests on: the newest fact about this account that says so.
fn ground(row: &GatewayRow, facts: &[CapabilityRow], zone: &TimeZone) -> String {
    let class = row.promise(Effect::Refund).class;
    let rests = |fact: &&CapabilityRow| {
        is_current(fact, row) && fact.effect == Effect::Refund.code() && fact.class == class.code()
    };
    let fact = facts.iter().find(rests);
    match fact {
        Some(fact) => {
            let word = if fact.measured { "measured on" } else { "declared by the operator on" };
            format!("{word} {}", time_format::display_time(fact.at, zone).text)
        }
        None if class == GatewayClass::N => "not measured: treated as N".to_owned(),
        None => "declared by the operator when it was added".to_owned(),
    }
}

fn is_current(fact: &CapabilityRow, row: &GatewayRow) -> bool {
    (&fact.base_url, &fact.merchant_id) == (&row.base_url, &row.merchant_id)
}

fn capability(fact: &CapabilityRow, row: &GatewayRow, zone: &TimeZone) -> Capability {
    Capability {
        at: time_format::display_time(fact.at, zone),
        actor: fact.actor.clone(),
        measured: fact.measured,
        current: is_current(fact, row),
        class: fact.class.clone(),
        order_id: fact.order_id.clone().unwrap_or_default(),
        steps: serde_json::from_str(&fact.evidence).unwrap_or_default(),
    }
}
