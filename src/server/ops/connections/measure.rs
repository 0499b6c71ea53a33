//! What a sandbox promises, measured and kept with its evidence.

use super::{
    Refused, about, begin, found, open, plain,
    probe::{self, Probed, Questions},
};
use crate::{
    db::{self, Tx, connections::CapabilityRow, gateways::GatewayRow},
    domain::{
        access::{Module, Permissions, Right},
        error::RefusalKind,
        ids::{GatewayId, PersonId},
        operation::Effect,
        view::PersonRef,
    },
    error::{OpError, OpResult},
    gateway,
    ops::{
        access::{Caller, authorise},
        audit,
        gateways::visible,
        views,
    },
    state::AppState,
};
use serde_json::json;
use uuid::Uuid;

/// Measures what a sandbox promises, with a few refunds on orders that the person names, and stores the class that
/// follows. Needs ReadWrite on settings. Refused for a connection that is not marked as a sandbox: these refunds would
/// move money.
pub async fn measure(
    state: &AppState,
    caller: &Caller,
    id: GatewayId,
    mut questions: Questions,
) -> Result<Probed, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let mut tx = begin(state, caller).await.map_err(plain)?;
    let row = found(&mut tx, id).await.map_err(plain)?;
    let organisation = db::organisations::load(&mut tx).await.map_err(plain)?;
    tx.commit().await.map_err(plain)?;
    questions.currency = gateway::currency(&row.connector, caller.organisation.currency);
    measurable(&row, organisation.is_some_and(|organisation| organisation.sending), &questions)?;
    let gateway = open(state, &row, caller, None).map_err(plain)?;
    let probed = probe::run(gateway.as_ref(), &questions).await.map_err(|sentence| about("order", sentence))?;
    let mut tx = begin(state, caller).await.map_err(plain)?;
    keep(state, &mut tx, &row, &questions, &probed, &caller.person.email).await.map_err(plain)?;
    let detail = json!({ "class": probed.promise.class.code(), "order": questions.order });
    audit::record(state, &mut tx, caller, "gateway.measured", Some(id.0), detail).await.map_err(plain)?;
    tx.commit().await.map_err(plain)?;
    Ok(probed)
}

/// The same for the operator, on the connection to a merchant or on the one that new batches use.
pub async fn measure_own(
    state: &AppState,
    organisation: &str,
    merchant_id: Option<&str>,
    mut questions: Questions,
) -> OpResult<(String, Probed)> {
    let mut global = state.db.global().await?;
    let id = db::people::organisation_by_name(&mut global, organisation).await?;
    global.commit().await?;
    let missing =
        || OpError::refuse(RefusalKind::NotFound, format!("There is no organisation named {organisation:?}."));
    let mut tx = state.db.web(id.ok_or_else(missing)?, None).await?;
    let organisation = db::organisations::load(&mut tx).await?.ok_or_else(missing)?;
    let row = match merchant_id {
        None => db::gateways::chosen(&mut tx, Effect::Refund).await?,
        // Its sandbox: the other one is refused below.
        Some(merchant) => {
            let all = db::gateways::all(&mut tx).await?;
            let mut fitting: Vec<GatewayRow> = all.into_iter().filter(|row| row.merchant_id == merchant).collect();
            fitting.sort_by_key(|row| !row.sandbox);
            fitting.into_iter().next()
        }
    };
    let row = row.ok_or_else(|| OpError::not_found("connection"))?;
    tx.commit().await?;
    questions.currency = gateway::currency(&row.connector, organisation.reference.currency);
    measurable(&row, organisation.sending, &questions).map_err(|(error, _)| error)?;
    let own = Caller {
        person: PersonRef { id: PersonId(Uuid::nil()), email: String::new() },
        organisation: organisation.reference,
        permissions: Permissions::default(),
        proved_at: None,
    };
    let gateway = open(state, &row, &own, None)?;
    let refused = |sentence: String| OpError::refuse(RefusalKind::Invalid, sentence);
    let probed = probe::run(gateway.as_ref(), &questions).await.map_err(refused)?;
    let mut tx = state.db.web(own.organisation.id, None).await?;
    keep(state, &mut tx, &row, &questions, &probed, "Batchdesk").await?;
    let detail = json!({ "class": probed.promise.class.code(), "order": questions.order });
    audit::record_own(state, &mut tx, "gateway.measured", Some(row.id), detail).await?;
    tx.commit().await?;
    Ok((views::connection::gateway_name(&row), probed))
}

fn measurable(row: &GatewayRow, organisation_sends: bool, questions: &Questions) -> Result<(), Refused> {
    if !row.sandbox {
        let sentence = "This connection is not marked as a sandbox: the refunds of a measurement would move money. \
                        Connect the gateway's sandbox and measure that.";
        return Err((OpError::refuse(RefusalKind::Conflict, sentence), None));
    }
    if !row.sending || !organisation_sends {
        let sentence = "Sending is paused, and a measurement sends refunds. Resume first.";
        return Err((OpError::refuse(RefusalKind::Conflict, sentence), None));
    }
    let orders = [
        ("order", Some(&questions.order)),
        ("declined_order", questions.declined.as_ref()),
        ("failing_order", questions.failing.as_ref()),
    ];
    for (field, order) in orders {
        let fits = |order: &String| visible(order) && order.len() <= 128;
        if !order.is_none_or(fits) {
            return Err(about(field, "Give the id of an order in the sandbox: up to 128 characters, no blanks."));
        }
    }
    Ok(())
}

/// Stores what was found, unless the account is another by now.
async fn keep(
    state: &AppState,
    tx: &mut Tx,
    row: &GatewayRow,
    questions: &Questions,
    probed: &Probed,
    actor: &str,
) -> OpResult<()> {
    let id = GatewayId(row.id);
    let promise = probed.promise;
    let window = promise.key_window.and_then(|window| i64::try_from(window.as_secs()).ok());
    let fact = CapabilityRow {
        at: state.clock.now(),
        actor: actor.to_owned(),
        measured: true,
        base_url: row.base_url.clone(),
        merchant_id: row.merchant_id.clone(),
        effect: Effect::Refund.code().to_owned(),
        class: promise.class.code().to_owned(),
        key_window_seconds: window,
        order_id: Some(questions.order.clone()),
        evidence: serde_json::to_string(&probed.steps).map_err(OpError::failed)?,
    };
    let evidence = db::connections::add_capability(tx, id, &fact).await?;
    if !db::gateways::set_promise(tx, row, Effect::Refund, promise, evidence).await? {
        return Err(OpError::refuse(
            RefusalKind::Conflict,
            "The connection was changed while it was measured. Nothing was stored; measure it again.",
        ));
    }
    Ok(())
}
