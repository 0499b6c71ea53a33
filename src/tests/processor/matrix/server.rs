//! Three gateways on a real socket, with a ledger of their own: what really happened, whatever was answered. Nothing
//! here knows how Batchdesk decides. A row's id begins with the fault that meets its first request.

use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What a gateway promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Keeps every outcome under the key of the request; refunds orders.
    Keyed,
    /// Lists the refunds of a payment with their references, and takes every request for a new one.
    Listed,
    /// Refunds charges, and answers no questions.
    Mute,
}

/// What meets a row's first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    Plain,
    Declined,
    TimeoutBefore,
    TimeoutAfter,
    Reset,
    ErrorAfter,
    ErrorBefore,
    Html,
    Truncated,
    Empty,
    InProgress,
    TooMany,
    Unavailable,
    Delayed,
    Stale,
    Pruned,
    DeclineLost,
}

impl Fault {
    pub(crate) const ALL: [Self; 17] = [
        Self::Plain,
        Self::Declined,
        Self::TimeoutBefore,
        Self::TimeoutAfter,
        Self::Reset,
        Self::ErrorAfter,
        Self::ErrorBefore,
        Self::Html,
        Self::Truncated,
        Self::Empty,
        Self::InProgress,
        Self::TooMany,
        Self::Unavailable,
        Self::Delayed,
        Self::Stale,
        Self::Pruned,
        Self::DeclineLost,
    ];

    /// As in ids.
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_uppercase()
    }

    /// For people.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Plain => "none",
            Self::Declined => "plain decline",
            Self::TimeoutBefore => "timeout before effect",
            Self::TimeoutAfter => "timeout after effect",
            Self::Reset => "reset mid-reply",
            Self::ErrorAfter => "500 with effect",
            Self::ErrorBefore => "500 without",
            Self::Html => "502 html, half with effect",
            Self::Truncated => "truncated 200",
            Self::Empty => "empty 200",
            Self::InProgress => "409 in progress",
            Self::TooMany => "429",
            Self::Unavailable => "503 + Retry-After",
            Self::Delayed => "effect delayed",
            Self::Stale => "stale status",
            Self::Pruned => "key pruned",
            Self::DeclineLost => "decline replay",
        }
    }

    /// The fault of a row.
    pub(crate) fn of(id: &str) -> Self {
        let name = id.split('_').next().unwrap();
        Self::ALL.into_iter().find(|fault| fault.name() == name).unwrap()
    }
}

/// How long the gateway's own clocks are in a test: seconds where real gateways have minutes and days.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// A request that hangs does so for longer than anybody waits.
    pub(crate) hang: Duration,
    /// An effect that comes late.
    pub(crate) late: Duration,
    /// A copy of the books that questions are answered from is so far behind.
    pub(crate) stale: Duration,
    /// A key is forgotten after so long.
    pub(crate) window: Duration,
    /// What every request takes.
    pub(crate) latency: Duration,
    /// Seconds in Retry-After.
    pub(crate) retry_after: u64,
}

/// Money that moved.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub(crate) id: String,
    pub(crate) amount: i64,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    /// A refund; otherwise a question.
    pub(crate) send: bool,
    pub(crate) id: String,
    /// Status of the answer; 0 for none.
    pub(crate) answered: u16,
}

#[derive(Clone, Debug)]
struct Refund {
    key: String,
    amount: i64,
    status: &'static str,
    shown_from: Instant,
    pruned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyState {
    InProgress,
    Done,
    Declined,
}

#[derive(Default)]
struct Books {
    calls: Vec<Call>,
    effects: Vec<Effect>,
    refunds: HashMap<String, Vec<Refund>>,
    keys: HashMap<String, (Instant, KeyState)>,
}

/// The gateway.
pub(crate) struct Gateways {
    kind: Kind,
    times: Times,
    books: Mutex<Books>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// Effects that are to come.
    coming: AtomicUsize,
}

/// The gateway, listening; it ends when this is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) gateway: Arc<Gateways>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Request {
    send: bool,
    path: String,
    key: String,
    body: Value,
}

enum Behaviour {
    Reply(u16, Option<u64>, String),
    /// No answer for so long, then the connection ends.
    Hang,
    /// Half an answer, then a reset.
    Cut,
}

impl Server {
    pub(crate) async fn start(kind: Kind, times: Times) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let gateway = Arc::new(Gateways {
            kind,
            times,
            books: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            coming: AtomicUsize::new(0),
        });
        let served = gateway.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(served.clone(), stream));
            }
        });
        Self { url, gateway, task }
    }
}

