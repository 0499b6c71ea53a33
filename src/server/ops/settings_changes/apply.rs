//! Each kind of change: the setting as it is, and how it becomes what was asked for. The one place that writes these
//! settings for people.

use super::Was;
use crate::{
    db::{
        self, Tx,
        connections::{NewAccount, NewConnection},
        gateways::GatewayRow,
        orders::ExternalSystem,
    },
    domain::{error::RefusalKind, ids::GatewayId, settings_change::Change},
    error::{OpError, OpResult},
    gateway,
    ops::{
        connections::taken,
        gateways,
        refused::{Refused, about, plain},
        settings::most_rows,
        views::connection::gateway_name,
    },
    outbound::address,
    state::AppState,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What was done, for the audit trail.
pub(super) struct Applied {
    pub(super) action: &'static str,
    pub(super) object: Option<Uuid>,
    pub(super) detail: serde_json::Value,
}

async fn connection(tx: &mut Tx, id: GatewayId) -> OpResult<GatewayRow> {
    db::gateways::load(tx, id).await?.ok_or_else(|| OpError::not_found("connection"))
}

/// The connection that new batches of the first effect of this one go to: choosing moves those of all its effects, and
/// no others.
async fn of_its_kind(tx: &mut Tx, id: GatewayId) -> OpResult<Option<GatewayRow>> {
    let row = connection(tx, id).await?;
    match gateway::effects(&row.connector).first() {
        Some(effect) => Ok(db::gateways::chosen(tx, *effect).await?),
        None => Ok(None),
    }
}

fn limit(stored: Option<i32>) -> Option<u32> {
    stored.and_then(|limit| u32::try_from(limit).ok())
}

/// The setting that a change is about, as it is now.
pub(super) async fn current(tx: &mut Tx, change: &Change) -> OpResult<Was> {
    let plainly = |setting: Change| Was { setting: Some(setting), version: String::new() };
    Ok(match change {
        Change::Approval { operation, .. } => Was {
            setting: Some(Change::Approval {
                operation: *operation,
                needed: db::approval_rules::is_needed(tx, *operation).await?,
            }),
            version: db::approval_rules::version(tx, *operation).await?.to_string(),
        },
        Change::Limits { .. } => {
            let row = db::organisations::load(tx).await?.ok_or_else(|| OpError::not_found("organisation"))?;
            plainly(Change::Limits { row_limit: row.row_limit, approval_days: row.approval_days })
        }
        Change::External { .. } => match db::orders::external_system(tx).await? {
            None => Was { setting: None, version: String::new() },
            Some(system) => Was {
                version: hex::encode(Sha256::digest(&system.sealed_secret)),
                setting: Some(Change::External { url: system.url, enabled: system.enabled, new_secret: false }),
            },
        },
        Change::ConnectionAdded { .. } => Was { setting: None, version: String::new() },
        Change::ConnectionAccount { id, .. } => {
            let row = connection(tx, *id).await?;
            Was {
                version: row.updated_at.unix_timestamp_nanos().to_string(),
                setting: Some(Change::ConnectionAccount {
                    id: *id,
                    name: gateway_name(&row),
                    base_url: row.base_url,
                    merchant_id: row.merchant_id,
                    new_key: false,
                    untested: false,
                }),
            }
        }
        Change::ConnectionChosen { id, .. } => {
            let chosen = of_its_kind(tx, *id).await?;
            Was {
                setting: chosen.map(|row| Change::ConnectionChosen { id: GatewayId(row.id), name: gateway_name(&row) }),
                version: String::new(),
            }
        }
        Change::ConnectionLimits { id, .. } => {
            let row = connection(tx, *id).await?;
            plainly(Change::ConnectionLimits {
                id: *id,
                name: gateway_name(&row),
                concurrency: limit(row.concurrency),
                rate: limit(row.rate_limit),
                burst: limit(row.rate_burst),
            })
        }
    })
}

/// What the operator has forbidden since it was asked for.
fn allowed(state: &AppState, change: &Change) -> Result<(), Refused> {
    let (url, field) = match change {
        Change::External { url, .. } => (url, "url"),
        Change::ConnectionAdded { base_url, .. } | Change::ConnectionAccount { base_url, .. } => (base_url, "base_url"),
        Change::Limits { row_limit, .. } if *row_limit > most_rows(state) => {
            return Err(about("row_limit", "The operator allows fewer rows by now."));
        }
        _ => return Ok(()),
    };
    address::check(url, &state.config.allowed_hosts).map(|_| ()).map_err(|sentence| about(field, sentence))
}

/// Makes a change. `sealed` is a new secret of the changed setting.
pub(super) async fn apply(
    state: &AppState,
    tx: &mut Tx,
    change: &Change,
    sealed: Option<&[u8]>,
) -> Result<Applied, Refused> {
    allowed(state, change)?;
    let now = state.clock.now();
    let done = |action, object: Option<GatewayId>, detail| Applied { action, object: object.map(|id| id.0), detail };
    Ok(match change {
        Change::Approval { operation, needed } => {
            db::approval_rules::set_needed(tx, *operation, *needed).await.map_err(plain)?;
            done("settings.approval", None, json!({ "operation": operation.code(), "needed": needed }))
        }
        Change::Limits { row_limit, approval_days } => {
            db::organisations::set_limits(tx, *row_limit, *approval_days).await.map_err(plain)?;
            done("settings.limits", None, json!({ "row_limit": row_limit, "approval_days": approval_days }))
        }
        Change::External { url, enabled, new_secret } => {
            let known = db::orders::external_system(tx).await.map_err(plain)?;
            let sealed_secret = sealed.map(<[u8]>::to_vec).or(known.map(|system| system.sealed_secret));
            let sealed_secret = sealed_secret.ok_or_else(|| plain(OpError::internal("a system without a secret")))?;
            let system = ExternalSystem { url: url.clone(), sealed_secret, enabled: *enabled };
            db::orders::set_external_system(tx, &system, now).await.map_err(plain)?;
            done("external_system.set", None, json!({ "url": url, "enabled": enabled, "new_secret": new_secret }))
        }
        Change::ConnectionAdded { id, connector, base_url, merchant_id, sandbox, untested, .. } => {
            let Some(kind) = gateway::descriptor(connector) else {
                return Err(about("connector", "Choose the kind of gateway."));
            };
            let new = NewConnection {
                connector: kind.name,
                sandbox: *sandbox,
                preflight: kind.reads_orders,
                balances: kind.balances_known,
            };
            let account = NewAccount { base_url, merchant_id, sealed_key: sealed };
            db::connections::add(tx, *id, new, &account, now).await.map_err(taken)?;
            db::gateways::choose_first(tx, *id, &gateway::effects(connector)).await.map_err(plain)?;
            let detail = json!({ "connector": connector, "base_url": base_url, "merchant_id": merchant_id,
                                 "sandbox": sandbox, "untested": untested });
            done("gateway.added", Some(*id), detail)
        }
        Change::ConnectionAccount { id, base_url, merchant_id, new_key, untested, .. } => {
            let old = connection(tx, *id).await.map_err(plain)?;
            let account = NewAccount { base_url, merchant_id, sealed_key: sealed };
            db::connections::change(tx, *id, &account, now).await.map_err(taken)?;
            let detail = json!({ "base_url": base_url, "merchant_id": merchant_id, "old_base_url": old.base_url,
                                 "old_merchant_id": old.merchant_id, "key_changed": new_key, "untested": untested });
            done("gateway.changed", Some(*id), detail)
        }
        Change::ConnectionChosen { id, .. } => {
            let before = of_its_kind(tx, *id).await.map_err(plain)?.map(|row| row.id);
            let row = connection(tx, *id).await.map_err(plain)?;
            db::gateways::choose(tx, *id, &gateway::effects(&row.connector)).await.map_err(plain)?;
            done("gateway.chosen", Some(*id), json!({ "before": before }))
        }
        Change::ConnectionLimits { id, concurrency, rate, burst, .. } => {
            let old = connection(tx, *id).await.map_err(plain)?;
            let limits = change
                .connection_limits()
                .ok_or_else(|| (OpError::refuse(RefusalKind::Invalid, "These are no limits of a connection."), None))?;
            gateways::set_limits(tx, *id, limits).await.map_err(plain)?;
            // Pages show what limits the rate.
            let running = db::connections::running_batches(tx, *id).await.map_err(plain)?;
            db::outbox::changed(tx, &running).await.map_err(plain)?;
            db::connections::wake(tx).await.map_err(plain)?;
            let detail = json!({ "concurrency": concurrency, "rate_limit": rate, "rate_burst": burst,
                                 "old": [old.concurrency, old.rate_limit, old.rate_burst] });
            done("gateway.limited", Some(*id), detail)
        }
    })
}
