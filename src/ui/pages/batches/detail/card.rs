//! The Batch Details card: what the batch is, whoever asks.

use super::{head::below, labels::bytes};
use crate::{
    domain::{
        money::Money,
        view::{BatchDetail, BatchSnapshot, DisplayTime},
    },
    ui::components::{BatchStatusBadge, CopyButton, Icon, MoneyView, TimeView, count},
};
use leptos::prelude::*;

/// The first eight groups of four digits of a hash, so that two people can compare them by eye.
fn groups(hash: &str) -> String {
    let digits: Vec<char> = hash.chars().collect();
    digits.chunks(8).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// Expandable and collapsible facts of the batch.
#[component]
pub fn Card(detail: BatchDetail, shown: Memo<BatchSnapshot>) -> impl IntoView {
    let BatchDetail {
        snapshot,
        description,
        maker,
        created,
        updated,
        decided,
        expires,
        switch,
        template,
        file_bytes,
        file_sha256,
        file_deleted,
        ..
    } = detail;
    let id = snapshot.id.to_string();
    let total = Money::new(snapshot.sums().total, snapshot.sums().currency);
    let original = below(&snapshot, "original");
    // A live event carries the text of the new time; until one has come the loaded moment stands.
    let updated = move || {
        let live = shown.with(|shown| {
            (!shown.updated_text.is_empty() && shown.updated_text != updated.text).then(|| DisplayTime {
                utc: shown.updated_at.clone(),
                text: shown.updated_text.clone(),
                date: String::new(),
                time: String::new(),
            })
        });
        view! { <TimeView moment=live.unwrap_or_else(|| updated.clone())/> }
    };
    let decision = move || {
        let decided = decided.clone();
        shown.with(|shown| {
            let decision = shown.decision.clone()?;
            let text = match decision.verdict.as_str() {
                "approved" => format!("Approved by {}", decision.person),
                "rejected" => format!("Rejected by {}", decision.person),
                _ => "Not required: maker-checker was off".to_owned(),
            };
            Some(view! {
                <dt>"Decision"</dt>
                <dd>
                    {text}
                    {decided.map(|at| view! { ", "<TimeView moment=at/> })}
                    {(!decision.reason.is_empty()).then(|| view! { <blockquote class="quote">{decision.reason}</blockquote> })}
                </dd>
            })
        })
    };
    view! {
        <details class="card fold" open>
            <summary><Icon name="right"/>"Batch Details"</summary>
            <div class="card-body">
                <dl class="facts">
                    <dt>"Batch ID"</dt>
                    <dd class="copy">
                        <span class="id">{id.clone()}</span>
                        <CopyButton text=id label="Copy batch ID"/>
                    </dd>
                    <dt>"Status"</dt>
                    <dd><BatchStatusBadge status=Signal::derive(move || shown.with(|shown| shown.status))/></dd>
                    {if snapshot.operation.has_amounts() {
                        view! {
                            <dt>"Total Amount"</dt>
                            <dd><span class="sum"><b><MoneyView amount=total/></b></span></dd>
                        }
                        .into_any()
                    } else {
                        view! {
                            <dt>"Total Records"</dt>
                            <dd><span class="sum"><b>{count(snapshot.records)}</b></span></dd>
                        }
                        .into_any()
                    }}
                    {snapshot.operation.descriptor().switch.zip(switch).map(|(switch, on)| view! {
                        <dt>{switch.label}</dt>
                        <dd>{if on { "On" } else { "Off" }}</dd>
                    })}
                    <dt>"Date Created"</dt>
                    <dd><TimeView moment=created/></dd>
                    <dt>"Date Updated"</dt>
                    <dd>{updated}</dd>
                    {expires.map(|at| view! { <dt>"Expires"</dt><dd><TimeView moment=at/></dd> })}
                    <dt>"Made by"</dt>
                    <dd>{maker}</dd>
                    {(!description.is_empty()).then(|| view! { <dt>"Description"</dt><dd>{description}</dd> })}
                    {decision}
                    <dt>"Template"</dt>
                    <dd>{template}</dd>
                    <dt>"File"</dt>
                    <dd>
                        {match file_deleted {
                            Some(at) => view! { "File deleted on "<TimeView moment=at/> }.into_any(),
                            None => view! { <a href=original download rel="external">"File as uploaded"</a> }.into_any(),
                        }}
                        ", "{bytes(file_bytes)}
                    </dd>
                    <dt>"SHA-256"</dt>
                    <dd><span class="id">{groups(&file_sha256)}</span></dd>
                </dl>
            </div>
        </details>
    }
    .into_any()
}
