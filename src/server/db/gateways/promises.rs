//! What each connection promises, and which one new batches go to: both by effect.

use super::GatewayRow;
use crate::{
    db::Tx,
    domain::{gateway::Promise, ids::GatewayId, operation::Effect, protocol::GatewayClass},
};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

impl GatewayRow {
    /// What it promises of an effect: nothing where nobody has measured or declared it.
    pub fn promise(&self, effect: Effect) -> Promise {
        self.stored().remove(effect.code()).map_or(Promise::NONE, read)
    }

    /// The class that all of these effects have at least; of those with a promise where none is named.
    pub fn weakest(&self, effects: &[Effect]) -> GatewayClass {
        let classes: Vec<GatewayClass> = match effects {
            [] => self.stored().into_values().map(|stored| read(stored).class).collect(),
            effects => effects.iter().map(|effect| self.promise(*effect).class).collect(),
        };
        classes.into_iter().reduce(GatewayClass::weaker).unwrap_or(GatewayClass::N)
    }

    fn stored(&self) -> BTreeMap<String, (String, Option<u64>)> {
        serde_json::from_str(&self.promises).unwrap_or_default()
    }
}

/// A class that is not known promises nothing.
fn read((class, window): (String, Option<u64>)) -> Promise {
    let class = GatewayClass::from_code(&class).unwrap_or(GatewayClass::N);
    Promise::new(class, window.map(Duration::from_secs))
}

/// Sets what a connection promises of an effect, and what that rests on. False when its account is not the one in `row`
/// any more: the row is held, so that nothing of the old account comes after a change of it.
pub async fn set_promise(
    tx: &mut Tx,
    row: &GatewayRow,
    effect: Effect,
    promise: Promise,
    evidence: Uuid,
) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO gateway_promise (organisation_id, gateway_id, effect, class, key_window, evidence)
         SELECT $1, $2, $3, $4::\"char\", make_interval(secs => $5), $6 FROM gateway g
          WHERE g.organisation_id = $1 AND g.id = $2 AND g.base_url = $7 AND g.merchant_id = $8 FOR UPDATE
         ON CONFLICT (organisation_id, gateway_id, effect) DO UPDATE
           SET class = excluded.class, key_window = excluded.key_window, evidence = excluded.evidence",
    )
    .bind(id.0)
    .bind(row.id)
    .bind(effect.code())
    .bind(promise.class.code())
    .bind(promise.key_window.map(|window| window.as_secs_f64()))
    .bind(evidence)
    .bind(&row.base_url)
    .bind(&row.merchant_id)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// New batches with these effects go to this connection from now on; other effects stay where they are.
pub async fn choose(tx: &mut Tx, gateway: GatewayId, effects: &[Effect]) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO gateway_choice (organisation_id, effect, gateway_id) SELECT $1, unnest($3::text[]), $2
         ON CONFLICT (organisation_id, effect) DO UPDATE
           SET gateway_id = excluded.gateway_id, chosen_at = excluded.chosen_at",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(codes(effects))
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// The same for those of these effects that no connection was chosen for yet.
pub async fn choose_first(tx: &mut Tx, gateway: GatewayId, effects: &[Effect]) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO gateway_choice (organisation_id, effect, gateway_id) SELECT $1, unnest($3::text[]), $2
         ON CONFLICT (organisation_id, effect) DO NOTHING",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(codes(effects))
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Whether all connections that new batches go to move no real money; false without any.
pub async fn only_sandboxes(tx: &mut Tx) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "SELECT coalesce(bool_and(g.sandbox), false) FROM gateway g
          WHERE g.organisation_id = $1 AND EXISTS (SELECT FROM gateway_choice c WHERE c.organisation_id = $1
            AND c.gateway_id = g.id)",
    )
    .bind(id.0)
    .fetch_one(tx.conn())
    .await
}

fn codes(effects: &[Effect]) -> Vec<&'static str> {
    effects.iter().map(|effect| effect.code()).collect()
}
