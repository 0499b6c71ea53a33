//! The rows of the file, each cell to be corrected in its place.

use super::{findings::look, upload_form::UploadForm};
use crate::{
    domain::finding::Severity,
    ui::{
        components::{Button, Glyph, Icon, Kind, Size, count},
        worker::messages::{CellView, EditorRequest, Note, Output, RowView, RowsQuery},
    },
};
use leptos::{ev, prelude::*};

/// The table with its head and foot.
#[component]
pub fn Rows(upload: UploadForm) -> impl IntoView {
    let only = upload.only;
    let heading = move || if only.get() { "Rows with findings" } else { "All rows" };
    let matching = move || upload.rows.with(|rows| count(rows.matching));
    let all = move || upload.of(|report| count(report.rows));
    let switch = move |event: ev::Event| {
        only.set(event_target_checked(&event));
        upload.show(RowsQuery { only: only.get_untracked(), ..RowsQuery::default() });
    };
    let has_errors = move || upload.of(|report| report.bad() > 0);
    view! {
        <section class="card" aria-labelledby="rows">
            <div class="card-head">
                <h2 id="rows">{heading}</h2>
                <small>{move || format!("{} of {}", matching(), all())}</small>
                <span class="row">
                    <label class="switch">
                        <input type="checkbox" role="switch" prop:checked=move || only.get() on:change=switch/>
                        <span class="on">"Only these"</span>
                        <span class="off">"All rows"</span>
                    </label>
                    {move || has_errors().then(|| view! {
                        <button
                            class="button"
                            data-size="sm"
                            type="button"
                            aria-keyshortcuts="n"
                            on:click=move |_| upload.next_error()
                        >
                            "Next error"
                            <kbd class="only-wide" aria-hidden="true">"n"</kbd>
                        </button>
                    })}
                </span>
            </div>
            <div class="table-box" tabindex="0" role="region" aria-label="Cells, scrolls sideways">
                <table class="table grid">
                    <caption class="vh">"Rows of the file; every cell can be edited"</caption>
                    <thead>
                        <tr>
                            <th scope="col"><span class="vh">"Row"</span></th>
                            {move || upload.rows.with(|rows| {
                                let head = |name: &String| {
                                    view! { <th scope="col" class=is_amount(name).then_some("num")>{name.clone()}</th> }
                                };
                                rows.columns.iter().map(head).collect_view()
                            })}
                        </tr>
                    </thead>
                    <tbody>
                        <For
                            each=move || upload.rows.with(|rows| {
                                rows.rows.iter().map(|row| (rows.layout, row.row)).collect::<Vec<_>>()
                            })
                            key=|key| *key
                            children=move |(_, row)| view! { <Row upload row/> }
                        />
                    </tbody>
                </table>
            </div>
            {move || upload.rows.with(|rows| (rows.matching == 0).then(|| view! {
                <p class="card-body small soft">"No row has a finding."</p>
            }))}
            <Pages upload/>
            <Foot upload/>
        </section>
    }
    .into_any()
}

fn is_amount(column: &str) -> bool {
    column.ends_with("amount")
}

#[component]
fn Row(upload: UploadForm, row: u32) -> impl IntoView {
    let this = Memo::new(move |_| upload.rows.with(|rows| rows.rows.iter().find(|one| one.row == row).cloned()));
    let columns = upload.rows.with_untracked(|rows| rows.columns.clone());
    let width = this.with_untracked(|row| row.as_ref().map_or(0, |row| row.cells.len()));
    let cells = (0..width).map(|index| {
        let name = columns.get(index).cloned().unwrap_or_else(|| format!("cell {}", index + 1));
        let cell = Memo::new(move |_| this.with(|row| row.as_ref().and_then(|row| row.cells.get(index).cloned())));
        view! { <Cell upload row index name cell/> }
    });
    let note = move || this.with(|row: &Option<RowView>| row.as_ref().and_then(|row| row.note.clone()));
    view! {
        <tr id=format!("row-{row}")>
            <th scope="row" data-label="Row">
                {row}
                {move || note().map(|note| view! { <RowNote note/> })}
            </th>
            {cells.collect_view()}
        </tr>
    }
    .into_any()
}

/// What is wrong with a row as a whole: a sign at its number, the words for those who cannot see it.
#[component]
fn RowNote(note: Note) -> impl IntoView {
    let (tone, glyph) = look(note.severity);
    let title = note.text.clone();
    view! {
        <span class="row-note" data-tone=tone title=title>
            <Glyph name=glyph/>
            <span class="vh">{note.text}</span>
        </span>
    }
    .into_any()
}

