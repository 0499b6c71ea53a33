//! What pages need of the browser: the state in the address, live events, uploads.

#[cfg(feature = "hydrate")]
pub mod check;
pub mod live;
pub mod page;
pub mod upload;
pub mod url;
