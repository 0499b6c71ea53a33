//! Repairs that the browser offers, shown before they are applied.

use super::csv_lines::CsvLines;
use super::delimiter::other_delimiter;
use super::findings::quoted;
use super::header::{Layout, folded};
use super::sheet::{Reader, Sheet, SheetRow};

pub use super::amount::plain_amount;

/// Names that a sentence lists; more are counted.
const NAMED: usize = 20;

/// The file with commas, where the columns are separated by semicolon, tab, caret or bar; none where they are not, or
/// where a row cannot be read without doubt.
pub fn convert_delimiter(text: &str) -> Option<String> {
    let header = text.lines().find(|line| !line.trim().is_empty())?;
    let (delimiter, _) = other_delimiter(header)?;
    let mut out = CsvLines::default();
    let mut records = Reader::separated(text.as_bytes(), delimiter).with_whole_cells();
    let mut width = None;
    while let Some(record) = records.next_record().ok()? {
        let cells = record.cells();
        if !record.flaws.is_empty() || record.width != cells.len() {
            return None;
        }
        if !record.blank {
            let width = *width.get_or_insert(record.width);
            // Between commas nobody would see any more that rows lie in a cell.
            if record.folds.iter().any(|fold| fold.has_rows(width, record.width, true)) {
                return None;
            }
            cells.for_each(|cell| out.cell(cell));
            out.end();
        } else {
            out.blank_line();
        }
    }
    Some(out.take())
}

/// The sheet with exactly the template's columns in its order: missing optional ones are blank, unknown ones are
/// dropped. None when a mandatory column is missing, a column stands twice, a row is not sure, or nothing would change.
pub(crate) fn fit_template<L: Layout>(sheet: &Sheet, template: L) -> Option<Sheet> {
    let columns = template.columns();
    let places: Vec<Option<usize>> =
        columns.iter().map(|column| sheet.header.iter().position(|name| name == column)).collect();
    let twice = columns.iter().any(|column| sheet.header.iter().filter(|name| name == column).count() > 1);
    let lacking = template.mandatory().iter().any(|column| !sheet.header.iter().any(|name| name == column));
    if lacking || twice || sheet.header == columns || sheet.rows.iter().any(|row| !row.complete) {
        return None;
    }
    let rows = sheet.rows.iter().map(|row| {
        let cell = |place: &Option<usize>| place.and_then(|place| row.cells.get(place)).cloned().unwrap_or_default();
        SheetRow { row: row.row, cells: places.iter().map(cell).collect(), complete: true }
    });
    Some(Sheet { header: columns.iter().map(|column| (*column).to_owned()).collect(), rows: rows.collect() })
}

/// The columns that `fit_template` would drop, so that the person sees what is lost.
pub(crate) fn dropped_columns<L: Layout>(sheet: &Sheet, template: L) -> Vec<&str> {
    sheet.header.iter().map(String::as_str).filter(|name| !template.columns().contains(name)).collect()
}

/// A sheet with the columns of its template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rearranged {
    /// With exactly the template's columns.
    pub sheet: Sheet,
    /// A sentence about what changes.
    pub preview: String,
}

/// The sheet with the columns of the template that it is meant to be.
pub(super) fn rearranged<L: Layout>(sheet: &Sheet) -> Option<Rearranged> {
    let names: Vec<&str> = sheet.header.iter().map(String::as_str).collect();
    let template = L::nearest(&names);
    let (named, renamed) = renamed(sheet, template);
    let fitted = fit_template(&named, template).or_else(|| exactly(&named, template, &renamed))?;
    let dropped: Vec<String> = dropped_columns(&named, template).into_iter().map(quoted).collect();
    let is_there = |column: &&str| named.header.iter().any(|name| name == column);
    let added: Vec<&str> = template.columns().iter().filter(|column| !is_there(column)).copied().collect();
    let mut preview = format!("The columns are put in the order of the template ({}).", template.title());
    if !renamed.is_empty() {
        preview.push_str(&format!(" Written anew: {}.", listed(&renamed)));
    }
    if !added.is_empty() {
        preview.push_str(&format!(" Added without content: {}.", added.join(", ")));
    }
    if !dropped.is_empty() {
        preview.push_str(&format!(" Left out with all their cells: {}.", listed(&dropped)));
    }
    Some(Rearranged { sheet: fitted, preview })
}

