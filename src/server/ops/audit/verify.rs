//! The check of the audit trail: every link of every chain, what stands beside the chains, and the signed heads.

use super::{
    hash,
    heads::{Head, Heads},
    sealer,
};
use crate::{
    db::{
        self, Tx,
        audit::chain::{self, Position, Stray},
    },
    domain::{error::RefusalKind, ids::OrganisationId},
    error::{OpError, OpResult},
    ops::time_format,
    state::AppState,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Links that are read by one statement.
const PAGE: i64 = 20_000;
/// Findings of an organisation that are kept; more are counted.
const MOST: usize = 1_000;

/// Something that must not be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The entry of this place is not there.
    Gone(i64),
    /// The entry of this place, or its link, is not what was chained.
    Changed(i64),
    /// The link of this place does not follow from the one before it.
    Unlinked(i64),
    /// Places that are not in the chain though later ones are.
    Missing(i64, i64),
    /// A place that is there twice.
    Twice(i64),
    /// An entry that is neither chained nor waits for it.
    Loose(Stray),
    /// An entry that waits although it is chained.
    ChainedAndWaiting(Stray),
    /// A place in the queue without its entry.
    WaitingForNothing(Stray),
    /// A batch whose making no entry tells of.
    UnrecordedBatch(Stray),
    /// An organisation without any entry: its making was one.
    Empty,
    /// The chain ends before the signed head, in the database that the head was made of.
    CutOff {
        /// The last place that is there.
        after: i64,
        /// The head.
        head: Head,
    },
    /// The database is one from before the head: it was restored from a backup.
    Older {
        /// The last place that is there.
        after: i64,
        /// The head.
        head: Head,
    },
    /// Another link stands at the place of the signed head.
    Contradicted(Head),
    /// A head of an organisation that is not there.
    NoOrganisation(Head),
    /// A head that is not signed with this key, by where it was read and its line.
    Unsigned(String, usize),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed =
            |head: &Head| format!("the signed head names entry {} ({})", head.sequence, time_format::utc(head.at));
        match self {
            Self::Gone(place) => {
                write!(f, "entry {place} was removed: the chain has its place, and there is no such entry")
            }
            Self::Changed(place) => write!(f, "entry {place} was changed after it was chained"),
            Self::Unlinked(place) => write!(f, "entry {place} does not follow from the one before it"),
            Self::Missing(from, to) if from == to => write!(f, "entry {from} is not in the chain"),
            Self::Missing(from, to) => write!(f, "entries {from} to {to} are not in the chain"),
            Self::Twice(place) => write!(f, "entry {place} is in the chain more than once"),
            Self::Loose(Stray { id, action, at }) => {
                write!(f, "the entry {action:?} of {at} ({id}) is neither chained nor waits for it")
            }
            Self::ChainedAndWaiting(Stray { id, action, at }) => {
                write!(f, "the entry {action:?} of {at} ({id}) waits to be chained although it is")
            }
            Self::WaitingForNothing(Stray { id, .. }) => {
                write!(f, "an entry was removed before it was chained ({id})")
            }
            Self::UnrecordedBatch(Stray { id, action, at }) => {
                write!(f, "no entry tells of the batch {id} ({action:?}, {at})")
            }
            Self::Empty => write!(f, "there is no entry at all; the first is written when an organisation is made"),
            Self::CutOff { after, head } => write!(f, "cut off after entry {after}: {}", signed(head)),
            Self::Older { after, head } => write!(
                f,
                "the database is older than the head: it ends with entry {after}, {}. If you went back to a backup, \
                 run `batchdesk restored`",
                signed(head)
            ),
            Self::Contradicted(head) => {
                write!(
                    f,
                    "entry {} is not the one that the signed head of {} names",
                    head.sequence,
                    time_format::utc(head.at)
                )
            }
            Self::NoOrganisation(head) => {
                write!(f, "the organisation {} is not in the database; {}", head.organisation, signed(head))
            }
            Self::Unsigned(place, line) => write!(
                f,
                "{place}, line {line}: a head that is not signed with this BATCHDESK_SECRET_KEY: it was changed, or \
                 the key is another one"
            ),
        }
    }
}

