//! All SQL. Functions take a transaction of one organisation ([`Tx`]) or one of the global tables ([`GlobalTx`]) and
//! answer one question each. Nothing else is handed out, so that no statement can run without its organisation set.
//!
//! Rows of a batch are joined by their whole key in a `LATERAL (… OFFSET 0)`: to the planner a new batch is one row,
//! and what looks up one row and what reads the whole batch to pick one cost it the same. `OFFSET 0` keeps the look-up
//! a look-up (`migrations/functions/task_views.sql`).

pub mod api_keys;
pub mod approval_rules;
pub mod approvals;
pub mod audit;
pub mod batches;
pub mod codes;
pub mod connections;
pub mod drafts;
pub mod files;
pub mod gateways;
pub mod history;
pub mod home;
pub mod imports;
pub mod migrate;
pub mod notices;
pub mod orders;
pub mod organisations;
pub mod outbox;
pub mod past;
pub mod people;
pub mod reconcile;
pub mod retries;
pub mod review;
pub mod search;
pub mod sessions;
pub mod settings_changes;
pub mod sync;
pub mod tasks;
pub mod throttle;

use crate::domain::ids::{OrganisationId, PersonId};
use past::memory::{Intent, Memory, Standing};
use sqlx::{
    PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{
    io,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::Notify;

/// What the database refuses: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The connection cannot be made.
    #[error("the database cannot be reached: {0}")]
    Unreachable(#[source] sqlx::Error),
    /// The login may not become the runtime roles.
    #[error(
        "the database login may not SET ROLE {role}: {error}. Run `batchdesk migrate` as a login that may create roles"
    )]
    Role {
        /// Which role.
        role: &'static str,
        /// What PostgreSQL said.
        #[source]
        error: sqlx::Error,
    },
    /// A runtime role sees through row-level security.
    #[error("the role {0} is a superuser or bypasses row-level security; take that away before starting")]
    Unsafe(&'static str),
    /// Roles or migrations could not be made.
    #[error("the database could not be migrated: {0}")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its tables were made by migrations that this binary does not have.
    #[error("The tables of this database were made by an earlier version of Batchdesk that this one cannot take over")]
    Foreign,
}

/// The database, by pools of the roles that the parts of the process have.
#[derive(Clone, Debug)]
pub struct Db {
    web: PgPool,
    worker: PgPool,
    committed: Arc<Notify>,
    memory: Arc<OnceLock<Memory>>,
}

/// After that the server ends a session that idles in a transaction, and with it the transaction.
const IDLE_IN_TRANSACTION: &str = "60s";

/// A good deal less than that.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How many connections each part may have.
#[derive(Clone, Copy, Debug)]
pub struct PoolSizes {
    /// Web part.
    pub web: u32,
    /// Processor.
    pub worker: u32,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self { web: 12, worker: 8 }
    }
}

/// A transaction of one organisation: `app.organisation` is set for as long as it lasts, and every policy reads it.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    organisation: OrganisationId,
    committed: Arc<Notify>,
}

/// A transaction on global and look-up tables: no organisation is set, organisation tables look empty.
#[derive(Debug)]
pub struct GlobalTx {
    inner: Transaction<'static, Postgres>,
}

impl Tx {
    /// The connection, for the functions of this module tree.
    pub(in crate::db) fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Whose data this transaction sees.
    pub fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// Makes it so, and wakes this process's dispatcher: there may be something to hand on.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.inner.commit().await?;
        self.committed.notify_one();
        Ok(())
    }

    /// Makes it so, of what the dispatcher itself did.
    pub async fn commit_quietly(self) -> sqlx::Result<()> {
        self.inner.commit().await
    }

    /// Tells the server that the transaction goes on: to be called while it waits longer than [`KEEP_ALIVE`] for
    /// something else than the database.
    pub async fn keep_alive(&mut self) -> sqlx::Result<()> {
        sqlx::query("SELECT").execute(self.conn()).await.map(|_| ())
    }

    /// What is done from here on can be taken back.
    pub async fn savepoint(&mut self) -> sqlx::Result<()> {
        sqlx::query("SAVEPOINT here").execute(self.conn()).await.map(|_| ())
    }

    /// Takes back what was done since, also after a statement that failed.
    pub async fn back_to_savepoint(&mut self) -> sqlx::Result<()> {
        sqlx::query("ROLLBACK TO SAVEPOINT here").execute(self.conn()).await.map(|_| ())
    }

    /// Makes it so, at a failpoint of the money protocol. After an error of the second fault it is so, and
    /// the caller does not know: a COMMIT whose reply was lost.
    pub async fn commit_at(self, failpoint: &'static str) -> sqlx::Result<()> {
        failpoint!(?failpoint, "before_commit");
        self.commit().await?;
        failpoint!(?failpoint, "after_commit");
        Ok(())
    }
}

