//! The field tables of the specification and what stands beside them, for the page that shows them.

/// One line of a field table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Field Name.
    pub name: &'static str,
    /// Mandatory or optional.
    pub mandatory: bool,
    /// Data Type.
    pub kind: &'static str,
    /// Description.
    pub description: &'static str,
    /// Sample Value.
    pub sample: &'static str,
    /// Validation Rules.
    pub rule: &'static str,
}

impl Field {
    /// `Mandatory` or `Optional`.
    pub const fn presence(&self) -> &'static str {
        if self.mandatory { "Mandatory" } else { "Optional" }
    }
}

/// What has to be known beside the field tables: rules between fields.
#[derive(Clone, Copy, Debug)]
pub struct Notes {
    /// What it is called.
    pub title: &'static str,
    /// A sentence above the rules; may be empty.
    pub intro: &'static str,
    /// The rules.
    pub rules: &'static [&'static str],
    /// An amount and how it is divided.
    pub example: Option<Example>,
}

/// An example: lines of part, column and amount.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What it is called.
    pub title: &'static str,
    /// What the table is, for whoever hears it.
    pub label: &'static str,
    /// The parts.
    pub parts: &'static [[&'static str; 3]],
    /// What they sum to.
    pub total: [&'static str; 3],
}

const fn field(
    name: &'static str,
    mandatory: bool,
    kind: &'static str,
    description: &'static str,
    sample: &'static str,
    rule: &'static str,
) -> Field {
    Field { name, mandatory, kind, description, sample, rule }
}

/// The fields of an order sync file, in the order of its columns.
pub(super) const SYNC: [Field; 3] = [
    field(
        "order_id",
        true,
        "String",
        "Order identifier for synchronization with external systems",
        "ORD_123456789",
        "Must be a valid order ID string, cannot be empty",
    ),
    field(
        "txn_id",
        false,
        "String",
        "Transaction identifier for tracking sync operations",
        "TXN_987654321",
        "String value, can be empty",
    ),
    field(
        "unique_request_id",
        false,
        "String",
        "Unique synchronization request identifier for tracking",
        "SYNCREQ001",
        "String value, can be empty",
    ),
];

const CUSTOM: &str = "String value, custom data field";

/// The fields of the standard refund template, in the order of its columns.
pub(super) const STANDARD: [Field; 19] = [
    field(
        "order_id",
        true,
        "String",
        "Unique order identifier for the transaction to be refunded",
        "ORD_123456789",
        "Must be a valid string, cannot be empty",
    ),
    field(
        "amount",
        true,
        "Number",
        "Refund amount to be processed",
        "100.50",
        "Must be a valid numeric value, supports decimal places",
    ),
    field(
        "txn_id",
        false,
        "String",
        "Transaction ID for the specific transaction",
        "TXN_987654321",
        "String value, can be empty",
    ),
    field(
        "unique_id",
        false,
        "String",
        "Unique identifier for the refund request",
        "REFUNIQUE001",
        "String value, can be empty",
    ),
    field(
        "marketplace_amount",
        false,
        "Number",
        "Amount for marketplace in split settlement",
        "75.25",
        "Numeric value for split settlement scenarios",
    ),
    field(
        "vendor1_id",
        false,
        "String",
        "First vendor ID for split settlement",
        "VENDOR_001",
        "String value for split settlement",
    ),
    field(
        "vendor1_amount",
        false,
        "Number",
        "Amount for first vendor in split settlement",
        "15.00",
        "Numeric value for split settlement",
    ),
    field(
        "vendor2_id",
        false,
        "String",
        "Second vendor ID for split settlement",
        "VENDOR_002",
        "String value for split settlement",
    ),
    field(
        "vendor2_amount",
        false,
        "Number",
        "Amount for second vendor in split settlement",
        "10.25",
        "Numeric value for split settlement",
    ),
    field("udf1", false, "String", "User Defined Field 1", "CustomValue1", CUSTOM),
    field("udf2", false, "String", "User Defined Field 2", "CustomValue2", CUSTOM),
    field("udf3", false, "String", "User Defined Field 3", "CustomValue3", CUSTOM),
    field("udf4", false, "String", "User Defined Field 4", "CustomValue4", CUSTOM),
    field("udf5", false, "String", "User Defined Field 5", "CustomValue5", CUSTOM),
    field("udf6", false, "String", "User Defined Field 6", "CustomValue6", CUSTOM),
    field("udf7", false, "String", "User Defined Field 7", "CustomValue7", CUSTOM),
    field("udf8", false, "String", "User Defined Field 8", "CustomValue8", CUSTOM),
    field("udf9", false, "String", "User Defined Field 9", "CustomValue9", CUSTOM),
    field("udf10", false, "String", "User Defined Field 10", "CustomValue10", CUSTOM),
];