/// What was found out about the audit trail of one organisation, or about heads of none.
#[derive(Clone, Debug, Default)]
pub struct AuditReport {
    /// Name of the organisation; none for what belongs to none that is there.
    pub organisation: Option<String>,
    /// Links that were read.
    pub sealed: i64,
    /// Entries that wait to be chained.
    pub waiting: i64,
    /// What must not be so.
    pub findings: Vec<Finding>,
    /// Further findings, not listed.
    pub unlisted: u64,
    /// What is so for a reason that is known.
    pub notes: Vec<String>,
}

impl AuditReport {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }
}

/// Heads that the chains are compared with, besides those of the data folder.
#[derive(Clone, Debug, Default)]
pub struct KeptHead {
    /// Where they come from.
    pub place: String,
    /// What it says.
    pub text: String,
}

/// Checks the audit trail of every organisation, against the heads of the data folder and those that were kept
/// elsewhere. All that is wrong is told, not the first of it.
pub async fn verify(state: &AppState, kept: &[KeptHead]) -> OpResult<Vec<AuditReport>> {
    let mut stray = AuditReport::default();
    // Before the database: a head that is written meanwhile would name what is read before it is there.
    let mut heads = sealer::read_heads(state).await?;
    let place = state.config.data_dir.join(super::heads::FILE).display().to_string();
    heads.unsigned.iter().for_each(|line| stray.add(Finding::Unsigned(place.clone(), *line)));
    for KeptHead { place, text } in kept {
        let read = Heads::read(&state.config.secret_key, text);
        if read == Heads::default() {
            let message =
                format!("{place}: there is no head in it. `batchdesk audit head` prints them; the log has them too.");
            return Err(OpError::refuse(RefusalKind::Invalid, message));
        }
        read.unsigned.iter().for_each(|line| stray.add(Finding::Unsigned(place.clone(), *line)));
        heads.heads.extend(read.heads);
        heads.restores.extend(read.restores);
    }
    let mut global = state.db.global().await?;
    let organisations: BTreeSet<OrganisationId> = db::audit::organisations(&mut global).await?.into_iter().collect();
    global.commit().await?;
    let mut reports = Vec::new();
    for organisation in &organisations {
        let mut tx = state.db.web(*organisation, None).await?;
        reports.push(check(state, &mut tx, &heads).await?);
        tx.commit().await?;
    }
    for head in heads.heads.iter().filter(|head| !organisations.contains(&head.organisation)) {
        if !heads.restores.iter().any(|restored| restored.explains(head)) {
            stray.add(Finding::NoOrganisation(head.clone()));
        }
    }
    if !stray.is_sound() {
        reports.push(stray);
    }
    Ok(reports)
}

