//! What every page knows: who is signed in, how it looks, what a form left to say.

use crate::{
    access::{Module, Permissions, Right},
    ids::{OrganisationId, PersonId},
    money::Currency,
};
use serde::{Deserialize, Serialize};

/// A point in time, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisplayTime {
    /// RFC 3339 in UTC, for `datetime` attributes.
    pub utc: String,
    /// `20 Nov 2026, 18:13:00 IST`, in the organisation's zone.
    pub text: String,
    /// `20 Nov 2026`.
    pub date: String,
    /// `18:13:00`.
    pub time: String,
}

/// A person as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRef {
    /// Who.
    pub id: PersonId,
    /// Address, the name to sign in with.
    pub email: String,
}

/// The organisation that a session works in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganisationRef {
    /// Which.
    pub id: OrganisationId,
    /// `Acme Stores`.
    pub name: String,
    /// The currency of all its batches.
    pub currency: Currency,
    /// IANA name of its time zone.
    pub zone: String,
}

/// The signed-in person, known to every page without waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Who is signed in.
    pub person: PersonRef,
    /// Where.
    pub organisation: OrganisationRef,
    /// What they may do.
    pub permissions: Permissions,
    /// Batches that wait for this person's decision.
    pub waiting: u32,
    /// Refunds and differences in review, of the modules this person may read.
    #[serde(default)]
    pub review: u32,
    /// Notices that the person has not read.
    #[serde(default)]
    pub unread: u32,
    /// Whether the gateway connection is a sandbox or the simulator.
    pub test_data: bool,
}

impl Viewer {
    /// Whether the person has `right` on `module`.
    pub fn may(&self, module: Module, right: Right) -> bool {
        self.permissions.allow(module, right)
    }
}

/// Colour scheme chosen by the person, kept in a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the device has it.
    #[default]
    System,
    /// Day.
    Light,
    /// Night.
    Dark,
}

/// What a form sent without JavaScript left to say on the page that answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// What went wrong, one sentence.
    pub error: Option<String>,
    /// What was done, one sentence.
    pub notice: Option<String>,
    /// Name of the field that the error is about.
    pub field: Option<String>,
    /// What had been typed, by field name (never a password).
    pub values: Vec<(String, String)>,
}

impl Flash {
    /// What had been typed into the field `name`.
    pub fn value(&self, name: &str) -> String {
        self.values.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// Everything that a page knows before any data is loaded. Provided as context on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageContext {
    /// The signed-in person, if any.
    pub viewer: Option<Viewer>,
    /// Colour scheme.
    pub theme: Theme,
    /// What a form left to say.
    pub flash: Flash,
    /// Whether this is the demo, with its people named on the sign-in page.
    pub demo: bool,
    /// Version of Batchdesk.
    pub version: String,
}
