//! What a file must look like: samples, columns, rules.

use crate::{
    domain::{limits::size_text, operation::Operation, view::NewBatch},
    formats::{
        field_table::{Field, SYNC, refund_fields},
        refunds::Template,
    },
    ui::components::{Icon, count},
};
use leptos::prelude::*;

/// Sample files.
#[component]
pub fn Guide(operation: Operation) -> impl IntoView {
    let notes: &[&str] = match operation {
        Operation::Refund => &["Standard, 19 columns", "Split settlement, 9 columns"],
        Operation::OrderSync => &["Order sync, 3 columns"],
    };
    view! {
        <section class="sheet" aria-labelledby="samples">
            <div class="sheet-head"><h2 id="samples">"Sample file"</h2></div>
            <ul class="sheet-body stack samples" data-gap="8">
                {operation.files().samples.iter().zip(notes).map(|(sample, note)| view! {
                    <li>
                        <a href=format!("/samples/{}", sample.name) download=sample.name>
                            <Icon name="download"/>
                            {sample.name}
                        </a>
                        <small>{*note}</small>
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
    match operation {
        Operation::Refund => view! { <RefundRules/> }.into_any(),
        Operation::OrderSync => view! { <SyncRules/> }.into_any(),
    }
}

#[component]
fn SyncRules() -> impl IntoView {
    view! {
        <div class="sheet folds">
            <FieldTable fields=&SYNC note="Order sync, 3 columns" title="CSV fields"/>
            <details class="fold">
                <summary><Icon name="right"/>"Order ID rules"</summary>
                <div class="sheet-body stack prose">
                    <ul>
                        <li>"Letters, numbers, underscores and hyphens are allowed; order_id cannot be empty."</li>
                        <li>"Upper and lower case are told apart: ORD_1 and ord_1 are two orders."</li>
                        <li>"Each order ID stands in a file once."</li>
                        <li>"txn_id and unique_request_id may be empty, but their commas stay: ORD_456789012,,SYNC_REQ_004"</li>
                        <li>"With a txn_id the order must have that transaction; without one the order alone is asked about."</li>
                    </ul>
                </div>
            </details>
        </div>
    }
    .into_any()
}

#[component]
fn RefundRules() -> impl IntoView {
    let (standard, split) = (Template::Standard, Template::Split);
    view! {
        <div class="sheet folds">
            <FieldTable fields=refund_fields(standard) note=standard.title() title="CSV fields"/>
            <FieldTable fields=refund_fields(split) note=split.title() title="Split settlement fields"/>
            <details class="fold">
                <summary><Icon name="right"/>"Split settlement rules"</summary>
                <div class="sheet-body stack prose">
                    <p>"A refund can be divided between the marketplace and up to two vendors."</p>
                    <ul>
                        <li>"The sum of marketplace_amount, vendor1_amount and vendor2_amount must equal amount."</li>
                        <li>"All amounts must be positive, with at most 2 decimals. A part that is not there is left blank."</li>
                        <li>"A vendor's ID and amount come together: with one of them, the other must be there."</li>
                        <li>"vendor1_id and vendor2_id must be different."</li>
                        <li>"In the split template at least one of marketplace_amount, vendor1_amount or vendor2_amount must be specified."</li>
                    </ul>
                    <h3>"Example: ₹1000 refunded to a buyer"</h3>
                    <div class="table-box" tabindex="0" role="region" aria-label="Example of a split refund">
                        <table class="table" data-density="compact">
                            <thead><tr>
                                <th scope="col">"Part"</th><th scope="col">"Column"</th><th scope="col" class="num">"Amount"</th>
                            </tr></thead>
                            <tbody>
                                <tr><th scope="row">"Marketplace (platform fee)"</th><td class="id">"marketplace_amount"</td><td class="num">"100.00"</td></tr>
                                <tr><th scope="row">"Vendor A (product cost)"</th><td class="id">"vendor1_id, vendor1_amount"</td><td class="num">"600.00"</td></tr>
                                <tr><th scope="row">"Vendor B (shipping/handling)"</th><td class="id">"vendor2_id, vendor2_amount"</td><td class="num">"300.00"</td></tr>
                            </tbody>
                            <tfoot><tr><th scope="row">"The whole refund"</th><td class="id">"amount"</td><td class="num">"1000.00"</td></tr></tfoot>
                        </table>
                    </div>
                </div>
            </details>
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
