//! The first page after sign-in: what needs this person, the numbers of the day, the newest batches.

use crate::{
    api::home::load_home,
    domain::{
        access::{Module, Right},
        batch::BatchStatus,
        operation::Operation,
        page::{BatchQuery, BatchSort},
        view::{BatchRow, Home, Viewer},
    },
    ui::{
        components::{
            BatchStatusBadge, EmptyState, Glyph, Kind, LinkButton, LoadFailed, MoneyView, Tile, TimeView, Title, count,
        },
        hooks::page::page_context,
    },
};
use leptos::prelude::*;

/// The page.
#[component]
pub fn HomePage() -> impl IntoView {
    let home = Resource::new(|| (), |()| load_home());
    let viewer = page_context().viewer;
    view! {
        <Title text="Home" />
        <Transition fallback=|| ()>
            {move || {
                let viewer = viewer.clone();
                Suspend::new(async move {
                    match home.await {
                        Ok(home) => view! { <Loaded home=home viewer=viewer /> }.into_any(),
                        Err(error) => {
                            view! {
                                <div class="head">
                                    <h1>"Home"</h1>
                                </div>
                                <LoadFailed what="This page" refusal=error.refusal address="/" />
                            }
                                .into_any()
                        }
                    }
                })
            }}
        </Transition>
    }
    .into_any()
}

/// What a person may do, as far as this page is concerned.
#[derive(Clone, Copy, Default)]
struct May {
    read: bool,
    create: bool,
    decide: bool,
}

impl May {
    fn of(viewer: Option<&Viewer>) -> Self {
        let Some(viewer) = viewer else { return Self::default() };
        let any = |right| Operation::ALL.iter().any(|operation| viewer.may(operation.module(), right));
        Self {
            read: any(Right::Read),
            create: viewer.may(Module::Refunds, Right::ReadWrite),
            decide: any(Right::Approve),
        }
    }
}

#[component]
pub(crate) fn Loaded(home: Home, viewer: Option<Viewer>) -> impl IntoView {
    let may = May::of(viewer.as_ref());
    let needed = home.attention.len();
    let heading = match needed {
        0 => "Nothing needs you now",
        _ => "What needs you now",
    };
    let place = viewer.map(|viewer| viewer.organisation.name);
    view! {
        <div class="head">
            <h1>{heading}</h1>
            {place.map(|place| view! { <p>{place}</p> })}
        </div>
        <div class="stack" data-gap="32">
            {(needed > 0).then(|| view! { <Needs attention=home.attention.clone() /> })}
            {(may.read || may.decide).then(|| view! { <Figures home=home.clone() may=may /> })}
            {if !may.read {
                ().into_any()
            } else if home.recent.is_empty() {
                view! { <FirstSteps may=may /> }.into_any()
            } else {
                view! { <Recent recent=home.recent /> }.into_any()
            }}
        </div>
    }
    .into_any()
}

