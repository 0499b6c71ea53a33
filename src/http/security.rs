//! The layers around every route: cross-site guard, headers, request ids, the log, limits of time and size.

use super::{
    Web, access, authenticate, body::SMALL_BYTES, cookies, error, render, request_context,
    request_context::RequestName, routes::Routers, session, unread, upload,
};
use crate::{domain::error::RefusalKind, formats::workbook, server::error::OpError};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
    sensitive_headers::{SetSensitiveRequestHeadersLayer, SetSensitiveResponseHeadersLayer},
    timeout::{RequestBodyTimeoutLayer, ResponseBodyTimeoutLayer},
};

/// The head of an answer is there within this time; uploads have their own.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// A body that stands still for this long, in either direction, is given up. Live events beat more often.
const STALL: Duration = Duration::from_secs(45);

/// Puts the layers around the routes, the outermost last.
pub(super) fn around(web: &Web, routers: Routers) -> Router {
    // A spreadsheet is an archive, compressed already.
    let worth_it = DefaultPredicate::new().and(NotForContentType::const_new(workbook::CONTENT_TYPE));
    let inside = routers
        .inside
        .layer(from_fn_with_state(web.clone(), authenticate::authenticate))
        .layer(from_fn_with_state(web.clone(), session::carry));
    inside
        .merge(routers.outside)
        .layer(DefaultBodyLimit::max(SMALL_BYTES))
        .layer(from_fn_with_state(web.clone(), guard_cross_site))
        .layer(from_fn(plain_only))
        .layer(RequestBodyTimeoutLayer::new(STALL))
        .layer(from_fn(in_time))
        .layer(ResponseBodyTimeoutLayer::new(STALL))
        .layer(CompressionLayer::new().compress_when(worth_it))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(unread::drop_unread))
        .layer(SetSensitiveResponseHeadersLayer::new([header::SET_COOKIE]))
        .layer(SetSensitiveRequestHeadersLayer::new([header::COOKIE, header::AUTHORIZATION]))
        .layer(from_fn(name_and_log))
        .layer(from_fn_with_state(web.clone(), harden))
        .with_state(web.clone())
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    tracing::error!(panic = words, "http.panicked");
    error::plain_internal()
}

/// Gives the request a name of ours (never the client's) and writes one line about it.
async fn name_and_log(mut request: Request, next: Next) -> Response {
    let mut bytes = [0u8; 8];
    let name: Arc<str> = match getrandom::fill(&mut bytes) {
        Ok(()) => format!("{:016x}", u64::from_be_bytes(bytes)).into(),
        Err(_) => "unnamed".into(),
    };
    request.extensions_mut().insert(RequestName(name.clone()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let begun = Instant::now();
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::try_from(&*name) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    let status = response.status().as_u16();
    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if path.starts_with("/pkg/") || path == "/healthz" || path == "/readyz" {
        tracing::debug!(request_id = &*name, %method, path, status, ms, "http.answered");
    } else {
        tracing::info!(request_id = &*name, %method, path, status, ms, "http.answered");
    }
    response
}

/// An answer that does not come in time is given up. Uploads read their body before they answer.
async fn in_time(request: Request, next: Next) -> Response {
    let limit = if upload::takes_files(request.method(), request.uri().path()) {
        upload::UPLOAD_TIMEOUT
    } else {
        RESPONSE_TIMEOUT
    };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("http.too_slow");
            let text = "This took too long. Load the page again to see what was done.\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// Refuses bodies that are compressed: none is unpacked here, and what was checked would not be what was sent.
async fn plain_only(request: Request, next: Next) -> Response {
    let codings = request.headers().get_all(header::CONTENT_ENCODING);
    if codings.iter().all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return next.run(request).await;
    }
    let sentence = "What was sent is compressed. Send it as it is, without Content-Encoding. Nothing was changed.";
    let mut response = refused(&request, RefusalKind::Unsupported, sentence);
    // What would be taken instead (RFC 9110, 15.5.16).
    response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    response
}

/// A refusal that needs neither session nor database.
fn refused(request: &Request, kind: RefusalKind, sentence: &str) -> Response {
    let error = OpError::refuse(kind, sentence);
    if request_context::wants_json(request.headers()) || request.uri().path().starts_with(access::API) {
        return error::problem_details(&error);
    }
    (error::status(&error), format!("{sentence}\n")).into_response()
}

/// Refuses requests that another site made a browser send.
async fn guard_cross_site(State(web): State<Web>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || may_change(&web, &request) {
        return next.run(request).await;
    }
    tracing::warn!(path = request.uri().path(), "http.cross_site_refused");
    let sentence = "This form was sent by another site, or by a browser that does not say where it comes from. \
                    Nothing was changed. Open the page of Batchdesk and try again.";
    refused(&request, RefusalKind::Forbidden, sentence)
}

/// Whether an unsafe request comes from our own pages, or from a client that carries no session.
fn may_change(web: &Web, request: &Request<Body>) -> bool {
    let headers = request.headers();
    let has_session = cookies::read(headers, session::cookie_name(web.https())).is_some();
    // A key is never sent by a browser on its own. Elsewhere it means nothing, and must not open anything.
    if request.uri().path().starts_with(access::API) && headers.contains_key(header::AUTHORIZATION) {
        return true;
    }
    let fetch_site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    match (fetch_site, origin) {
        (Some(site), _) => matches!(site, b"same-origin" | b"none"),
        (None, Some(origin)) => is_ours(web, headers, origin),
        // Signing in is guarded too: without a session only a client that is no browser sends neither.
        (None, None) => !has_session && !headers.contains_key(header::ORIGIN),
    }
}

/// Whether `origin` is the public address, or the address that the request was sent to when none is set.
fn is_ours(web: &Web, headers: &HeaderMap, origin: &str) -> bool {
    if let Some(public) = &web.config.public_url {
        return origin == public.origin().ascii_serialization();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    matches!((plain, host), (Some(plain), Some(host)) if plain.eq_ignore_ascii_case(host))
}

/// Headers that every answer has, files and errors too.
async fn harden(State(web): State<Web>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let https = web.https();
    let headers = response.headers_mut();
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY)
        && let Ok(policy) = HeaderValue::try_from(render::content_policy(None))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}
