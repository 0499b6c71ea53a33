//! Everything that a file, a person or a stranger can make long, against the binary as it is: each route, server
//! function, page and intake of the route table gets what nobody should send. Whatever comes, the answer is a refusal
//! of a bounded size, the log has no error, drafts stay small, and the process needs no more memory than is said here.
//!
//! `BATCHDESK_SEED` repeats a run, `BATCHDESK_HOSTILE` makes it that many times as long.

#[path = "hostile/addresses.rs"]
mod addresses;
#[path = "hostile/demo.rs"]
mod demo;
#[path = "hostile/files.rs"]
mod files;
#[path = "hostile/forms.rs"]
mod forms;
#[path = "../torture/random.rs"]
mod random;
#[path = "hostile/raw.rs"]
mod raw;
#[path = "hostile/texts.rs"]
mod texts;

use batchdesk::{
    domain::operation::Operation,
    http::{self, Route, RouteKind},
};
use demo::Demo;
use forms::{Body, Takes};
use futures::StreamExt;
use random::Random;
use reqwest::RequestBuilder;
use std::time::Duration;
use texts::{encoded, one, rarely};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// What a machine is answered: findings of a file, and everything that a server function says.
const MACHINES_ANSWER: u64 = 256 * KIB;
/// A page, whatever is on it.
const PAGE: u64 = MIB;
/// A file of the demo's batches.
const FILE: u64 = 4 * MIB;
/// A draft, an entry of the audit trail, a line of the log.
const KEPT: u64 = 256 * KIB;
/// What the process may need beside what it needs when it idles, with [`AT_ONCE`] requests of the size that is allowed.
const MEMORY: u64 = 192 * MIB;
/// Requests at once.
const AT_ONCE: usize = 4;
/// Requests of each route in one round.
const EACH: u64 = 6;

/// A request, and what its answer may be.
struct Attempt {
    what: String,
    request: RequestBuilder,
    most: u64,
    /// The body is larger than what is read of it: the connection may end before it was sent.
    oversize: bool,
    /// An answer without end: its head is enough.
    endless: bool,
}

/// The demo with people who are signed in, and what there is in it.
struct Target {
    base: String,
    client: reqwest::Client,
    /// Cookies: nobody, Globex's owner, and Acme's maker and checker.
    people: Vec<String>,
    /// Ids that there are.
    ids: Vec<String>,
}

impl Target {
    async fn of(demo: &Demo) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(120))
            .build()
            .unwrap();
        let mut target = Self { base: demo.base().to_owned(), client, people: vec![String::new()], ids: Vec::new() };
        for email in [super::support::STRANGER, super::support::MAKER, super::support::CHECKER] {
            target.people.push(target.signed_in(email).await);
        }
        let ids: Vec<(String,)> = sqlx::query_as(
            "(SELECT DISTINCT ON (organisation_id, operation, status) id::text FROM batch) UNION ALL SELECT id::text
             FROM gateway
              UNION ALL (SELECT order_id FROM stored_order LIMIT 3) UNION ALL SELECT unnest(ARRAY['1', '2', '9999'])",
        )
        .fetch_all(&mut demo.database().await)
        .await
        .unwrap();
        target.ids = ids.into_iter().map(|(id,)| id).collect();
        target
    }

    async fn signed_in(&self, email: &str) -> String {
        let form = [("email", email), ("password", super::support::PASSWORD)];
        let answer = self.client.post(format!("{}/login", self.base)).form(&form).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        assert!(cookie.starts_with("batchdesk="), "{email}: {cookie}");
        cookie
    }

    fn request(&self, method: &str, path: &str, cookie: &str) -> RequestBuilder {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.base));
        let request = request.header("sec-fetch-site", "same-origin");
        if cookie.is_empty() { request } else { request.header("cookie", cookie) }
    }

    /// The address of a route: ids that there are, or that nobody ever made.
    fn address(&self, random: &mut Random, route: &Route) -> String {
        let part = |part: &str, random: &mut Random| match (part.starts_with('{'), rarely(random, 3)) {
            (false, _) => part.to_owned(),
            (true, true) => encoded(random, 3_000),
            (true, false) => one(random, &self.ids).clone(),
        };
        let parts: Vec<String> = route.path.split('/').map(|name| part(name, random)).collect();
        parts.join("/")
    }

    /// A request to a route, by the seed.
    fn attempt(&self, random: &mut Random, route: &Route) -> Attempt {
        let path = self.address(random, route);
        let query = if route.method == "GET" && !rarely(random, 4) { addresses::query(random) } else { String::new() };
        // Signing out ends a session that the others need.
        let cookie = match route.path.as_str() {
            "/logout" | "/login" => "",
            _ => one(random, &self.people).as_str(),
        };
        let as_page = rarely(random, 2);
        let mut request = self.request(route.method.as_str(), &format!("{path}{query}"), cookie);
        request = request.header("accept", if as_page { "text/html" } else { "application/json" });
        for (name, value) in addresses::headers(random) {
            request = request.header(name, value);
        }
        let most = match route.kind {
            RouteKind::Page => PAGE,
            RouteKind::Form if as_page => PAGE,
            RouteKind::Form | RouteKind::Function => MACHINES_ANSWER,
            RouteKind::File => FILE,
            RouteKind::Stream | RouteKind::Machine | RouteKind::Health => 16 * KIB,
        };
        let body = match route.kind {
            RouteKind::Function => Some(forms::input(random, &route.path)),
            RouteKind::Form => Some(match forms::takes(&route.path) {
                Takes::Fields(names) => forms::form(random, names),
                Takes::File => forms::upload(random, Operation::Refund),
            }),
            RouteKind::Machine => {
                request =
                    request.bearer_auth(if rarely(random, 2) { "bd_demo_acme".to_owned() } else { "k".repeat(9_000) });
                None
            }
            RouteKind::Page | RouteKind::File | RouteKind::Stream | RouteKind::Health => None,
        };
        let mut what = format!("{} {:.120}{:.80}", route.method, path, query);
        let mut oversize = false;
        if let Some(Body { what: of, kind, bytes, chunked }) = body {
            what = format!("{what} with {of} as {kind:?}");
            oversize = bytes.len() as u64 > 64 * KIB;
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            request = request.body(if chunked { super::chunks::chunked(bytes) } else { bytes.into() });
        }
        Attempt { what, request, most, oversize, endless: route.kind == RouteKind::Stream }
    }

    /// A file of a kind, to the intake of an operation.
    fn file(&self, random: &mut Random, operation: Operation, kind: u64) -> Attempt {
        let file = files::file(random, operation, kind);
        let as_page = rarely(random, 2);
        let body = forms::with_file(random, &file.bytes);
        let what = format!("{} with {} ({} bytes)", operation.path(), file.what, file.bytes.len());
        let request = self.request("POST", operation.path(), &self.people[2]).body(body.bytes);
        let request = request.header("content-type", body.kind.unwrap_or_default());
        let request = request.header("accept", if as_page { "text/html" } else { "application/json" });
        let most = if as_page { PAGE } else { MACHINES_ANSWER };
        Attempt { what, request, most, oversize: file.bytes.len() as u64 > 5 * MIB, endless: false }
    }
}

