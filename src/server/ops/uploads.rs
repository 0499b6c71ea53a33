//! From a dropped file to a batch, or to findings.

mod create;
mod intake;

pub(super) use create::{SentRow, look_alikes, taken_finding};

use super::{
    access::{Caller, authorise},
    views,
};
use crate::{
    db::{self, Tx, drafts::DraftRow, gateways::GatewayRow, organisations::OrganisationRow},
    domain::{
        access::Right,
        error::RefusalKind,
        finding::FindingCode,
        ids::{BatchId, DraftId, GatewayId},
        limits::{Limits, size_text},
        operation::{Operation, Work},
        text::{DESCRIPTION, normalised, turns},
        view::{DraftView, NewBatch, Repeat},
    },
    error::{OpError, OpResult},
    files::{self, Loaded},
    formats::{
        cards::card_number,
        findings::fit,
        sheet::{self, Sheet},
    },
    gateway,
    spool::Spool,
    state::AppState,
};
use create::{BatchContext, Created, File, Sure, create, repeats};
use intake::{Intake, Prospect, Source};
use std::sync::Arc;
use time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Drafts of a person that are kept; the oldest gives way to a new one.
const DRAFTS: i64 = 50;
/// How far back repeats are looked for.
pub(super) const REPEAT_WINDOW: Duration = Duration::days(30);

/// A file as it was sent.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// Name as the browser gave it; cleaned before it is stored.
    pub file_name: String,
    /// The bytes as they came. Empty when no file was chosen and `kept` names one.
    pub bytes: Spool,
    /// Description typed beside the file; the draft's is used when empty.
    pub description: String,
    /// The draft that holds the description.
    pub draft: Option<DraftId>,
    /// The draft that holds the file of an earlier try, when no new file was chosen.
    pub kept: Option<DraftId>,
    /// The rows of the file, where they were typed and the file was written of them.
    pub rows: Option<Arc<Sheet>>,
    /// "Upload it again anyway".
    pub confirm_repeat: bool,
    /// "Upload it anyway": the seal of the warnings that it was shown with, or `1` for those of the file that comes
    /// with it.
    pub confirm_warnings: String,
    /// What the operation's switch was set to; where it has none, nothing.
    pub switch: bool,
}

impl Upload {
    /// Rows that were typed, and the file that somebody would have written of them.
    pub fn of_rows(file_name: String, rows: Sheet) -> Self {
        let bytes = sheet::write(&rows).into_bytes().into();
        Self { file_name, bytes, rows: Some(Arc::new(rows)), ..Self::default() }
    }

    fn has_file(&self) -> bool {
        !self.bytes.is_empty() || !self.file_name.is_empty()
    }
}

/// The ticks "anyway" of a form: each holds the seal of what it was shown with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks<'a> {
    /// What went out before is meant.
    pub repeats: &'a str,
    /// What was warned of is meant.
    pub warnings: &'a str,
}

/// What became of a file.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// It was clean: the batch is made.
    Batch(BatchId),
    /// Nothing was made but a draft of the uploader's own: findings, or what is to be confirmed.
    Draft(Box<DraftView>),
}

/// The page that takes a file, with the draft if it is the caller's own. Needs ReadWrite.
pub async fn new_batch(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    draft: Option<DraftId>,
) -> OpResult<NewBatch> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let organisation = organisation(&mut tx).await?;
    let maker_checker = db::approval_rules::is_needed(&mut tx, operation).await?;
    let approvers = if maker_checker {
        db::organisations::members_with(&mut tx, operation.module(), Right::Approve, caller.person.id).await?
    } else {
        Vec::new()
    };
    let gateway = super::gateways::chosen_for(&mut tx, operation).await?;
    let external = match operation.work() {
        Work::Send(_) | Work::Import => None,
        Work::Query => db::orders::external_system(&mut tx).await?,
    };
    let draft = match draft {
        None => None,
        Some(id) => db::drafts::load(&mut tx, operation, id, state.clock.now())
            .await?
            .map(|row| view(operation, id, row))
            .transpose()?,
    };
    tx.commit().await?;
    Ok(NewBatch {
        operation,
        maker_checker,
        approvers,
        limits: limits(state, &organisation, operation),
        currency: gateway.as_ref().map_or(organisation.reference.currency, |row| {
            gateway::currency(&row.connector, organisation.reference.currency)
        }),
        gateway: gateway.map(|gateway| views::connection::gateway_name(&gateway)),
        external: external.filter(|system| system.enabled).map(|system| super::external::host(&system.url)),
        draft,
    })
}

