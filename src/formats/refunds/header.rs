//! Recognises the template by the header, or says what is different.

use super::Template;
use crate::domain::finding::FindingCode;
use crate::formats::findings::{At, Findings, quoted};
use crate::formats::repair::other_delimiter;
use crate::formats::sheet::Cell;

const MANDATORY: [&str; 2] = ["order_id", "amount"];

/// The template whose columns these are, exactly; otherwise every difference from the nearest one becomes a finding.
pub(super) fn recognise(names: &[Cell<'_>], width: usize, row: u32, findings: &mut Findings) -> Option<Template> {
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    if let Some(template) =
        Template::ALL.into_iter().find(|template| template.columns() == names && width == names.len())
    {
        return Some(template);
    }
    if let [only] = names.as_slice()
        && let Some((_, delimiter)) = other_delimiter(only)
    {
        let message =
            format!("Invalid file format: the columns are separated by {delimiter}; separate them by commas.");
        findings.error(At::row(row), FindingCode::InvalidFileFormat, message);
        return None;
    }
    differences(&names, row, nearest(&names), findings);
    None
}

/// Only the standard template has user defined fields; without them, a split column means the split template.
fn nearest(names: &[&str]) -> Template {
    let has = |part: &str| names.iter().any(|name| name.to_ascii_lowercase().starts_with(part));
    if !has("udf") && (has("marketplace") || has("vendor")) { Template::Split } else { Template::Standard }
}

fn differences(names: &[&str], row: u32, template: Template, findings: &mut Findings) {
    let columns = template.columns();
    let format = FindingCode::InvalidFileFormat;
    let before = findings.errors();
    let look_alike =
        |column: &str| names.iter().find(|name| **name != column && folded(name) == folded(column)).copied();

    let missing: Vec<&str> = columns.iter().filter(|column| !names.contains(column)).copied().collect();
    for column in missing.iter().filter(|column| MANDATORY.contains(column)) {
        let hint =
            look_alike(column).map(|name| format!("; {} must be written {column}", quoted(name))).unwrap_or_default();
        let message = format!("Missing mandatory fields: the header has no column {column}{hint}.");
        findings.error(
            At { row: Some(row), column: Some(column), value: "" },
            FindingCode::MissingMandatoryFields,
            message,
        );
    }
    let mut absent = Vec::new();
    for column in missing.iter().filter(|column| !MANDATORY.contains(column)) {
        match look_alike(column) {
            Some(name) => {
                let message = format!("Invalid file format: column {} must be written {column}.", quoted(name));
                findings.error(At::cell(row, column, name), format, message);
            }
            None => absent.push(*column),
        }
    }
    if let Some(first) = absent.first() {
        let (noun, verb) = if absent.len() == 1 { ("column", "is") } else { ("columns", "are") };
        let message = format!(
            "Invalid file format: the {noun} {} {verb} missing ({}); optional cells may be empty, their columns must be there.",
            absent.join(", "),
            template.title(),
        );
        findings.error(At { row: Some(row), column: Some(first), value: "" }, format, message);
    }
    for (index, name) in names.iter().enumerate() {
        let place = index + 1;
        let again = names.iter().take(index).any(|earlier| earlier == name);
        let message = if name.is_empty() {
            format!("Invalid file format: column {place} has no name; remove it or the comma before it.")
        } else if again && columns.contains(name) {
            format!("Invalid file format: column {name} stands twice, again as column {place}.")
        } else if !columns.contains(name) && !missing.iter().any(|column| folded(column) == folded(name)) {
            format!(
                "Invalid file format: column {place}, {}, is not in the template ({}).",
                quoted(name),
                template.title()
            )
        } else {
            continue;
        };
        findings.error(At::cell(row, name, name), format, message);
    }
    if findings.errors() > before {
        return;
    }
    let wrong = names.iter().zip(columns).enumerate().find(|(_, (name, column))| name != column);
    let message = match wrong {
        Some((index, (name, column))) => format!(
            "Invalid file format: column {} is {name} where {column} is expected; the order must be {}.",
            index + 1,
            columns.join(","),
        ),
        None => format!("Invalid file format: the header must be {}.", columns.join(",")),
    };
    let column = wrong.map(|(_, (name, _))| *name);
    findings.error(At { row: Some(row), column, value: column.unwrap_or("") }, format, message);
}

/// A name without case and without anything but letters and digits.
fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