/// Nothing was wrong but the way names are written.
fn exactly<L: Layout>(sheet: &Sheet, template: L, renamed: &[String]) -> Option<Sheet> {
    let complete = sheet.rows.iter().all(|row| row.complete);
    (!renamed.is_empty() && complete && sheet.header == template.columns()).then(|| sheet.clone())
}

/// Column names that differ from the template's in case and signs only, written as there.
fn renamed<L: Layout>(sheet: &Sheet, template: L) -> (Sheet, Vec<String>) {
    let mut named = sheet.clone();
    let mut changes = Vec::new();
    for column in template.columns() {
        let alike: Vec<usize> = (named.header.iter().enumerate())
            .filter(|(_, name)| folded(name) == folded(column))
            .map(|(index, _)| index)
            .collect();
        // Two that could be meant are not chosen between.
        let [only] = alike.as_slice() else { continue };
        if let Some(name) = named.header.get_mut(*only)
            && name != column
        {
            changes.push(format!("{} as {column}", quoted(name)));
            (*column).clone_into(name);
        }
    }
    (named, changes)
}

/// The first of some names, and how many more there are.
fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Removes the rows with these spreadsheet numbers.
pub fn remove_rows(sheet: &mut Sheet, rows: &[u32]) {
    let rows: std::collections::HashSet<u32> = rows.iter().copied().collect();
    sheet.rows.retain(|row| !rows.contains(&row.row));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        refunds::{self, Template},
        sheet,
    };
    use domain::{limits::Limits, money::Currency};

    fn sheet(text: &str) -> Sheet {
        refunds::check_refunds(text.as_bytes(), Currency::Inr, Limits::default()).sheet.unwrap()
    }

    #[test]
    fn a_file_with_another_delimiter_becomes_clean() {
        let sample = Template::Standard.template().sample;
        for delimiter in [";", "\t", "^", "|"] {
            let other = sample.replace(',', delimiter);
            assert!(!refunds::check_refunds(other.as_bytes(), Currency::Inr, Limits::default()).is_clean());
            assert_eq!(convert_delimiter(&other).as_deref(), Some(sample));
        }
        assert_eq!(
            convert_delimiter("order_id;amount\nA,B;\"5\"\"\"\n").as_deref(),
            Some("order_id,amount\n\"A,B\",\"5\"\"\"\n")
        );
        assert_eq!(convert_delimiter(sample), None);
        assert_eq!(convert_delimiter("order_id;amount\nA;\"5\n"), None);
        assert_eq!(convert_delimiter(""), None);
    }

    #[test]
    fn columns_are_reordered_and_completed_and_the_result_is_clean() {
        let given = sheet("amount,note,order_id,udf2\n100.50,x,ORD_1,blue\n\n5,y,ORD_2,\n");
        let fitted = fit_template(&given, Template::Standard).unwrap();
        assert_eq!(dropped_columns(&given, Template::Standard), ["note"]);
        assert_eq!(fitted.rows[1].row, 4);
        let checked = refunds::check_sheet(&fitted, Currency::Inr, Limits::default());
        assert!(checked.is_clean(), "{:?}", checked.findings);
        assert_eq!(checked.total_minor, 10_550);
        assert_eq!(checked.records[0].udf[1], "blue");
        let again = refunds::check_refunds(sheet::write(&fitted).as_bytes(), Currency::Inr, Limits::default());
        assert_eq!(again.records.len(), 2);
        assert_eq!(again.total_minor, checked.total_minor);
    }

    #[test]
    fn columns_are_not_made_up() {
        assert_eq!(fit_template(&sheet("order_id,udf1\nA,b\n"), Template::Standard), None);
        assert_eq!(fit_template(&sheet("order_id,amount,amount\nA,1,2\n"), Template::Standard), None);
        assert_eq!(fit_template(&sheet("order_id,amount\nA\n"), Template::Standard), None);
        assert_eq!(fit_template(&sheet(Template::Split.template().sample), Template::Split), None);
    }

    #[test]
    fn rows_are_removed_by_their_number() {
        let mut given = sheet("order_id,amount\nA,1\n\nB,2\nC,3\n");
        remove_rows(&mut given, &[4, 99]);
        assert_eq!(given.rows.iter().map(|row| row.row).collect::<Vec<_>>(), [2, 5]);
    }
}
