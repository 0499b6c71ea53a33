//! Use cases. Each authorises first, then does its work in one transaction: state, audit row and outbox row together.

pub mod access;
pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod batches;
pub mod connection_health;
pub mod connections;
pub mod demo;
pub mod downloads;
pub mod external;
pub mod gateways;
pub mod history;
pub mod home;
pub mod housekeeping;
pub mod moment;
pub mod notices;
pub mod outbox;
pub mod passwords;
pub mod people;
pub(super) mod records;
pub mod retries;
pub mod review;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod uploads;