/// What needs somebody: the first is the act of the page.
#[component]
fn Needs(attention: Vec<(String, String)>) -> impl IntoView {
    let items = attention
        .into_iter()
        .enumerate()
        .map(|(position, (sentence, href))| {
            let kind = if position == 0 { Kind::Primary } else { Kind::Plain };
            view! {
                <li data-tone="waiting">
                    <Glyph name="partial" medium=true />
                    <h2>
                        <a href=href.clone() rel=href.starts_with("/review").then_some("external")>
                            {sentence}
                        </a>
                    </h2>
                    <LinkButton href=href.clone() kind=kind on_server=href.starts_with("/review")>
                        "Open"
                    </LinkButton>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-label="Needs you">
            <ol class="needs">{items}</ol>
        </section>
    }
    .into_any()
}

/// The list with batches of this status: that of the newest of them.
fn list_of(status: BatchStatus, recent: &[(Operation, BatchRow)]) -> String {
    let query = BatchQuery { status: Some(status), sort: BatchSort::Created, ..BatchQuery::default() };
    let newest = recent.iter().find(|(_, row)| row.status == status).or(recent.first());
    newest.map_or_else(|| "/".to_owned(), |(operation, _)| format!("{}{}", operation.path(), query.to_query()))
}

/// The numbers of the day.
#[component]
fn Figures(home: Home, may: May) -> impl IntoView {
    let Home { waiting, processing, failures, refunded_today, recent, .. } = home;
    view! {
        <section aria-labelledby="figures">
            <div class="section-head">
                <h2 id="figures">"Figures"</h2>
            </div>
            <div class="card tiles">
                {may
                    .decide
                    .then(|| {
                        view! {
                            <Tile
                                label="Waiting for my approval"
                                tone="waiting"
                                glyph="waiting"
                                href="/approvals"
                                number=move || count(waiting)
                            >
                                {if waiting == 1 { "batch" } else { "batches" }}
                            </Tile>
                        }
                    })}
                {may
                    .read
                    .then(|| {
                        view! {
                            <Tile
                                label="Processing now"
                                tone="running"
                                glyph="running"
                                href=list_of(BatchStatus::Processing, &recent)
                                number=move || count(processing)
                            >
                                {if processing == 1 { "batch" } else { "batches" }}
                            </Tile>
                            <Tile
                                label="Completed with failures"
                                tone="waiting"
                                glyph="partial"
                                href=list_of(BatchStatus::CompletedWithFailures, &recent)
                                number=move || count(failures)
                            >
                                "in the last 7 days"
                            </Tile>
                            {refunded_today
                                .into_iter()
                                .map(|amount| {
                                    view! {
                                        <Tile
                                            label="Refunded today"
                                            tone="accepted"
                                            glyph="accepted"
                                            number=move || view! { <MoneyView amount=amount /> }
                                        >
                                            "accepted since midnight"
                                        </Tile>
                                    }
                                })
                                .collect_view()}
                        }
                    })}
            </div>
        </section>
    }
    .into_any()
}

/// Nothing was ever uploaded: how to begin.
#[component]
fn FirstSteps(may: May) -> impl IntoView {
    if !may.create {
        return view! {
            <section class="card" aria-label="Batches">
                <EmptyState
                    icon="stack"
                    title="No batches yet"
                    text="Batches appear here when somebody has uploaded a file."
                />
            </section>
        }
        .into_any();
    }
    view! {
        <section class="card" aria-label="First steps">
            <EmptyState
                icon="stack"
                title="Three steps to the first refunds"
                text="Each row of a CSV file becomes one refund, checked before anything is sent."
            >
                <ol class="will">
                    <li>
                        <span>
                            "Download the sample: "
                            <a href="/samples/batch_refunds_sample.csv" download="batch_refunds_sample.csv">
                                "batch_refunds_sample.csv"
                            </a>
                        </span>
                    </li>
                    <li>"Fill in your refunds and upload the file."</li>
                    <li>"Watch each one get its answer, and download the result."</li>
                </ol>
            </EmptyState>
            <div class="card-foot">
                <LinkButton href="/batch/batch-refunds/new".to_owned() kind=Kind::Primary icon="plus">
                    "Create Batch Refunds"
                </LinkButton>
            </div>
        </section>
    }
    .into_any()
}

/// The newest batches.
#[component]
fn Recent(recent: Vec<(Operation, BatchRow)>) -> impl IntoView {
    let viewer = page_context().viewer;
    let may_read =
        |operation: &Operation| viewer.as_ref().is_some_and(|viewer| viewer.may(operation.module(), Right::Read));
    let readable: Vec<Operation> = Operation::ALL.into_iter().filter(may_read).collect();
    let rows = recent
        .into_iter()
        .map(|(operation, row)| {
            view! {
                <tr role="row">
                    <th role="rowheader" scope="row" data-cell="lead">
                        <a class="name" href=format!("{}/{}", operation.path(), row.id)>
                            {row.file_name}
                        </a>
                    </th>
                    <td role="cell" data-cell="mark">
                        <BatchStatusBadge status=row.status />
                    </td>
                    <td role="cell" class="cash" data-cell="end">
                        {operation.has_amounts().then(|| view! { <MoneyView amount=row.amount /> })}
                    </td>
                    <td role="cell" class="num" data-cell="drop">
                        {count(row.records)}
                    </td>
                    <td role="cell" class="tight" data-cell="end2">
                        <TimeView moment=row.created stacked=true />
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section aria-labelledby="recent">
            <div class="section-head">
                <h2 id="recent">"Recent batches"</h2>
                <span class="push small row">
                    {readable
                        .into_iter()
                        .map(|operation| {
                            view! { <a href=operation.path()>"All " {operation.thing(0)}</a> }
                        })
                        .collect_view()}
                </span>
            </div>
            <div class="card">
                <div class="table-box">
                    <table role="table" class="table" data-slips="" data-density="compact">
                        <caption class="vh">"Recent batches"</caption>
                        <thead role="rowgroup">
                            <tr role="row">
                                <th role="columnheader" scope="col">
                                    "File Name"
                                </th>
                                <th role="columnheader" scope="col">
                                    "Status"
                                </th>
                                <th role="columnheader" scope="col" class="cash">
                                    "Amount"
                                </th>
                                <th role="columnheader" scope="col" class="num">
                                    "Total Tasks"
                                </th>
                                <th role="columnheader" scope="col">
                                    "Date Created"
                                </th>
                            </tr>
                        </thead>
                        <tbody role="rowgroup">{rows}</tbody>
                    </table>
                </div>
            </div>
        </section>
    }
    .into_any()
}
