//! `test_query`, for tests, in debug builds only: something that is asked about freely, without a second person.

use super::descriptor::{Approval, Column, Descriptor, Files, Labels, Sample, Source, Work};
use crate::{access::Module, limits::Profile};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    code: "test_query",
    path: "/batch/test-query",
    module: Module::Orders,
    work: Work::Query,
    sources: &[Source::Form],
    approval: Approval::NotNeeded,
    limits: Profile::TABLE,
    switch: None,
    retries: false,
    files: Files {
        samples: &[Sample { name: "test_query_sample.csv", template: "test_query" }],
        download: "test_query.csv",
        workbook: "test_query.xlsx",
    },
    columns: &[Column { head: &["Answer"], head_class: None, class: None, place: None, label: None }],
    labels: Labels {
        title: "Test queries",
        thing: ["test query", "test queries"],
        ..super::order_sync::DESCRIPTOR.labels
    },
};
