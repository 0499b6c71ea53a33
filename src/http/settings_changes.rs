//! What a second administrator does with a change of settings, as plain forms.

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
        error::RefusalKind,
        ids::ChangeId,
        view::Flash,
    },
    server::{
        error::OpError,
        ops::{
            access::{Caller, authorise},
            refused::Refused,
            settings_changes::{self, Verdict},
        },
    },
};
use axum::{extract::State, response::Response};

/// What a form does with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettingsChangeAction {
    Decide,
    Withdraw,
}

impl SettingsChangeAction {
    pub(super) const ALL: [Self; 2] = [Self::Decide, Self::Withdraw];

    /// The end of its address.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Decide => "answer",
            Self::Withdraw => "withdraw",
        }
    }
}

/// `POST /settings/changes/{id}/…`.
pub(super) async fn act(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(id): PathId,
    act: SettingsChangeAction,
    form: Form,
) -> Response {
    let Ok(id) = id.parse::<ChangeId>() else {
        return render::error_response(&web, &visit, &OpError::not_found("change")).await;
    };
    let person = caller.person.id;
    match perform(&web, &visit, caller, id, act, &form).await {
        Ok(notice) => done(&web, person, "/settings", &notice),
        Err((error, field)) => {
            let name = |field: &str| format!("change-{id}-{field}");
            let flash = Flash {
                error: None,
                notice: None,
                field: field.map(name),
                values: vec![(name("note"), form.get("note").to_owned())],
            };
            refused_on_page(&web, &visit, "/settings", error, flash).await
        }
    }
}

async fn perform(
    web: &Web,
    visit: &RequestContext,
    caller: Caller,
    id: ChangeId,
    act: SettingsChangeAction,
    form: &Form,
) -> Result<String, Refused> {
    authorise(&caller, Module::Settings, Right::ReadWrite).map_err(|error| (error, None))?;
    match act {
        SettingsChangeAction::Withdraw => {
            settings_changes::withdraw(web, &caller, id).await.map_err(|error| (error, None))?;
            Ok("The change was withdrawn. Nothing was changed.".to_owned())
        }
        SettingsChangeAction::Decide => {
            let verdict = match form.get("answer") {
                "confirm" => Verdict::Confirm,
                "reject" => Verdict::Reject,
                _ => {
                    let error = OpError::refuse(RefusalKind::Invalid, "Choose Confirm or Reject.");
                    return Err((error, None));
                }
            };
            let caller = prove_if_given(web, visit, caller, form).await?;
            settings_changes::decide(web, &caller, id, verdict, form.get("content_hash"), form.get("note")).await
        }
    }
}
