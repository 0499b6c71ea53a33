//! Pages and the design kit they are made of.

pub mod components;
pub mod context;
pub mod hooks;
pub mod layout;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod parts;
pub mod worker;
