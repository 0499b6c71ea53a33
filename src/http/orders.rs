//! What people do with orders, as plain forms: refunds that become a batch, and one order that is asked about.

use super::{
    Web,
    address::PathId,
    form::Form,
    render::{self, Page},
    reply::{done, refused_on_page, submitted},
    request_context::{RequestContext, SignedIn},
};
use crate::{
    domain::{
        operation::Operation,
        view::{
            Flash,
            orders::{RefundSelection, order_path},
        },
    },
    server::ops::orders::{
        self,
        refund::{self, RefundOutcome},
    },
};
use axum::{extract::State, http::StatusCode, response::Response};

const REFUND: &str = "/orders/refund";

/// `POST /orders/refund`: the lines as they were typed. Only one button sends; the others show them again.
pub(super) async fn refund(State(web): State<Web>, SignedIn { visit, caller }: SignedIn, form: Form) -> Response {
    // What an earlier try kept belongs to the lines as they were then.
    let mut chosen = RefundSelection { draft: None, ..RefundSelection::from_pairs(form.pairs()) };
    let wish = form.get("do");
    if let Some(order) = wish.strip_prefix("drop:") {
        chosen.orders.retain(|typed| typed.order_id != order);
    }
    if wish != "send" {
        return present_selection(&web, &visit, StatusCode::OK, &chosen, Flash::default()).await;
    }
    match refund::send(&web, &caller, &chosen, form.ticks()).await {
        Ok(RefundOutcome::Batch { batch, records, waits }) => {
            let notice = submitted(records, waits, ["refund", "is being sent."], ["refunds", "are being sent."]);
            done(&web, caller.person.id, &format!("{}/{batch}", Operation::Refund.path()), &notice)
        }
        Ok(RefundOutcome::Findings { draft, sentence, field }) => {
            chosen.draft = draft;
            let flash = Flash { error: Some(sentence), field: field.map(str::to_owned), ..Flash::default() };
            present_selection(&web, &visit, StatusCode::UNPROCESSABLE_ENTITY, &chosen, flash).await
        }
        Err(error) => {
            let flash = Flash { values: chosen.to_pairs(), ..Flash::default() };
            refused_on_page(&web, &visit, REFUND, error, flash).await
        }
    }
}

async fn present_selection(
    web: &Web,
    visit: &RequestContext,
    status: StatusCode,
    chosen: &RefundSelection,
    flash: Flash,
) -> Response {
    let flash = Flash { values: chosen.to_pairs(), ..flash };
    Page::new(REFUND).status(status).flash(flash).without_hydration().render(web, visit).await
}

/// `POST /orders/{id}/sync`: asks the gateway about one order.
pub(super) async fn synchronise(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(order_id): PathId,
) -> Response {
    match orders::synchronise(&web, &caller, &order_id).await {
        Ok(batch) => {
            let notice = format!("A sync of order {order_id} was made.");
            done(&web, caller.person.id, &format!("{}/{batch}", Operation::OrderSync.path()), &notice)
        }
        Err(error) if visit.wants_json() => render::error_response(&web, &visit, &error).await,
        Err(error) => refused_on_page(&web, &visit, &order_path(&order_id), error, Flash::default()).await,
    }
}
