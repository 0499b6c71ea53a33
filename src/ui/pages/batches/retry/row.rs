//! One failed row: why it failed, and its cells.

use crate::{
    domain::view::retries::{RetryCell, RetryRow},
    ui::components::Glyph,
};
use leptos::prelude::*;

/// Columns that are always in sight.
const FIRST: [&str; 4] = ["order_id", "amount", "txn_id", "unique_id"];

/// A row of the form. `open`: all its cells are in sight.
pub(super) fn row(row: RetryRow, batch: &str, open: bool) -> impl IntoView + use<> {
    let (number, sheet_row) = (row.number, row.row);
    let edited = row.cells.iter().any(RetryCell::is_changed);
    let (first, other): (Vec<RetryCell>, Vec<RetryCell>) =
        row.cells.into_iter().partition(|cell| FIRST.contains(&cell.name));
    let filled = other.iter().filter(|cell| !cell.now.is_empty()).count();
    let open = open || other.iter().any(|cell| cell.is_changed() || !cell.errors.is_empty());
    let first = first.into_iter().map(|item| cell(number, sheet_row, item)).collect_view();
    let other_cells = other.into_iter().map(|item| cell(number, sheet_row, item)).collect_view();
    let filled = match filled {
        0 => "all empty".to_owned(),
        filled => format!("{filled} filled"),
    };
    let warning = row.fails_again.filter(|_| !edited).map(|sentence| {
        view! { <p class="again-why" data-tone="waiting" data-fails-again=""><Glyph name="partial"/><span>{sentence}</span></p> }
    });
    view! {
        <li id=format!("row-{sheet_row}") data-row=sheet_row.to_string() data-edited=edited.then_some("")>
            <input type="hidden" name="row" value=number.to_string()/>
            <div class="again-head">
                <label class="check">
                    <input type="checkbox" name=format!("take-{number}") value="1" checked=row.take/>
                    <b>"Row "{sheet_row}</b>
                </label>
                {edited.then(|| view! { <span class="flag" data-tone="queued"><Glyph name="edited"/>"changed"</span> })}
                <a href=format!("{batch}/tasks/{number}")>"History"<span class="vh">" of row "{sheet_row}</span></a>
            </div>
            <p class="again-why" data-tone="failed"><Glyph name="failed"/><span>{row.why}</span></p>
            {warning}
            <div class="again-cells">{first}</div>
            <details class="again-more" open=open>
                <summary>"Split settlement and user defined fields"<small>{filled}</small></summary>
                <div class="again-cells" data-many="">{other_cells}</div>
            </details>
            <p class="again-key">"Key used up: "<span class="id">{row.key}</span>". It is sent again under a new one."</p>
        </li>
    }
}

/// A cell. What differs from what was sent is marked while it is typed: the pattern is the old text, and an emptied
/// cell shows it.
fn cell(number: u32, sheet_row: u32, cell: RetryCell) -> impl IntoView {
    let RetryCell { name, was, now, errors } = cell;
    let changed = was.trim() != now.trim();
    let id = format!("c-{sheet_row}-{name}");
    let error = format!("{id}-error");
    let before = format!("{id}-was");
    let described = match (errors.is_empty(), changed) {
        (true, true) => Some(before.clone()),
        (false, _) => Some(error.clone()),
        (true, false) => None,
    };
    let old = match was.is_empty() {
        true => "empty".to_owned(),
        false => was.clone(),
    };
    view! {
        <div class="again-cell" data-column=name>
            <label for=id.clone()>{name}<span class="vh">" of row "{sheet_row}</span></label>
            <input
                class="cell"
                id=id
                name=format!("c{number}-{name}")
                value=now
                inputmode=name.ends_with("amount").then_some("decimal")
                spellcheck="false"
                pattern=pattern(&was)
                placeholder=(!was.is_empty()).then_some(was)
                aria-invalid=if errors.is_empty() { "false" } else { "true" }
                aria-describedby=described
            />
            {changed.then(|| view! { <small id=before>"was "<del>{old}</del></small> })}
            {(!errors.is_empty()).then(|| view! {
                <p class="error" id=error data-tone="failed"><Glyph name="failed"/><span>{errors.join(" ")}</span></p>
            })}
        </div>
    }
}

/// A pattern that only the old text fits; any text differs from an empty one.
fn pattern(was: &str) -> String {
    if was.is_empty() {
        return "(?!)".to_owned();
    }
    was.chars().fold(String::with_capacity(was.len()), |mut out, c| {
        if "^$\\.*+?()[]{}|/".contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
