//! Repairs that the browser offers, shown before they are applied.

use super::sheet::Sheet;
use super::refunds::Template;
use crate::domain::money::Currency;

/// The file with commas, where the columns are separated by semicolon, tab or caret; none where they are not.
pub fn convert_delimiter(text: &str) -> Option<String> {
    let _ = text;
    todo!()
}

/// The sheet with exactly the template's columns in its order: others are dropped, missing ones are blank; none when a mandatory
/// column is missing, a column stands twice, or nothing would change.
pub fn fit_template(sheet: &Sheet, template: Template) -> Option<Sheet> {
    let _ = (sheet, template);
    todo!()
}

/// An amount without thousands separators and currency sign; none when it would not be the same amount without doubt.
pub fn plain_amount(text: &str, currency: Currency) -> Option<String> {
    let _ = (text, currency);
    todo!()
}

/// Removes the rows with these spreadsheet numbers.
pub fn remove_rows(sheet: &mut Sheet, rows: &[u32]) {
    sheet.rows.retain(|row| !rows.contains(&row.row));
}