/// What became of all requests.
#[derive(Default)]
struct Found {
    tried: u64,
    /// Files among them.
    files: u64,
    statuses: std::collections::BTreeMap<u16, u64>,
    largest_page: u64,
    largest_answer: u64,
    wrong: Vec<String>,
}

impl Found {
    async fn run(&mut self, attempts: impl Iterator<Item = Attempt>) {
        let mut answers = futures::stream::iter(attempts).map(ask).buffer_unordered(AT_ONCE);
        while let Some((what, most, answer)) = answers.next().await {
            self.tried += 1;
            let (status, bytes, retry_after) = match answer {
                Ok(answer) => answer,
                Err(why) => {
                    self.wrong.push(format!("{what}: {why}"));
                    continue;
                }
            };
            *self.statuses.entry(status).or_default() += 1;
            if status >= 500 && !(status == 503 && retry_after) {
                self.wrong.push(format!("{what}: {status}"));
            }
            if bytes > most {
                self.wrong.push(format!("{what}: {status} with {bytes} bytes, at most {most} are right"));
            }
            match most {
                PAGE => self.largest_page = self.largest_page.max(bytes),
                MACHINES_ANSWER => self.largest_answer = self.largest_answer.max(bytes),
                _ => {}
            }
        }
    }
}

/// Status, bytes of the body, and whether it says when to come again.
type TestResponse = Result<(u16, u64, bool), String>;

async fn ask(attempt: Attempt) -> (String, u64, TestResponse) {
    let Attempt { what, request, most, oversize, endless } = attempt;
    let answer = async {
        let mut response = request.send().await?;
        let (status, later) = (response.status().as_u16(), response.headers().contains_key("retry-after"));
        let mut bytes = 0;
        while !endless && let Some(chunk) = response.chunk().await? {
            bytes += chunk.len() as u64;
        }
        Ok::<_, reqwest::Error>((status, bytes, later))
    };
    let answer = match answer.await {
        // It was cut off while it still sent: the answer was there before.
        Err(error) if oversize && !error.is_timeout() => Ok((413, 0, false)),
        answer => answer.map_err(|error| format!("{error:?}")),
    };
    (what, most, answer)
}

