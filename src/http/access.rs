//! What routes need of whoever asks.

use crate::{
    domain::access::{Module, Right},
    server::{
        error::OpResult,
        ops::access::{Caller, authorise, authorise_some},
    },
};

/// Where every address of the HTTP API begins, and no other.
pub(super) const API: &str = "/api/v1/";

/// What a caller needs before a route looks at anything else. Operations check again what they need themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Anyone,
    /// A session.
    SignedIn,
    /// A session, and a right on a module.
    Right(Module, Right),
    /// A session, and Read on a module whose batches can wait for approval.
    ReadSome,
    /// A session, and ReadWrite or Approve on a module.
    Work(Module),
    /// An API key.
    Key,
}

impl Access {
    /// Refuses a signed-in caller who has not what is needed.
    pub(super) fn check(self, caller: &Caller) -> OpResult<()> {
        match self {
            Self::Anyone | Self::SignedIn | Self::Key => Ok(()),
            Self::Right(module, right) => authorise(caller, module, right),
            Self::Work(module) => authorise(caller, module, Right::ReadWrite)
                .or_else(|refused| authorise(caller, module, Right::Approve).map_err(|_| refused)),
            Self::ReadSome => authorise_some(caller).map(|_| ()),
        }
    }
}
