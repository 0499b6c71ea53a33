//! Batch Refunds.

use super::descriptor::{Approval, Column, Descriptor, Effect, Files, Labels, Sample, Source, Work};
use crate::{access::Module, limits::Profile};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    code: "refund",
    path: "/batch/batch-refunds",
    module: Module::Refunds,
    work: Work::Send(Effect::Refund),
    sources: &[Source::Form],
    approval: Approval::Needed,
    limits: Profile::TABLE,
    switch: None,
    retries: true,
    files: Files {
        samples: &[
            Sample { name: "batch_refunds_sample.csv", template: "standard" },
            Sample { name: "batch_refunds_split_sample.csv", template: "split" },
        ],
        download: "batch_refund.csv",
        workbook: "batch_refund.xlsx",
    },
    columns: &[
        Column {
            head: &["Refund Status", "Refund Type"],
            head_class: Some("tight"),
            class: None,
            place: Some("end2"),
            label: None,
        },
        Column {
            head: &["Unique Id", "GW Transaction Id"],
            head_class: Some("tight"),
            class: None,
            place: Some("drop"),
            label: None,
        },
    ],
    labels: Labels {
        title: "Batch Refunds",
        tab: "Refunds",
        description: "This module helps in creating refunds in bulk using a file upload. It provides a holistic view \
                      of the files uploaded. Upon clicking the filename in the table below a detailed view of each \
                      refund uploaded is displayed.",
        create: "Create Batch Refunds",
        new: "New refunds batch",
        file: "A CSV file of refunds",
        caption: "Uploaded refund files",
        first_use: "No refund batches yet",
        first_use_text: "Upload a CSV file and each row becomes one refund, checked before anything is sent.",
        thing: ["refund", "refunds"],
        subject: ["Order/Transaction Id", ""],
        row_id: "Unique Id",
        total_records: false,
        no_gateway: "No gateway is connected, so nothing could be refunded. Ask an administrator to connect one.",
        unapproved_upload: "No approval is needed: the refunds start at once.",
        unapproved: "Refunds will be sent without a second person. One person alone can pay out money.",
        consequence: "The money goes back to the buyers’ own payment methods.",
    },
};
