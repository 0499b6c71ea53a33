//! The pages, one folder per area of the site.

pub mod approvals;
pub mod batches;
pub mod errors;
pub mod home;
#[cfg(feature = "ssr")]
pub mod notices;
#[cfg(feature = "ssr")]
pub mod orders;
#[cfg(feature = "ssr")]
pub mod review;
#[cfg(feature = "ssr")]
pub mod search;
#[cfg(feature = "ssr")]
pub mod settings;
pub mod sign_in;