#[component]
fn Cell(upload: UploadForm, row: u32, index: usize, name: String, cell: Memo<Option<CellView>>) -> impl IntoView {
    let text = Memo::new(move |_| cell.with(|cell| cell.as_ref().map(|cell| cell.text.clone()).unwrap_or_default()));
    let note = Memo::new(move |_| cell.with(|cell| cell.as_ref().and_then(|cell| cell.note.clone())));
    let was = Memo::new(move |_| cell.with(|cell| cell.as_ref().and_then(|cell| cell.was.clone())));
    let id = format!("cell-{row}-{index}");
    let note_id = format!("note-{row}-{index}");
    let label = format!("{name}, row {row}");
    let column = u32::try_from(index).unwrap_or(u32::MAX);
    let change = move |event: ev::Event| {
        let typed = event_target_value(&event);
        if text.with_untracked(|text| *text != typed) {
            upload.edit(row, column, typed);
        }
    };
    let keys = move |event: ev::KeyboardEvent| match event.key().as_str() {
        "Enter" => {
            event.prevent_default();
            // Leaving the cell saves it.
            go_down(upload, row, index, event.shift_key());
        }
        "Escape" => restore(&event, &text.get_untracked()),
        _ => {}
    };
    let described = {
        let note_id = note_id.clone();
        move || (note.with(Option::is_some) || was.with(Option::is_some)).then(|| note_id.clone())
    };
    let below = move || {
        let id = note_id.clone();
        match (note.get(), was.get()) {
            (Some(note), _) => {
                let (tone, glyph) = look(note.severity);
                Some(view! { <div class="note" id=id data-tone=tone><Glyph name=glyph/><span>{note.text}</span></div> })
            }
            (None, Some(was)) => {
                let words = if was.is_empty() { "Was empty".to_owned() } else { format!("Was {was}") };
                Some(
                    view! { <div class="note" id=id data-tone="queued"><Glyph name="edited"/><span>{words}</span></div> },
                )
            }
            (None, None) => None,
        }
    };
    let number = is_amount(&name);
    view! {
        <td class=number.then_some("num") data-label=name>
            <input
                class="cell"
                id=id
                size="14"
                autocomplete="off"
                spellcheck="false"
                aria-label=label
                aria-describedby=described
                aria-invalid=move || {
                    note.with(|note| note.as_ref().is_some_and(|note| note.severity == Severity::Error)).then_some("true")
                }
                data-edited=move || was.with(Option::is_some).then_some("")
                readonly=move || upload.sending.with(Option::is_some)
                prop:value=move || text.get()
                on:change=change
                on:keydown=keys
            />
            {below}
        </td>
    }
    .into_any()
}

/// The same column in the next row, or in the one before.
fn go_down(upload: UploadForm, row: u32, index: usize, up: bool) {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let next = upload.rows.with_untracked(|rows| {
            let place = rows.rows.iter().position(|one| one.row == row)?;
            let place = if up { place.checked_sub(1)? } else { place + 1 };
            rows.rows.get(place).map(|row| row.row)
        });
        let cell = |row: u32| {
            let element = document().get_element_by_id(&format!("cell-{row}-{index}"))?;
            element.dyn_into::<web_sys::HtmlElement>().ok()
        };
        match next.and_then(cell) {
            Some(next) => {
                let _ = next.focus();
            }
            // The last row: saved, and the person stays where they are.
            None => {
                if let Some(this) = cell(row) {
                    let _ = this.blur();
                    let _ = this.focus();
                }
            }
        }
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (upload, row, index, up);
}

fn restore(event: &ev::KeyboardEvent, text: &str) {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        if let Some(input) = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok()) {
            input.set_value(text);
            input.select();
        }
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (event, text);
}

/// The way through the pages of rows; nothing where one is enough.
#[component]
fn Pages(upload: UploadForm) -> impl IntoView {
    let place = Memo::new(move |_| upload.rows.with(|rows| (rows.page, rows.pages)));
    let turn =
        move |page: u32| upload.show(RowsQuery { only: upload.only.get_untracked(), page, ..RowsQuery::default() });
    move || {
        let (page, pages) = place.get();
        (pages > 1).then(|| {
            view! {
                <nav class="pages" aria-label="Pages of rows">
                    <span role="status">{format!("Page {} of {}", page + 1, count(u64::from(pages)))}</span>
                    <span class="row">
                        {(page > 0).then(|| view! {
                            <Button size=Size::Small plain=true on_press=Callback::new(move |_| turn(page - 1))>"Previous"</Button>
                        })}
                        {(page + 1 < pages).then(|| view! {
                            <Button size=Size::Small plain=true on_press=Callback::new(move |_| turn(page + 1))>"Next"</Button>
                        })}
                    </span>
                </nav>
            }
        })
    }
}

#[component]
fn Foot(upload: UploadForm) -> impl IntoView {
    let changes = move || {
        let (edited, removed) = upload.of(|report| (report.edited, report.removed));
        let part = |number: u64, one: &str, many: &str| match number {
            0 => None,
            1 => Some(format!("1 {one}")),
            number => Some(format!("{} {many}", count(number))),
        };
        let parts =
            [part(edited, "cell edited here", "cells edited here"), part(removed, "row taken out", "rows taken out")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "Changed here".to_owned() } else { parts.join(", ") }
    };
    let changed = move || upload.of(|report| report.changed);
    let bad = move || upload.of(|report| report.bad() > 0);
    view! {
        <div class="card-foot">
            {move || changed().then(|| view! {
                <span class="row" role="status">
                    <Glyph name="edited" tone="queued"/>
                    {changes}
                    <Button kind=Kind::Quiet size=Size::Small icon="undo" plain=true on_press=Callback::new(move |_| upload.act(EditorRequest::Undo))>
                        "Undo"
                    </Button>
                </span>
            })}
            <span class="only-wide"><kbd>"Enter"</kbd>" saves, "<kbd>"Esc"</kbd>" restores"</span>
            <span class="row push">
                {move || bad().then(|| view! {
                    <button class="button" data-kind="quiet" data-size="sm" type="button" on:click=move |_| upload.keep(Output::Bad)>
                        <Icon name="download"/>
                        "Download only rows with errors"
                    </button>
                })}
                {move || changed().then(|| view! {
                    <button class="button" data-kind="quiet" data-size="sm" type="button" on:click=move |_| upload.keep(Output::Whole)>
                        <Icon name="download"/>
                        "Download corrected file"
                    </button>
                })}
            </span>
        </div>
    }
    .into_any()
}
