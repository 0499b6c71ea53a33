//! Typed server functions for hydrated pages, one file per area: name the caller, call one operation, map the error.
//! No rules here. Every function has a fixed endpoint, so that browser and server agree wherever they were built.

#[cfg(feature = "ssr")]
pub mod activity;
pub mod approvals;
pub mod batches;
pub mod home;
#[cfg(feature = "ssr")]
pub mod notices;
#[cfg(feature = "ssr")]
pub mod orders;
#[cfg(feature = "ssr")]
pub mod retries;
#[cfg(feature = "ssr")]
pub mod review;
#[cfg(feature = "ssr")]
pub mod search;
#[cfg(feature = "ssr")]
pub mod settings;

use crate::domain::error::Refusal;
use leptos::{
    prelude::{FromServerFnError, ServerFnErrorErr},
    server_fn::codec::JsonEncoding,
};
use serde::{Deserialize, Serialize};

/// What a server function answers when it does not do what was asked: public words only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Kind and sentence.
    pub refusal: Refusal,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.refusal.fmt(f)
    }
}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        #[cfg(feature = "ssr")]
        {
            caller::refused(caller::unreadable(&error))
        }
        #[cfg(not(feature = "ssr"))]
        {
            Self::unanswered(&error)
        }
    }
}

impl ApiError {
    /// What the browser says when there is no answer that it can read.
    #[cfg(not(feature = "ssr"))]
    fn unanswered(error: &ServerFnErrorErr) -> Self {
        use crate::domain::error::RefusalKind;
        let message = match error {
            ServerFnErrorErr::Request(_) => "The server could not be reached. Check the connection and try again.",
            _ => "The answer of the server could not be read. Load the page again.",
        };
        Self { refusal: Refusal::new(RefusalKind::Unavailable, message) }
    }
}

#[cfg(feature = "ssr")]
mod caller {
    //! The caller of a server function, and how an error of an operation leaves it.

    use super::{ApiError, ServerFnErrorErr};
    use crate::{
        domain::error::{Refusal, RefusalKind},
        server::{error::OpError, ops::access::Caller, state::AppState},
    };
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    /// State and caller of this request, as the router put them into the context.
    pub(super) fn current() -> Result<(AppState, Caller), ApiError> {
        let state = use_context::<AppState>();
        let caller = use_context::<Option<Caller>>().flatten();
        match (state, caller) {
            (Some(state), Some(caller)) => Ok((state, caller)),
            _ => Err(refused(OpError::refuse(RefusalKind::SignedOut, "You are signed out. Sign in and try again."))),
        }
    }

    /// Why a server function was not run. What it was given is somebody else's; all else is ours.
    pub(super) fn unreadable(error: &ServerFnErrorErr) -> OpError {
        match error {
            ServerFnErrorErr::Deserialization(_) | ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                let sentence = "The request could not be read. Nothing was changed. Load the page again and try again.";
                OpError::refuse(RefusalKind::Malformed, sentence)
            }
            other => OpError::internal(format!("server function: {other}")),
        }
    }

    /// Sets the status of the answer and keeps only the public words; the context goes to the log, once, here.
    pub(super) fn refused(error: OpError) -> ApiError {
        let Refusal { kind, .. } = error.refusal;
        if error.context.is_some() {
            tracing::error!(error = %error, "api.failed");
        }
        if let Some(options) = use_context::<ResponseOptions>() {
            options.set_status(axum::http::StatusCode::from_u16(kind.status()).unwrap_or_default());
        }
        ApiError { refusal: error.refusal }
    }
}
