//! The table of batches. On a phone each row becomes a slip (`data-cell` says where a cell goes).

use super::{
    Live, SyncAct,
    sort::{order_of, pressed},
    updates::instant,
};
use crate::{
    domain::{
        ids::BatchId,
        money::Money,
        operation::Operation,
        page::{BatchQuery, BatchSort, Paged},
        view::BatchRow,
    },
    ui::components::{
        BatchStatusBadge, Button, Kind, MoneyView, Pagination, ProgressBar, ShortId, Size, SortHeader, TimeView, count,
        progress_label,
    },
};
use leptos::{ev::SubmitEvent, prelude::*};

/// The table, its sums and its pages.
#[component]
pub fn BatchTable(
    /// Whose list.
    operation: Operation,
    /// What the table is called.
    caption: &'static str,
    /// The rows.
    page: Paged<BatchRow>,
    /// How they were asked for.
    query: BatchQuery,
    /// The newest numbers of batches, as they come.
    live: Signal<Live>,
    /// What the button of a row does.
    sync: SyncAct,
) -> impl IntoView {
    let labels = operation.labels();
    let pages = page.pages();
    let (number, size, total) = (page.page, page.size, page.total);
    let head = |text, column, class: Option<&'static str>| {
        let href = format!("{}{}", operation.path(), pressed(&query, column));
        let sorted = order_of(&query, column);
        match class {
            Some(class) => view! { <SortHeader text=text href=href sorted=sorted class=class /> }.into_any(),
            None => view! { <SortHeader text=text href=href sorted=sorted /> }.into_any(),
        }
    };
    let heads = view! {
        {head("File Name", BatchSort::FileName, None)}
        {head("File Upload Status", BatchSort::Status, None)}
        {operation.has_amounts().then(|| head("Amount", BatchSort::Amount, Some("cash")))}
        {labels.total_records.then(|| head("Total Records", BatchSort::Records, Some("num")))}
        {head("Date Created", BatchSort::Created, None)}
        <th role="columnheader" scope="col">
            "Last Modified"
        </th>
        {head("Total Tasks", BatchSort::Tasks, Some("num"))}
        <th role="columnheader" scope="col">
            "Tasks Progress"
        </th>
        <th role="columnheader" scope="col">
            "Actions"
        </th>
    };
    let sums = sums(&page.rows);
    let files = page.rows.len();
    let rows = page
        .rows
        .into_iter()
        .map(|row| {
            let name = marked(&row.file_name, &query.search, query.case_sensitive);
            view! { <Row operation=operation row=row name=name live=live sync=sync /> }
        })
        .collect_view();
    let other_page = move |page| {
        let address = BatchQuery { page, ..query.clone() }.to_query();
        format!("{}{}", operation.path(), if address.is_empty() { "?" } else { &address })
    };
    view! {
        <div class="table-box" tabindex="0" role="region" aria-label=format!("{caption}, scrolls sideways")>
            <table role="table" class="table" data-slips="" data-cols="many">
                <caption class="vh">{caption}</caption>
                <thead role="rowgroup">
                    <tr role="row">{heads}</tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
                {sums.map(|(amount, tasks)| view! { <Sums operation=operation files=files amount=amount tasks=tasks /> })}
            </table>
        </div>
        <Pagination page=number pages=pages size=size total=total href=other_page />
    }
    .into_any()
}

/// What the rows of this page come to; none when their currencies differ.
fn sums(rows: &[BatchRow]) -> Option<(Money, u64)> {
    let currency = rows.first()?.amount.currency;
    let mut minor = 0i64;
    let mut tasks = 0u64;
    for row in rows {
        if row.amount.currency != currency {
            return None;
        }
        minor = minor.checked_add(row.amount.minor)?;
        tasks = tasks.checked_add(row.records)?;
    }
    Some((Money::new(minor, currency), tasks))
}

#[component]
fn Sums(operation: Operation, files: usize, amount: Money, tasks: u64) -> impl IntoView {
    let these = if files == 1 { "This file".to_owned() } else { format!("These {files} files") };
    let blank = || view! { <td role="cell" data-cell="drop"></td> };
    view! {
        <tfoot role="rowgroup">
            <tr role="row">
                <th role="rowheader" scope="row" data-cell="lead">
                    {these}
                </th>
                {blank()}
                {if operation.has_amounts() {
                    view! {
                        <td role="cell" class="cash" data-cell="end">
                            <span class="sum">
                                <MoneyView amount=amount />
                            </span>
                        </td>
                    }
                        .into_any()
                } else {
                    // Each record is one task.
                    view! {
                        <td role="cell" class="num" data-cell="end">
                            <span class="sum">{count(tasks)}</span>
                        </td>
                    }
                        .into_any()
                }}
                {blank()}
                {blank()}
                <td role="cell" class="num" data-cell="drop">
                    <span class="sum">{count(tasks)}</span>
                </td>
                {blank()}
                {blank()}
            </tr>
        </tfoot>
    }
    .into_any()
}

