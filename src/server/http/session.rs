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
use sha2::{Digest, Sha256};
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

/// Whom a session belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    pub person: PersonId,
    pub organisation: OrganisationId,
    /// Unix seconds of the last proof of the password.
    proved_at: i64,
    /// Unix seconds of signing in.
    created_at: i64,
}

impl Who {
    /// Somebody who has just signed in.
    pub(super) fn new(signed_in: SignedIn, now: OffsetDateTime) -> Self {
        let now = now.unix_timestamp();
        Self { person: signed_in.person, organisation: signed_in.organisation, proved_at: now, created_at: now }
    }

    pub(super) fn proved_at(&self) -> OffsetDateTime {
        moment(self.proved_at)
    }

    /// The same session with a newer proof of the password.
    pub(super) fn proved(self, now: OffsetDateTime) -> Self {
        Self { proved_at: now.unix_timestamp(), ..self }
    }

    fn ends_at(&self) -> OffsetDateTime {
        moment(self.created_at) + ABSOLUTE
    }
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
        let Some(row) = sessions::load(&self.app.db, hash).await? else { return Ok(None) };
        Ok(self.live(&row))
    }

    fn live(&self, row: &SessionRow) -> Option<Who> {
        let now = self.app.clock.now();
        let who: Who = row.data.get(WHO).and_then(|who| serde_json::from_value(who.clone()).ok())?;
        (now < row.expires_at && now < who.ends_at() && now - row.last_seen_at < IDLE).then_some(who)
    }

    /// Notes a request that a person made.
    pub(super) async fn seen(&self, session: &Session, hash: &SessionHash) -> OpResult<()> {
        let now = self.app.clock.now();
        let before = session.get::<i64>(SEEN).await.ok().flatten().map(moment);
        if before.is_some_and(|before| now - before < SEEN_STEP) {
            return Ok(());
        }
        sessions::touch(&self.app.db, hash, now).await
    }

    async fn write(&self, record: &Record, new: bool) -> session_store::Result<()> {
        let now = self.app.clock.now();
        let mut data = record.data.clone();
        data.remove(SEEN);
        let who: Option<Who> = data.get(WHO).and_then(|who| serde_json::from_value(who.clone()).ok());
        let expires_at = who.map_or(now + ABSOLUTE, |who| who.ends_at());
        let person = who.map(|who| who.person);
        let data = serde_json::to_value(data).map_err(|error| session_store::Error::Encode(error.to_string()))?;
        let row = SessionRow { data, expires_at, last_seen_at: now };
        sessions::save(&self.app.db, &hash(&record.id), person, &row, new).await.map_err(backend)
    }
}

fn backend(error: crate::server::error::OpError) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.write(record, true).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.write(record, false).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let hash = hash(id);
        let Some(row) = sessions::load(&self.app.db, &hash).await.map_err(backend)? else { return Ok(None) };
        if self.live(&row).is_none() {
            sessions::delete(&self.app.db, &hash).await.map_err(backend)?;
            return Ok(None);
        }
        let mut data: std::collections::HashMap<String, serde_json::Value> =
            serde_json::from_value(row.data).map_err(|error| session_store::Error::Decode(error.to_string()))?;
        data.insert(SEEN.to_owned(), row.last_seen_at.unix_timestamp().into());
        Ok(Some(Record { id: *id, data, expiry_date: row.expires_at }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        sessions::delete(&self.app.db, &hash(id)).await.map_err(backend)
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
