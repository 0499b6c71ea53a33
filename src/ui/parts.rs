//! Parts that know data and stand on pages of several areas.

pub mod order_badge;
pub mod repeats;
pub mod timeline;
