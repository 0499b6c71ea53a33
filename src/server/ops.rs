//! Use cases. Each authorises first, then does its work in one transaction: state, audit row and outbox row together.

pub mod access;
pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod batches;
pub mod demo;
pub mod downloads;
pub mod external;
pub mod gateways;
pub mod home;
pub mod housekeeping;
pub mod moment;
pub mod notices;
pub mod outbox;
pub mod passwords;
pub mod people;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod uploads;
