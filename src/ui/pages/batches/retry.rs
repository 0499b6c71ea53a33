//! `/batch/batch-refunds/{id}/retry`: failed rows, to be corrected and sent again in place. Rendered on the server
//! only: one plain form, and every button of it keeps what was typed.

mod row;
pub mod side;

use crate::{
    api::retries::load_retry,
    domain::{
        finding::{Finding, Severity},
        ids::BatchId,
        operation::Operation,
        view::retries::RetryView,
    },
    ui::{
        components::{Banner, BatchStatusBadge, Glyph, LoadFailed, Title, count},
        hooks::url::{here, query_value},
        parts::repeats::{repeats, warnings},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};

/// Findings that are listed above the rows; the others stand at their cells.
const LISTED: usize = 30;

/// The page.
#[component]
pub fn RetryPage() -> impl IntoView {
    let operation = Operation::at(&use_location().pathname.get_untracked());
    let id = use_params_map().read_untracked().get("id").and_then(|id| id.parse::<BatchId>().ok());
    let page = query_value("page").get_untracked().and_then(|page| page.parse().ok()).unwrap_or(1);
    let address = here().get_untracked();
    view! {
        <Title text="Send failed rows again"/>
        <Suspense fallback=|| ()>
            {Suspend::new(async move {
                // The router let nobody through without a batch.
                let (Some(operation), Some(id)) = (operation, id) else { return ().into_any() };
                match load_retry(operation, id, page).await {
                    Ok(retry) => view! { <Retry retry/> }.into_any(),
                    Err(error) => view! { <LoadFailed what="This page" refusal=error.refusal address/> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

/// The page, once there is something to show.
#[component]
fn Retry(retry: RetryView) -> impl IntoView {
    let snapshot = retry.snapshot.clone();
    let batch = format!("{}/{}", snapshot.operation.path(), snapshot.id);
    let head = view! {
        <div class="head">
            <div class="head-title">
                <h1>"Send failed rows again"</h1>
                <BatchStatusBadge status=snapshot.status/>
            </div>
            <div class="meta">
                <span>"of "<a href=batch.clone()>{snapshot.file_name.clone()}</a></span>
                <span>{count(retry.failed.0)}" failed, "{retry.failed.1.to_string()}</span>
            </div>
        </div>
    };
    if let Some(why_not) = retry.why_not.clone() {
        return view! {
            {head}
            <Banner tone="neutral" title="Nothing can be sent again now." actions=Box::new(move || view! {
                <a class="button" data-size="sm" href=batch.clone()>"Open the batch"</a>
            }.into_any())>{why_not}</Banner>
        }
        .into_any();
    }
    let (page, pages) = retry.page;
    let open = retry.rows.len() == 1;
    let rows = retry.rows.clone().into_iter().map(|row| row::row(row, &batch, open)).collect_view();
    view! {
        {head}
        <form
            class="split again"
            data-side="end"
            id="retry"
            method="post"
            action=format!("{batch}/retry")
            novalidate
            autocomplete="off"
        >
            // Enter in a field looks at what was typed; it never sends.
            <button class="vh" type="submit" name="do" value="check" tabindex="-1" aria-hidden="true"></button>
            <input type="hidden" name="revision" value=retry.base.to_string()/>
            <input type="hidden" name="page" value=page.to_string()/>
            <div class="stack" data-gap="24">
                {findings(&retry)}
                {repeats(snapshot.operation, retry.repeats.clone(), retry.seal.clone(), "Send them again anyway")}
                {warnings(to_confirm(&retry), retry.seal.clone(), "Send them anyway")}
                <section class="card" aria-labelledby="rows">
                    <div class="card-head">
                        <h2 id="rows">"Failed rows"</h2>
                        <div class="row">
                            <button class="button" data-size="sm" type="submit" name="do" value="all">"Tick all"</button>
                            <button class="button" data-size="sm" type="submit" name="do" value="none">"Tick none"</button>
                        </div>
                    </div>
                    <ol class="again-rows">{rows}</ol>
                    {(pages > 1).then(|| other_pages(page, pages))}
                </section>
            </div>
            <side::Side retry=retry.clone()/>
        </form>
        <div class="dock only-menu no-print">
            <p><b>{retry.taken.1.to_string()}</b><small>{side::rows(retry.taken.0)}" ticked"</small></p>
            <a class="button" href="#send">"Go to the sum"</a>
        </div>
    }
    .into_any()
}

/// The other pages, as buttons: what was typed on this one is kept.
fn other_pages(page: u32, pages: u32) -> impl IntoView {
    let button = move |to: u32, words: &'static str| {
        view! {
            <button class="button" data-size="sm" type="submit" name="do" value=format!("go:{to}:")>{words}</button>
        }
    };
    view! {
        <div class="card-foot">
            <span>{format!("Page {page} of {pages}. What is typed is kept on every page.")}</span>
            <span class="row push">
                {(page > 1).then(|| button(page - 1, "Previous page"))}
                {(page < pages).then(|| button(page + 1, "Next page"))}
            </span>
        </div>
    }
}

/// Warnings that must be confirmed, once nothing else is wrong.
fn to_confirm(retry: &RetryView) -> Vec<Finding> {
    let findings = || retry.findings.iter().map(|(_, finding)| finding);
    match findings().any(|finding| finding.severity == Severity::Error) {
        true => Vec::new(),
        false => findings().filter(|finding| finding.must_be_confirmed()).cloned().collect(),
    }
}

/// What the validator found, each with the way to its cell.
fn findings(retry: &RetryView) -> Option<AnyView> {
    let errors = retry.findings.iter().filter(|(_, finding)| finding.severity == Severity::Error).count();
    if retry.findings.is_empty() {
        return None;
    }
    let here = retry.page.0;
    let title = match errors {
        0 => "Worth a look".to_owned(),
        1 => "1 cell or row must be corrected".to_owned(),
        errors => format!("{} cells or rows must be corrected", count(errors as u64)),
    };
    let more = retry.findings.len().saturating_sub(LISTED);
    let more = (more != 0).then(|| {
        view! { <p>{format!("and {} more, each at its cell", count(more as u64))}</p> }
    });
    let lines =
        retry.findings.iter().take(LISTED).cloned().map(|(page, finding)| line(page, here, finding)).collect_view();
    let (tone, glyph) = if errors > 0 { ("failed", "failed") } else { ("waiting", "partial") };
    let role = (errors > 0).then_some("alert");
    Some(
        view! {
            <section class="card" id="findings" aria-labelledby="findings-title">
                <div class="finding" data-tone=tone role=role>
                    <Glyph name=glyph/>
                    <h3 id="findings-title">{title}</h3>
                    <ul class="lines">{lines}</ul>
                    {more}
                </div>
            </section>
        }
        .into_any(),
    )
}

fn line(page: u32, here: u32, finding: Finding) -> impl IntoView {
    let row = finding.row.unwrap_or(0);
    let place = match finding.column.as_deref() {
        Some(column) => format!("c-{row}-{column}"),
        None => format!("row-{row}"),
    };
    let words = format!("Row {row}");
    let way = match page == here {
        true => view! { <a href=format!("#{place}")>{words}</a> }.into_any(),
        false => view! {
            <button class="again-go" type="submit" name="do" value=format!("go:{page}:{place}")>
                {words}", page "{page}
            </button>
        }
        .into_any(),
    };
    view! {
        <li data-finding="" data-row=row.to_string() data-column=finding.column.clone().unwrap_or_default()>
            {way}" "{finding.message}
        </li>
    }
}
