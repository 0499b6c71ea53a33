//! An application to test against: the whole web part on a socket of its own, over a database cloned from one that was
//! seeded once.

use batchdesk::http;
use batchdesk::server::{
    clock::Clock,
    config::Config,
    db::{Db, PoolSizes, migrate},
    demo,
    embedded::Embedded,
    files::Objects,
    lifecycle::accept::{self, Bounds},
    live,
    live::Live,
    ops,
    secrets::SecretKey,
    state::AppState,
};
use sqlx::{ConnectOptions, Connection, Executor, postgres::PgConnectOptions};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Password of everybody.
pub(crate) const PASSWORD: &str = demo::PASSWORD;
pub(crate) const MAKER: &str = "maker@acme.test";
pub(crate) const CHECKER: &str = "checker@acme.test";
pub(crate) const ADMIN: &str = "admin@acme.test";
pub(crate) const VIEWER: &str = "viewer@acme.test";
pub(crate) const STRANGER: &str = "owner@globex.test";

struct Cluster {
    // Ends with the process.
    _embedded: Embedded,
    options: PgConnectOptions,
    /// The time of the seeded data; the clocks of all desks start here.
    now: time::OffsetDateTime,
}

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static NEXT: AtomicUsize = AtomicUsize::new(1);
const TEMPLATE: &str = "outside_template";

async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
            let embedded = Embedded::start_for_tests(&folder).await.expect("a private PostgreSQL");
            let options = embedded.connect_options();
            let mut admin = options.connect().await.unwrap();
            let old: Vec<(String,)> =
                sqlx::query_as("SELECT datname::text FROM pg_database WHERE datname LIKE 'outside_%'")
                    .fetch_all(&mut admin)
                    .await
                    .unwrap();
            for (name,) in old {
                execute(&mut admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
            execute(&mut admin, format!("CREATE DATABASE {TEMPLATE}")).await;
            let template = options.clone().database(TEMPLATE);
            migrate::run(&template).await.unwrap();
            let now = Clock::system().now().replace_nanosecond(0).unwrap();
            let db = Db::connect(template, PoolSizes { web: 4, worker: 1 }).await.unwrap();
            let state = AppState::new(config(), db, Clock::fixed(now), Live::default(), CancellationToken::new());
            demo::seed(&state, &"http://127.0.0.1:4010".parse().unwrap()).await.unwrap();
            state.db.close().await;
            Cluster { _embedded: embedded, options, now }
        })
        .await
}

pub(crate) async fn execute(connection: &mut sqlx::PgConnection, statement: String) {
    connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
}

fn config() -> Config {
    let data_dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        metrics_listen: None,
        public_url: None,
        database_url: None,
        object_store: Objects::folder(data_dir.join("objects")),
        data_dir: data_dir.to_owned(),
        secret_key: SecretKey::new([7; 32]),
        simulator_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4010)),
        max_rows: 100_000,
        max_upload_bytes: None,
        retention_days_files: 2_557,
        retention_days_imports: 30,
        allowed_hosts: vec!["127.0.0.1".to_owned()],
        trusted_proxies: Vec::new(),
        connections_per_address: None,
        gateway_concurrency: 20,
        gateway_timeout: Duration::from_secs(20),
        lease: Duration::from_secs(60),
        poll: Duration::from_secs(1),
        resolve_after: Duration::from_secs(40),
        demo: true,
    }
}

