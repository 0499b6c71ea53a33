//! Changes of the organisation's settings, as plain forms.

use super::{
    Web,
    batches::{done, refused_on_page},
    form::Form,
    visit::SignedIn,
};
use crate::{
    domain::{batch::Operation, error::RefusalKind, view::Flash},
    server::{
        error::OpError,
        ops::{access::Caller, connections, external, settings},
    },
};
use axum::{extract::State, response::Response};
use secrecy::ExposeSecret;

/// What a form changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Limits,
    Approval,
    Pause,
    Resume,
    External,
}

impl Act {
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

    async fn perform(self, web: &Web, caller: &Caller, form: &Form) -> Result<String, (OpError, Option<&'static str>)> {
        match self {
            Self::Limits => {
                settings::set_limits(web, caller, form.get("row_limit"), form.get("approval_days")).await?;
                Ok("The limits were changed. Batches that exist keep theirs.".to_owned())
            }
            Self::Pause => {
                connections::pause_all(web, caller, form.get("reason")).await?;
                Ok("Sending is paused for the whole organisation. Calls on the wire finish.".to_owned())
            }
            Self::Resume => {
                connections::resume_all(web, caller).await.map_err(|error| (error, None))?;
                Ok("The organisation sends again.".to_owned())
            }
            Self::External => {
                let secret = external::typed_secret(form.get("secret")).map_err(|error| (error, Some("secret")))?;
                let (url, enabled) = (form.get("url").to_owned(), form.get("enabled") == "on");
                let made = external::set(web, caller, external::NewExternal { url, secret, enabled })
                    .await
                    .map_err(|error| (error, Some("url")))?;
                Ok(match made {
                    None => "The external system was set.".to_owned(),
                    Some(secret) => format!(
                        "The external system was set. Its signing secret, shown this once: {}",
                        secret.expose_secret()
                    ),
                })
            }
            Self::Approval => {
                let code = form.get("operation");
                let operation = Operation::ALL.into_iter().find(|operation| operation.code() == code);
                let needed = match form.get("needed") {
                    "yes" => Some(true),
                    "no" => Some(false),
                    _ => None,
                };
                let (Some(operation), Some(needed)) = (operation, needed) else {
                    let error = OpError::refuse(RefusalKind::Invalid, "Choose an operation, and yes or no.");
                    return Err((error, None));
                };
                settings::set_approval(web, caller, operation, needed).await.map_err(|error| (error, None))?;
                Ok(match needed {
                    true => "From now on a second person must approve each new batch.".to_owned(),
                    false => "From now on new batches are carried out without a second person.".to_owned(),
                })
            }
        }
    }
}

/// `POST /settings/…`.
pub(super) async fn change(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    act: Act,
    form: Form,
) -> Response {
    match act.perform(&web, &caller, &form).await {
        Ok(notice) => done(&web, caller.person.id, "/settings", &notice),
        Err((error, field)) => {
            let typed = |name: &str| (name.to_owned(), form.get(name).to_owned());
            let flash = Flash {
                error: None,
                notice: None,
                field: field.map(str::to_owned),
                values: vec![typed("row_limit"), typed("approval_days"), typed("reason"), typed("url")],
            };
            refused_on_page(&web, &visit, "/settings", error, flash).await
        }
    }
}
