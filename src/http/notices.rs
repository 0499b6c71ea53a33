//! Marks a person's notices as read, by plain form.

use super::{
    Web,
    form::Form,
    reply::{done, refused_on_page},
    request_context::SignedIn,
};
use crate::{domain::view::Flash, server::ops::notices};
use axum::{extract::State, response::Response};

/// `POST /notices/read`.
pub(super) async fn mark_read(State(web): State<Web>, SignedIn { visit, caller }: SignedIn, form: Form) -> Response {
    match notices::mark_read(&web, &caller, form.get("until")).await {
        Ok(_) => done(&web, caller.person.id, "/notices", "All notices that were shown are marked as read."),
        Err(error) => refused_on_page(&web, &visit, "/notices", error, Flash::default()).await,
    }
}