impl GlobalTx {
    /// The connection, for the functions of this module tree.
    pub(in crate::db) fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Makes it so.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.inner.commit().await
    }
}

impl Db {
    /// Connects both pools; every connection takes its role before it is used. Refuses roles that see through policies.
    pub async fn connect(options: PgConnectOptions, sizes: PoolSizes) -> Result<Self, StartError> {
        let options = options.options([
            ("search_path", "batchdesk"),
            ("application_name", "batchdesk"),
            // No transaction of ours waits for anything but the database, or it says that it does. One that does not was
            // lost on the way (its reply never came, or whoever had it is gone) and keeps rows locked that nobody else
            // can claim.
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
            // To the planner what looks up thousands of rows one by one costs enough to be compiled first, which takes
            // longer than a second.
            ("jit", "off"),
        ]);
        let worker_options = options.clone().options([("plan_cache_mode", "force_generic_plan")]);
        let memory = Arc::<OnceLock<Memory>>::default();
        let web = pool(options, "batchdesk_web", "SET ROLE batchdesk_web", sizes.web, Arc::default()).await?;
        let set_role = "SET ROLE batchdesk_worker";
        let worker = pool(worker_options, "batchdesk_worker", set_role, sizes.worker, memory.clone()).await?;
        Ok(Self { web, worker, committed: Arc::default(), memory })
    }

    /// Remembers from now on, in this folder, what was seen of the database, and compares each connection that is made
    /// to send with it: a standby that took over may be an older state.
    pub fn remember(&self, folder: &Path) -> io::Result<()> {
        let memory = Memory::open(folder)?;
        self.memory.set(memory).map_err(|_| io::Error::other("it remembers already"))
    }

    /// Why nothing may be sent: the database went back to an older state. None as well when nothing is remembered.
    pub fn behind(&self) -> Option<String> {
        self.memory.get().and_then(Memory::behind)
    }

    /// Compares the database with what is remembered, and remembers what is new. While something is sent a mark is
    /// left.
    pub async fn look_back(&self) -> sqlx::Result<Option<Standing>> {
        let Some(memory) = self.memory.get() else { return Ok(None) };
        if memory.take_sent() && memory.behind().is_none() {
            let mut tx = self.worker_global().await?;
            past::leave_mark(&mut tx).await?;
            tx.commit().await?;
        }
        let mut tx = self.global().await?;
        let standing = memory.look(tx.conn()).await?;
        tx.commit().await?;
        if standing.moved && standing.behind.is_none() {
            let mut tx = self.worker_global().await?;
            past::settle_in(&mut tx).await?;
            tx.commit().await?;
        }
        Ok(Some(standing))
    }

    /// Hands what is remembered to the disk. Blocks.
    pub fn keep_memory(&self) -> io::Result<()> {
        self.memory.get().map_or(Ok(()), Memory::keep)
    }

    /// Remembers an intent: after its COMMIT, before its first send.
    pub fn note_intent(&self, intent: Intent) {
        if let Some(memory) = self.memory.get() {
            memory.note(intent);
        }
    }

    /// A transaction of the processor that is part of sending: none of a database that went back to an older state.
    pub async fn sending(&self, organisation: OrganisationId) -> sqlx::Result<Tx> {
        let tx = self.worker(organisation).await?;
        // Looked at when the connection is there: it may have been made just now, to another server.
        match self.behind() {
            None => Ok(tx),
            Some(why) => Err(sqlx::Error::Configuration(why.into())),
        }
    }