/// A running web part with its own database and clock.
pub(crate) struct TestApp {
    pub(crate) state: AppState,
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    options: PgConnectOptions,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.state.stopping.cancel();
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::bounded(Bounds::new(10_000), change).await
    }

    /// With bounds of its own on its connections.
    pub(crate) async fn bounded(bounds: Bounds, change: impl FnOnce(&mut Config)) -> Self {
        let cluster = cluster().await;
        let name = format!("outside_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = cluster.options.connect().await.unwrap();
        execute(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")).await;
        admin.close().await.unwrap();
        let options = cluster.options.clone().database(&name);
        let db = Db::connect(options.clone(), PoolSizes { web: 6, worker: 2 }).await.unwrap();
        let mut config = config();
        change(&mut config);
        let stop = CancellationToken::new();
        let state = AppState::new(config, db, Clock::fixed(cluster.now), Live::default(), stop.clone());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(live::listen(state.clone(), stop.clone()));
        tokio::spawn(ops::outbox::run(state.clone(), stop.clone()));
        tokio::spawn(accept::serve(listener, http::router(state.clone()), bounds, stop));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { state, address, client, options }
    }

    /// A connection as the cluster's first user, to look behind the scenes.
    pub(crate) async fn database(&self) -> sqlx::PgConnection {
        let mut connection = self.options.connect().await.unwrap();
        connection.execute("SET search_path = batchdesk").await.unwrap();
        connection
    }

    /// The address of the database, for commands beside the application.
    pub(crate) fn database_url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Somebody with a browser who is not signed in.
    pub(crate) fn visitor(&self) -> Browser {
        Browser { base: format!("http://{}", self.address), client: self.client.clone(), cookies: Arc::default() }
    }

    /// Somebody who has signed in.
    pub(crate) async fn signed_in(&self, email: &str) -> Browser {
        self.visitor().signs_in(email).await
    }

    /// The batch of a file that the seeded data holds.
    pub(crate) async fn batch(&self, file_name: &str) -> String {
        let (id,): (uuid::Uuid,) = sqlx::query_as("SELECT id FROM batch WHERE file_name = $1")
            .bind(file_name)
            .fetch_one(&mut self.database().await)
            .await
            .unwrap();
        id.to_string()
    }

    pub(crate) fn advance(&self, by: time::Duration) {
        self.state.clock.advance(by);
    }
}

/// Files of the seeded batches.
pub(crate) const MAKERS_FILE: &str = "diwali_returns.csv";
pub(crate) const MAKER2S_FILE: &str = "courier_lost_nov.csv";
pub(crate) const MAKER2S_ORDERS: &str = "orders_of_the_week.csv";
pub(crate) const STRANGERS_FILE: &str = "price_match_nov.csv";

/// A person's browser: keeps cookies, follows nothing, says that its requests come from our own pages.
#[derive(Clone)]
pub(crate) struct Browser {
    base: String,
    client: reqwest::Client,
    cookies: Arc<Mutex<Vec<(String, String)>>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl TestResponse {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn location(&self) -> String {
        self.header("location").to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Browser {
    /// Of somebody who has signed in at a program that runs elsewhere.
    pub(crate) async fn signed_in(address: SocketAddr, email: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base: format!("http://{address}"), client, cookies: Arc::default() }.signs_in(email).await
    }

    async fn signs_in(self, email: &str) -> Self {
        let answer = self.form("/login", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.location()), (303, "/".to_owned()), "{email}: {}", answer.text);
        self
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().unwrap();
        cookies.retain(|(key, _)| key != name);
        if !value.is_empty() {
            cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// A request as it is, with cookies and nothing else.
    pub(crate) fn bare(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method.parse().unwrap(), self.url(path));
        let cookies = self.cookie_header();
        if cookies.is_empty() { request } else { request.header("cookie", cookies) }
    }

    /// A request as our own pages make it.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.bare(method, path).header("sec-fetch-site", "same-origin")
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> TestResponse {
        let response = request.send().await.unwrap();
        for line in response.headers().get_all("set-cookie") {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.set_cookie(name, value);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        TestResponse { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.send(self.request("GET", path).header("accept", "text/html")).await
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        self.send(self.request("POST", path).header("accept", "text/html").form(fields)).await
    }

    pub(crate) async fn api(&self, path: &str, input: serde_json::Value) -> TestResponse {
        let request = self.request("POST", path).header("content-type", "application/json").body(input.to_string());
        self.send(request.header("accept", "application/json")).await
    }

    /// Posts a multipart form; `accept` decides whether the answer is a page or JSON.
    pub(crate) async fn upload(&self, path: &str, accept: &str, parts: &[Part<'_>]) -> TestResponse {
        self.upload_body(path, accept, multipart(parts)).await
    }

    /// The same of a form that was made before.
    pub(crate) async fn upload_body(&self, path: &str, accept: &str, body: String) -> TestResponse {
        let request = self.request("POST", path).header("accept", accept);
        let request = request.header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
        self.send(request.body(body)).await
    }
}

/// A part of a multipart form.
pub(crate) enum Part<'a> {
    Field(&'a str, &'a str),
    /// File name and bytes; the field is `file`.
    File(&'a str, &'a str),
}

pub(crate) const BOUNDARY: &str = "------------------------batchdesk0";

pub(crate) fn multipart(parts: &[Part<'_>]) -> String {
    let mut body = String::new();
    for part in parts {
        body.push_str(&format!("--{BOUNDARY}\r\n"));
        body.push_str(&match part {
            Part::Field(name, value) => format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"),
            Part::File(name, bytes) => format!(
                "Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: \
                 text/csv\r\n\r\n{bytes}\r\n"
            ),
        });
    }
    format!("{body}--{BOUNDARY}--\r\n")
}

/// Waits for a state, with a deadline.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut reached: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = reached().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited 30 s for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Everything the database holds that a person could have changed, as one number of rows and one text to compare.
/// Taken when the notices of what happened before are delivered: that goes on behind the answers.
pub(crate) async fn fingerprint(app: &TestApp) -> String {
    until("everything in the outbox is delivered", || async {
        let waiting: (i64,) = sqlx::query_as("SELECT count(*) FROM outbox WHERE delivered_at IS NULL")
            .fetch_one(&mut app.database().await)
            .await
            .unwrap();
        (waiting == (0,)).then_some(())
    })
    .await;
    let mut connection = app.database().await;
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'batchdesk'
         AND table_type = 'BASE TABLE'
         AND table_name NOT IN ('session', 'audit', 'audit_waiting', '_sqlx_migrations') ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(tables.len() > 30, "only {} tables: the comparison is blind", tables.len());
    let mut text = String::new();
    for (table,) in tables {
        let statement =
            format!("SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM batchdesk.{table} t");
        let (hash,): (String,) =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_one(&mut connection).await.unwrap();
        text.push_str(&format!("{table} {hash}\n"));
    }
    text
}
