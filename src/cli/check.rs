//! `check`: the validator of uploads on the command line.

use super::Failure;
use crate::{
    domain::{
        finding::{Finding, Severity},
        limits::{Ceilings, Profile},
        money::Currency,
        operation::Operation,
    },
    formats::{findings::fit, registry},
};
use std::{io::Write, path::PathBuf};

#[derive(clap::Args, Debug)]
pub(super) struct CheckArgs {
    /// What the file is for: refund, order_sync
    operation: String,
    /// The file
    file: PathBuf,
    /// Currency of the amounts
    #[arg(long, default_value = "INR")]
    currency: Currency,
    /// Most data rows
    #[arg(long, default_value_t = Profile::TABLE.rows)]
    max_rows: u32,
}

/// Prints one line for each finding, in file order.
pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let unusable = |why: String| Failure::unusable(why);
    let Some(operation) = Operation::from_code(&args.operation) else {
        let known = Operation::ALL.map(Operation::code).join(", ");
        return Err(unusable(format!("Files for {:?} cannot be checked; what can is: {known}.", args.operation)));
    };
    let limits = operation.limits().within(args.max_rows, Ceilings { rows: args.max_rows, bytes: None });
    let name = args.file.display();
    let size =
        std::fs::metadata(&args.file).map_err(|error| unusable(format!("{name} cannot be read: {error}.")))?.len();
    if size > limits.bytes {
        return Err(unusable(format!("File too large: {name} has {size} bytes, at most {}.", limits.bytes)));
    }
    let checked = std::fs::File::open(&args.file)
        .and_then(|mut file| registry::of(operation).read(&mut file, args.currency, limits, &mut |_| {}))
        .map_err(|error| unusable(format!("{name} cannot be read: {error}.")))?;
    let findings = fit(checked.findings, checked.errors, checked.warnings);
    let mut out = std::io::stdout().lock();
    // A reader that went away has seen enough; the exit code still tells.
    let _ = findings.iter().try_for_each(|finding| writeln!(out, "{}", line(finding)));
    if checked.errors > 0 {
        // Everything is said already.
        return Err(Failure::undone(String::new()));
    }
    let _ = writeln!(out, "{name}: {} rows, clean", checked.rows);
    Ok(())
}

fn line(finding: &Finding) -> String {
    let place = match (finding.row, &finding.column) {
        (Some(row), Some(column)) => format!("row {row}, {column}"),
        (Some(row), None) => format!("row {row}"),
        (None, Some(column)) => column.clone(),
        (None, None) => "file".to_owned(),
    };
    let warning = if finding.severity == Severity::Warning { "warning: " } else { "" };
    format!("{place}: {warning}{}", finding.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::FindingCode;

    #[test]
    fn a_finding_is_one_line_with_its_place() {
        let mut finding = Finding {
            row: Some(14),
            column: Some("amount".to_owned()),
            code: FindingCode::InvalidDataType,
            severity: Severity::Error,
            message: "Invalid data type: \"1,0\"".to_owned(),
            value: "1,0".to_owned(),
        };
        assert_eq!(line(&finding), "row 14, amount: Invalid data type: \"1,0\"");
        finding.severity = Severity::Warning;
        finding.column = None;
        assert_eq!(line(&finding), "row 14: warning: Invalid data type: \"1,0\"");
        finding.row = None;
        assert!(line(&finding).starts_with("file: "));
    }
}
