//! What pages and API responses show: the types that cross from the server to the browser.
//!
//! Times arrive formatted in the organisation's zone: the browser has no zone database, and server and browser must
//! render the same text.

pub mod activity;
mod approvals;
mod batch;
pub mod connection;
pub mod connections;
mod detail;
mod frame;
mod home;
pub mod notices;
pub mod orders;
pub mod retries;
pub mod review;
pub mod search;
pub mod settings;
pub mod settings_change;
mod upload;

pub use approvals::{ApprovalDetail, ApprovalInbox, ApprovalRow, EarlierRefund, LargeRow, RepeatedOrder};
pub use batch::{Amounts, BatchList, BatchRow, BatchSnapshot, Counts, DecisionView, ImportCounts, SourceCounts};
pub use detail::{ActivityRow, BatchActions, BatchDetail, CellPart, FailureSummary, Split, SyncReport, TaskRow};
pub use frame::{DisplayTime, Flash, OrganisationRef, PageContext, PersonRef, Theme, Viewer};
pub use home::Home;
pub use upload::{DraftView, NewBatch, Repeat};
