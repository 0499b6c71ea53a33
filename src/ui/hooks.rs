//! What pages need of the browser: the state in the address, live events, uploads.

pub mod live;
pub mod page;
pub mod upload;
pub mod url;
