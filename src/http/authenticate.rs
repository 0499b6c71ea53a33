//! Who is asking: one layer names the caller of every request.

use super::{
    Web, cookies, render,
    request_context::{RequestContext, RequestName},
    session::{self, Token},
};
use crate::server::{
    error::{OpError, OpResult},
    ops,
};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use std::net::{IpAddr, SocketAddr};
use tower_sessions::Session;

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
        return render::error_response(&web, &visit, &error).await;
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