impl Gateways {
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.books.lock().unwrap().calls.clone()
    }

    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.books.lock().unwrap().effects.clone()
    }

    /// Waits until everything that is to happen has happened: only then is the ledger whole.
    pub(crate) async fn settled(&self) {
        while self.coming.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The most requests that were being answered at one time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

async fn serve(gateway: Arc<Gateways>, mut stream: TcpStream) {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        gateway.at_once.fetch_add(1, Ordering::SeqCst);
        let at = Instant::now();
        tokio::time::sleep(gateway.times.latency).await;
        // Not before: by now it was noticed who gave up a request that hangs, before the next one was sent.
        gateway.most_at_once.fetch_max(gateway.at_once.load(Ordering::SeqCst), Ordering::SeqCst);
        let (id, act) = decide(&gateway, &request);
        let answered = if let Behaviour::Reply(status, _, _) = act { status } else { 0 };
        gateway.books.lock().unwrap().calls.push(Call { at, send: request.send, id, answered });
        match act {
            Behaviour::Reply(status, wait, body) => {
                let wait = wait.map(|wait| format!("Retry-After: {wait}\r\n")).unwrap_or_default();
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{wait}\r\n", body.len());
                gateway.at_once.fetch_sub(1, Ordering::SeqCst);
                if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                    return;
                }
            }
            Behaviour::Hang => {
                // Until whoever asked goes away.
                let _ = tokio::time::timeout(gateway.times.hang, stream.read_buf(&mut buffer)).await;
                gateway.at_once.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            Behaviour::Cut => {
                let _ = stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n{\"refund\":{\"id\"").await;
                let _ = stream.set_zero_linger();
                gateway.at_once.fetch_sub(1, Ordering::SeqCst);
                return;
            }
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let mut first = lines.next().unwrap().split(' ');
            let (method, path) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
            let headers: HashMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            while buffer.len() < end + 4 + length {
                if stream.read_buf(buffer).await.ok()? == 0 {
                    return None;
                }
            }
            let body = serde_json::from_slice(&buffer[end + 4..end + 4 + length]).unwrap_or(Value::Null);
            buffer.drain(..end + 4 + length);
            let key = headers.get("idempotency-key").cloned().unwrap_or_default();
            return Some(Request { send: method == "POST", path, key, body });
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn refund_json(refund: &Refund, id: &str, kind: Kind) -> Value {
    match kind {
        Kind::Keyed | Kind::Listed => {
            json!({ "id": format!("rf_{}", refund.key), "reference": refund.key, "amount": refund.amount, "status": refund.status })
        }
        Kind::Mute => json!({ "id": "rf", "charge": id, "amount": refund.amount, "status": refund.status }),
    }
}

fn error(status: u16, code: &str) -> Behaviour {
    Behaviour::Reply(status, None, json!({ "error": code }).to_string())
}

/// Books what happens, and says what is answered.
fn decide(gateway: &Arc<Gateways>, request: &Request) -> (String, Behaviour) {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let id = parts.get(1).copied().unwrap_or_default().to_owned();
    let act = match (request.send, parts.as_slice()) {
        (true, ["orders" | "payments" | "charges", id, "refunds"]) => send(gateway, id, request),
        (false, ["orders", _]) => {
            Behaviour::Reply(200, None, json!({ "captured": 10_000_000, "refunded": 0 }).to_string())
        }
        (false, ["orders", id, "refunds", key]) if gateway.kind == Kind::Keyed => {
            match visible(gateway, id).iter().find(|refund| refund.key == *key) {
                Some(refund) => {
                    Behaviour::Reply(200, None, json!({ "refund": refund_json(refund, id, gateway.kind) }).to_string())
                }
                None => error(404, "no_such_refund"),
            }
        }
        (false, ["payments", id, "refunds"]) if gateway.kind == Kind::Listed => {
            let all: Vec<Value> =
                visible(gateway, id).iter().map(|refund| refund_json(refund, id, gateway.kind)).collect();
            Behaviour::Reply(200, None, json!({ "refunds": all }).to_string())
        }
        _ => error(404, "no_such_path"),
    };
    (id, act)
}

fn visible(gateway: &Gateways, id: &str) -> Vec<Refund> {
    let books = gateway.books.lock().unwrap();
    let now = Instant::now();
    let all = books.refunds.get(id).into_iter().flatten();
    all.filter(|refund| !refund.pruned && refund.shown_from <= now).cloned().collect()
}

impl Gateways {
    /// Money moves; the books show it from `shown_from` on.
    fn act(&self, id: &str, key: &str, amount: i64, shown_from: Instant) {
        let mut books = self.books.lock().unwrap();
        books.effects.push(Effect { id: id.to_owned(), amount });
        let refund = Refund {
            key: key.to_owned(),
            amount,
            status: "succeeded",
            shown_from,
            // The gateway that lists forgets this one altogether; the keyed one forgets the key only.
            pruned: Fault::of(id) == Fault::Pruned && self.kind != Kind::Keyed,
        };
        books.refunds.entry(id.to_owned()).or_default().push(refund);
        books.keys.insert(key.to_owned(), (Instant::now(), KeyState::Done));
    }

    fn decline(&self, id: &str, key: &str, amount: i64) {
        let mut books = self.books.lock().unwrap();
        let refund =
            Refund { key: key.to_owned(), amount, status: "failed", shown_from: Instant::now(), pruned: false };
        books.refunds.entry(id.to_owned()).or_default().push(refund);
        books.keys.insert(key.to_owned(), (Instant::now(), KeyState::Declined));
    }
}

fn send(gateway: &Arc<Gateways>, id: &str, request: &Request) -> Behaviour {
    let times = gateway.times;
    let amount = request.body["amount"].as_i64().unwrap();
    let key = match gateway.kind {
        Kind::Keyed => request.key.clone(),
        Kind::Listed => request.body["reference"].as_str().unwrap().to_owned(),
        Kind::Mute => id.to_owned(),
    };
    let now = Instant::now();
    let done = || {
        let refund = Refund { key: key.clone(), amount, status: "succeeded", shown_from: now, pruned: false };
        Behaviour::Reply(200, None, json!({ "refund": refund_json(&refund, id, gateway.kind) }).to_string())
    };
    let again = {
        let books = gateway.books.lock().unwrap();
        if gateway.kind == Kind::Keyed {
            let kept = books
                .keys
                .get(&key)
                .filter(|(since, kept)| *kept == KeyState::InProgress || since.elapsed() < times.window);
            match kept {
                Some((_, KeyState::InProgress)) => return error(409, "in_progress"),
                Some((_, KeyState::Done)) => return done(),
                Some((_, KeyState::Declined)) => return error(402, "declined"),
                None => {}
            }
        }
        books.calls.iter().any(|call| call.send && call.id == id)
    };
    if again {
        // Whoever asks a second time gets a second refund.
        gateway.act(id, &key, amount, now);
        return done();
    }
    let later = |after: Duration| {
        gateway.books.lock().unwrap().keys.insert(key.clone(), (now, KeyState::InProgress));
        let (gateway, id, key) = (gateway.clone(), id.to_owned(), key.clone());
        gateway.coming.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            gateway.act(&id, &key, amount, Instant::now());
            gateway.coming.fetch_sub(1, Ordering::SeqCst);
        });
    };
    let act = || gateway.act(id, &key, amount, now);
    match Fault::of(id) {
        Fault::Plain => {
            act();
            done()
        }
        Fault::Declined => {
            gateway.decline(id, &key, amount);
            error(402, "declined")
        }
        Fault::TimeoutBefore => Behaviour::Hang,
        Fault::TimeoutAfter => {
            act();
            Behaviour::Hang
        }
        Fault::Reset => {
            act();
            Behaviour::Cut
        }
        Fault::ErrorAfter => {
            act();
            error(500, "oops")
        }
        Fault::ErrorBefore => error(500, "oops"),
        Fault::Html => {
            // About half of the rows, whatever their distance in the file.
            if amount % 7 < 4 {
                act();
            }
            Behaviour::Reply(502, None, "<html><body>Bad gateway</body></html>".to_owned())
        }
        Fault::Truncated => {
            act();
            let Behaviour::Reply(status, wait, body) = done() else { unreachable!() };
            Behaviour::Reply(status, wait, body[..body.len() / 2].to_owned())
        }
        Fault::Empty => {
            act();
            Behaviour::Reply(200, None, String::new())
        }
        Fault::InProgress => {
            later(times.late / 8);
            error(409, "in_progress")
        }
        Fault::TooMany => Behaviour::Reply(429, Some(times.retry_after), json!({ "error": "too_many" }).to_string()),
        Fault::Unavailable => Behaviour::Reply(503, Some(times.retry_after), "Service Unavailable".to_owned()),
        Fault::Delayed => {
            later(times.late);
            error(500, "oops")
        }
        Fault::Stale | Fault::Pruned => {
            gateway.act(id, &key, amount, now + times.stale);
            error(500, "oops")
        }
        Fault::DeclineLost => {
            gateway.decline(id, &key, amount);
            Behaviour::Hang
        }
    }
}
