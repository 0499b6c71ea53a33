//! Sessions: tower-sessions over our own table. The database holds the SHA-256 of an id, never the id; idle and absolute ends
//! are counted here, with the server's clock.

use crate::{
    domain::ids::{OrganisationId, PersonId},
    server::{
        db::sessions::{self, SessionRow},
        error::OpResult,
        ops::sessions::SignedIn,
        state::AppState,
    },
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store,
};

/// A session ends after this long without a request that a person made.
pub const IDLE: Duration = Duration::minutes(15);
/// A session ends this long after signing in, whatever happens.
pub const ABSOLUTE: Duration = Duration::hours(12);
/// How often at most the time of the last request is written.
const SEEN_STEP: Duration = Duration::minutes(1);
/// Requests that a page makes by itself carry this header; they do not keep a session alive.
pub const POLL_HEADER: &str = "x-batchdesk-poll";

const WHO: &str = "who";
const SEEN: &str = "seen";

/// SHA-256 of a session's id: the key in the table.
pub(super) type SessionHash = [u8; 32];

/// A name for a session that tells nothing about it: not its id, and not the key in the table.
pub(super) fn tag(hash: &SessionHash) -> String {
    let digest = Sha256::new().chain_update(b"page of session ").chain_update(hash).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whom a session belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    pub person: PersonId,
    pub organisation: OrganisationId,
    /// Unix nanoseconds of the last proof of the password.
    proved_at: i64,
}

impl Who {
    /// Somebody who has just signed in.
    pub(super) fn new(signed_in: SignedIn, now: OffsetDateTime) -> Self {
        Self { person: signed_in.person, organisation: signed_in.organisation, proved_at: nanoseconds(now) }
    }

    /// When the password was last given.
    pub(super) fn proved_at(&self) -> OffsetDateTime {
        let time = OffsetDateTime::from_unix_timestamp_nanos(self.proved_at.into());
        time.unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The same session with a newer proof of the password.
    pub(super) fn proved(self, now: OffsetDateTime) -> Self {
        Self { proved_at: nanoseconds(now), ..self }
    }
}

fn nanoseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos()).unwrap_or_default()
}

fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The key under which a session's row is kept.
pub(super) fn hash(id: &Id) -> SessionHash {
    Sha256::digest(id.to_string().as_bytes()).into()
}

/// The store behind tower-sessions.
#[derive(Clone)]
pub(super) struct Store {
    app: AppState,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    pub(super) fn new(app: AppState) -> Self {
        Self { app }
    }

    /// Whether the session with this hash still stands, and whose it is.
    pub(super) async fn who(&self, hash: &SessionHash) -> OpResult<Option<Who>> {
        let row = self.row(hash).await?;
        Ok(row.filter(|row| self.stands(row)).and_then(|row| who_in(&data_of(&row)?)))
    }

    async fn row(&self, hash: &SessionHash) -> sqlx::Result<Option<SessionRow>> {
        let mut tx = self.app.db.global().await?;
        let row = sessions::load(&mut tx, hash).await?;
        tx.commit().await?;
        Ok(row)
    }

    fn stands(&self, row: &SessionRow) -> bool {
        let now = self.app.clock.now();
        now < row.expires_at && now - row.created_at < ABSOLUTE && now - row.last_seen_at < IDLE
    }

    async fn remove(&self, hash: &SessionHash) -> sqlx::Result<()> {
        let mut tx = self.app.db.global().await?;
        sessions::delete(&mut tx, hash).await?;
        tx.commit().await
    }

    /// Notes a request that a person made.
    pub(super) async fn seen(&self, session: &Session, hash: &SessionHash) -> OpResult<()> {
        let now = self.app.clock.now();
        let before = session.get::<i64>(SEEN).await.ok().flatten().map(moment);
        if before.is_some_and(|before| now - before < SEEN_STEP) {
            return Ok(());
        }
        let mut tx = self.app.db.global().await?;
        sessions::touch(&mut tx, hash, now).await?;
        Ok(tx.commit().await?)
    }

    /// What of a record is stored: the time of the last request has a column of its own.
    fn text(record: &Record) -> session_store::Result<String> {
        let kept: Data =
            record.data.iter().filter(|(key, _)| *key != SEEN).map(|(k, v)| (k.clone(), v.clone())).collect();
        serde_json::to_string(&kept).map_err(|error| session_store::Error::Encode(error.to_string()))
    }
}

type Data = HashMap<String, Value>;

fn data_of(row: &SessionRow) -> Option<Data> {
    serde_json::from_str(&row.data).ok()
}

fn who_in(data: &Data) -> Option<Who> {
    serde_json::from_value(data.get(WHO)?.clone()).ok()
}

fn backend(error: sqlx::Error) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let now = self.app.clock.now();
        let row =
            SessionRow { data: Self::text(record)?, created_at: now, last_seen_at: now, expires_at: now + ABSOLUTE };
        let mut tx = self.app.db.global().await.map_err(backend)?;
        while !sessions::create(&mut tx, &hash(&record.id), &row).await.map_err(backend)? {
            record.id = Id::default();
        }
        tx.commit().await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        // Only a session that is still there: one that was ended meanwhile must not come back.
        let mut tx = self.app.db.global().await.map_err(backend)?;
        sessions::replace(&mut tx, &hash(&record.id), &Self::text(record)?).await.map_err(backend)?;
        tx.commit().await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let hash = hash(id);
        let Some(row) = self.row(&hash).await.map_err(backend)? else { return Ok(None) };
        let data = data_of(&row).filter(|_| self.stands(&row));
        let Some(mut data) = data else {
            self.remove(&hash).await.map_err(backend)?;
            return Ok(None);
        };
        data.insert(SEEN.to_owned(), row.last_seen_at.unix_timestamp().into());
        Ok(Some(Record { id: *id, data, expiry_date: row.expires_at }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.remove(&hash(id)).await.map_err(backend)
    }
}

/// Whom the request's session belongs to, if it stands.
pub(super) async fn whose(session: &Session) -> Result<Option<Who>, tower_sessions::session::Error> {
    session.get(WHO).await
}

/// Makes `who` the owner of a fresh session: a new id, nothing kept from the old one.
pub(super) async fn begin(session: &Session, who: Who) -> Result<(), tower_sessions::session::Error> {
    session.clear().await;
    session.cycle_id().await?;
    session.insert(WHO, who).await
}

/// Writes a newer proof of the password into the session.
pub(super) async fn renew(session: &Session, who: Who) -> Result<(), tower_sessions::session::Error> {
    session.insert(WHO, who).await
}

/// The layer that gives each request its session. Ends are counted by [`Store`], so the cookie has none of its own.
pub(super) fn layer(store: Store, https: bool) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(store)
        .with_name(cookie_name(https))
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(https)
        .with_path("/")
}

/// The cookie's name; with https it is bound to this host.
pub(super) const fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-batchdesk" } else { "batchdesk" }
}
