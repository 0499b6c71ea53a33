//! Recognises the layout by the header, or says what is different.

use super::delimiter::other_delimiter;
use super::field_table::Field;
use super::findings::{At, Findings, quoted};
use super::printable::SHOWN_CHARS;
use domain::finding::FindingCode;

/// The layouts of one operation's files, recognised by the names in the header.
pub trait Layout: Copy + 'static {
    /// All of them.
    fn all() -> &'static [Self];
    /// What is known of it.
    fn template(self) -> &'static Template;
    /// The names that no file may do without.
    fn mandatory(self) -> &'static [&'static str];
    /// The one that a file with these names is meant to be.
    fn nearest(names: &[&str]) -> Self;

    /// The names in the header, in order.
    fn columns(self) -> &'static [&'static str] {
        self.template().columns
    }

    /// What people see.
    fn title(self) -> &'static str {
        self.template().title
    }
}

/// A layout, described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// The name in the database: batches that are stored hold it, so it never changes.
    pub code: &'static str,
    /// What people see.
    pub title: &'static str,
    /// The names in the header, in order.
    pub columns: &'static [&'static str],
    /// What the table of its fields is called.
    pub fields_title: &'static str,
    /// The table of its fields.
    pub fields: &'static [Field],
    /// The sample file; it passes the validator.
    pub sample: &'static str,
}

/// The layout whose columns these are, exactly; otherwise every difference from the nearest one becomes a finding.
pub(super) fn recognise<L: Layout>(names: &[&str], width: usize, row: u32, findings: &mut Findings) -> Option<L> {
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    if let Some(template) =
        L::all().iter().copied().find(|template| template.columns() == names && width == names.len())
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
    differences(&names, row, L::nearest(&names), findings);
    None
}

fn differences<L: Layout>(names: &[&str], row: u32, template: L, findings: &mut Findings) {
    let (columns, mandatory) = (template.columns(), template.mandatory());
    let format = FindingCode::InvalidFileFormat;
    let before = findings.errors();
    let look_alike =
        |column: &str| names.iter().find(|name| **name != column && folded(name) == folded(column)).copied();

    let missing: Vec<&str> = columns.iter().filter(|column| !names.contains(column)).copied().collect();
    for column in missing.iter().filter(|column| mandatory.contains(column)) {
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
    for column in missing.iter().filter(|column| !mandatory.contains(column)) {
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
            "Invalid file format: the {noun} {} {verb} missing ({}); optional cells may be empty, their columns must \
             be there.",
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

/// A name, as far as names are shown, without case and without anything but letters and digits.
pub fn folded(name: &str) -> String {
    name.chars().take(SHOWN_CHARS).filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
