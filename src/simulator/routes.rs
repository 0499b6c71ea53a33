//! The simulator's HTTP side.

use super::{
    bodies,
    book::{Book, GatewayReply, Merchant, Post},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::Engine as _;
use futures::{StreamExt as _, stream};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use std::{
    io::{self, Write as _},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt as _;

/// Marks a response that must not be sent: the connection is closed instead.
#[derive(Clone)]
struct HungUp;

/// Answers what arrives at `listener`. Connections end when this future is dropped.
pub(super) async fn accept(listener: TcpListener, book: Arc<Book>) -> Result<(), String> {
    let router = Router::new()
        .route("/orders/{order_id}", get(order))
        .route("/orders/{order_id}/refunds", post(refund_by_order))
        .route("/refunds", post(refund_by_transaction))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(book);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                // Out of file handles, most likely: others will be closed.
                eprintln!("The simulator cannot accept a connection: {e}.");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let router = router.clone();
                async move {
                    let response = match router.oneshot(request.map(Body::new)).await {
                        Ok(response) => response,
                        Err(never) => match never {},
                    };
                    match response.extensions().get::<HungUp>() {
                        // An error ends the connection without a byte.
                        Some(HungUp) => Err(io::Error::other("no reply")),
                        None => Ok(response),
                    }
                }
            });
            // A connection that ends early is the client's affair, or a fault that was asked for.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn order(State(book): State<Arc<Book>>, Path(order_id): Path<String>, headers: HeaderMap) -> Response {
    match merchant(&headers) {
        Some(merchant) => respond(book.get(merchant, &order_id).await),
        None => denied(),
    }
}

async fn refund_by_order(
    State(book): State<Arc<Book>>,
    Path(order_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(merchant) = merchant(&headers) else { return denied() };
    let fields = Fields::read(&body);
    carry_out(book, fields.post(merchant, order_id, None)).await
}

async fn refund_by_transaction(State(book): State<Arc<Book>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(merchant) = merchant(&headers) else { return denied() };
    let fields = Fields::read(&body);
    let order_id = fields.text("order_id");
    if order_id.is_empty() {
        let body = bodies::bad_request("Mandatory fields are missing", "Mandatory fields are missing");
        return respond(GatewayReply::Body(400, body));
    }
    let txn_id = Some(fields.text("txn_id"));
    carry_out(book, fields.post(merchant, order_id, txn_id)).await
}

async fn unknown(_: Request) -> Response {
    respond(GatewayReply::Body(404, bodies::error("resource_not_found", "There is nothing here.")))
}

/// In a task of its own: a client that goes away does not undo what it asked for.
async fn carry_out(book: Arc<Book>, post: Post) -> Response {
    let answer = tokio::spawn(async move { book.post(post).await }).await;
    respond(answer.unwrap_or(GatewayReply::HangUp))
}

/// The fields of a form; a body that is not a form has none.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
    }

    fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    fn post(&self, merchant: Merchant, order_id: String, txn_id: Option<String>) -> Post {
        Post {
            merchant,
            order_id,
            txn_id,
            key: self.text("unique_request_id"),
            amount: self.text("amount"),
            split: self.get("metadata.split_settlement_details"),
        }
    }
}

/// The merchant whose name is the user of Basic auth, with an empty password, and which `x-merchantid` names as well.
fn merchant(headers: &HeaderMap) -> Option<Merchant> {
    let basic = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let basic = base64::engine::general_purpose::STANDARD.decode(basic.trim()).ok()?;
    let named = headers.get("x-merchantid")?;
    Merchant::ALL.into_iter().find(|merchant| {
        basic == format!("sim_{}:", merchant.id()).as_bytes() && named.as_bytes() == merchant.id().as_bytes()
    })
}

fn denied() -> Response {
    respond(GatewayReply::Body(401, bodies::error("access_denied", "Authentication failed.")))
}

/// Bytes of an answer that is too large.
const BIG: usize = 10 * 1024 * 1024;
/// The blanks of a packed answer are so many times [`BIG`].
const BOMB: usize = 20;

/// The same JSON, blanks before its end.
fn padded(body: &str, size: usize) -> String {
    let (start, end) = body.split_at(body.len().saturating_sub(1));
    [start, &" ".repeat(size.saturating_sub(body.len())), end].concat()
}

/// The same JSON, packed with 200 MB of blanks before its end: gzip's members follow one another, so the blanks are
/// packed once.
fn bomb(body: &str) -> Vec<u8> {
    static BLANKS: OnceLock<Vec<u8>> = OnceLock::new();
    let pack = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).and_then(|()| packed.finish()).unwrap_or_default()
    };
    let (start, end) = body.split_at(body.len().saturating_sub(1));
    let blanks = BLANKS.get_or_init(|| pack(" ".repeat(BIG).as_bytes()));
    [pack(start.as_bytes()), blanks.repeat(BOMB), pack(end.as_bytes())].concat()
}

fn respond(answer: GatewayReply) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    match answer {
        GatewayReply::Body(status, body) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = (status, json, body).into_response();
            if status == StatusCode::TOO_MANY_REQUESTS {
                response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            }
            response
        }
        GatewayReply::Cut(body) => {
            let length = [(header::CONTENT_LENGTH, body.len().to_string())];
            let half = Bytes::from(body.into_bytes());
            let half = half.slice(..half.len() / 2);
            // The wait lets the first half reach the wire before the connection ends.
            let end = stream::once(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(io::Error::other("cut"))
            });
            let cut = stream::iter([Ok::<_, io::Error>(half)]).chain(end);
            (json, length, Body::from_stream(cut)).into_response()
        }
        GatewayReply::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        GatewayReply::Padded { body, packed: false } => (json, padded(&body, BIG)).into_response(),
        GatewayReply::Padded { body, packed: true } => {
            let encoding = [(header::CONTENT_ENCODING, "gzip")];
            (json, encoding, bomb(&body)).into_response()
        }
        GatewayReply::HangUp => {
            let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            response.extensions_mut().insert(HungUp);
            response
        }
    }
}
