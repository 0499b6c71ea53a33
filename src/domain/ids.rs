//! Identifiers as types of their own, so that one cannot be passed for another.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A tenant (a merchant). Everything belongs to one.
    OrganisationId
);
id!(
    /// A person who signs in.
    PersonId
);
id!(
    /// One file or API call accepted as one unit.
    BatchId
);
id!(
    /// A description, or a file with findings, kept for 24 hours before there is a batch.
    DraftId
);
id!(
    /// A connection of an organisation to a payment gateway.
    GatewayId
);
id!(
    /// A change of settings that somebody asked for.
    ChangeId
);