/// Keeps the description of a request (1 to 500 characters) before its file. Needs ReadWrite.
pub async fn describe(state: &AppState, caller: &Caller, operation: Operation, text: &str) -> OpResult<DraftId> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    let description = checked_description(text)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = DraftRow { description, findings: "[]".into(), repeats: "[]".into(), ..DraftRow::default() };
    let id = keep(state, &mut tx, operation, &row).await?;
    tx.commit().await?;
    Ok(id)
}

/// What an upload is taken under: looked up once, before a byte of it is read.
#[derive(Debug)]
pub struct Admitted {
    organisation: OrganisationRow,
    /// Where the batch will go, if it goes anywhere; why not, where it can go nowhere.
    gateway: OpResult<Option<GatewayRow>>,
    /// What the file may have.
    pub limits: Limits,
}

/// Whether the caller may upload, and how much. Needs ReadWrite.
pub async fn admit(state: &AppState, caller: &Caller, operation: Operation) -> OpResult<Admitted> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let organisation = organisation(&mut tx).await?;
    let gateway = super::gateways::for_new_batch(&mut tx, operation).await;
    tx.commit_quietly().await?;
    let limits = limits(state, &organisation, operation);
    Ok(Admitted { organisation, gateway, limits })
}

/// Checks a file and makes the batch when it is clean. Needs ReadWrite.
pub async fn submit(state: &AppState, caller: &Caller, operation: Operation, upload: Upload) -> OpResult<Submitted> {
    let admitted = admit(state, caller, operation).await?;
    submit_admitted(state, caller, operation, admitted, upload).await
}

/// The same of an upload that was admitted before it was sent.
pub async fn submit_admitted(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    Admitted { organisation, gateway, limits }: Admitted,
    upload: Upload,
) -> OpResult<Submitted> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    let gateway = gateway?;
    let has_file = upload.has_file();
    // A file that was kept is read before the transaction that makes a batch of it.
    let (file_name, spool) = match has_file {
        true => (clean_name(&upload.file_name), upload.bytes.clone()),
        false => kept_file(state, caller, operation, &upload).await?.ok_or_else(|| {
            OpError::refuse(RefusalKind::Invalid, "No file was chosen. Choose a CSV file and upload it.")
        })?,
    };
    if spool.len() > limits.bytes {
        return Err(OpError::refuse(
            RefusalKind::TooLarge,
            format!(
                "File too large: {file_name} has {}, at most {} are taken. Split it and upload the parts.",
                size_text(spool.len()),
                size_text(limits.bytes)
            ),
        ));
    }
    let home = organisation.reference.currency;
    let currency = gateway.as_ref().map(|gateway| gateway::currency(&gateway.connector, home));
    let gateway = gateway.map(|row| GatewayId(row.id));
    let options = operation.options(upload.switch);
    let batch = BatchId(Uuid::now_v7());
    let _turn = state.intakes.turn(caller.organisation.id, operation, spool.len()).await;
    let source = Source { operation, spool, rows: upload.rows.clone(), currency, limits };
    // Before the transaction: a large file takes its time.
    let placement = files::place(state, caller.organisation.id, &source.spool).await?;
    let (mut tx, checked, repeats) = examine(state, caller, &source, gateway, batch, &options).await?;
    if !may_be_kept(&checked) {
        files::discard(state, caller.organisation.id, placement).await;
    }
    let Drafts { described, kept } = drafts(state, &mut tx, operation, &upload).await?;
    let description = [&upload.description]
        .into_iter()
        .chain(described.as_ref().map(|row| &row.description))
        .chain(kept.as_ref().map(|row| &row.description))
        .find(|text| !text.trim().is_empty())
        .cloned()
        .unwrap_or_default();
    // The page asks for a description first where a checker must decide; a script may leave it out.
    let description = if description.is_empty() { description } else { checked_description(&description)? };
    let checked = Arc::new(checked);
    let mut file = File { batch, name: file_name, source, description, options, checked, repeats, placement };
    if file.checked.errors > 0 {
        file.repeats.clear();
        return keep_findings(state, tx, operation, &file).await;
    }
    let sure = sure(&upload, kept.as_ref(), &file)?;
    let under = BatchContext { organisation: &organisation, gateway, currency };
    match create(state, tx, caller, under, &file, sure, [upload.draft, upload.kept]).await? {
        Created::Batch(batch) => Ok(Submitted::Batch(batch)),
        Created::Unconfirmed(tx) => keep_findings(state, tx, operation, &file).await,
        Created::IdsTaken(tx, taken) => {
            let errors = taken.len() as u64;
            file.checked = Arc::new(Intake {
                findings: fit(taken, errors, 0),
                rows: file.checked.rows,
                errors,
                ..Intake::default()
            });
            file.repeats.clear();
            keep_findings(state, tx, operation, &file).await
        }
    }
}

