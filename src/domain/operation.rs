//! The operations: what a batch does. Everything that is different between them and that is not code stands in a
//! descriptor, one file each; whoever branches on an operation asks its [`Work`], its descriptor, or the registries of
//! `formats` and of `server::operations`, which say how to add one.

mod descriptor;
mod order_sync;
mod refund;
#[cfg(debug_assertions)]
mod test_import;
#[cfg(debug_assertions)]
mod test_query;
#[cfg(debug_assertions)]
mod test_send;

pub use descriptor::{Approval, Column, Descriptor, Effect, Files, Labels, Sample, Source, Switch, Work};

use super::{access::Module, limits::Profile};
use serde::{Deserialize, Serialize};

/// What a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Refunds from a CSV file.
    Refund,
    /// Orders brought up to date from the gateway.
    OrderSync,
    /// For tests: sent once, under a key.
    #[cfg(debug_assertions)]
    TestSend,
    /// For tests: asked about freely.
    #[cfg(debug_assertions)]
    TestQuery,
    /// For tests: stored as a set.
    #[cfg(debug_assertions)]
    TestImport,
}

// A release knows none but those with pages.
#[cfg(not(debug_assertions))]
const _: () = assert!(Operation::KNOWN.len() == Operation::ALL.len());

impl Operation {
    /// All operations that have pages.
    pub const ALL: [Self; 2] = [Self::Refund, Self::OrderSync];

    /// All that there are: in debug builds three for tests, one of each kind of work, without pages.
    const KNOWN: &'static [Self] = &[
        Self::Refund,
        Self::OrderSync,
        #[cfg(debug_assertions)]
        Self::TestSend,
        #[cfg(debug_assertions)]
        Self::TestQuery,
        #[cfg(debug_assertions)]
        Self::TestImport,
    ];

    /// Everything about it that is data. The one place where an operation is named; the registries are the others.
    pub const fn descriptor(self) -> &'static Descriptor {
        match self {
            Self::Refund => &refund::DESCRIPTOR,
            Self::OrderSync => &order_sync::DESCRIPTOR,
            #[cfg(debug_assertions)]
            Self::TestSend => &test_send::DESCRIPTOR,
            #[cfg(debug_assertions)]
            Self::TestQuery => &test_query::DESCRIPTOR,
            #[cfg(debug_assertions)]
            Self::TestImport => &test_import::DESCRIPTOR,
        }
    }

    /// The name in the database and in API responses.
    pub const fn code(self) -> &'static str {
        self.descriptor().code
    }

    /// The operation with this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::KNOWN.iter().copied().find(|operation| operation.code() == code)
    }

    /// The module whose rights it needs.
    pub const fn module(self) -> Module {
        self.descriptor().module
    }

    /// The address of its list page.
    pub const fn path(self) -> &'static str {
        self.descriptor().path
    }

    /// The operation with this list page, or with a page below it.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| {
            path.strip_prefix(operation.path()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// What kind of work its tasks are.
    pub const fn work(self) -> Work {
        self.descriptor().work
    }

    /// Whether its tasks have amounts: each is sent, at most once and under a key.
    pub const fn has_amounts(self) -> bool {
        matches!(self.work(), Work::Send(_))
    }

    /// Whether a batch of it waits for a decision while the organisation has no rule of its own.
    pub const fn approval(self) -> Approval {
        self.descriptor().approval
    }

    /// What its files may have.
    pub const fn limits(self) -> &'static Profile {
        &self.descriptor().limits
    }

    /// Its files by name.
    pub const fn files(self) -> &'static Files {
        &self.descriptor().files
    }

    /// Whether failed rows can be corrected and sent again in place.
    pub const fn retries(self) -> bool {
        self.descriptor().retries
    }

    /// What its pages say.
    pub const fn labels(self) -> &'static Labels {
        &self.descriptor().labels
    }

    /// The noun of what a task is about, for this many: `refund`, `refunds`.
    pub const fn thing(self, number: u64) -> &'static str {
        let [one, many] = self.labels().thing;
        if number == 1 { one } else { many }
    }

    /// What is approved beside the records, as the canonical text that the content's hash covers; blank where nothing
    /// can be chosen.
    pub fn options(self, on: bool) -> String {
        self.descriptor().switch.map(|switch| switch.text(on)).unwrap_or_default()
    }

    /// How the switch of a batch with these options stands; none where there is no switch, or none was written down.
    pub fn switched(self, options: &str) -> Option<bool> {
        self.descriptor().switch.and_then(|switch| switch.read(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_operation() {
        assert_eq!(Operation::at("/batch/batch-sync/new"), Some(Operation::OrderSync));
        assert_eq!(Operation::at("/batch/batch-refunds"), Some(Operation::Refund));
        assert_eq!(Operation::at("/batch/batch-sync-x"), None);
        assert_eq!(Operation::at("/"), None);
    }

    #[test]
    fn codes_are_those_of_the_database_and_of_machine_answers() {
        for operation in Operation::KNOWN.iter().copied() {
            assert_eq!(Operation::from_code(operation.code()), Some(operation));
            assert_eq!(serde_json::to_value(operation).unwrap(), operation.code());
        }
        assert_eq!(Operation::from_code("Refund"), None);
    }

    #[test]
    fn no_operation_is_left_out_of_those_that_are_known() {
        // Whoever reads one that is not known is told of all that are.
        let told = serde_json::from_str::<Operation>("\"?\"").unwrap_err().to_string();
        let all: Vec<&str> = told.split('`').skip(3).step_by(2).collect();
        let known: Vec<&str> = Operation::KNOWN.iter().map(|operation| operation.code()).collect();
        assert_eq!(all, known, "{told}");
        assert!(Operation::ALL.iter().all(|operation| known.contains(&operation.code())));
    }

    #[test]
    fn the_switch_is_read_as_it_is_written() {
        for on in [true, false] {
            assert_eq!(Operation::OrderSync.switched(&Operation::OrderSync.options(on)), Some(on));
            assert_eq!(Operation::Refund.options(on), "");
        }
        assert_eq!(Operation::OrderSync.options(true), "sync_with_gateway=on", "stored hashes cover this text");
        assert_eq!(Operation::OrderSync.switched(""), None);
        assert_eq!(Operation::Refund.switched("sync_with_gateway=on"), None);
    }

    #[test]
    fn files_of_different_operations_are_told_apart() {
        let names: Vec<_> = Operation::KNOWN
            .iter()
            .flat_map(|operation| {
                let files = operation.files();
                files.samples.iter().map(|sample| sample.name).chain([files.download, files.workbook])
            })
            .collect();
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
    }

    #[test]
    fn what_moves_money_is_approved_and_what_is_imported_never_is() {
        for operation in Operation::KNOWN.iter().copied() {
            let approval = operation.approval();
            match operation.work() {
                Work::Send(Effect::Refund) => assert_eq!(approval, Approval::Needed, "{operation:?}"),
                Work::Import => assert_eq!(approval, Approval::Never, "{operation:?}"),
                Work::Send(_) | Work::Query => assert_ne!(approval, Approval::Never, "{operation:?}"),
            }
        }
    }
}
