//! What a file must look like: samples, columns, rules.

use crate::{
    domain::view::NewBatch,
    formats::{field_table::refund_fields, refunds::Template},
    ui::components::{Icon, count},
};
use leptos::prelude::*;

/// Sample files and the fields of both templates.
#[component]
pub fn Guide() -> impl IntoView {
    view! {
        <section class="sheet" aria-labelledby="samples">
            <div class="sheet-head"><h2 id="samples">"Sample file"</h2></div>
            <ul class="sheet-body stack samples" data-gap="8">
                {Template::ALL.into_iter().map(|template| view! {
                    <li>
                        <a href=format!("/samples/{}", template.sample_name()) download=template.sample_name()>
                            <Icon name="download"/>
                            {template.sample_name()}
                        </a>
                        <small>{template.title()}</small>
                    </li>
                }).collect_view()}
            </ul>
        </section>
    }
    .into_any()
}

/// The field tables and the rules of split settlements, folded away.
#[component]
pub fn Rules() -> impl IntoView {
    view! {
        <div class="sheet folds">
            <FieldTable template=Template::Standard title="CSV fields"/>
            <FieldTable template=Template::Split title="Split settlement fields"/>
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
fn FieldTable(template: Template, title: &'static str) -> impl IntoView {
    let fields = refund_fields(template);
    view! {
        <details class="fold">
            <summary><Icon name="right"/>{title}<small>{template.title()}</small></summary>
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
    format!("CSV only · up to {} rows · up to {} · UTF-8", count(u64::from(new.limits.rows)), size(new.limits.bytes))
}

/// `5 MB`, `38 KB`, `312 bytes`: for people.
pub(super) fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        1 => "1 byte".to_owned(),
        0..KIB => format!("{bytes} bytes"),
        KIB..MIB => format!("{} KB", bytes.div_ceil(KIB)),
        _ => format!("{} MB", bytes.div_ceil(MIB)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_round_numbers() {
        for (bytes, text) in
            [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1 KB"), (38_400, "38 KB"), (5 << 20, "5 MB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
