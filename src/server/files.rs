//! Where the bytes of files are kept: of those up to 64 MiB in the database, in parts, so that one backup has them and
//! every replica sees them; of larger ones in the object store.
//!
//! A row of `file` names them in either place, with their hash and size, and nobody reaches them but through it: what
//! its policies hide is not there. An object is whole before a row names it; one that no row names is swept.

mod objects;

pub use objects::Objects;

use crate::{
    db::{self, Tx, files::PART},
    domain::{error::RefusalKind, ids::OrganisationId},
    error::{OpError, OpResult},
    spool::{BLOCK, Spool, SpoolWriter},
    state::AppState,
};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How long an object is left alone that no row names: whoever put it is about to.
const UNNAMED: time::Duration = time::Duration::hours(24);

/// Objects that are looked up at once.
const SWEPT: usize = 500;

/// Where the bytes of a file are while no row names them yet.
#[derive(Clone, Copy, Debug, Default)]
pub enum Placement {
    /// Still with whoever brings them, or in the database.
    #[default]
    Database,
    /// In the object store.
    Object(Uuid),
}

/// A file that was asked for.
#[derive(Debug)]
pub enum Loaded {
    /// Size and hash are those of its row.
    Whole(Spool),
    /// It is not kept, or not any more.
    Gone,
    /// What is kept is not what came. The log says so.
    Damaged,
}

/// Puts a large file into the object store, before the transaction that gives it its name.
pub async fn place(state: &AppState, organisation: OrganisationId, file: &Spool) -> OpResult<Placement> {
    if file.len() <= state.config.object_store.above() {
        return Ok(Placement::Database);
    }
    let mut tx = state.db.web(organisation, None).await?;
    let there = db::files::touch(&mut tx, file.sha256(), state.clock.now()).await?;
    tx.commit_quietly().await?;
    if there {
        return Ok(Placement::Database);
    }
    let object = Uuid::now_v7();
    state.config.object_store.put(organisation, object, file).await?;
    Ok(Placement::Object(object))
}

/// Takes away what was placed, where the file is not to be kept. What cannot be reached now is swept.
pub async fn discard(state: &AppState, organisation: OrganisationId, placement: Placement) {
    if let Placement::Object(object) = placement
        && let Err(error) = state.config.object_store.delete(organisation, object).await
    {
        tracing::warn!(%error, "file.cannot_discard");
    }
}

/// Keeps a file that was placed, under its hash; the same bytes are kept once.
pub async fn keep(state: &AppState, tx: &mut Tx, file: &Spool, placement: Placement) -> OpResult<()> {
    const { assert!(PART == BLOCK) };
    let mut row = db::files::FileRow { length: i64::try_from(file.len()).ok(), ..Default::default() };
    let now = state.clock.now();
    if let Placement::Object(object) = placement {
        row.object_id = Some(object);
        db::files::keep(tx, file.sha256(), &row, None, now).await?;
        return Ok(());
    }
    let (mut input, mut part) = file.input().block().await.map_err(OpError::failed)?;
    if file.len() <= PART as u64 {
        db::files::keep(tx, file.sha256(), &row, Some(&part), now).await?;
        return Ok(());
    }
    if !db::files::keep(tx, file.sha256(), &row, None, now).await? {
        return Ok(());
    }
    if file.len() > state.config.object_store.above() {
        return Err(OpError::internal("a file was deleted while it came in again"));
    }
    let mut hash = Sha256::new();
    for number in 1.. {
        if part.is_empty() {
            break;
        }
        hash.update(&part);
        db::files::add_part(tx, file.sha256(), number, &part).await?;
        (input, part) = input.block().await.map_err(OpError::failed)?;
    }
    unchanged(file, hash)
}

/// What was read of a file is what was checked, or it is not kept.
fn unchanged(file: &Spool, hash: Sha256) -> OpResult<()> {
    match hash.finalize()[..] == file.sha256()[..] {
        true => Ok(()),
        false => Err(OpError::internal("the file is not what was checked")),
    }
}

/// A file that was kept, as `tx` may see it.
pub async fn load(state: &AppState, mut tx: Tx, sha256: &[u8]) -> OpResult<Loaded> {
    let organisation = tx.organisation();
    let Some(row) = db::files::find(&mut tx, sha256).await? else { return Ok(Loaded::Gone) };
    let mut writer = SpoolWriter::new(&state.config.spool_dir());
    if row.object_id.is_none() {
        for number in 1.. {
            let Some(part) = db::files::part(&mut tx, sha256, number).await? else { break };
            writer.write(&part).await.map_err(OpError::failed)?;
        }
    }
    tx.commit_quietly().await?;
    if let (Some(object), Some(length)) = (row.object_id, row.length) {
        state.config.object_store.read(organisation, object, length.unsigned_abs(), &mut writer).await?;
    }
    let spool = writer.finish().await.map_err(OpError::failed)?;
    if spool.sha256() == sha256 {
        return Ok(Loaded::Whole(spool));
    }
    tracing::error!(%organisation, sha256 = hex::encode(sha256), object = ?row.object_id, length = row.length, found = spool.len(),
        found_sha256 = hex::encode(spool.sha256()), "file.damaged");
    Ok(Loaded::Damaged)
}

impl Loaded {
    /// The file, or why there is none.
    pub fn whole(self, name: &str) -> OpResult<Spool> {
        let (kind, sentence) = match self {
            Self::Whole(spool) => return Ok(spool),
            Self::Gone => (RefusalKind::NotFound, format!("{name} is not kept any more.")),
            Self::Damaged => (
                RefusalKind::Internal,
                format!(
                    "{name} is damaged where it is kept, so it is not used. Tell your administrator: it has to come \
                     from a backup, or from whoever has a copy."
                ),
            ),
        };
        Err(OpError::refuse(kind, sentence))
    }
}

/// Deletes the objects of every organisation that no row names any more, or never did. Not while the database may be an
/// older one, which does not know them yet.
pub async fn sweep(state: &AppState) -> OpResult<()> {
    if state.db.behind().is_some() {
        return Ok(());
    }
    let mut global = state.db.worker_global().await?;
    let organisations = db::audit::organisations(&mut global).await?;
    global.commit().await?;
    for organisation in organisations {
        sweep_of(state, organisation).await?;
    }
    Ok(())
}

async fn sweep_of(state: &AppState, organisation: OrganisationId) -> OpResult<()> {
    let (objects, before) = (&state.config.object_store, state.clock.now() - UNNAMED);
    let mut swept = 0;
    let mut found = objects.older(organisation, before).await?.chunks(SWEPT);
    while let Some(old) = found.next().await {
        let old = old.into_iter().collect::<OpResult<Vec<_>>>()?;
        let mut tx = state.db.worker(organisation).await?;
        let named = db::files::named_objects(&mut tx, &old).await?;
        tx.commit_quietly().await?;
        for object in old.into_iter().filter(|object| !named.contains(object)) {
            objects.delete(organisation, object).await?;
            swept += 1;
        }
    }
    if swept > 0 {
        tracing::info!(%organisation, swept, "files.swept");
    }
    Ok(())
}
