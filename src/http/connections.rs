//! What people do with connections to gateways, as plain forms. A key that was typed is never sent back.

use super::{
    Web,
    address::PathId,
    form::Form,
    render,
    reply::{done, refused_on_page},
    request_context::{RequestContext, SignedIn},
    step_up::prove_if_given,
};
use crate::{
    domain::{
        access::{Module, Right},
        connection_limits::{ConnectionLimits, LimitField},
        error::RefusalKind,
        ids::GatewayId,
        view::Flash,
    },
    server::{
        error::OpError,
        ops::{
            access::{Caller, authorise},
            connections::{self, AccountForm, TestResult, probe::Questions},
            refused::Refused,
            settings_changes::Outcome,
        },
    },
};
use axum::{extract::State, response::Response};
use secrecy::SecretString;
use std::time::Duration;

/// What a form does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionAction {
    Change,
    Test,
    Pause,
    Resume,
    Choose,
    Limits,
    Measure,
}

impl ConnectionAction {
    pub(super) const ALL: [Self; 7] =
        [Self::Change, Self::Test, Self::Pause, Self::Resume, Self::Choose, Self::Limits, Self::Measure];

    /// The last part of the form's address; its fields have it before their names on the page.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Test => "test",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Choose => "choose",
            Self::Limits => "limits",
            Self::Measure => "measure",
        }
    }

    async fn perform(
        self,
        web: &Web,
        visit: &RequestContext,
        caller: Caller,
        id: GatewayId,
        form: &Form,
    ) -> Result<String, Refused> {
        let plain = |error: OpError| (error, None);
        authorise(&caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
        match self {
            Self::Change => {
                let caller = prove_if_given(web, visit, caller, form).await?;
                let stored = connections::change(web, &caller, id, entry(form)).await?;
                Ok(stored.outcome.sentence(format!("The connection was changed. {}", stored.said)))
            }
            Self::Test => match connections::test(web, &caller, id).await.map_err(plain)? {
                TestResult::Works(sentence) => Ok(sentence),
                other => Err((OpError::refuse(RefusalKind::Conflict, other.sentence()), None)),
            },
            Self::Pause => {
                connections::pause(web, &caller, id, form.get("reason")).await?;
                Ok("The connection is paused. Nothing new is sent to it; calls on the wire finish.".to_owned())
            }
            Self::Resume => {
                connections::resume(web, &caller, id).await.map_err(plain)?;
                Ok("The connection sends again.".to_owned())
            }
            Self::Choose => {
                let caller = prove_if_given(web, visit, caller, form).await?;
                let (name, outcome) = connections::choose(web, &caller, id, form.get("reason")).await?;
                Ok(outcome.sentence(format!(
                    "New batches use {name} from now on. Batches that exist keep the connection they began with."
                )))
            }
            Self::Limits => {
                let field = |name: &str| form.get(name);
                let limits = ConnectionLimits::read(field("concurrency"), field("rate_limit"), field("rate_burst"));
                let limits = limits.map_err(|wrong| match wrong.into_iter().next() {
                    Some((field, sentence)) => (OpError::refuse(RefusalKind::Invalid, sentence), Some(name_of(field))),
                    None => plain(OpError::internal("limits that are wrong without a reason")),
                })?;
                let caller = prove_if_given(web, visit, caller, form).await?;
                let outcome = connections::limit(web, &caller, id, limits, form.get("reason")).await?;
                let made = "The limits were changed. They hold within seconds, for batches that run, too.";
                Ok(outcome.sentence(made.to_owned()))
            }
            Self::Measure => {
                let probed = connections::measure(web, &caller, id, questions(&caller, form)?).await?;
                Ok(format!("Measured: class {}. What was seen stands below.", probed.promise.class.code()))
            }
        }
    }
}

/// The field of the form that holds a limit.
const fn name_of(field: LimitField) -> &'static str {
    match field {
        LimitField::Concurrency => "concurrency",
        LimitField::Rate => "rate_limit",
        LimitField::Burst => "rate_burst",
    }
}

