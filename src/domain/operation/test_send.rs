//! `test_send`, for tests, in debug builds only: something that is sent once, under a key.

use super::descriptor::{Approval, Column, Descriptor, Effect, Files, Labels, Sample, Source, Work};
use crate::{access::Module, limits::Profile};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    code: "test_send",
    path: "/batch/test-send",
    module: Module::PaymentFiles,
    work: Work::Send(Effect::Refund),
    sources: &[Source::Form],
    approval: Approval::Needed,
    limits: Profile::TABLE,
    switch: None,
    retries: false,
    files: Files {
        samples: &[Sample { name: "test_send_sample.csv", template: "test_send" }],
        download: "test_send.csv",
        workbook: "test_send.xlsx",
    },
    columns: &[Column { head: &["Reference"], head_class: None, class: None, place: None, label: None }],
    labels: Labels { title: "Test sends", thing: ["test send", "test sends"], ..super::refund::DESCRIPTOR.labels },
};
