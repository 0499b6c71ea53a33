//! Signing in and out, and the colour scheme: forms that work without JavaScript.

use super::{
    Web, cookies, error,
    form::Form,
    redirects,
    render::{self, Page},
    request_context::RequestContext,
    session::{self, SessionData},
};
use crate::{
    domain::{
        email,
        error::RefusalKind,
        view::{Flash, Theme},
    },
    server::{error::OpError, ops},
};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use secrecy::SecretString;

/// `POST /login`.
pub(super) async fn sign_in(State(web): State<Web>, visit: RequestContext, form: Form) -> Response {
    let email = form.get("email").trim();
    let next = form.find("next").and_then(redirects::local).map(str::to_owned);
    let password = SecretString::from(form.get("password"));
    let devices = cookies::devices(&web, &visit.headers);
    let origin = ops::sessions::Origin { address: &visit.address, devices };
    match ops::sessions::sign_in(&web, email, &password, origin).await {
        Ok(signed_in) => {
            if let Some(old) = &visit.hash {
                web.streams.end(old);
            }
            if let Err(error) = session::begin(&visit.session, SessionData::new(&signed_in)).await {
                return render::error_response(&web, &visit, &OpError::caused("session", error)).await;
            }
            let mut response = Redirect::to(redirects::after_sign_in(next.as_deref())).into_response();
            let kept = signed_in.devices.and_then(|devices| cookies::set_devices(&web, &devices));
            response.headers_mut().extend(kept.map(|kept| (header::SET_COOKIE, kept)));
            response
        }
        Err(error) if matches!(error.refusal.kind, RefusalKind::Invalid | RefusalKind::TooMany) => {
            let kept = email.chars().filter(|c| !c.is_control()).take(email::MAX_LENGTH).collect();
            let mut values = vec![("email".to_owned(), kept)];
            values.extend(next.map(|next| ("next".to_owned(), next)));
            let flash = Flash {
                error: Some(error.refusal.message.clone()),
                notice: None,
                field: Some("password".to_owned()),
                values,
            };
            // Whoever was signed in before stays so; the page is the one for nobody.
            let visit = RequestContext { caller: None, ..visit };
            Page::new("/login").refused(&error).flash(flash).render(&web, &visit).await
        }
        Err(error) => render::error_response(&web, &visit, &error).await,
    }
}

/// `POST /logout`. Ends the session and the streams that it had open.
pub(super) async fn sign_out(State(web): State<Web>, visit: RequestContext) -> Response {
    if let Some(hash) = &visit.hash {
        web.streams.end(hash);
    }
    if let Err(error) = visit.session.flush().await {
        return render::error_response(&web, &visit, &OpError::caused("session", error)).await;
    }
    if let Some(caller) = &visit.caller
        && let Err(error) = ops::sessions::signed_out(&web, caller).await
    {
        // The person is signed out; only the audit row is missing, and the log says so.
        error::log(&visit.request_id, &error);
    }
    Redirect::to("/login").into_response()
}

/// `POST /theme`.
pub(super) async fn set_theme(State(web): State<Web>, headers: HeaderMap, form: Form) -> Response {
    let theme = match form.get("theme") {
        "light" => Theme::Light,
        "dark" => Theme::Dark,
        _ => Theme::System,
    };
    let next = form.find("next").and_then(redirects::local).map(str::to_owned).or_else(|| referer(&headers));
    let mut response = Redirect::to(next.as_deref().unwrap_or("/")).into_response();
    if let Some(cookie) = cookies::set_theme(&web, theme) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The page of ours that the form stood on.
fn referer(headers: &HeaderMap) -> Option<String> {
    let referer = url::Url::parse(headers.get(header::REFERER)?.to_str().ok()?).ok()?;
    let path = match referer.query() {
        Some(query) => format!("{}?{query}", referer.path()),
        None => referer.path().to_owned(),
    };
    redirects::local(&path).map(str::to_owned)
}
