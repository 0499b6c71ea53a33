//! The audit trail on the command line.

use super::{Failure, commands::with_state};
use crate::server::{ops::audit, state::AppState};
use std::{fs, path::PathBuf};

#[derive(clap::Subcommand, Debug)]
pub(super) enum AuditCommand {
    /// Check the chain of every organisation against the signed heads; exit code 1 when one is broken, 2 when it cannot
    /// be checked
    Verify {
        /// A file with heads that were kept elsewhere, as `audit head` prints them or the log has them; may be given
        /// several times
        #[arg(long, value_name = "FILE")]
        head: Vec<PathBuf>,
    },
    /// Print the signed end of every chain, to be kept where the database's administrators cannot change it
    Head,
}

/// `audit …`.
pub(super) async fn audit(command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify { head } => verify(head).await,
        AuditCommand::Head => {
            let signed = async |state: &AppState| {
                let heads = audit::signed_heads(state).await?;
                Ok(heads.iter().map(|head| head.signed(&state.config.secret_key)).collect::<Vec<_>>())
            };
            with_state(signed).await?.iter().for_each(|head| println!("{head}"));
            Ok(())
        }
    }
}

async fn verify(files: Vec<PathBuf>) -> Result<(), Failure> {
    let read = |file: &PathBuf| match fs::read(file) {
        Ok(bytes) => Ok(audit::KeptHead {
            place: file.display().to_string(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }),
        Err(error) => Err(Failure::unusable(format!("{} cannot be read: {error}.", file.display()))),
    };
    let kept = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    // A trail that cannot be checked is not one that was changed.
    let checked = with_state(async |state| Ok(audit::verify(state, &kept).await)).await?;
    let reports = checked.map_err(|error| Failure { code: 2, ..Failure::from(error) })?;
    for report in &reports {
        let name = report.organisation.as_deref().unwrap_or("Signed heads");
        let waiting = if report.waiting > 0 { format!(", {} not chained yet", report.waiting) } else { String::new() };
        match (report.is_sound(), &report.organisation) {
            (true, _) => println!("{name}: {} entries, the chain is sound{waiting}", report.sealed),
            (false, Some(_)) => println!("{name}: {} entries, the trail is BROKEN{waiting}", report.sealed),
            (false, None) => println!("{name}: BROKEN"),
        }
        report.findings.iter().for_each(|finding| println!("  {finding}"));
        if report.unlisted > 0 {
            println!("  and {} more", report.unlisted);
        }
        report.notes.iter().for_each(|note| println!("  note: {note}"));
    }
    if reports.iter().any(|report| !report.is_sound()) {
        return Err(Failure::undone(
            "The audit trail is not what it was. Keep the database and the data folder as they are, and look into it.",
        ));
    }
    Ok(())
}
