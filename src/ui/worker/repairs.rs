//! Repairs of a whole file: what can be offered, what it would do, and doing it.

use super::messages::{Repair, RepairKind};
use crate::{
    domain::operation::Operation,
    formats::{
        delimiter::other_delimiter,
        registry,
        repair::{Rearranged, convert_delimiter},
        sheet::Sheet,
        text,
    },
};

/// The file with commas, and a sentence about it.
pub fn with_commas(bytes: &[u8]) -> Option<(Vec<u8>, Repair)> {
    let text = text::decode(bytes).ok()?;
    let header = text.lines().find(|line| !line.trim().is_empty())?;
    let (_, name) = other_delimiter(header)?;
    let converted = convert_delimiter(&text)?;
    let preview = format!("The columns are separated by {name}. Commas are put in their place; no cell changes.");
    Some((converted.into_bytes(), Repair { kind: RepairKind::Delimiter, preview }))
}

/// The sheet with the columns of the template that it is meant to be, and a sentence about it.
pub fn with_columns(operation: Operation, sheet: &Sheet) -> Option<(Sheet, Repair)> {
    let Rearranged { sheet, preview } = registry::of(operation).rearranged(sheet)?;
    Some((sheet, Repair { kind: RepairKind::Columns, preview }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{limits::Limits, money::Currency};
    use crate::formats::refunds::{Template, check_refunds, check_sheet};

    fn sheet(text: &str) -> Sheet {
        check_refunds(text.as_bytes(), Currency::Inr, Limits::default()).sheet.unwrap()
    }

    #[test]
    fn names_that_are_only_written_otherwise_are_understood() {
        let (fitted, repair) = with_columns(Operation::Refund, &sheet("Order ID,Amount,Note\nA,5,x\n")).unwrap();
        assert!(check_sheet(&fitted, Currency::Inr, Limits::default()).is_clean());
        assert!(repair.preview.contains("\"Order ID\" as order_id"), "{}", repair.preview);
        assert!(repair.preview.contains("Left out with all their cells: \"Note\""), "{}", repair.preview);
    }

    #[test]
    fn only_the_writing_of_a_name_was_wrong() {
        let header = Template::Split.columns().join(",").replace("order_id", "ORDER_ID");
        let (fitted, _) = with_columns(Operation::Refund, &sheet(&format!("{header}\nA,5,5,,,,,,\n"))).unwrap();
        assert!(check_sheet(&fitted, Currency::Inr, Limits::default()).is_clean());
    }

    #[test]
    fn the_template_is_told_by_the_columns_that_only_one_has() {
        let (fitted, _) = with_columns(
            Operation::Refund,
            &sheet("amount,order_id,marketplace_amount,vendor1_id,vendor1_amount\n5,A,5,,\n"),
        )
        .unwrap();
        assert_eq!(fitted.header, Template::Split.columns());
        let (fitted, _) =
            with_columns(Operation::Refund, &sheet("amount,order_id,udf1,udf2,udf3,udf4\n5,A,,,,\n")).unwrap();
        assert_eq!(fitted.header, Template::Standard.columns());
    }

    #[test]
    fn columns_that_could_both_be_meant_are_left_alone() {
        assert!(
            with_columns(Operation::Refund, &sheet("order_id,amount,Amount \nA,1,2\n"))
                .is_none_or(|(fitted, _)| { fitted.rows[0].cells[1] == "1" })
        );
        assert!(with_columns(Operation::Refund, &sheet("Order-ID,ORDER_ID,amount\nA,B,2\n")).is_none());
    }

    #[test]
    fn other_separators_are_replaced() {
        let (bytes, repair) = with_commas(b"order_id;amount\nA;5\n").unwrap();
        assert_eq!(bytes, b"order_id,amount\nA,5\n");
        assert!(repair.preview.contains("semicolons"));
        assert!(with_commas(b"order_id,amount\nA,5\n").is_none());
    }
}
