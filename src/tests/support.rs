//! What tests stand on: one private PostgreSQL a test process, and for each test a database of its own, cloned from a
//! template that is migrated and holds two organisations. Roles, policies and guards are those of production.

use crate::{
    domain::{
        access::Role,
        ids::{BatchId, OrganisationId, PersonId},
        operation::Operation,
        view::connection::ConnectionHealth,
    },
    server::{
        clock::Clock,
        config::Config,
        db::{self, Db, PoolSizes},
        embedded::Embedded,
        files::Objects,
        gateway::GatewayClass,
        live::Live,
        ops::{
            access::Caller,
            api_keys,
            approvals::{self, Decision, Verdict},
            batches, connection_health,
            gateways::{self, NewGateway},
            people, sessions,
            uploads::{self, Submitted, Upload},
        },
        secrets::SecretKey,
        state::AppState,
    },
};
use secrecy::SecretString;
use sqlx::{ConnectOptions, Executor, postgres::PgConnectOptions};
use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Password of everybody in the tests.
pub(super) const PASSWORD: &str = "correct horse battery";

const PEOPLE: [(&str, &str, Role); 7] = [
    ("Acme Stores", "maker@acme.test", Role::Maker),
    ("Acme Stores", "maker2@acme.test", Role::Maker),
    ("Acme Stores", "checker@acme.test", Role::Checker),
    ("Acme Stores", "admin@acme.test", Role::Admin),
    ("Acme Stores", "viewer@acme.test", Role::Viewer),
    ("Acme Stores", "owner@acme.test", Role::Owner),
    ("Globex", "owner@globex.test", Role::Owner),
];

/// One test's own state: a database with two organisations, Acme Stores (maker-checker on) and Globex (off).
pub(super) struct TestState {
    /// State on that database, with a clock that stands until it is moved.
    pub state: AppState,
    /// How to reach the database as its superuser, for what no role of ours may do.
    pub options: PgConnectOptions,
}

/// The options of the cluster of this process; started by the first test, it ends with the process.
fn cluster() -> &'static PgConnectOptions {
    static CLUSTER: OnceLock<PgConnectOptions> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        // A thread of its own: the cluster ends with the thread that started it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async {
                let embedded = Embedded::start_for_tests(&folder()).await.unwrap();
                let options = embedded.connect_options();
                prepare_template(&options).await;
                sender.send(options).unwrap();
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().unwrap()
    })
}