#[tokio::test]
async fn whatever_is_sent_the_answer_is_a_bounded_refusal_and_the_process_stays_small() {
    let seed = random::seed();
    let rounds =
        std::env::var("BATCHDESK_HOSTILE").map_or(1, |text| text.parse().expect("BATCHDESK_HOSTILE is a whole number"));
    println!("hostile: BATCHDESK_SEED={seed} BATCHDESK_HOSTILE={rounds}");
    let mut random = Random::new(seed);
    let mut demo = Demo::start();
    let target = Target::of(&demo).await;
    let mut routes = http::routes();
    let mut found = Found::default();
    // Each page once, as it is meant, so that what the process needs at rest is known.
    for route in routes.iter().filter(|route| route.kind == RouteKind::Page && !route.path.contains('{')) {
        let request = target.request("GET", &route.path, &target.people[1]);
        assert!(request.send().await.unwrap().status().as_u16() < 400, "{}", route.path);
    }
    let idle = demo.most_memory();

    for (what, first) in raw::answers(&target.base).await {
        found.tried += 1;
        let status: u16 = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(400);
        if status >= 500 {
            found.wrong.push(format!("{what}: {first}"));
        }
    }
    for round in 0..rounds {
        routes = http::routes();
        random.shuffle(&mut routes);
        let mut attempts = Vec::new();
        for route in &routes {
            // A form that nobody wrote down here is no form that was tried.
            if route.kind == RouteKind::Form {
                forms::takes(&route.path);
            }
            attempts.extend((0..EACH).map(|_| (route, random.next())));
        }
        found.run(attempts.into_iter().map(|(route, seed)| target.attempt(&mut Random::new(seed), route))).await;
        // Two operations, by turns: in two rounds each has had each kind.
        let kinds: Vec<(u64, u64)> = (0..files::KINDS).map(|kind| (kind, random.next())).collect();
        found.files += kinds.len() as u64;
        let operation = |kind: u64| Operation::ALL[usize::try_from((kind + round) % 2).unwrap()];
        found
            .run(kinds.into_iter().map(|(kind, seed)| target.file(&mut Random::new(seed), operation(kind), kind)))
            .await;
        let uploads: Vec<u64> = (0..30).map(|_| random.next()).collect();
        let shapes = uploads.into_iter().map(|seed| {
            let random = &mut Random::new(seed);
            let operation = *one(random, &Operation::ALL);
            let body = forms::upload(random, operation);
            let oversize = body.bytes.len() as u64 > 5 * MIB;
            let request =
                target.request("POST", operation.path(), &target.people[2]).header("accept", "application/json");
            let request = body.kind.iter().fold(request, |request, kind| request.header("content-type", kind));
            Attempt {
                what: format!("{} with {}", operation.path(), body.what),
                oversize,
                request: request.body(if body.chunked {
                    super::chunks::chunked(body.bytes)
                } else {
                    body.bytes.into()
                }),
                most: MACHINES_ANSWER,
                endless: false,
            }
        });
        found.run(shapes).await;
    }

    let memory = demo.most_memory();
    let draft = demo
        .longest(
            "SELECT coalesce(max(octet_length(description) + octet_length(file_name) + octet_length(findings) +
                  octet_length(repeats)), 0)::bigint FROM draft",
        )
        .await;
    let audit = demo.longest("SELECT coalesce(max(octet_length(a::text)), 0)::bigint FROM audit a").await;
    let log = demo.log();
    let line = log.lines().map(str::len).max().unwrap_or(0) as u64;
    println!(
        "hostile: files and bodies tried {} ({} files), largest answer {} KiB, largest page {} KiB, largest draft {} \
         KiB, largest audit entry {} KiB, longest line of the log {} KiB, most memory {} MiB (idle {} MiB), statuses \
         {:?}",
        found.tried,
        found.files,
        found.largest_answer / KIB,
        found.largest_page / KIB,
        draft / KIB,
        audit / KIB,
        line / KIB,
        memory / MIB,
        idle / MIB,
        found.statuses
    );
    assert!(demo.lives(), "the demo ended");
    let mut wrong = found.wrong;
    for (what, bytes) in [("a draft", draft), ("an entry of the audit trail", audit), ("a line of the log", line)] {
        if bytes > KEPT {
            wrong.push(format!("{what} has {bytes} bytes"));
        }
    }
    if memory > idle + MEMORY {
        wrong.push(format!("{} MiB of memory, {} MiB when it idles", memory / MIB, idle / MIB));
    }
    let ours = |line: &&str| line.contains(" ERROR ") || line.contains("db.input_refused");
    wrong.extend(log.lines().filter(ours).map(|line| format!("in the log: {line:.300}")));
    // Whoever was signed in still is, or all of this was sent by nobody.
    for cookie in target.people.iter().skip(1) {
        let status = target.request("GET", "/", cookie).send().await.unwrap().status().as_u16();
        if status != 200 {
            wrong.push(format!("somebody is signed out: {status}"));
        }
    }
    assert!(wrong.is_empty(), "BATCHDESK_SEED={seed}: {} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
