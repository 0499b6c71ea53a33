//! What people and pages are told of.

/// Something that happened. Its word stands in the outbox and in notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// Numbers or status of a batch: for open pages, nobody gets a notice.
    BatchChanged,
    /// Another person approved it.
    Approved,
    /// Another person rejected it.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The last row of an import was stored.
    ImportEnded,
    /// An import cannot be stored, or not to its end.
    ImportFailed,
    /// The gateway had accepted a task, and then did not carry it out.
    FailedLate,
    /// The gateway had carried a task out, and now says that it failed.
    TakenBack,
    /// The gateway had refused a task, and now says that it was carried out.
    CarriedOutAfterAll,
    /// A task needs two people to look at it.
    ReviewNeeded,
    /// Reconciliation found differences about money.
    Differences,
    /// The gateway refused our key, or somebody stopped the connection.
    GatewayStopped,
    /// Nothing is sent for the organisation.
    OrganisationStopped,
    /// An administrator asks for a change that weakens a control, or says where money and data go.
    ChangeProposed,
    /// Such a change was made.
    ChangeMade,
    /// Such a change was rejected or withdrawn, or nobody confirmed it in time.
    ChangeDropped,
}

impl NoticeKind {
    /// All.
    pub const ALL: [Self; 16] = [
        Self::BatchChanged,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::ImportEnded,
        Self::ImportFailed,
        Self::FailedLate,
        Self::TakenBack,
        Self::CarriedOutAfterAll,
        Self::ReviewNeeded,
        Self::Differences,
        Self::GatewayStopped,
        Self::OrganisationStopped,
        Self::ChangeProposed,
        Self::ChangeMade,
        Self::ChangeDropped,
    ];

    /// Its word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BatchChanged => "batch_changed",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::ImportEnded => "import_ended",
            Self::ImportFailed => "import_failed",
            Self::FailedLate => "failed_late",
            Self::TakenBack => "taken_back",
            Self::CarriedOutAfterAll => "carried_out_after_all",
            Self::ReviewNeeded => "review_needed",
            Self::Differences => "differences",
            Self::GatewayStopped => "gateway_stopped",
            Self::OrganisationStopped => "organisation_stopped",
            Self::ChangeProposed => "change_proposed",
            Self::ChangeMade => "change_made",
            Self::ChangeDropped => "change_dropped",
        }
    }

    /// The kind with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Who gets a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Nobody; pages that are open show it.
    Pages,
    /// Who submitted the batch.
    Maker,
    /// Who submitted it and who decided on it.
    MakerAndChecker,
    /// Who may change the organisation's settings.
    Settings,
    /// The same, and who decides on requests.
    SettingsAndCheckers,
}

impl Audience {
    /// Its word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Maker => "maker",
            Self::MakerAndChecker => "maker_and_checker",
            Self::Settings => "settings",
            Self::SettingsAndCheckers => "settings_and_checkers",
        }
    }
}