/// Checks a file, and looks for what went out before, in the transaction that makes a batch of it.
async fn examine(
    state: &AppState,
    caller: &Caller,
    source: &Source,
    gateway: Option<GatewayId>,
    batch: BatchId,
    options: &str,
) -> OpResult<(Tx, Intake, Vec<Repeat>)> {
    let (organisation, operation) = (caller.organisation.id, source.operation);
    let (publisher, instructed) = mpsc::channel(1);
    let prospect = gateway.map(|gateway| Prospect {
        organisation,
        batch,
        head: format!("{}|{organisation}|{gateway}|{options}\n", operation.code()),
        folder: state.config.spool_dir(),
        instructed: publisher,
    });
    let mut checked = None;
    if prospect.is_none() {
        // The source of an import may be so large that no transaction should wait for it.
        checked = Some(source.clone().check(None).await?);
    }
    let mut tx = state.db.web(organisation, Some(caller.person.id)).await?;
    // The same thing twice at once (a double click) is a repeat, too: the second looks when the first is there.
    db::batches::one_at_a_time(&mut tx, operation).await?;
    let check = async {
        match checked {
            Some(checked) => Ok(checked),
            None => source.clone().check(prospect).await,
        }
    };
    let (checked, repeats) = tokio::try_join!(check, repeats(state, &mut tx, caller, source, instructed))?;
    Ok((tx, checked, repeats))
}

/// What the person said is meant. A tick belongs to the file of the draft that it was shown with, and to what was found
/// in it then.
fn sure(upload: &Upload, kept: Option<&DraftRow>, file: &File) -> OpResult<Sure> {
    let same = match (upload.kept, kept) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(_), Some(row)) => row.file_sha256.as_deref() == Some(file.source.spool.sha256()),
    };
    let asked = &file.checked.seal;
    let warnings = match upload.confirm_warnings.as_str() {
        "1" | "on" | "true" => same && kept.is_none_or(|row| findings_text(file).is_ok_and(|now| now == row.findings)),
        seal => seal == asked,
    };
    Ok(Sure { repeats: upload.confirm_repeat && same, warnings: asked.is_empty() || warnings })
}

fn findings_text(file: &File) -> OpResult<String> {
    serde_json::to_string(&file.checked.findings).map_err(OpError::failed)
}

/// A file with the number of a card is not kept.
fn may_be_kept(checked: &Intake) -> bool {
    !checked.findings.iter().any(|finding| finding.code == FindingCode::CardNumber)
}

async fn keep_findings(state: &AppState, mut tx: Tx, operation: Operation, file: &File) -> OpResult<Submitted> {
    let kept = may_be_kept(&file.checked);
    let row = DraftRow {
        description: file.description.clone(),
        file_name: file.name.clone(),
        file_sha256: kept.then(|| file.source.spool.sha256().to_vec()),
        file_bytes: i64::try_from(file.source.spool.len()).unwrap_or(i64::MAX),
        rows: i64::try_from(file.checked.rows).unwrap_or(i64::MAX),
        findings: findings_text(file)?,
        repeats: serde_json::to_string(&file.repeats).map_err(OpError::failed)?,
        options: file.options.clone(),
    };
    if kept {
        files::keep(state, &mut tx, &file.source.spool, file.placement).await?;
    }
    let id = keep(state, &mut tx, operation, &row).await?;
    tx.commit().await?;
    Ok(Submitted::Draft(Box::new(view(operation, id, row)?)))
}

async fn keep(state: &AppState, tx: &mut Tx, operation: Operation, row: &DraftRow) -> OpResult<DraftId> {
    let id = DraftId(Uuid::now_v7());
    db::drafts::insert(tx, operation, id, row, state.clock.now()).await?;
    db::drafts::keep_newest(tx, DRAFTS).await?;
    Ok(id)
}

