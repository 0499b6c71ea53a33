//! The one HTTP client, with the rules that keep one request one request.

use super::address::{PrivateNetwork, Resolver};
use crate::domain::text::storable;
use reqwest::{Client, RequestBuilder, Response, header, redirect, retry};
use std::{error::Error, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// An idle connection is closed by us before most servers would: a request that meets a closing connection is lost in
/// doubt.
const IDLE: Duration = Duration::from_secs(4);
/// Longest reply that is read.
const REPLY_LIMIT: usize = 1024 * 1024;
/// Longest part of a reply that is kept.
const KEPT_LIMIT: usize = 64 * 1024;
/// Longest wait that a gateway can ask for.
const WAIT_LIMIT: u64 = 3600;

/// Makes the client. It follows no redirect, uses no proxy, and sends each request once.
///
/// Below reqwest, hyper takes up a request again only when a reused connection had ended before the request was begun,
/// and then hands it back whole; a request of which a byte may have been written is never sent again. The tests hold it
/// to that.
pub fn build(
    timeout: Duration,
    concurrency: usize,
    allowed_hosts: &[String],
    encrypted: bool,
    headers: header::HeaderMap,
) -> Result<Client, reqwest::Error> {
    // Fails when there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("batchdesk/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .http1_only()
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(CONNECT.min(timeout))
        .timeout(timeout)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(concurrency.max(1))
        .dns_resolver(Resolver::new(allowed_hosts));
    // Without encryption no root certificates are needed, and a machine without any can still talk to the simulator.
    if encrypted { client.build() } else { client.tls_certs_only([]).build() }
}

/// What became of one request.
#[derive(Debug)]
pub enum Exchange {
    /// Nothing was written: there was no connection.
    NotSent { code: &'static str, detail: String },
    /// It was written, at least in part, and nothing came back.
    NoReply { code: &'static str, detail: String },
    /// A reply came.
    Reply(HttpResponse),
}

/// A reply, as far as it came.
#[derive(Debug)]
pub struct HttpResponse {
    pub status: u16,
    /// How long the gateway asks us to stay away.
    pub wait: Option<Duration>,
    pub body: Vec<u8>,
    /// Why the body is not whole.
    pub broken: Option<&'static str>,
}

/// Sends the request, once, and reads the reply.
pub async fn exchange(request: RequestBuilder) -> Exchange {
    let response = match request.send().await {
        Ok(response) => response,
        Err(e) => return without_reply(&e),
    };
    let status = response.status().as_u16();
    let wait = wait(&response);
    let (body, broken) = read(response).await;
    Exchange::Reply(HttpResponse { status, wait, body, broken })
}

fn without_reply(error: &reqwest::Error) -> Exchange {
    let detail = describe(error);
    if error.is_builder() {
        return Exchange::NotSent { code: "bad_request", detail };
    }
    // The connector failed: name, address, TCP or TLS. No byte of a request is written before it is done.
    if error.is_connect() {
        let code = match chain(error).any(|cause| cause.is::<PrivateNetwork>()) {
            true => "private_network",
            false => "no_connection",
        };
        return Exchange::NotSent { code, detail };
    }
    let code = if error.is_timeout() { "timeout" } else { "connection_lost" };
    Exchange::NoReply { code, detail }
}

async fn read(mut response: Response) -> (Vec<u8>, Option<&'static str>) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return (body, None),
            Ok(Some(chunk)) if body.len() + chunk.len() > REPLY_LIMIT => {
                body.extend_from_slice(chunk.get(..REPLY_LIMIT - body.len()).unwrap_or_default());
                return (body, Some("reply_too_large"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(e) if e.is_timeout() => return (body, Some("timeout")),
            Err(_) => return (body, Some("reply_cut")),
        }
    }
}

/// `Retry-After`, as the reply has it.
fn wait(response: &Response) -> Option<Duration> {
    let header = |name: header::HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    read_wait(header(header::RETRY_AFTER)?, header(header::DATE))
}

/// Seconds, or a date; the date counts from the one of the reply itself, so that no two clocks are compared.
fn read_wait(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    let seconds = match retry_after.trim().parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let moment = |text: &str| OffsetDateTime::parse(text.trim(), &Rfc2822).ok();
            let wait = moment(retry_after)? - moment(date?)?;
            u64::try_from(wait.whole_seconds()).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds.min(WAIT_LIMIT)))
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&'_ (dyn Error + 'static)| (**cause).source())
}

fn describe(error: &reqwest::Error) -> String {
    // Without the address: it holds nothing secret today, and shall not have to.
    let mut text = match () {
        () if error.is_timeout() => "timeout".to_owned(),
        () if error.is_connect() => "no connection".to_owned(),
        () => "no reply".to_owned(),
    };
    for cause in chain(error) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// The part of a text that is kept as evidence: without the secret, without what a database cannot hold, at most 64
/// KiB.
pub fn evidence(bytes: &[u8], secrets: &[&str]) -> String {
    let mut text = storable(&String::from_utf8_lossy(bytes));
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(*secret, "[key]");
    }
    text.truncate(text.floor_char_boundary(KEPT_LIMIT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_stay_away_is_read_in_both_forms() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let seconds = |text, date| read_wait(text, date).map(|wait| wait.as_secs());
        assert_eq!(seconds("120", None), Some(120));
        assert_eq!(seconds(" 0 ", None), Some(0));
        assert_eq!(seconds("999999", None), Some(WAIT_LIMIT));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT", date), Some(30));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT", date), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
        for unreadable in ["", "-5", "1.5", "soon", "1994-11-06"] {
            assert_eq!(seconds(unreadable, date), None, "{unreadable}");
        }
    }

    #[test]
    fn evidence_holds_no_secret_and_fits() {
        assert_eq!(evidence(b"a sk_live_1 b\0", &["sk_live_1", ""]), "a [key] b\u{fffd}");
        let long = "\u{20b9}".repeat(KEPT_LIMIT);
        let kept = evidence(long.as_bytes(), &[]);
        assert!(kept.len() <= KEPT_LIMIT && kept.len() > KEPT_LIMIT - 3);
    }
}
