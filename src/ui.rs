//! Pages and the design kit they are made of.

pub mod components;
pub mod hooks;
pub mod layout;
pub mod pages;
pub mod worker;