/// What an upload refers to.
#[derive(Default)]
struct Drafts {
    described: Option<DraftRow>,
    kept: Option<DraftRow>,
}

/// The drafts that an upload names.
async fn drafts(state: &AppState, tx: &mut Tx, operation: Operation, upload: &Upload) -> OpResult<Drafts> {
    let now = state.clock.now();
    let mut found = [None, None];
    for (place, named) in found.iter_mut().zip([upload.draft, upload.kept]) {
        if let Some(id) = named {
            *place = db::drafts::load(tx, operation, id, now).await?;
        }
    }
    let [described, kept] = found;
    Ok(Drafts { described, kept })
}

/// The file of an earlier try, where no new one was chosen.
async fn kept_file(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    upload: &Upload,
) -> OpResult<Option<(String, Spool)>> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let Drafts { described, kept } = drafts(state, &mut tx, operation, upload).await?;
    let mut file = None;
    if let Some(DraftRow { file_name, file_sha256: Some(sha256), .. }) = kept.or(described) {
        file = match files::load(state, tx, &sha256).await? {
            Loaded::Gone => None,
            loaded => Some((file_name.clone(), loaded.whole(&file_name)?)),
        };
    } else {
        tx.commit_quietly().await?;
    }
    Ok(file)
}

async fn organisation(tx: &mut Tx) -> OpResult<OrganisationRow> {
    db::organisations::load(tx).await?.ok_or_else(|| OpError::not_found("organisation"))
}

fn limits(state: &AppState, organisation: &OrganisationRow, operation: Operation) -> Limits {
    operation.limits().within(organisation.row_limit, state.config.ceilings())
}

fn checked_description(text: &str) -> OpResult<String> {
    let text = DESCRIPTION.read_filled(text, "Describe the request, so that the checker knows what it is for.")?;
    if let Some(last) = card_number(&text) {
        return Err(OpError::refuse(
            RefusalKind::Invalid,
            format!(
                "The description holds the number of a payment card, ending in {last}. Take it out: such numbers must \
                 not be kept here."
            ),
        ));
    }
    Ok(text)
}

fn view(operation: Operation, id: DraftId, row: DraftRow) -> OpResult<DraftView> {
    Ok(DraftView {
        id,
        switch: operation.switched(&row.options),
        description: row.description,
        file_name: row.file_name,
        file_bytes: u64::try_from(row.file_bytes).unwrap_or(0),
        rows: u64::try_from(row.rows).unwrap_or(0),
        findings: serde_json::from_str(&row.findings).map_err(OpError::failed)?,
        repeats: serde_json::from_str(&row.repeats).map_err(OpError::failed)?,
    })
}

/// A name that is safe to show, to store and to send back: no path, no control or direction characters, at most 200,
/// and in the form in which names are searched.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let hidden = |c: char| c.is_control() || turns(c) || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}');
    // No file system has a longer name than this; what is longer was never one.
    let last: String = last.chars().filter(|c| !hidden(*c)).take(1_000).collect();
    let name: String = normalised(&last).chars().take(200).collect();
    let name = name.trim().trim_matches('.').trim();
    if name.is_empty() { "upload.csv".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_file_names_lose_what_is_hostile() {
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name("C:\\Users\\a\\refunds oct.csv"), "refunds oct.csv");
        assert_eq!(clean_name("re\u{202e}vsc.exe\r\nSet-Cookie: a"), "revsc.exeSet-Cookie: a");
        assert_eq!(clean_name(".."), "upload.csv");
        assert_eq!(clean_name("\0"), "upload.csv");
        assert_eq!(clean_name("<script>.csv"), "<script>.csv");
        assert_eq!(clean_name(&"x".repeat(5000)).len(), 200);
        assert_eq!(clean_name("cafe\u{301}.csv"), "caf\u{e9}.csv", "as another computer writes the same name");
    }

    #[test]
    fn a_description_has_something_to_say() {
        assert!(checked_description("  ").is_err());
        assert!(checked_description(&"x".repeat(501)).is_err());
        let card = checked_description("refund to 4111 1111 1111 1111").unwrap_err();
        assert!(card.refusal.message.contains("ending in 1111") && !card.refusal.message.contains("4111"));
        assert_eq!(checked_description(" Diwali returns ").unwrap(), "Diwali returns");
    }
}