async fn check(state: &AppState, tx: &mut Tx, heads: &Heads) -> OpResult<AuditReport> {
    let organisation = tx.organisation();
    let name = db::organisations::load(tx).await?.map(|row| row.reference.name);
    let mut report = AuditReport {
        organisation: Some(name.unwrap_or_else(|| organisation.to_string())),
        waiting: chain::waiting(tx).await?,
        ..AuditReport::default()
    };
    // A restore that was declared is written in the chain itself as well, signed.
    let mut restores: Vec<_> =
        heads.restores.iter().filter(|restored| restored.organisation == organisation).cloned().collect();
    for detail in chain::details(tx, super::RESTORED).await? {
        let read = Heads::read(&state.config.secret_key, &detail);
        restores.extend(read.restores.into_iter().filter(|restored| restored.organisation == organisation));
    }
    let mut wanted: BTreeMap<i64, Vec<&Head>> = BTreeMap::new();
    for head in heads.heads.iter().filter(|head| head.organisation == organisation) {
        let same = wanted.entry(head.sequence).or_default();
        if !same.iter().any(|other| other.hash == head.hash && other.at <= head.at) {
            same.push(head);
        }
    }
    let explained = |head: &Head| restores.iter().any(|restored| restored.explains(head));

    let end = links(tx, &mut report, &mut wanted, &explained).await?;
    for stray in chain::loose(tx, limit()).await? {
        report.add(Finding::Loose(stray));
    }
    for stray in chain::chained_and_waiting(tx, limit()).await? {
        report.add(Finding::ChainedAndWaiting(stray));
    }
    for stray in chain::waiting_for_nothing(tx, limit()).await? {
        report.add(Finding::WaitingForNothing(stray));
    }
    for stray in chain::batches_without_entry(tx, limit()).await? {
        report.add(Finding::UnrecordedBatch(stray));
    }
    if !chain::has_entries(tx).await? {
        report.add(Finding::Empty);
    }
    let position = chain::position(tx).await?;
    // What is left stands nowhere in the chain: inside it in a gap, or beyond its end, which one head says for all: the
    // last.
    let left = wanted.into_values().flatten().filter(|head| !explained(head)).cloned();
    let (inside, beyond): (Vec<Head>, Vec<Head>) = left.partition(|head| head.sequence <= end);
    inside.into_iter().for_each(|head| report.add(Finding::Contradicted(head)));
    if let Some(head) = beyond.into_iter().max_by_key(|head| head.sequence) {
        report.add(if is_older(position, &head) {
            Finding::Older { after: end, head }
        } else {
            Finding::CutOff { after: end, head }
        });
    }
    restores.sort_by_key(|restored| restored.at);
    restores.dedup();
    for restored in restores {
        let at = time_format::utc(restored.at);
        report.notes.push(format!(
            "entries {} to {} of before the restore that was declared at {at} are lost",
            restored.kept + 1,
            restored.lost
        ));
    }
    if report.sealed > 0 && !heads.heads.iter().any(|head| head.organisation == organisation) {
        report.notes.push("no signed head of it is known here: an end that was cut off would not be seen".to_owned());
    }
    Ok(report)
}

/// Reads the whole chain; takes out of `wanted` every head that stands in it. Returns the last place.
async fn links(
    tx: &mut Tx,
    report: &mut AuditReport,
    wanted: &mut BTreeMap<i64, Vec<&Head>>,
    explained: &(impl Fn(&Head) -> bool + Sync),
) -> OpResult<i64> {
    let organisation = tx.organisation();
    let mut hasher = hash::Hasher::default();
    let (mut end, mut previous) = (0, hash::root(organisation));
    loop {
        let (sealed, before) = (&mut *report, end);
        let read = chain::each_link(tx, before, PAGE, |link| {
            sealed.sealed += 1;
            if link.sequence == end {
                sealed.add(Finding::Twice(end));
            } else if link.sequence != end + 1 {
                sealed.add(Finding::Missing(end + 1, link.sequence - 1));
            } else if link.previous != previous {
                sealed.add(Finding::Unlinked(link.sequence));
            }
            match hasher.hash(organisation, &link) {
                None => sealed.add(Finding::Gone(link.sequence)),
                Some(hash) if hash != link.hash => sealed.add(Finding::Changed(link.sequence)),
                Some(_) => {}
            }
            for head in wanted.remove(&link.sequence).unwrap_or_default() {
                if head.hash != link.hash && !explained(head) {
                    sealed.add(Finding::Contradicted(head.clone()));
                }
            }
            end = link.sequence;
            previous.clear();
            previous.extend_from_slice(link.hash);
        })
        .await?;
        // A page that ended where it began would be read for ever.
        if read < PAGE || end <= before {
            break;
        }
    }
    Ok(end)
}

/// Whether the database is one from before the head was made: another cluster, or fewer transactions.
fn is_older(position: Position, head: &Head) -> bool {
    position.cluster != head.position.cluster || position.transaction < head.position.transaction
}

fn limit() -> i64 {
    i64::try_from(MOST).unwrap_or(i64::MAX)
}
