//! What the server does differently for each operation: one registry, beside those of `domain::operation` (data) and of
//! `formats::registry` (files). Everything else branches on the kind of work, or on nothing.
//!
//! To add an operation:
//! 1. `domain/operation/<operation>.rs`: its descriptor: code, address, module, kind of work, sources, limits, names of
//!    files, what pages say, the columns of its table of tasks. In `domain/operation.rs` a variant and four lines: the
//!    module, `KNOWN`, `ALL` (where it has pages), `descriptor`.
//! 2. `formats/<operation>.rs`: its layouts with columns, field tables and samples, the check of a row, how a record is
//!    stored and read back; a line in `formats.rs` and one in `formats::registry`.
//! 3. `server/operations/<operation>.rs`: what became of a task, for result files and for the page; two lines here.
//! 4. `migrations/`: a row in the table `operation`: the kind of work, the effect, whether it moves money, waits for a
//!    decision, is reconciled, takes from orders. `.dev/schema` writes down what that makes.
//! 5. Tests from upload to result file, as `tests/operations` has them for each kind of work.
//! 6. For a new effect: `domain::operation::Effect`, and the steps of `server/gateway.rs`.
//!
//! The compiler names a registry that was forgotten; tests name what is missing in `KNOWN`, in the database, in a
//! sample. Routes, pages, navigation, access rules, samples, notices and settings follow from the descriptor. What a
//! query asks and tells is that of orders (`processor/sync.rs`), what an import stores are records
//! (`processor/import.rs`).

mod order_sync;
mod refund;
#[cfg(debug_assertions)]
mod test_import;
#[cfg(debug_assertions)]
mod test_query;
#[cfg(debug_assertions)]
mod test_send;

use crate::{
    db::batches::TaskRow,
    domain::{
        money::{Currency, Money},
        operation::Operation,
        task::{RecordExtra, TaskState},
        view::CellPart,
    },
    formats::results::Cells,
};

/// A task and what became of it, as every writer of results needs it.
pub struct Outcome<'a> {
    /// The task.
    pub task: &'a TaskRow,
    /// Where it stands.
    pub state: TaskState,
    /// What its record has beside its columns.
    pub extra: RecordExtra,
    /// Its amount.
    pub amount: Money,
    /// Why it failed or waits; blank for one that went well.
    pub message: String,
}

impl<'a> Outcome<'a> {
    /// Of this task of a batch in this currency.
    pub fn of(task: &'a TaskRow, currency: Currency) -> Self {
        let state = task.state;
        Self {
            task,
            state,
            extra: task.extra.clone().unwrap_or_default(),
            amount: Money::new(task.amount_minor, currency),
            message: match state {
                TaskState::Succeeded | TaskState::Ready | TaskState::Sending => String::new(),
                _ => task.message.clone().or_else(|| task.code.clone()).unwrap_or_default(),
            },
        }
    }

    /// S.No.
    fn number(&self) -> u32 {
        u32::try_from(self.task.row_no).unwrap_or(0)
    }
}

/// When a task was made and changed last, RFC 3339 with the organisation's offset.
#[derive(Clone, Copy, Debug)]
pub struct Times<'a> {
    /// Created At.
    pub created: &'a str,
    /// Updated At.
    pub updated: &'a str,
}

/// What is different between operations and is code.
pub trait BatchOperation: Sync {
    /// Appends the row of a task to a result file, whatever kind of file that is.
    fn put_result(&self, cells: &mut dyn Cells, outcome: &Outcome<'_>, times: Times<'_>);

    /// The cells of a task in its page's table, in the order of the descriptor's columns.
    fn cells(&self, outcome: &Outcome<'_>) -> Vec<Vec<CellPart>>;

    /// The id by which the maker knows the row; blank where it has none.
    fn row_id(&self, outcome: &Outcome<'_>) -> String;
}

/// The code of this operation.
pub fn of(operation: Operation) -> &'static dyn BatchOperation {
    match operation {
        Operation::Refund => &refund::Refund,
        Operation::OrderSync => &order_sync::OrderSync,
        #[cfg(debug_assertions)]
        Operation::TestSend => &test_send::TestSend,
        #[cfg(debug_assertions)]
        Operation::TestQuery => &test_query::TestQuery,
        #[cfg(debug_assertions)]
        Operation::TestImport => &test_import::TestImport,
    }
}