/// A folder of this process; those that ended processes left are removed.
fn folder() -> PathBuf {
    let base = std::env::temp_dir();
    for entry in std::fs::read_dir(&base).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ended =
            name.strip_prefix("batchdesk-tests-").is_some_and(|pid| !std::path::Path::new("/proc").join(pid).exists());
        if ended {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    base.join(format!("batchdesk-tests-{}", std::process::id()))
}

/// A data folder of its own for each state: test states are clones, and their organisations have the same ids.
fn data_dir() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let of_process = std::env::temp_dir().join(format!("batchdesk-tests-{}", std::process::id()));
    of_process.join(format!("data-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
}

async fn prepare_template(options: &PgConnectOptions) {
    let mut admin = options.clone().database("postgres").connect().await.unwrap();
    admin.execute("CREATE DATABASE batchdesk_template").await.unwrap();
    let template = options.clone().database("batchdesk_template");
    db::migrate::run(&template).await.unwrap();
    let state = state(&template).await;
    people_and_connections(&state).await;
    state.db.close().await;
}

async fn people_and_connections(state: &AppState) {
    for (organisation, email, role) in PEOPLE {
        people::create(state, organisation, email, role, &SecretString::from(PASSWORD)).await.unwrap();
    }
    for (organisation, needed) in [("Acme Stores", true), ("Globex", false)] {
        let id = organisation_id(state, organisation).await;
        let mut tx = state.db.web(id, None).await.unwrap();
        for operation in Operation::ALL {
            db::approval_rules::set_needed(&mut tx, operation, needed).await.unwrap();
        }
        tx.commit().await.unwrap();
        gateways::add(state, gateway(organisation, "http://127.0.0.1:9", GatewayClass::K)).await.unwrap();
    }
    for (organisation, key) in [("Acme Stores", "bd_test_acme"), ("Globex", "bd_test_globex")] {
        api_keys::add(state, organisation_id(state, organisation).await, key, Role::Viewer, key).await.unwrap();
    }
}

/// A connection of an organisation to a gateway at `base_url`.
pub(super) fn gateway(organisation: &str, base_url: &str, class: GatewayClass) -> NewGateway {
    let merchant = if organisation == "Globex" { "globex" } else { "acme" };
    NewGateway {
        organisation: organisation.to_owned(),
        connector: "juspay".to_owned(),
        base_url: base_url.parse().unwrap(),
        merchant_id: merchant.to_owned(),
        api_key: SecretString::from(format!("sim_{merchant}")),
        class,
        key_window: Some(Duration::from_secs(24 * 3600)),
        sandbox: true,
        limits: None,
    }
}

async fn organisation_id(state: &AppState, name: &str) -> OrganisationId {
    let mut tx = state.db.global().await.unwrap();
    db::people::organisation_by_name(&mut tx, name).await.unwrap().unwrap()
}

/// Configuration as tests have it: short waits, loopback gateways allowed.
pub(super) fn config() -> Config {
    let data_dir = data_dir();
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        metrics_listen: None,
        public_url: None,
        database_url: None,
        object_store: Objects::folder(data_dir.join("objects")),
        data_dir,
        secret_key: SecretKey::new([7; 32]),
        simulator_listen: "127.0.0.1:0".parse().unwrap(),
        max_rows: 100_000,
        max_upload_bytes: None,
        retention_days_files: 2_557,
        retention_days_imports: 30,
        allowed_hosts: vec!["127.0.0.1".to_owned()],
        trusted_proxies: Vec::new(),
        connections_per_address: None,
        gateway_concurrency: 8,
        gateway_timeout: Duration::from_millis(500),
        lease: Duration::from_secs(20),
        poll: Duration::from_millis(50),
        resolve_after: Duration::from_millis(1_000),
        demo: false,
    }
}

pub(super) async fn state(options: &PgConnectOptions) -> AppState {
    let db = Db::connect(options.clone(), PoolSizes { web: 6, worker: 6 }).await.unwrap();
    let clock = Clock::fixed(Clock::system().now());
    AppState::new(config(), db, clock, Live::default(), CancellationToken::new())
}

impl TestState {
    /// A fresh test state.
    pub(super) async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut admin = cluster.clone().database("postgres").connect().await.unwrap();
        // Copied file by file: block by block through the write-ahead log takes nearly twice the processor's time.
        let create = format!("CREATE DATABASE {name} TEMPLATE batchdesk_template STRATEGY FILE_COPY");
        admin.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
        let options = cluster.clone().database(&name);
        Self { state: state(&options).await, options }
    }

    /// An empty database of the same cluster, nothing migrated.
    pub(super) async fn empty(name: &str) -> PgConnectOptions {
        let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
        let mut admin = cluster.clone().database("postgres").connect().await.unwrap();
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        cluster.clone().database(name)
    }

    /// The caller behind an e-mail, with the password just given.
    pub(super) async fn caller(&self, email: &str) -> Caller {
        let mut tx = self.state.db.global().await.unwrap();
        let person = db::people::by_email(&mut tx, email).await.unwrap().unwrap();
        let organisation = db::people::organisations(&mut tx, person.id).await.unwrap()[0];
        tx.commit().await.unwrap();
        sessions::caller(&self.state, person.id, organisation, self.state.clock.now()).await.unwrap().unwrap()
    }

    /// Runs SQL as the superuser: for tests that break what no role of ours can break.
    pub(super) async fn as_superuser(&self, sql: &str) -> sqlx::Result<u64> {
        let mut admin = self.options.clone().options([("search_path", "batchdesk")]).connect().await?;
        admin.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.map(|done| done.rows_affected())
    }

    /// Runs SQL as the role of the web part, signed in as this person: for what that role may not do.
    pub(super) async fn as_web(&self, organisation: OrganisationId, person: PersonId, sql: &str) -> sqlx::Result<u64> {
        let mut web = self.options.clone().options([("search_path", "batchdesk")]).connect().await?;
        let session =
            format!("SET ROLE batchdesk_web; SET app.organisation = '{organisation}'; SET app.person = '{person}'");
        web.execute(sqlx::AssertSqlSafe(session)).await?;
        web.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.map(|done| done.rows_affected())
    }

    /// Closes the database, and looks how many rows and index entries were read of each table since it was made: an
    /// assertion that no statement read a batch of `rows` rows once for each of its rows.
    pub(super) async fn assert_read_in_proportion(&self, rows: i64) {
        /// Entries of a table for each row, by all statements together. One that reads the batch once a row takes
        /// `rows` of them.
        const EACH: i64 = 250;
        // Sessions hand over what they counted when they end, at the latest.
        self.state.db.close().await;
        let mut admin = self.options.clone().connect().await.unwrap();
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                      AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut admin).await.unwrap() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let read: Vec<(String, i64)> = sqlx::query_as(
            "SELECT t.relname::text, (t.seq_tup_read + coalesce(sum(i.idx_tup_read), 0))::bigint
               FROM pg_stat_user_tables t LEFT JOIN pg_stat_user_indexes i USING (relid)
              WHERE t.schemaname = 'batchdesk' GROUP BY t.relid, t.relname, t.seq_tup_read ORDER BY 2 DESC",
        )
        .fetch_all(&mut admin)
        .await
        .unwrap();
        assert!(read.iter().any(|(_, entries)| *entries > rows), "nothing was counted: {read:?}");
        let too_much: Vec<_> = read.iter().filter(|(_, entries)| *entries > EACH * rows).collect();
        assert!(too_much.is_empty(), "{too_much:?}\nof {read:?}");
    }

    /// Uploads a clean file as `email`; returns the batch.
    pub(super) async fn upload(&self, email: &str, file: &str) -> BatchId {
        match self.try_upload(email, file).await {
            Submitted::Batch(batch) => batch,
            Submitted::Draft(draft) => panic!("findings: {:?} {:?}", draft.findings, draft.repeats),
        }
    }

    /// Uploads a file as `email`, repeats confirmed.
    pub(super) async fn try_upload(&self, email: &str, file: &str) -> Submitted {
        let upload = Upload {
            file_name: "refunds.csv".to_owned(),
            bytes: file.as_bytes().to_vec().into(),
            description: "a test".to_owned(),
            confirm_repeat: true,
            confirm_warnings: "1".to_owned(),
            ..Upload::default()
        };
        uploads::submit(&self.state, &self.caller(email).await, Operation::Refund, upload).await.unwrap()
    }

    /// How the connection of a batch does, as its page tells.
    pub(super) async fn connection_health(&self, caller: &Caller, batch: BatchId) -> ConnectionHealth {
        let mut tx = self.state.db.web(caller.organisation.id, Some(caller.person.id)).await.unwrap();
        let row = db::batches::load(&mut tx, batch).await.unwrap().unwrap();
        let zone = jiff::tz::TimeZone::UTC;
        connection_health::read(&self.state, &mut tx, &row, &zone).await.unwrap().unwrap()
    }

    /// Decides as `email` on what is shown to them.
    pub(super) async fn decide(
        &self,
        email: &str,
        batch: BatchId,
        verdict: Verdict,
    ) -> crate::server::error::OpResult<()> {
        let caller = self.caller(email).await;
        let shown = batches::snapshot(&self.state, &caller, batch).await?;
        let decision =
            Decision { verdict: Some(verdict), content_hash: shown.content_sha256, reason: "because".to_owned() };
        approvals::decide(&self.state, &caller, batch, decision).await.map(|_| ()).map_err(|(error, _)| error)
    }
}

/// A refunds file of the standard template with these (order, amount) rows.
pub(super) fn refunds(rows: &[(&str, &str)]) -> String {
    let mut file = String::from(
        "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\n",
    );
    for (order, amount) in rows {
        file.push_str(&format!("{order},{amount},,,,,,,,,,,,,,,,,\n"));
    }
    file
}
