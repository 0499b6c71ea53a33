//! `test_import`, for tests, in debug builds only: rows that are stored as a set.

use super::descriptor::{Approval, Column, Descriptor, Files, Labels, Sample, Source, Work};
use crate::{access::Module, limits::Profile};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    code: "test_import",
    path: "/batch/test-import",
    module: Module::Transactions,
    work: Work::Import,
    sources: &[Source::Form],
    approval: Approval::Never,
    limits: Profile::TABLE,
    switch: None,
    retries: false,
    files: Files {
        samples: &[Sample { name: "test_import_sample.csv", template: "test_import" }],
        download: "test_import.csv",
        workbook: "test_import.xlsx",
    },
    columns: &[Column { head: &["Note"], head_class: None, class: None, place: None, label: None }],
    labels: Labels { title: "Test imports", thing: ["item", "items"], ..super::order_sync::DESCRIPTOR.labels },
};
