//! What a file must look like: samples, columns, rules.

use crate::{
    domain::{limits::size_text, operation::Operation, view::NewBatch},
    formats::{
        field_table::{Example, Field},
        registry,
    },
    ui::components::{Icon, count},
};
use leptos::prelude::*;

/// Sample files.
#[component]
pub fn Guide(operation: Operation) -> impl IntoView {
    let format = registry::of(operation);
    view! {
        <section class="card" aria-labelledby="samples">
            <div class="card-head"><h2 id="samples">"Sample file"</h2></div>
            <ul class="card-body stack samples" data-gap="8">
                {operation.files().samples.iter().map(|sample| view! {
                    <li>
                        <a href=format!("/samples/{}", sample.name) download=sample.name>
                            <Icon name="download"/>
                            {sample.name}
                        </a>
                        <small>{format.template(sample.template).map(|template| template.title)}</small>
                    </li>
                }).collect_view()}
            </ul>
        </section>
    }
    .into_any()
}

/// The field tables and the rules between fields, folded away.
#[component]
pub fn Rules(operation: Operation) -> impl IntoView {
    let format = registry::of(operation);
    let notes = format.notes();
    let tables = format.templates().into_iter().map(|template| {
        view! { <FieldTable fields=template.fields note=template.title title=template.fields_title/> }
    });
    view! {
        <div class="card folds">
            {tables.collect_view()}
            <details class="fold">
                <summary><Icon name="right"/>{notes.title}</summary>
                <div class="card-body stack prose">
                    {(!notes.intro.is_empty()).then(|| view! { <p>{notes.intro}</p> })}
                    <ul>{notes.rules.iter().map(|rule| view! { <li>{*rule}</li> }).collect_view()}</ul>
                    {notes.example.map(|example| view! { <ExampleTable example/> })}
                </div>
            </details>
        </div>
    }
    .into_any()
}

#[component]
fn ExampleTable(example: Example) -> impl IntoView {
    let line = |[part, column, amount]: [&'static str; 3]| {
        view! { <tr><th scope="row">{part}</th><td class="id">{column}</td><td class="num">{amount}</td></tr> }
    };
    view! {
        <h3>{example.title}</h3>
        <div class="table-box" tabindex="0" role="region" aria-label=example.label>
            <table class="table" data-density="compact">
                <thead><tr>
                    <th scope="col">"Part"</th><th scope="col">"Column"</th><th scope="col" class="num">"Amount"</th>
                </tr></thead>
                <tbody>{example.parts.iter().copied().map(line).collect_view()}</tbody>
                <tfoot>{line(example.total)}</tfoot>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn FieldTable(fields: &'static [Field], note: &'static str, title: &'static str) -> impl IntoView {
    view! {
        <details class="fold">
            <summary><Icon name="right"/>{title}<small>{note}</small></summary>
            <div class="table-box" tabindex="0" role="region" aria-label=title>
                <table class="table" data-density="compact">
                    <thead><tr>
                        <th scope="col">"Field Name"</th>
                        <th scope="col">"Mandatory/Optional"</th>
                        <th scope="col">"Data Type"</th>
                        <th scope="col">"Description"</th>
                        <th scope="col">"Sample Value"</th>
                        <th scope="col">"Validation Rules"</th>
                    </tr></thead>
                    <tbody>
                        {fields.iter().map(|field| view! {
                            <tr>
                                <th scope="row" class="id">{field.name}</th>
                                <td>{field.presence()}</td>
                                <td>{field.kind}</td>
                                <td>{field.description}</td>
                                <td class="id">{field.sample}</td>
                                <td>{field.rule}</td>
                            </tr>
                        }).collect_view()}
                    </tbody>
                </table>
            </div>
        </details>
    }
    .into_any()
}

/// `CSV only · up to 1,000 rows · up to 5 MB · UTF-8`.
pub(super) fn facts(new: &NewBatch) -> String {
    format!(
        "CSV only · up to {} rows · up to {} · UTF-8",
        count(u64::from(new.limits.rows)),
        size_text(new.limits.bytes)
    )
}
