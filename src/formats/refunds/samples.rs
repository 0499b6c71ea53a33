//! The templates with their sample files, and files of refunds that come from a form.

use super::{RefundRecord, Template};
use crate::csv_lines::guarded;
use crate::sheet::Sheet;
use crate::{field_table, header};
use domain::money::{Currency, Money};

pub(super) const STANDARD_COLUMNS: [&str; 19] = [
    "order_id",
    "amount",
    "txn_id",
    "unique_id",
    "marketplace_amount",
    "vendor1_id",
    "vendor1_amount",
    "vendor2_id",
    "vendor2_amount",
    "udf1",
    "udf2",
    "udf3",
    "udf4",
    "udf5",
    "udf6",
    "udf7",
    "udf8",
    "udf9",
    "udf10",
];
pub(super) const SPLIT_COLUMNS: [&str; 9] = [
    "order_id",
    "amount",
    "marketplace_amount",
    "vendor1_id",
    "vendor1_amount",
    "vendor2_id",
    "vendor2_amount",
    "txn_id",
    "unique_id",
];

/// All 19 columns.
pub(super) const STANDARD: header::Template = header::Template {
    code: "standard",
    title: "Standard, 19 columns",
    columns: &STANDARD_COLUMNS,
    fields_title: "CSV fields",
    fields: &field_table::STANDARD,
    sample: concat!(
        "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,",
        "udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\n",
        "ORD_123456789,100.50,TXN_987654321,REFUNIQUE001,75.25,VENDOR_001,15.00,VENDOR_002,10.25,CustomValue1,",
        "CustomValue2,CustomValue3,CustomValue4,CustomValue5,CustomValue6,CustomValue7,CustomValue8,CustomValue9,",
        "CustomValue10\n",
    ),
};

/// Nine columns of split settlements.
pub(super) const SPLIT: header::Template = header::Template {
    code: "split",
    title: "Split settlement, 9 columns",
    columns: &SPLIT_COLUMNS,
    fields_title: "Split settlement fields",
    fields: &field_table::SPLIT,
    sample: concat!(
        "order_id,amount,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,txn_id,unique_id\n",
        "ORDMARKETPLACE001,1000.00,100.00,VENDORELECTRONICS001,600.00,VENDORSHIPPING002,300.00,TXNSPLIT001,REFSPLIT001\n",
    ),
};

/// A refund as it was typed: nothing of it was checked yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct TypedRefund<'a> {
    /// Order.
    pub order_id: &'a str,
    /// Amount.
    pub amount: &'a str,
    /// The maker's own id; may be empty.
    pub unique_id: &'a str,
}

/// The rows of a file of the standard template with these refunds, as somebody would have written it: for refunds that
/// come from a form.
pub fn typed_rows<'a>(refunds: impl IntoIterator<Item = TypedRefund<'a>>) -> Sheet {
    let columns = Template::Standard.columns();
    let cell = |refund: &TypedRefund<'_>, column: &str| match column {
        "order_id" => guarded(refund.order_id).into_owned(),
        // Not guarded: a minus before an amount is told of as it was typed.
        "amount" => refund.amount.to_owned(),
        "unique_id" => guarded(refund.unique_id).into_owned(),
        _ => String::new(),
    };
    let cells = |refund| columns.iter().map(|column| cell(&refund, column)).collect();
    Sheet::of(columns, refunds.into_iter().map(cells))
}

/// The cell of one column as people write it, without the guard that a file has against formulas.
pub fn cell(column: &str, record: &RefundRecord, currency: Currency) -> String {
    let amount = |minor: i64| Money::new(minor, currency).bare();
    let vendor = |index: usize| record.split.as_ref().and_then(|split| split.vendors.get(index));
    match column {
        "order_id" => record.order_id.clone(),
        "amount" => amount(record.amount_minor),
        "txn_id" => record.txn_id.clone().unwrap_or_default(),
        "unique_id" => record.unique_id.clone().unwrap_or_default(),
        "marketplace_amount" => {
            record.split.as_ref().and_then(|split| split.marketplace).map(amount).unwrap_or_default()
        }
        "vendor1_id" => vendor(0).map(|(id, _)| id.clone()).unwrap_or_default(),
        "vendor1_amount" => vendor(0).map(|(_, minor)| amount(*minor)).unwrap_or_default(),
        "vendor2_id" => vendor(1).map(|(id, _)| id.clone()).unwrap_or_default(),
        "vendor2_amount" => vendor(1).map(|(_, minor)| amount(*minor)).unwrap_or_default(),
        _ => {
            let number = column.strip_prefix("udf").and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
            number.checked_sub(1).and_then(|index| record.udf.get(index)).cloned().unwrap_or_default()
        }
    }
}
