//! Files into the database and out of it, a part at a time.

use crate::{
    db::{self, Tx, files::PART},
    error::{OpError, OpResult},
    spool::{BLOCK, Spool, SpoolInput, SpoolWriter},
    state::AppState,
};
use sha2::{Digest, Sha256};
use std::io::Read;

/// Keeps a file under its hash.
pub async fn keep(state: &AppState, tx: &mut Tx, file: &Spool) -> OpResult<()> {
    let now = state.clock.now();
    let (mut input, mut part) = next(file.input()).await?;
    if file.len() <= PART as u64 {
        db::files::keep(tx, file.sha256(), Some(&part), now).await?;
        return Ok(());
    }
    if !db::files::keep(tx, file.sha256(), None, now).await? {
        return Ok(());
    }
    let mut hash = Sha256::new();
    for number in 1.. {
        if part.is_empty() {
            break;
        }
        hash.update(&part);
        db::files::add_part(tx, file.sha256(), number, &part).await?;
        (input, part) = next(input).await?;
    }
    match hash.finalize()[..] == file.sha256()[..] {
        true => Ok(()),
        false => Err(OpError::internal("the file is not what was checked")),
    }
}

async fn next(mut input: SpoolInput) -> OpResult<(SpoolInput, Vec<u8>)> {
    let work = move || {
        let mut part = Vec::new();
        input.by_ref().take(PART as u64).read_to_end(&mut part).map(|_| (input, part))
    };
    tokio::task::spawn_blocking(work).await.map_err(OpError::failed)?.map_err(OpError::failed)
}

/// A file that was kept; none where it is not there.
pub async fn load(state: &AppState, tx: &mut Tx, sha256: &[u8]) -> OpResult<Option<Spool>> {
    const { assert!(PART <= BLOCK) };
    let mut writer = SpoolWriter::new(&state.config.spool_dir());
    let mut parts = 0;
    while let Some(part) = db::files::part(tx, sha256, parts + 1).await? {
        writer.write(&part).await.map_err(OpError::failed)?;
        parts += 1;
    }
    if parts == 0 {
        return Ok(None);
    }
    writer.finish().await.map(Some).map_err(OpError::failed)
}
