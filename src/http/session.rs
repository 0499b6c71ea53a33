//! Sessions: tower-sessions over our own table. The database holds the SHA-256 of a token, never the token; idle and
//! absolute ends are counted here, with the server's clock.
//!
//! An id of tower-sessions has 128 bits, and so has the cookie that its layer makes. Ours has 256: the id is the first
//! half of a token, and the store of each request knows the token whole.

use super::{Web, cookies, error};
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
use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    Session, SessionStore,
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

/// SHA-256 of a session's token: the key in the table.
pub(super) type SessionHash = [u8; 32];

/// What the browser holds of a session: 256 random bits.
#[derive(Clone, Copy)]
pub(super) struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// A new one.
    fn draw() -> session_store::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| session_store::Error::Backend(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// The one that a request carries.
    pub(super) fn sent(headers: &HeaderMap, https: bool) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cookies::read(headers, cookie_name(https))?).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// As it stands in the cookie.
    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What tower-sessions takes for the id.
    fn id(&self) -> Id {
        let half = self.0.first_chunk().copied().unwrap_or_default();
        Id(i128::from_le_bytes(half))
    }

    /// The key under which the session's row is kept.
    pub(super) fn hash(&self) -> SessionHash {
        Sha256::digest(self.text().as_bytes()).into()
    }
}

/// A name for a session that tells nothing about it: not its token, and not the key in the table.
pub(super) fn tag(hash: &SessionHash) -> String {
    let digest = Sha256::new().chain_update(b"page of session ").chain_update(hash).finalize();
    hex::encode(digest.get(..8).unwrap_or_default())
}

/// Whom a session belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionData {
    pub person: PersonId,
    pub organisation: OrganisationId,
    /// Unix nanoseconds of the last proof of the password.
    proved_at: i64,
}

impl SessionData {
    /// Somebody who has just signed in.
    pub(super) fn new(signed_in: &SignedIn) -> Self {
        let proved_at = nanoseconds(signed_in.proved_at);
        Self { person: signed_in.person, organisation: signed_in.organisation, proved_at }
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

fn from_unix(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The sessions of all browsers, by the hash of their token.
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
    pub(super) async fn who(&self, hash: &SessionHash) -> OpResult<Option<SessionData>> {
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
        let before = session.get::<i64>(SEEN).await.ok().flatten().map(from_unix);
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

fn who_in(data: &Data) -> Option<SessionData> {
    serde_json::from_value(data.get(WHO)?.clone()).ok()
}

fn backend(error: sqlx::Error) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

/// The store behind the session of one request: it knows the token that was sent, and the one that was made for the
/// answer.
#[derive(Debug)]
struct RequestStore {
    store: Store,
    sent: Option<Token>,
    made: OnceLock<Token>,
}

impl RequestStore {
    /// The token with this id, if it is one of this request.
    fn token(&self, id: &Id) -> Option<Token> {
        [self.made.get().copied(), self.sent].into_iter().flatten().find(|token| token.id() == *id)
    }
}

#[async_trait]
impl SessionStore for RequestStore {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let app = &self.store.app;
        let now = app.clock.now();
        let data = Store::text(record)?;
        let row = SessionRow { data, created_at: now, last_seen_at: now, expires_at: now + ABSOLUTE };
        let token = Token::draw()?;
        let mut tx = app.db.global().await.map_err(backend)?;
        let created = sessions::create(&mut tx, &token.hash(), &row).await.map_err(backend)?;
        if !created || self.made.set(token).is_err() {
            return Err(session_store::Error::Backend(
                "a request makes one session, with a token of its own".to_owned(),
            ));
        }
        record.id = token.id();
        tx.commit().await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        // Only a session that is still there: one that was ended meanwhile must not come back.
        let Some(token) = self.token(&record.id) else { return Ok(()) };
        let mut tx = self.store.app.db.global().await.map_err(backend)?;
        sessions::replace(&mut tx, &token.hash(), &Store::text(record)?).await.map_err(backend)?;
        tx.commit().await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let Some(hash) = self.token(id).map(|token| token.hash()) else { return Ok(None) };
        let Some(row) = self.store.row(&hash).await.map_err(backend)? else { return Ok(None) };
        let data = data_of(&row).filter(|_| self.store.stands(&row));
        let Some(mut data) = data else {
            self.store.remove(&hash).await.map_err(backend)?;
            return Ok(None);
        };
        data.insert(SEEN.to_owned(), row.last_seen_at.unix_timestamp().into());
        Ok(Some(Record { id: *id, data, expiry_date: row.expires_at }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        match self.token(id) {
            Some(token) => self.store.remove(&token.hash()).await.map_err(backend),
            None => Ok(()),
        }
    }
}

/// Whom the request's session belongs to, if it stands.
pub(super) async fn whose(session: &Session) -> Result<Option<SessionData>, tower_sessions::session::Error> {
    session.get(WHO).await
}

/// Makes `who` the owner of a fresh session: a new id, nothing kept from the old one.
pub(super) async fn begin(session: &Session, who: SessionData) -> Result<(), tower_sessions::session::Error> {
    session.clear().await;
    session.cycle_id().await?;
    session.insert(WHO, who).await
}

/// Writes a newer proof of the password into the session.
pub(super) async fn renew(session: &Session, who: SessionData) -> Result<(), tower_sessions::session::Error> {
    session.insert(WHO, who).await
}

/// The layer that gives each request its session, and each answer its cookie. Ends are counted by [`Store`], so the
/// cookie has none of its own.
pub(super) async fn carry(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let has_cookie = cookies::read(request.headers(), cookie_name(web.https())).is_some();
    let sent = Token::sent(request.headers(), web.https());
    let store = Arc::new(RequestStore { store: web.store.clone(), sent, made: OnceLock::new() });
    let session = Session::new(sent.map(|token| token.id()), store.clone(), None);
    request.extensions_mut().insert(session.clone());
    let mut response = next.run(request).await;
    let line = if session.is_empty().await {
        has_cookie.then(|| cookies::end_session(&web))
    } else if session.is_modified() && !response.status().is_server_error() {
        if let Err(error) = session.save().await {
            tracing::error!(%error, "session.not_saved");
            return error::plain_internal();
        }
        store.made.get().map(|token| cookies::set_session(&web, &token.text()))
    } else {
        None
    };
    if let Some(line) = line.flatten() {
        // First: whoever reads one cookie only reads this one.
        let headers = response.headers_mut();
        let others: Vec<_> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
        headers.insert(header::SET_COOKIE, line);
        headers.extend(others.into_iter().map(|other| (header::SET_COOKIE, other)));
    }
    response
}

/// The cookie's name; with https it is bound to this host.
pub(super) const fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-batchdesk" } else { "batchdesk" }
}