fn entry(form: &Form) -> AccountForm {
    let text = |name: &str| form.get(name).trim().to_owned();
    AccountForm {
        connector: text("connector"),
        base_url: text("base_url"),
        merchant_id: text("merchant_id"),
        api_key: SecretString::from(form.get("api_key").trim()),
        sandbox: !form.get("sandbox").is_empty(),
        untested: !form.get("untested").is_empty(),
        reason: text("reason"),
    }
}

fn questions(caller: &Caller, form: &Form) -> Result<Questions, Refused> {
    let order = |name: &str| Some(form.get(name).trim().to_owned()).filter(|order| !order.is_empty());
    let hours = form.get("key_window_hours").trim();
    let key_window = match hours.parse::<u64>() {
        _ if hours.is_empty() => None,
        Ok(hours @ 1..=8_760) => Some(Duration::from_secs(hours * 3_600)),
        _ => {
            let sentence = "Give whole hours from 1 to 8,760, or leave it empty.";
            return Err((OpError::refuse(RefusalKind::Invalid, sentence), Some("key_window_hours")));
        }
    };
    Ok(Questions {
        order: form.get("order").trim().to_owned(),
        declined: order("declined_order"),
        failing: order("failing_order"),
        key_window,
        currency: caller.organisation.currency,
    })
}

/// `POST /settings/connections`.
pub(super) async fn add(State(web): State<Web>, SignedIn { visit, caller }: SignedIn, form: Form) -> Response {
    let person = caller.person.id;
    let added = async {
        authorise(&caller, Module::Settings, Right::ReadWrite).map_err(|error| (error, None))?;
        let caller = prove_if_given(&web, &visit, caller, &form).await?;
        connections::add(&web, &caller, entry(&form)).await
    };
    match added.await {
        Ok(stored) => {
            // There is no page of it before it is confirmed.
            let page = match stored.outcome {
                Outcome::Made => format!("/settings/connections/{}", stored.id),
                Outcome::Waits => "/settings/connections".to_owned(),
            };
            let said = stored.outcome.sentence(format!("The connection was added. {}", stored.said));
            done(&web, person, &page, &said)
        }
        Err(refused) => on_page(&web, &visit, "/settings/connections/new", "add", refused, &form).await,
    }
}

/// `POST /settings/connections/{id}/change` and its neighbours.
pub(super) async fn act(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(id): PathId,
    act: ConnectionAction,
    form: Form,
) -> Response {
    let Ok(id) = id.parse::<GatewayId>() else {
        return render::error_response(&web, &visit, &OpError::not_found("connection")).await;
    };
    let page = format!("/settings/connections/{id}");
    let person = caller.person.id;
    match act.perform(&web, &visit, caller, id, &form).await {
        Ok(notice) => done(&web, person, &page, &notice),
        Err(refused) => on_page(&web, &visit, &page, act.path(), refused, &form).await,
    }
}

/// The page with the refusal at its field, and with what was typed but for the secrets.
async fn on_page(
    web: &Web,
    visit: &RequestContext,
    page: &str,
    name: &'static str,
    (error, field): Refused,
    form: &Form,
) -> Response {
    const KEPT: [&str; 13] = [
        "connector",
        "base_url",
        "merchant_id",
        "sandbox",
        "untested",
        "reason",
        "order",
        "declined_order",
        "failing_order",
        "key_window_hours",
        "concurrency",
        "rate_limit",
        "rate_burst",
    ];
    let id = |field: &str| format!("{name}-{field}");
    let flash = Flash {
        error: None,
        notice: None,
        field: field.map(id),
        values: KEPT
            .into_iter()
            .filter_map(|field| form.find(field).map(|typed| (id(field), typed.to_owned())))
            .collect(),
    };
    refused_on_page(web, visit, page, error, flash).await
}