/// One batch.
#[component]
fn Row(
    operation: Operation,
    row: BatchRow,
    /// The file name, in pieces: what was searched for is marked.
    name: Vec<(String, bool)>,
    live: Signal<Live>,
    sync: SyncAct,
) -> impl IntoView {
    let id = row.id;
    let (status, counts) = (row.status, row.counts);
    // An event may be older than the row, which was read later.
    let read_at = StoredValue::new(row.modified.utc.clone());
    let newer = move || {
        live.with(|live| {
            live.get(&id)
                .filter(|event| read_at.with_value(|read_at| instant(&event.updated_at) >= instant(read_at)))
                .map(|event| (event.status, event.counts))
        })
    };
    let now = Memo::new(move |_| newer().unwrap_or((status, counts)));
    let status_now = Signal::derive(move || now.get().0);
    let counts_now = Signal::derive(move || now.get().1);
    let words = move || {
        let (status, counts) = now.get();
        let (done, failed) = progress_label(status, counts);
        view! {
            <p class="legend">
                <span>{done}</span>
                {failed.map(|failed| view! { <span class="vh">" · "</span> <span class="bad">{failed}</span> })}
            </p>
        }
    };
    let has_strip = Memo::new(move |_| {
        let status = status_now.get();
        status.has_been_sent() || status == crate::domain::batch::BatchStatus::AwaitingApproval
    });
    let maker = row.maker.split('@').next().unwrap_or_default().to_owned();
    let address = format!("{}/{id}", operation.path());
    view! {
        <tr role="row" data-batch=id.to_string()>
            <th role="rowheader" scope="row" data-cell="lead">
                <a class="name" href=address>
                    {name
                        .into_iter()
                        .map(|(piece, found)| {
                            if found { view! { <mark>{piece}</mark> }.into_any() } else { piece.into_any() }
                        })
                        .collect_view()}
                </a>
                <small class="id">
                    <ShortId id=id />
                    " · "
                    <span title=row.maker>{maker}</span>
                </small>
            </th>
            <td role="cell" data-cell="mark">
                <BatchStatusBadge status=status_now />
                {row.note.map(|note| view! { <small>{note}</small> })}
            </td>
            {operation
                .has_amounts()
                .then(|| {
                    view! {
                        <td role="cell" class="cash" data-cell="end">
                            <MoneyView amount=row.amount />
                        </td>
                    }
                })}
            {operation.labels().total_records
                .then(|| {
                    view! {
                        <td role="cell" class="num" data-cell="end">
                            {count(row.records)}
                        </td>
                    }
                })}
            <td role="cell" class="tight" data-cell="end2">
                <TimeView moment=row.created stacked=true />
            </td>
            <td role="cell" class="tight" data-cell="drop">
                <TimeView moment=row.modified stacked=true />
            </td>
            <td role="cell" class="num" data-cell="drop">
                {count(row.records)}
            </td>
            <td role="cell" class="progress">
                {move || has_strip.get().then(|| view! { <ProgressBar counts=counts_now /> })}
                {words}
            </td>
            <td role="cell">
                {row
                    .can_sync
                    .then(|| view! { <SyncButton operation=operation id=id file_name=row.file_name sync=sync /> })}
                {row
                    .last_synced
                    .map(|at| {
                        view! { <small class="tight">"Last synced " <time datetime=at.utc title=at.text>{at.time}</time></small> }
                    })}
            </td>
        </tr>
    }
    .into_any()
}

/// "Sync with Gateway": a plain form, which the browser sends by itself where there is no JavaScript.
#[component]
fn SyncButton(operation: Operation, id: BatchId, file_name: String, sync: SyncAct) -> impl IntoView {
    // A memo ends with its row; a derived signal would be asked once more while the next list is on its way.
    let busy = Memo::new(move |_| sync.busy.with(|busy| busy.contains(&id)));
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        sync.press.run((id, file_name.clone()));
    };
    view! {
        <form method="post" action=format!("{}/{id}/sync", operation.path()) on:submit=submit>
            <Button kind=Kind::Quiet size=Size::Small icon="sync" busy=busy>
                {move || if busy.get() { "Syncing…" } else { "Sync with Gateway" }}
            </Button>
        </form>
    }
    .into_any()
}

/// Cuts `name` into pieces and says which of them are what was searched for.
fn marked(name: &str, search: &str, case_sensitive: bool) -> Vec<(String, bool)> {
    let fold = |text: &str| -> Vec<char> {
        // One character each, so that positions stay those of the name; the few that fold to more stay as they are.
        text.chars()
            .map(|c| {
                let mut lower = c.to_lowercase();
                match (case_sensitive, lower.next(), lower.next()) {
                    (false, Some(one), None) => one,
                    _ => c,
                }
            })
            .collect()
    };
    let (hay, needle) = (fold(name), fold(search));
    let mut pieces: Vec<(String, bool)> = Vec::new();
    let mut push = |c: char, found: bool, fresh: bool| match pieces.last_mut() {
        Some((piece, same)) if *same == found && !fresh => piece.push(c),
        _ => pieces.push((c.to_string(), found)),
    };
    let mut left_of_match = 0usize;
    for (position, c) in name.chars().enumerate() {
        let mut fresh = false;
        if left_of_match == 0 && !needle.is_empty() && hay.get(position..).is_some_and(|rest| rest.starts_with(&needle))
        {
            left_of_match = needle.len();
            fresh = true;
        }
        push(c, left_of_match > 0, fresh);
        left_of_match = left_of_match.saturating_sub(1);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(name: &str, search: &str, case_sensitive: bool) -> String {
        marked(name, search, case_sensitive)
            .into_iter()
            .map(|(piece, found)| if found { format!("[{piece}]") } else { piece })
            .collect()
    }

    #[test]
    fn what_was_searched_for_is_marked() {
        assert_eq!(rendered("refunds_Oct_oct.csv", "oct", true), "refunds_Oct_[oct].csv");
        assert_eq!(rendered("refunds_Oct_oct.csv", "OCT", false), "refunds_[Oct]_[oct].csv");
        assert_eq!(rendered("aaaa", "aa", true), "[aa][aa]");
        assert_eq!(rendered("a.csv", "", true), "a.csv");
        assert_eq!(rendered("İstanbul.csv", "i", false), "İstanbul.csv");
        assert_eq!(rendered("Überweisung.csv", "über", false), "[Über]weisung.csv");
    }
}
