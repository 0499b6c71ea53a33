//! What is declared after going back to a backup: the heads of what came after it name entries that are gone.

use super::{
    heads::{Head, Restored},
    sealer,
};
use crate::{
    db::{self, Tx, audit::chain},
    domain::ids::OrganisationId,
    error::OpResult,
    state::AppState,
};
use serde_json::json;

/// The act of a declared restore in the audit trail.
pub const RESTORED: &str = "audit.restored";

/// What a declared restore means for one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestorePoint {
    /// Whose.
    pub organisation: OrganisationId,
    /// The last entry that the backup has; 0 when it has none.
    pub kept: i64,
    /// The last entry that was signed before and is gone; none when nothing that was signed is missing.
    pub lost: Option<i64>,
}

/// Declares that the database was restored from a backup. To be called once after a restore, on the machine whose data
/// folder was in use before it, with the server stopped or refusing to send.
///
/// Where the data folder's signed head is ahead of the chain of an organisation, or the chain has gone another way
/// since, an entry `audit.restored` is written and chained at once. It carries a signed declaration of the gap (from
/// the first lost entry to the last signed one), which is written to the data folder as well: from then on the sealer
/// signs heads again, and `batchdesk audit verify` passes and names the gap, also against heads of before the restore
/// that were kept elsewhere. Heads that were made after the declaration are not excused by it, nor are those of any
/// other gap. Without the secret key nobody can declare one. An organisation that the backup does not have at all is
/// declared in the data folder and the log alone.
///
/// Doing it again declares nothing new. Processes with data folders of their own take the declaration from the chain;
/// one whose folder had a newer head than this one declares it again from there.
pub async fn declare_restored(state: &AppState) -> OpResult<Vec<RestorePoint>> {
    let mut folder = sealer::hold(state).await?;
    let mut global = state.db.worker_global().await?;
    let organisations = db::audit::organisations(&mut global).await?;
    global.commit().await?;
    let mut points = Vec::new();
    for organisation in &organisations {
        let old = folder.heads.newest(*organisation).cloned();
        let mut tx = state.db.worker(*organisation).await?;
        while db::audit::seal(&mut tx).await? > 0 {}
        let gap = match &old {
            Some(old) => gap(state, &mut tx, old).await?,
            None => None,
        };
        let Some(gap) = gap else {
            let kept = chain::tip(&mut tx).await?.map_or(0, |tip| tip.sequence);
            tx.commit().await?;
            points.push(RestorePoint { organisation: *organisation, kept, lost: None });
            continue;
        };
        let (kept, lost, declared) = (gap.kept, gap.lost, gap.signed(&state.config.secret_key));
        let detail = json!({ "kept": kept, "lost": lost, "declared": declared });
        super::record_own(state, &mut tx, RESTORED, Some(organisation.0), detail).await?;
        while db::audit::seal(&mut tx).await? > 0 {}
        tx.commit().await?;
        tracing::warn!(%organisation, kept, lost, declared, "audit.restored");
        folder.heads.restores.push(gap);
        points.push(RestorePoint { organisation: *organisation, kept, lost: Some(lost) });
    }
    let (there, gone): (Vec<Head>, Vec<Head>) = std::mem::take(&mut folder.heads.heads)
        .into_iter()
        .partition(|head| organisations.contains(&head.organisation));
    folder.heads.heads = there;
    for head in gone {
        let restored = Restored {
            organisation: head.organisation,
            kept: 0,
            kept_hash: Vec::new(),
            lost: head.sequence,
            lost_at: head.at,
            at: state.clock.now(),
        };
        let (organisation, declared) = (head.organisation, restored.signed(&state.config.secret_key));
        tracing::warn!(%organisation, kept = 0, lost = head.sequence, declared, "audit.restored");
        points.push(RestorePoint { organisation, kept: 0, lost: Some(head.sequence) });
        folder.heads.restores.push(restored);
    }
    sealer::write(state, folder).await?;
    // The heads go on from here.
    sealer::signed_heads(state).await?;
    Ok(points)
}

/// What is missing of what the head names; none when the chain holds it.
async fn gap(state: &AppState, tx: &mut Tx, old: &Head) -> OpResult<Option<Restored>> {
    if chain::hash_at(tx, old.sequence).await?.as_ref() == Some(&old.hash) {
        return Ok(None);
    }
    // What was written since the restore, by whoever signed in, say, is none of what the backup has.
    let kept = chain::last_until(tx, old.sequence - 1, old.at).await?;
    Ok(Some(Restored {
        organisation: old.organisation,
        kept,
        kept_hash: chain::hash_at(tx, kept).await?.unwrap_or_default(),
        lost: old.sequence,
        lost_at: old.at,
        at: state.clock.now(),
    }))
}
