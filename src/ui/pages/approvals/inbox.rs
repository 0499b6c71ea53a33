//! `/approvals`: what waits for this person, what they asked for, what was decided.

use crate::{
    api::approvals::load_inbox,
    domain::{
        error::Refusal,
        view::{ApprovalInbox, ApprovalRow},
    },
    ui::{
        components::{BatchStatusBadge, EmptyState, LoadFailed, MoneyView, TimeView, Title, count},
        hooks::url::{here, query_value},
        pages::batches::detail::labels::things,
    },
};
use leptos::prelude::*;

/// The three lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// The person may decide these.
    Waiting,
    /// The person asked for these.
    Submitted,
    /// Decided lately.
    Decided,
}

impl Shelf {
    const ALL: [Self; 3] = [Self::Waiting, Self::Submitted, Self::Decided];

    fn from_code(code: Option<&str>) -> Self {
        match code {
            Some("submitted") => Self::Submitted,
            Some("decided") => Self::Decided,
            _ => Self::Waiting,
        }
    }

    const fn href(self) -> &'static str {
        match self {
            Self::Waiting => "/approvals",
            Self::Submitted => "/approvals?show=submitted",
            Self::Decided => "/approvals?show=decided",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting for me",
            Self::Submitted => "Submitted by me",
            Self::Decided => "Decided",
        }
    }

    const fn rows(self, inbox: &ApprovalInbox) -> &Vec<ApprovalRow> {
        match self {
            Self::Waiting => &inbox.waiting,
            Self::Submitted => &inbox.submitted,
            Self::Decided => &inbox.decided,
        }
    }
}

/// The inbox.
#[component]
pub fn ApprovalsPage() -> impl IntoView {
    let show = query_value("show");
    let shelf = Memo::new(move |_| Shelf::from_code(show.get().as_deref()));
    let address = here();
    let loading = Resource::new_blocking(|| (), |()| load_inbox());
    view! {
        <Title text="Approvals"/>
        <div class="head">
            <h1>"Approvals"</h1>
            <p>"What one person asks for, another decides. The decision is bound to exactly the rows that were shown."</p>
        </div>
        <Transition>
            {move || {
                let shelf = shelf.get();
                Suspend::new(async move {
                    let inbox = loading.await.map_err(|error| error.refusal);
                    view! { <Inbox inbox shelf address=address.get_untracked()/> }
                })
            }}
        </Transition>
    }
    .into_any()
}

/// Tabs and the list. Knows no routes, so it can be rendered from data alone.
#[component]
pub fn Inbox(
    /// What was loaded.
    inbox: Result<ApprovalInbox, Refusal>,
    /// Which list is looked at.
    shelf: Shelf,
    /// Address of this page.
    address: String,
) -> impl IntoView {
    let inbox = match inbox {
        Ok(inbox) => inbox,
        Err(refusal) => return view! { <LoadFailed what="The list" refusal address/> }.into_any(),
    };
    let tabs = Shelf::ALL
        .map(|tab| {
            let number = u64::try_from(tab.rows(&inbox).len()).unwrap_or(0);
            view! {
                <a href=tab.href() aria-current=(tab == shelf).then_some("page")>
                    {tab.text()}
                    " "
                    <small>{count(number)}</small>
                </a>
            }
        })
        .collect_view();
    let rows = shelf.rows(&inbox).clone();
    let list = if rows.is_empty() { nothing(shelf) } else { table(shelf, rows) };
    view! {
        <div class="stack">
            <nav class="tabs" aria-label="Approvals">{tabs}</nav>
            <section class="card" aria-label=shelf.text()>{list}</section>
        </div>
    }
    .into_any()
}

fn nothing(shelf: Shelf) -> AnyView {
    let (title, text) = match shelf {
        Shelf::Waiting => ("Nothing waits for you", "Requests that you may decide appear here. Your own never do."),
        Shelf::Submitted => ("You have asked for nothing", "Batches that you submit for approval appear here."),
        Shelf::Decided => ("Nothing was decided yet", "Decisions of the last weeks appear here, newest first."),
    };
    view! { <EmptyState icon="approve" title=title text=text/> }.into_any()
}

fn table(shelf: Shelf, rows: Vec<ApprovalRow>) -> AnyView {
    let last = if shelf == Shelf::Waiting { "Expires" } else { "Status" };
    view! {
        <div class="table-box" tabindex="0" role="region" aria-label="Requests, scrolls sideways">
            <table role="table" class="table" data-slips="">
                <caption class="vh">{shelf.text()}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader" scope="col">"Request"</th>
                        <th role="columnheader" scope="col">"Description"</th>
                        <th role="columnheader" scope="col">"Maker"</th>
                        <th role="columnheader" scope="col">"Submitted"</th>
                        <th role="columnheader" scope="col" class="cash">"Amount"</th>
                        <th role="columnheader" scope="col">{last}</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows.into_iter().map(|each| row(shelf, each)).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(shelf: Shelf, row: ApprovalRow) -> AnyView {
    let labels = row.operation.labels();
    let expires = row.expires.map(|moment| view! { <TimeView moment stacked=true/> });
    let end = if shelf == Shelf::Waiting {
        expires.into_any()
    } else {
        view! {
            <BatchStatusBadge status=row.status/>
            {(!row.decision.is_empty()).then(|| view! { <small>{row.decision}</small> })}
        }
        .into_any()
    };
    view! {
        <tr role="row">
            <th role="rowheader" scope="row" data-cell="lead">
                <a class="name" href=format!("/approvals/{}", row.id)>{row.file_name}</a>
                <small>{labels.title}{row.retry.then_some(", failed rows again")}</small>
            </th>
            <td role="cell">{row.description}</td>
            <td role="cell" data-cell="mark">{row.maker}</td>
            <td role="cell" data-cell="end2"><TimeView moment=row.submitted stacked=true/></td>
            <td role="cell" class="cash" data-cell="end">
                {row.operation.has_amounts().then(|| view! { <MoneyView amount=row.amount/> })}
                <small>{things(row.operation, row.records)}</small>
            </td>
            <td role="cell" class="until" data-label=if shelf == Shelf::Waiting { "Expires" } else { "" }>{end}</td>
        </tr>
    }
    .into_any()
}