    /// A transaction of the web part. `person` is who signed in; maker and checker are taken from it.
    pub async fn web(&self, organisation: OrganisationId, person: Option<PersonId>) -> sqlx::Result<Tx> {
        begin(&self.web, organisation, person, &self.committed).await
    }

    /// A transaction of the processor.
    pub async fn worker(&self, organisation: OrganisationId) -> sqlx::Result<Tx> {
        begin(&self.worker, organisation, None, &self.committed).await
    }

    /// A transaction on global and look-up tables, web part.
    pub async fn global(&self) -> sqlx::Result<GlobalTx> {
        Ok(GlobalTx { inner: begun(&self.web, "BEGIN".to_owned()).await? })
    }

    /// The same for the processor (which lanes have work, which organisations have audit rows to chain).
    pub async fn worker_global(&self) -> sqlx::Result<GlobalTx> {
        Ok(GlobalTx { inner: begun(&self.worker, "BEGIN".to_owned()).await? })
    }

    /// Waits until a transaction of an organisation was committed by this process since the last call.
    pub async fn committed(&self) {
        self.committed.notified().await;
    }

    /// A connection that listens for changes.
    pub async fn listener(&self) -> sqlx::Result<PgListener> {
        PgListener::connect_with(&self.web).await
    }

    /// Whether the database answers and every migration of this binary is applied.
    pub async fn ready(&self) -> sqlx::Result<bool> {
        Ok(matches!(self.migrated().await?, migrate::State::Current | migrate::State::Ahead))
    }

    /// How far the database is migrated.
    pub async fn migrated(&self) -> sqlx::Result<migrate::State> {
        let mut tx = self.global().await?;
        migrate::state_of(&mut tx).await
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.web.close().await;
        self.worker.close().await;
    }
}

async fn pool(
    options: PgConnectOptions,
    role: &'static str,
    set_role: &'static str,
    size: u32,
    memory: Arc<OnceLock<Memory>>,
) -> Result<PgPool, StartError> {
    let pool = PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(10))
        // It would be asked for a sign of life before every transaction; `begun` notices as well.
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let memory = memory.clone();
            Box::pin(async move {
                sqlx::query(set_role).execute(&mut *connection).await?;
                match memory.get() {
                    Some(memory) => memory.check(connection).await,
                    None => Ok(()),
                }
            })
        })
        .connect_lazy_with(options);
    let check = sqlx::query_as::<_, (bool,)>(
        "SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.rolname = current_user",
    )
    .fetch_one(&pool)
    .await;
    match check {
        Ok((false,)) => Ok(pool),
        Ok((true,)) => Err(StartError::Unsafe(role)),
        Err(sqlx::Error::Database(error)) => Err(StartError::Role { role, error: sqlx::Error::Database(error) }),
        Err(error) => Err(StartError::Unreachable(error)),
    }
}

async fn begin(
    pool: &PgPool,
    organisation: OrganisationId,
    person: Option<PersonId>,
    committed: &Arc<Notify>,
) -> sqlx::Result<Tx> {
    let person = person.map(|person| person.to_string()).unwrap_or_default();
    // One exchange with the server instead of two. Both are ids of our own type, so nothing else can stand between the
    // quotes.
    let statement = format!(
        "BEGIN; SELECT set_config('app.organisation', '{organisation}', true),
         set_config('app.person', '{person}', true)"
    );
    let inner = begun(pool, statement).await?;
    Ok(Tx { inner, organisation, committed: committed.clone() })
}

/// Begins a transaction on a connection that lives.
async fn begun(pool: &PgPool, statement: String) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tries = pool.options().get_max_connections();
    loop {
        match pool.begin_with(sqlx::AssertSqlSafe(statement.clone())).await {
            // A connection that ended while nobody used it: nothing was done yet, and the next one may live.
            Err(error) if tries > 0 && is_gone(&error) => {
                tracing::debug!(%error, "db.connection_was_gone");
                tries -= 1;
            }
            begun => return begun,
        }
    }
}

/// Whether the connection ended, with or without a word of the server's (its stop or crash).
fn is_gone(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| matches!(&*code, "57P01" | "57P02")),
        _ => false,
    }
}

/// The code that a guard of the database raised (`BD409`), if it was one.
pub fn guard_code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|e| e.code()).filter(|code| code.starts_with("BD")).map(|code| code.into_owned())
}
