//! All HTTP that goes out: the one client, which addresses it may reach, and messages to an organisation's own
//! endpoint.
//!
//! HTTP clients are made here only (a tidy test holds it), so that everything that is sent anywhere follows the same
//! rules: no inside address unless the operator named it, no redirect, no proxy, each request written once.

pub mod address;
pub mod client;
pub mod webhook;

/// Why nothing can be sent to an address. The text is for people.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is not one that we talk to.
    #[error("{0}")]
    Address(String),
    /// What we identify or sign with cannot be sent as it is.
    #[error("The {0} is empty or holds characters that cannot be sent. Copy it again.")]
    Credentials(&'static str),
    /// The HTTP client cannot be made, for example because the machine has no root certificates.
    #[error("The connection cannot be prepared. The log says why.")]
    Client(#[from] reqwest::Error),
}
