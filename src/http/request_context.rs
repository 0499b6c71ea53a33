//! Who is asking: one layer names the caller of every request, extractors hand it to the routes.

use super::{
    Web, cookies, error, redirects,
    security::RequestName,
    session::{self, SessionData, SessionHash, Token},
};
use crate::{
    domain::view::{Flash, PageContext, Theme},
    server::{
        error::{OpError, OpResult},
        ops::{self, access::Caller},
    },
};
use axum::{
    extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts, Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};
use tower_sessions::Session;

/// What a route knows of a request before it looks at its own input.
#[derive(Clone)]
pub(super) struct RequestContext {
    pub caller: Option<Caller>,
    pub session: Session,
    pub who: Option<SessionData>,
    pub hash: Option<SessionHash>,
    /// The network address of the other end, for limits on failed sign-ins.
    pub address: String,
    pub request_id: String,
    pub theme: Theme,
    /// A notice left by an earlier form.
    pub flash: Option<Flash>,
    /// The browser carries a flash cookie that is to be forgotten once a page was shown.
    pub headers: HeaderMap,
}

impl RequestContext {
    /// Whether the client asked for JSON rather than a page.
    pub(super) fn wants_json(&self) -> bool {
        wants_json(&self.headers)
    }

    /// What the pages know before any data is loaded.
    pub(super) async fn page_context(&self, web: &Web, flash: Option<Flash>) -> OpResult<PageContext> {
        let viewer = match &self.caller {
            Some(caller) => Some(ops::sessions::viewer(web, caller).await?),
            None => None,
        };
        Ok(PageContext { viewer, ..self.bare_context(web, flash) })
    }

    /// The same without the person, for pages that must not ask the database.
    pub(super) fn bare_context(&self, web: &Web, flash: Option<Flash>) -> PageContext {
        PageContext {
            viewer: None,
            theme: self.theme,
            flash: flash.or_else(|| self.flash.clone()).unwrap_or_default(),
            demo: web.config.demo,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Whether the client asked for JSON rather than a page.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.split(',').any(|kind| kind.trim().starts_with("application/json")))
}

/// Whether this is a request that a person made: pages and forms are, streams and polls are not.
fn by_a_person(request: &Request) -> bool {
    request.uri().path() != "/events" && !request.headers().contains_key(session::POLL_HEADER)
}

/// Where a request came from: the peer, or what the proxies in front that are trusted say. Read from the right, since
/// anybody can write the left.
fn client(trusted: &[IpAddr], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.to_canonical();
    let said = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let said: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    for address in said.iter().rev() {
        if !trusted.contains(&client) {
            break;
        }
        match address.parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

/// The layer: session to caller, with the rights as they are at this moment.
pub(super) async fn authenticate(
    State(web): State<Web>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers().clone();
    let mut visit = RequestContext {
        caller: None,
        session: session.clone(),
        who: None,
        hash: None,
        address: request.extensions().get::<ConnectInfo<SocketAddr>>().map_or_else(
            || "unknown".to_owned(),
            |ConnectInfo(peer)| client(&web.config.trusted_proxies, peer.ip(), &headers).to_string(),
        ),
        request_id: request
            .extensions()
            .get::<RequestName>()
            .map(|RequestName(name)| name.to_string())
            .unwrap_or_default(),
        theme: cookies::theme(&headers),
        flash: None,
        headers,
    };
    if let Err(error) = name(&web, &session, by_a_person(&request), &mut visit).await {
        return error::error_response(&web, &visit, &error).await;
    }
    request.extensions_mut().insert(visit.caller.clone());
    request.extensions_mut().insert(visit);
    next.run(request).await
}

async fn name(web: &Web, session: &Session, person: bool, visit: &mut RequestContext) -> OpResult<()> {
    let who = session::whose(session).await.map_err(unavailable)?;
    let (Some(who), Some(token)) = (who, Token::sent(&visit.headers, web.https())) else { return Ok(()) };
    let caller = ops::sessions::caller(web, who.person, who.organisation, who.proved_at()).await?;
    let Some(caller) = caller else {
        // The person or the membership is gone, and with it every session of theirs.
        return session.flush().await.map_err(unavailable);
    };
    let hash = token.hash();
    if person {
        web.store.seen(session, &hash).await?;
    }
    visit.flash = cookies::flash(web, &visit.headers, who.person);
    visit.caller = Some(caller);
    visit.who = Some(who);
    visit.hash = Some(hash);
    Ok(())
}

fn unavailable(error: tower_sessions::session::Error) -> OpError {
    let sentence = "Your session could not be read. Nothing was changed. Try again in a moment.";
    OpError::unavailable(sentence, "session", error)
}

impl FromRequestParts<Web> for RequestContext {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Self::Rejection> {
        // Missing only if a route was put outside of the layer that names callers.
        parts.extensions.get::<Self>().cloned().ok_or_else(error::plain_internal)
    }
}

impl OptionalFromRequestParts<Web> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// A visit of somebody who is signed in. Others are sent to the sign-in page, machines get 401.
pub(super) struct SignedIn {
    pub visit: RequestContext,
    pub caller: Caller,
}

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Self::Rejection> {
        let visit = <RequestContext as FromRequestParts<Web>>::from_request_parts(parts, web).await?;
        match visit.caller.clone() {
            Some(caller) => Ok(Self { visit, caller }),
            None => Err(signed_out(parts)),
        }
    }
}

/// The answer to somebody who is not signed in.
pub(super) fn signed_out(parts: &Parts) -> Response {
    let path = parts.uri.path();
    if wants_json(&parts.headers) || path == "/events" || path.starts_with("/api/") {
        return error::problem_details(&OpError::refuse(
            crate::domain::error::RefusalKind::SignedOut,
            "You are signed out. Sign in and try again.",
        ));
    }
    let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    Redirect::to(&redirects::to_sign_in(method, target)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_came_from() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (proxy, inner, peer) = (address("10.0.0.2"), address("10.0.0.3"), address("203.0.113.9"));
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "192.0.2.1, 198.51.100.7".parse().unwrap());
        headers.append("x-forwarded-for", "10.0.0.3".parse().unwrap());
        // Nobody else is believed, and what stands to the left of the first stranger could be anybody's writing.
        assert_eq!(client(&[], peer, &headers), peer);
        assert_eq!(client(&[proxy, inner], peer, &headers), peer);
        assert_eq!(client(&[proxy, inner], proxy, &headers), address("198.51.100.7"));
        assert_eq!(client(&[proxy], proxy, &headers), inner);
        assert_eq!(client(&[proxy], proxy, &HeaderMap::new()), proxy);
    }
}
