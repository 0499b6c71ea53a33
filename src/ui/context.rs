//! What the server tells a page about the request that it answers, as context.

/// What the server says instead of a page: provided as context by the router for what it refuses before Leptos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// The HTTP status of the answer.
    pub status: u16,
    /// One sentence for the person.
    pub message: String,
    /// What the person can name when asking for help.
    pub request_id: String,
}

/// Provided as context by the router for the answer to a plain form at an address that is not the page's own: the
/// browser could not take that page over, and does not need to.
#[derive(Clone, Copy, Debug)]
pub struct NoHydration;

/// Names the session of a page without telling it: provided as context by the router for whoever is signed in. Live
/// events are shared among the tabs of one session, and refused to the pages of another.
#[derive(Clone, Debug)]
pub struct SessionTag(pub String);
