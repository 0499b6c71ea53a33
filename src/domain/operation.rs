//! What is different between operations, in one place: how each is called, and what its batches have. What they share is written
//! once, for all of them.

use super::batch::Operation;

/// How an operation is called, and what its pages say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// The module: the title of its list.
    pub title: &'static str,
    /// Its tab among the bulk operations.
    pub tab: &'static str,
    /// The sentence below the title, literally the specification's.
    pub description: &'static str,
    /// The button that leads to a new batch.
    pub create: &'static str,
    /// The title of the page that takes a file.
    pub new: &'static str,
    /// What a file is: `A CSV file of refunds`.
    pub file: &'static str,
    /// What the table of batches is called.
    pub caption: &'static str,
    /// The list before there is any batch.
    pub first_use: &'static str,
    /// What to do then.
    pub first_use_text: &'static str,
    /// What a task is about, one and many.
    pub thing: [&'static str; 2],
    /// Sample files, the plain one first.
    pub samples: &'static [&'static str],
    /// The file that "Download Data" gives.
    pub download: &'static str,
    /// The same as a spreadsheet.
    pub workbook: &'static str,
    /// What "Download Data" calls the count of rows: the list has it beside Total Tasks.
    pub total_records: bool,
    /// Whether its tasks have amounts.
    pub amounts: bool,
    /// Whether failed rows can be corrected and sent again in place.
    pub retries: bool,
}

const REFUND: Words = Words {
    title: "Batch Refunds",
    tab: "Refunds",
    description: "This module helps in creating refunds in bulk using a file upload. It provides a holistic view of the \
                  files uploaded. Upon clicking the filename in the table below a detailed view of each refund uploaded \
                  is displayed.",
    create: "Create Batch Refunds",
    new: "New refunds batch",
    file: "A CSV file of refunds",
    caption: "Uploaded refund files",
    first_use: "No refund batches yet",
    first_use_text: "Upload a CSV file and each row becomes one refund, checked before anything is sent.",
    thing: ["refund", "refunds"],
    samples: &["batch_refunds_sample.csv", "batch_refunds_split_sample.csv"],
    download: "batch_refund.csv",
    workbook: "batch_refund.xlsx",
    total_records: false,
    amounts: true,
    retries: true,
};

const ORDER_SYNC: Words = Words {
    title: "Batch Sync",
    tab: "Sync",
    description: "This module helps in creating data synchronization in bulk using a file upload. It provides a holistic view of \
                  the files uploaded. Upon clicking the filename in the table below a detailed view of each sync operation \
                  uploaded is displayed.",
    create: "Create Batch Sync",
    new: "New sync batch",
    file: "A CSV file of orders",
    caption: "Uploaded sync files",
    first_use: "No sync batches yet",
    first_use_text: "Upload a CSV file and each row brings one order up to date, here and in your external system.",
    thing: ["order", "orders"],
    samples: &["batch_sync_sample.csv"],
    download: "batch_sync.csv",
    workbook: "batch_sync.xlsx",
    total_records: true,
    amounts: false,
    retries: false,
};

impl Operation {
    /// How it is called, and what its pages say.
    pub const fn words(self) -> &'static Words {
        match self {
            Self::Refund => &REFUND,
            Self::OrderSync => &ORDER_SYNC,
        }
    }

    /// The operation with this list page, or with a page below it.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| {
            path.strip_prefix(operation.path()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// `1 refund`, `2 refunds`: without a number.
    pub const fn thing(self, number: u64) -> &'static str {
        let [one, many] = self.words().thing;
        if number == 1 { one } else { many }
    }
}

/// What else is approved with a batch of orders: "Sync With Gateway", in the canonical text that its content's hash covers.
pub mod toggle {
    /// On.
    pub const ON: &str = "sync_with_gateway=on";
    /// Off.
    pub const OFF: &str = "sync_with_gateway=off";

    /// The text.
    pub const fn text(on: bool) -> &'static str {
        if on { ON } else { OFF }
    }

    /// What a batch's options say; none for batches without the toggle.
    pub fn read(options: &str) -> Option<bool> {
        match options {
            ON => Some(true),
            OFF => Some(false),
            _ => None,
        }
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
    fn the_toggle_is_read_as_it_is_written() {
        for on in [true, false] {
            assert_eq!(toggle::read(toggle::text(on)), Some(on));
        }
        assert_eq!(toggle::read(""), None);
    }

    #[test]
    fn files_of_different_operations_are_told_apart() {
        let names: std::collections::BTreeSet<_> = Operation::ALL
            .into_iter()
            .flat_map(|operation| {
                let words = operation.words();
                words.samples.iter().copied().chain([words.download, words.workbook])
            })
            .collect();
        assert_eq!(names.len(), 7);
    }
}
