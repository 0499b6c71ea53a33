//! What is known of an operation before anything is done.

use crate::{access::Module, limits::Profile};

/// Everything that is different between operations and is not code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The name in the database and in API responses.
    pub code: &'static str,
    /// The address of its list page; its other pages lie below.
    pub path: &'static str,
    /// The module whose rights it needs.
    pub module: Module,
    /// What kind of work its tasks are.
    pub work: Work,
    /// Where its files may come from.
    pub sources: &'static [Source],
    /// Whether a second person decides.
    pub approval: Approval,
    /// What one file may have.
    pub limits: Profile,
    /// What the maker may choose beside the file.
    pub switch: Option<Switch>,
    /// Whether failed rows can be corrected and sent again in place.
    pub retries: bool,
    /// Its files by name.
    pub files: Files,
    /// What the table of tasks shows between the status of a task and its message.
    pub columns: &'static [Column],
    /// What pages and messages say.
    pub labels: Labels,
}

/// A column of the table of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its head, one or two lines.
    pub head: &'static [&'static str],
    /// The class of its head.
    pub head_class: Option<&'static str>,
    /// The class of its cells.
    pub class: Option<&'static str>,
    /// Where its cells stand on a narrow screen.
    pub place: Option<&'static str>,
    /// What stands before them there.
    pub label: Option<&'static str>,
}

/// The axis on which code branches: what kind of work the tasks of a batch are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Each task is sent at most once, under a key: it moves money.
    Send(Effect),
    /// Each task is asked about as often as wanted.
    Query,
    /// The rows are stored as a set.
    Import,
}

/// What a task that is sent makes a gateway do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Money goes back to a buyer.
    Refund,
    /// Money is paid out, or taken under a mandate.
    PaymentInitiation,
    /// A payment that was initiated goes back.
    PaymentInitiationRefund,
    /// A payer is asked for money.
    PaymentRequest,
}

impl Effect {
    /// All.
    pub const ALL: [Self; 4] =
        [Self::Refund, Self::PaymentInitiation, Self::PaymentInitiationRefund, Self::PaymentRequest];

    /// The name in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::PaymentInitiation => "payment_initiation",
            Self::PaymentInitiationRefund => "payment_initiation_refund",
            Self::PaymentRequest => "payment_request",
        }
    }

    /// The effect with this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.code() == code)
    }

    /// What it is called, many of them.
    pub const fn things(self) -> &'static str {
        match self {
            Self::Refund => "refunds",
            Self::PaymentInitiation => "payment initiations",
            Self::PaymentInitiationRefund => "refunds of payment initiations",
            Self::PaymentRequest => "payment requests",
        }
    }

    /// Whether it takes from an order at the gateway: then the order is read first, and its balance is reserved.
    pub const fn takes_from_an_order(self) -> bool {
        matches!(self, Self::Refund)
    }
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A form of ours.
    Form,
    /// The HTTP API.
    Api,
    /// The object store, by a pre-signed address.
    ObjectStore,
    /// The customer's SFTP server.
    Sftp,
}

/// Whether a batch waits for a second person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Yes, until the organisation turns it off.
    Needed,
    /// No, until the organisation turns it on.
    NotNeeded,
    /// No, and there is nothing to turn on.
    Never,
}

impl Approval {
    /// Whether a batch waits, under the rule of its organisation if there is one.
    pub const fn is_needed(self, rule: Option<bool>) -> bool {
        match (self, rule) {
            (Self::Never, _) | (Self::NotNeeded, None) => false,
            (Self::Needed, None) => true,
            (Self::Needed | Self::NotNeeded, Some(needed)) => needed,
        }
    }
}

/// Something that the maker turns on or off for the whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The name of its field, in the canonical options of a batch and in the audit trail.
    pub name: &'static str,
    /// What people see beside it.
    pub label: &'static str,
    /// What it means when it is on, and when it is off.
    pub hints: [&'static str; 2],
}

impl Switch {
    /// The canonical text.
    pub fn text(self, on: bool) -> String {
        format!("{}={}", self.name, if on { "on" } else { "off" })
    }

    /// What that text says; none for another text.
    pub fn read(self, options: &str) -> Option<bool> {
        match options.strip_prefix(self.name)?.strip_prefix('=')? {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }
}

/// Files by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Files {
    /// Sample files, the plain one first.
    pub samples: &'static [Sample],
    /// The file that "Download Data" gives.
    pub download: &'static str,
    /// The same as a spreadsheet.
    pub workbook: &'static str,
}

/// A sample file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The file's name.
    pub name: &'static str,
    /// The code of the template that it follows.
    pub template: &'static str,
}

/// What pages and messages say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The module: the title of its list.
    pub title: &'static str,
    /// Its tab among the bulk operations.
    pub tab: &'static str,
    /// The sentence below the title, literally the specification's.
    pub description: &'static str,
    /// The button that leads to a new batch.
    pub create: &'static str,
    /// The title of the page that takes a file.
    pub new: &'static str,
    /// What a file is: `A CSV file of refunds`.
    pub file: &'static str,
    /// What the table of batches is called.
    pub caption: &'static str,
    /// The list before there is any batch.
    pub first_use: &'static str,
    /// What to do then.
    pub first_use_text: &'static str,
    /// What a task is about, one and many.
    pub thing: [&'static str; 2],
    /// The head of the column that says what a row is about, with the transaction below it.
    pub subject: [&'static str; 2],
    /// The column of a row's own id in the preview of a file.
    pub row_id: &'static str,
    /// Whether the list shows Total Records beside Total Tasks.
    pub total_records: bool,
    /// Why a file cannot be taken while no gateway is connected.
    pub no_gateway: &'static str,
    /// What happens after the upload where nobody has to decide.
    pub unapproved_upload: &'static str,
    /// What turning approvals off means.
    pub unapproved: &'static str,
    /// What a checker is told about what cannot be undone: where the money goes. Blank where none moves.
    pub consequence: &'static str,
}
