//! The Juspay Express Checkout connector.
