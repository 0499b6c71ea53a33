//! Batch Sync.

use super::descriptor::{Approval, Column, Descriptor, Files, Labels, Sample, Source, Switch, Work};
use crate::{access::Module, limits::Profile};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    code: "order_sync",
    path: "/batch/batch-sync",
    module: Module::Orders,
    work: Work::Query,
    sources: &[Source::Form],
    approval: Approval::Needed,
    limits: Profile::TABLE,
    switch: Some(Switch {
        name: "sync_with_gateway",
        label: "Sync With Gateway",
        hints: [
            "The system will automatically sync the uploaded data with connected payment gateways in real-time, \
             ensuring immediate data consistency across all integrated systems.",
            "Standard processing without immediate gateway sync: what Batchdesk stored when an order was last read is \
             used.",
        ],
    }),
    retries: false,
    files: Files {
        samples: &[Sample { name: "batch_sync_sample.csv", template: "order_sync" }],
        download: "batch_sync.csv",
        workbook: "batch_sync.xlsx",
    },
    columns: &[
        Column {
            head: &["Sync Status"],
            head_class: Some("tight"),
            class: Some("tight"),
            place: Some("end"),
            label: None,
        },
        Column {
            head: &["External System Response"],
            head_class: None,
            class: None,
            place: None,
            label: Some("External system"),
        },
        Column {
            head: &["Gateway Sync Status"],
            head_class: Some("tight"),
            class: Some("tight"),
            place: None,
            label: Some("Gateway"),
        },
        Column { head: &["Unique Request ID"], head_class: None, class: None, place: Some("drop"), label: None },
    ],
    labels: Labels {
        title: "Batch Sync",
        tab: "Sync",
        description: "This module helps in creating data synchronization in bulk using a file upload. It provides a \
                      holistic view of the files uploaded. Upon clicking the filename in the table below a detailed \
                      view of each sync operation uploaded is displayed.",
        create: "Create Batch Sync",
        new: "New sync batch",
        file: "A CSV file of orders",
        caption: "Uploaded sync files",
        first_use: "No sync batches yet",
        first_use_text: "Upload a CSV file and each row brings one order up to date, here and in your external system.",
        thing: ["order", "orders"],
        subject: ["Order ID", "Transaction ID"],
        row_id: "Unique Request ID",
        total_records: true,
        no_gateway: "No gateway is connected, so no order is known. Ask an administrator to connect one.",
        unapproved_upload: "No approval is needed: the sync starts at once.",
        unapproved: "Orders will be synchronised and sent on without a second person.",
        consequence: "",
    },
};
