//! Changes of the organisation's settings, as plain forms.

use super::{
    Web,
    form::Form,
    reply::{done, refused_on_page},
    request_context::SignedIn,
    step_up::prove_if_given,
};
use crate::{
    domain::{
        access::{Module, Right},
        error::RefusalKind,
        operation::Operation,
        view::Flash,
    },
    server::{
        error::OpError,
        ops::{
            access::{Caller, authorise},
            connections, external,
            refused::Refused,
            settings,
        },
    },
};
use axum::{extract::State, response::Response};
use secrecy::ExposeSecret;

/// What a form changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettingsAction {
    Limits,
    Approval,
    Pause,
    Resume,
    External,
}

impl SettingsAction {
    pub(super) const ALL: [Self; 5] = [Self::Limits, Self::Approval, Self::Pause, Self::Resume, Self::External];

    /// The address of the form.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Limits => "/settings/limits",
            Self::Approval => "/settings/approval",
            Self::Pause => "/settings/pause",
            Self::Resume => "/settings/resume",
            Self::External => "/settings/external",
        }
    }

    async fn perform(self, web: &Web, caller: &Caller, form: &Form) -> Result<String, Refused> {
        let reason = form.get("reason");
        match self {
            Self::Limits => {
                let (rows, days) = (form.get("row_limit"), form.get("approval_days"));
                let outcome = settings::set_limits(web, caller, rows, days, reason).await?;
                Ok(outcome.sentence("The limits were changed. Batches that exist keep theirs.".to_owned()))
            }
            Self::Pause => {
                connections::pause_all(web, caller, reason).await?;
                Ok("Sending is paused for the whole organisation. Calls on the wire finish.".to_owned())
            }
            Self::Resume => {
                connections::resume_all(web, caller).await.map_err(|error| (error, None))?;
                Ok("The organisation sends again.".to_owned())
            }
            Self::External => {
                let secret = external::typed_secret(form.get("secret")).map_err(|error| (error, Some("secret")))?;
                let (url, enabled) = (form.get("url").to_owned(), form.get("enabled") == "on");
                let new = external::NewExternal { url, secret, enabled };
                let external::Set { made, outcome } = external::set(web, caller, new, reason).await?;
                let said = outcome.sentence("The external system was set.".to_owned());
                Ok(match made {
                    None => said,
                    Some(secret) => {
                        format!("{said} Its signing secret, shown this once: {}", secret.expose_secret())
                    }
                })
            }
            Self::Approval => {
                let needed = match form.get("needed") {
                    "yes" => Some(true),
                    "no" => Some(false),
                    _ => None,
                };
                let (Some(operation), Some(needed)) = (Operation::from_code(form.get("operation")), needed) else {
                    let error = OpError::refuse(RefusalKind::Invalid, "Choose an operation, and yes or no.");
                    return Err((error, None));
                };
                let outcome = settings::set_approval(web, caller, operation, needed, reason).await?;
                Ok(outcome.sentence(match needed {
                    true => "From now on a second person must approve each new batch.".to_owned(),
                    false => "From now on new batches are carried out without a second person.".to_owned(),
                }))
            }
        }
    }

    /// What stands before the ids of the form's fields on the page.
    fn name(self, form: &Form) -> String {
        match self {
            Self::Approval => form.get("operation").to_owned(),
            _ => self.path().rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }
}

/// `POST /settings/…`.
pub(super) async fn change(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    act: SettingsAction,
    form: Form,
) -> Response {
    let person = caller.person.id;
    let performed = async {
        authorise(&caller, Module::Settings, Right::ReadWrite).map_err(|error| (error, None))?;
        let caller = prove_if_given(&web, &visit, caller, &form).await?;
        act.perform(&web, &caller, &form).await
    };
    match performed.await {
        Ok(notice) => done(&web, person, "/settings", &notice),
        Err((error, field)) => {
            const KEPT: [&str; 5] = ["row_limit", "approval_days", "reason", "url", "enabled"];
            let name = act.name(&form);
            let typed = |field: &str| (format!("{name}-{field}"), form.get(field).to_owned());
            let values = KEPT.into_iter().filter(|field| form.find(field).is_some()).map(typed).collect();
            let field = field.map(|field| format!("{name}-{field}"));
            refused_on_page(&web, &visit, "/settings", error, Flash { error: None, notice: None, field, values }).await
        }
    }
}
