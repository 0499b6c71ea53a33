//! Findings in groups. The same with and without JavaScript; with it, rows can be jumped to and groups repaired.

use crate::{
    domain::{
        finding::{Finding, Severity},
        operation::Operation,
        view::Repeat,
    },
    ui::{
        components::{Button, Glyph, Size, count},
        worker::groups::{Fix, FixKind, Group, detail, lead},
    },
};
use leptos::prelude::*;

/// Lines of a group that are seen at once; the others are folded away.
const AT_ONCE: usize = 5;

/// One group of findings.
#[component]
pub fn FindingGroup(
    /// Which.
    group: Group,
    /// Shows the cell of a finding; none where there is no table.
    #[prop(optional)]
    jump: Option<Callback<(u32, Option<String>)>>,
    /// Repairs the group; none where nothing can be changed.
    #[prop(optional)]
    mend: Option<Callback<FixKind>>,
) -> impl IntoView {
    let (tone, glyph) = look(group.severity);
    let common = group.common().map(str::to_owned);
    let alike = common.is_some();
    let more = group.unlisted();
    let mut listed = group.listed;
    let rest = listed.split_off(AT_ONCE.min(listed.len()));
    let hidden = rest.len();
    let line = move |finding: Finding| view! { <FindingLine finding alike jump/> };
    let fix = group.fix.zip(mend).map(|(fix, mend)| view! { <FixAll fix mend/> });
    let shape = if alike { "jump" } else { "lines" };
    view! {
        <article class="finding" data-tone=tone>
            <Glyph name=glyph/>
            <h3>{group.code.title()}" "<span>{count(group.count)}</span></h3>
            {common.map(|text| view! { <p>{text}</p> })}
            <ul class=shape>{listed.into_iter().map(line).collect_view()}</ul>
            {(hidden > 0).then(|| view! {
                <details class="more">
                    <summary>{format!("{} more", count(hidden as u64))}</summary>
                    <ul class=shape>{rest.into_iter().map(line).collect_view()}</ul>
                </details>
            })}
            {(more > 0).then(|| view! { <p>{format!("and {} more that are not listed.", count(more))}</p> })}
            {fix}
        </article>
    }
    .into_any()
}

/// One finding: its row, and what is wrong unless the group has said so for all.
#[component]
fn FindingLine(
    finding: Finding,
    alike: bool,
    #[prop(optional_no_strip)] jump: Option<Callback<(u32, Option<String>)>>,
) -> impl IntoView {
    let place = finding.row.map(|row| {
        let text = format!("Row {row}");
        let column = finding.column.clone();
        match jump {
            Some(jump) => {
                let go = move |event: leptos::ev::MouseEvent| {
                    event.prevent_default();
                    jump.run((row, column.clone()));
                };
                view! { <a href=format!("#row-{row}") rel="external" on:click=go>{text}</a> }.into_any()
            }
            None => view! { <b>{text}</b> }.into_any(),
        }
    });
    let words = if alike {
        view! { <span class="vh">{finding.message.clone()}</span> }.into_any()
    } else {
        view! { <span class="vh">{lead(&finding).to_owned()}</span>{detail(&finding).to_owned()} }.into_any()
    };
    view! {
        <li
            data-finding=""
            data-row=finding.row.map(|row| row.to_string()).unwrap_or_default()
            data-column=finding.column.clone().unwrap_or_default()
        >
            {place}" "{words}
        </li>
    }
    .into_any()
}

#[component]
fn FixAll(fix: Fix, mend: Callback<FixKind>) -> impl IntoView {
    let words = match fix.cells {
        1 => "Fix it".to_owned(),
        2 => "Fix both".to_owned(),
        cells => format!("Fix all {}", count(cells)),
    };
    let kind = fix.kind;
    view! {
        <p class="diff"><del>{fix.before}</del><ins>{fix.after}</ins></p>
        <div>
            <Button size=Size::Small plain=true on_press=Callback::new(move |_| mend.run(kind))>{words}</Button>
        </div>
    }
    .into_any()
}

/// What went out before, and the box that says it is meant. The form that it stands in sends the box.
#[component]
pub fn Repeats(
    /// What the batch would do.
    operation: Operation,
    /// What is repeated.
    repeats: Vec<Repeat>,
    /// Kept in step with the box, where there is JavaScript.
    #[prop(optional)]
    confirmed: Option<RwSignal<bool>>,
) -> impl IntoView {
    let number = repeats.len() as u64;
    view! {
        <article class="finding" data-tone="waiting">
            <Glyph name="partial"/>
            <h3>"Uploaded before "<span>{count(number)}</span></h3>
            <ul class="lines">
                {repeats.into_iter().map(|repeat| {
                    let path = format!("{}/{}", operation.path(), repeat.batch);
                    view! {
                        <li
                            data-finding=""
                            data-row=repeat.row.map(|row| row.to_string()).unwrap_or_default()
                            data-column=""
                        >
                            {repeat.row.map(|row| view! { <b>{format!("Row {row}")}</b>" " })}
                            {repeat.message}" "
                            <a href=path target="_blank" rel="external">
                                {if repeat.file_name.is_empty() { "Open that batch".to_owned() } else { repeat.file_name }}
                            </a>
                        </li>
                    }
                }).collect_view()}
            </ul>
            <Anyway id="confirm-repeat" name="confirm_repeat" words="Upload it again anyway" confirmed/>
        </article>
    }
    .into_any()
}

/// What is warned of and must be meant, by kind, and the box that says so.
#[component]
pub fn ToConfirm(
    /// Findings by kind.
    groups: Vec<Group>,
    /// Kept in step with the box, where there is JavaScript.
    #[prop(optional)]
    confirmed: Option<RwSignal<bool>>,
) -> impl IntoView {
    let asked: Vec<Group> = groups.into_iter().filter(Group::must_be_confirmed).collect();
    let number: u64 = asked.iter().map(|group| group.count).sum();
    let kinds = asked.iter().map(|group| view! { <li>{group.code.title()}" "<b>{count(group.count)}</b></li> });
    view! {
        <article class="finding" data-tone="waiting">
            <Glyph name="partial"/>
            <h3>"To be confirmed "<span>{count(number)}</span></h3>
            <ul class="lines">{kinds.collect_view()}</ul>
            <Anyway id="confirm-warnings" name="confirm_warnings" words="Upload it anyway" confirmed/>
        </article>
    }
    .into_any()
}

/// The box that says that something is meant.
#[component]
fn Anyway(
    id: &'static str,
    name: &'static str,
    words: &'static str,
    #[prop(optional_no_strip)] confirmed: Option<RwSignal<bool>>,
) -> impl IntoView {
    view! {
        <label class="check">
            <input
                type="checkbox"
                name=name
                value="1"
                id=id
                on:change=move |event| {
                    if let Some(confirmed) = confirmed {
                        confirmed.set(event_target_checked(&event));
                    }
                }
            />
            {words}
        </label>
    }
    .into_any()
}

/// Tone and glyph of a finding.
pub(super) const fn look(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Error => ("failed", "failed"),
        Severity::Warning => ("waiting", "partial"),
    }
}
