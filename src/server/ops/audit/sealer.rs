//! The sealer: chains what waits, then signs where the chains end.

use super::{
    RESTORED,
    heads::{self, Folder, Head, Heads, Restored},
};
use crate::{
    db::{self, Tx, audit::chain},
    domain::ids::OrganisationId,
    error::{OpError, OpResult},
    state::AppState,
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it chains, and at most signs.
const EVERY: Duration = Duration::from_secs(1);
/// How often it signs the ends of chains that other processes have made longer, each of which has a data folder of its
/// own.
const OTHERS: Duration = Duration::from_secs(60);
/// Turns of one organisation, of 1,000 entries each, before the next has its turn.
const TURNS: u32 = 20;

/// Chains everything that waits, of every organisation, and signs the new ends; returns how many entries were chained.
pub async fn seal_all(state: &AppState) -> OpResult<u64> {
    let mut global = state.db.worker_global().await?;
    let organisations = db::audit::backlog(&mut global).await?;
    global.commit().await?;
    let mut sealed = 0;
    for organisation in &organisations {
        for _ in 0..TURNS {
            let mut tx = state.db.worker(*organisation).await?;
            let chained = u64::from(db::audit::seal(&mut tx).await?.unsigned_abs());
            tx.commit().await?;
            sealed += chained;
            if chained < 1_000 {
                break;
            }
        }
    }
    if !organisations.is_empty() {
        sign(state, organisations).await?;
    }
    Ok(sealed)
}

/// Chains every second until `soft` is set, and once more then.
pub async fn run_sealer(state: AppState, soft: CancellationToken) {
    let mut others = Instant::now();
    loop {
        let stopping = tokio::select! {
            () = soft.cancelled() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        if let Err(error) = seal_all(&state).await {
            tracing::warn!(%error, "audit.seal_failed");
        }
        if stopping {
            return;
        }
        if Instant::now() >= others {
            others = Instant::now() + OTHERS;
            if let Err(error) = signed_heads(&state).await {
                tracing::warn!(%error, "audit.sign_failed");
            }
        }
    }
}

/// The heads of every organisation, signed anew where the chain has grown.
pub async fn signed_heads(state: &AppState) -> OpResult<Vec<Head>> {
    let mut global = state.db.worker_global().await?;
    let organisations = db::audit::organisations(&mut global).await?;
    global.commit().await?;
    sign(state, organisations).await
}

/// The data folder's heads as they are now.
pub(super) async fn read_heads(state: &AppState) -> OpResult<Heads> {
    let (folder, key) = (state.config.data_dir.clone(), state.config.secret_key.clone());
    in_folder(state, move || heads::read(&folder, &key)).await
}

/// The data folder's heads, held alone.
pub(super) async fn hold(state: &AppState) -> OpResult<Folder> {
    let (folder, key) = (state.config.data_dir.clone(), state.config.secret_key.clone());
    in_folder(state, move || Folder::hold(&folder, &key)).await
}

/// Writes them back and lets them go.
pub(super) async fn write(state: &AppState, folder: Folder) -> OpResult<()> {
    let key = state.config.secret_key.clone();
    in_folder(state, move || folder.write(&key)).await
}

async fn in_folder<T: Send + 'static>(
    state: &AppState,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> OpResult<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(OpError::failed)?;
    done.map_err(|error| {
        let path = state.config.data_dir.join(heads::FILE);
        OpError::caused(path.display(), error)
    })
}

/// Signs where these chains end now, and answers the heads of the data folder. A chain that does not hold the end that
/// was signed before gets no new head: it would hide what is missing.
async fn sign(state: &AppState, organisations: Vec<OrganisationId>) -> OpResult<Vec<Head>> {
    let mut folder = hold(state).await?;
    let mut grown = Vec::new();
    for organisation in organisations {
        let mut tx = state.db.worker(organisation).await?;
        let old = folder.heads.newest(organisation);
        match next(state, &mut tx, old, &folder.heads.restores).await? {
            Next::Same => {}
            Next::Grown(head) => grown.push(head),
            Next::Contradicted(head) => tracing::error!(
                %organisation,
                entry = head.sequence,
                hint = "the chain does not hold the end that was signed: run `batchdesk audit verify`",
                "audit.head_contradicted"
            ),
        }
        tx.commit().await?;
    }
    if grown.is_empty() {
        return Ok(folder.heads.heads);
    }
    let signed: BTreeSet<OrganisationId> = grown.iter().map(|head| head.organisation).collect();
    folder.heads.heads.retain(|head| !signed.contains(&head.organisation));
    folder.heads.heads.extend(grown.iter().cloned());
    let heads = folder.heads.heads.clone();
    write(state, folder).await?;
    for head in &grown {
        tracing::info!(head = %head.signed(&state.config.secret_key), "audit.head");
    }
    Ok(heads)
}

enum Next {
    /// It ends where it did, or is not begun.
    Same,
    /// It holds the old end and goes on from there, or from a declared restore.
    Grown(Head),
    /// It does not hold this one.
    Contradicted(Head),
}

async fn next(state: &AppState, tx: &mut Tx, old: Option<&Head>, restores: &[Restored]) -> OpResult<Next> {
    let tip = chain::tip(tx).await?;
    if let Some(old) = old
        && chain::hash_at(tx, old.sequence).await?.as_ref() != Some(&old.hash)
    {
        let mut explained = restores.iter().any(|restored| restored.explains(old));
        for detail in chain::details(tx, RESTORED).await? {
            let read = Heads::read(&state.config.secret_key, &detail);
            explained |= read.restores.iter().any(|restored| restored.explains(old));
        }
        if !explained {
            return Ok(Next::Contradicted(old.clone()));
        }
    }
    let Some(tip) = tip.filter(|tip| old.is_none_or(|old| (old.sequence, &old.hash) != (tip.sequence, &tip.hash)))
    else {
        return Ok(Next::Same);
    };
    Ok(Next::Grown(Head {
        organisation: tx.organisation(),
        sequence: tip.sequence,
        hash: tip.hash,
        at: state.clock.now(),
        position: chain::position(tx).await?,
    }))
}