/// The fields of the split settlement template, in the order of its columns.
pub(super) const SPLIT: [Field; 9] = [
    field(
        "order_id",
        true,
        "String",
        "Unique order identifier for the transaction to be refunded",
        "ORDMARKETPLACE001",
        "Must be a valid string, cannot be empty",
    ),
    field(
        "amount",
        true,
        "Number",
        "Total refund amount to be processed",
        "1000.00",
        "Must be a valid numeric value, supports decimal places",
    ),
    field(
        "marketplace_amount",
        false,
        "Number",
        "Amount allocated to the marketplace/platform",
        "100.00",
        "Numeric value, represents platform fee or commission portion",
    ),
    field(
        "vendor1_id",
        false,
        "String",
        "First vendor identifier in the split settlement",
        "VENDORELECTRONICS001",
        "String value, vendor identification code",
    ),
    field(
        "vendor1_amount",
        false,
        "Number",
        "Refund amount for the first vendor",
        "600.00",
        "Numeric value, must be positive if vendor1_id is provided",
    ),
    field(
        "vendor2_id",
        false,
        "String",
        "Second vendor identifier in the split settlement",
        "VENDORSHIPPING002",
        "String value, vendor identification code",
    ),
    field(
        "vendor2_amount",
        false,
        "Number",
        "Refund amount for the second vendor",
        "300.00",
        "Numeric value, must be positive if vendor2_id is provided",
    ),
    field(
        "txn_id",
        false,
        "String",
        "Transaction ID for the specific transaction",
        "TXNSPLIT001",
        "String value, can be empty",
    ),
    field(
        "unique_id",
        false,
        "String",
        "Unique identifier for the refund request",
        "REFSPLIT001",
        "String value, can be empty",
    ),
];

/// What holds for orders.
pub(super) const ORDER_NOTES: Notes = Notes {
    title: "Order ID rules",
    intro: "",
    rules: &[
        "Letters, numbers, underscores and hyphens are allowed; order_id cannot be empty.",
        "Upper and lower case are told apart: ORD_1 and ord_1 are two orders.",
        "Each order ID stands in a file once.",
        "txn_id and unique_request_id may be empty, but their commas stay: ORD_456789012,,SYNC_REQ_004",
        "With a txn_id the order must have that transaction; without one the order alone is asked about.",
    ],
    example: None,
};

/// What holds for split settlements.
pub(super) const SPLIT_NOTES: Notes = Notes {
    title: "Split settlement rules",
    intro: "A refund can be divided between the marketplace and up to two vendors.",
    rules: &[
        "The sum of marketplace_amount, vendor1_amount and vendor2_amount must equal amount.",
        "All amounts must be positive, with at most 2 decimals. A part that is not there is left blank.",
        "A vendor's ID and amount come together: with one of them, the other must be there.",
        "vendor1_id and vendor2_id must be different.",
        "In the split template at least one of marketplace_amount, vendor1_amount or vendor2_amount must be specified.",
    ],
    example: Some(Example {
        title: "Example: \u{20b9}1000 refunded to a buyer",
        label: "Example of a split refund",
        parts: &[
            ["Marketplace (platform fee)", "marketplace_amount", "100.00"],
            ["Vendor A (product cost)", "vendor1_id, vendor1_amount", "600.00"],
            ["Vendor B (shipping/handling)", "vendor2_id, vendor2_amount", "300.00"],
        ],
        total: ["The whole refund", "amount", "1000.00"],
    }),
};
