//! The decision: what is decided about, the form, and the hash that the decision is bound to.

use crate::{
    domain::{
        batch::BatchStatus,
        money::Money,
        view::{ApprovalDetail, Flash},
    },
    ui::{
        components::{Button, Field, Icon, MoneyView, TextArea},
        pages::batches::detail::labels::things,
    },
};
use leptos::prelude::*;

/// The column beside the evidence. The form is a plain one: it works without JavaScript, and no dialog follows.
#[component]
pub fn Decision(
    detail: ApprovalDetail,
    /// What an earlier try left to say, with the reason that was typed.
    flash: Flash,
    /// E-mail of the signed-in person.
    viewer: String,
) -> impl IntoView {
    let snapshot = &detail.snapshot;
    let total = Money::new(snapshot.sums().total, snapshot.sums().currency);
    let largest = detail.largest.first().map(|row| format!(" · largest {}", row.amount));
    let waits = snapshot.status == BatchStatus::AwaitingApproval;
    let heading = match (waits, detail.can_decide) {
        (true, true) => "You decide about",
        (true, false) => "Another person decides about",
        (false, _) => "The request was about",
    };
    let about = view! {
        <div class="card-body verdict">
            <h2 id="decide" class="tile-label">{heading}</h2>
            {if snapshot.operation.has_amounts() {
                view! {
                    <span><span class="sum"><MoneyView amount=total large=true/></span></span>
                    <p class="small">{things(snapshot.operation, snapshot.records)}{largest}</p>
                }
                .into_any()
            } else {
                view! {
                    <span class="hero">{things(snapshot.operation, snapshot.records)}</span>
                    {snapshot.operation.descriptor().switch.zip(detail.switch).map(|(switch, on)| {
                        view! { <p class="small">{switch.label}{if on { ": On" } else { ": Off" }}</p> }
                    })}
                }
                .into_any()
            }}
        </div>
    };
    let bound = view! { <Fingerprint hash=snapshot.content_sha256.clone() can_decide=detail.can_decide/> };
    if detail.can_decide {
        let error = |field: &str| flash.error.clone().filter(|_| flash.field.as_deref() == Some(field));
        let password = detail.needs_password.then(|| {
            view! {
                <Field
                    name="password"
                    label="Password"
                    kind="password"
                    autocomplete="current-password"
                    hint="Yours, once more: it was last asked for more than 10 minutes ago."
                    error=Signal::stored(error("password"))
                />
            }
        });
        view! {
            <form
                class="card stick"
                id="decision"
                method="post"
                action=format!("/approvals/{}", snapshot.id)
                aria-labelledby="decide"
            >
                {about}
                <div class="card-body stack">
                    <input type="hidden" name="content_hash" value=snapshot.content_sha256.clone()/>
                    // For the keeper of passwords: whose password is asked for.
                    <input
                        class="vh"
                        type="text"
                        autocomplete="username"
                        value=viewer
                        aria-label="Signed in as"
                        readonly
                        tabindex="-1"
                    />
                    <TextArea
                        name="reason"
                        label="Reason"
                        hint="Needed to reject. Everybody who can open the batch reads it."
                        value=flash.value("reason")
                        error=Signal::stored(error("reason"))
                    />
                    {password}
                    <div class="acts">
                        <button
                            class="button grow"
                            data-kind="primary"
                            data-size="lg"
                            type="submit"
                            name="decision"
                            value="approve"
                        >
                            "Approve"
                        </button>
                        <button
                            class="button"
                            data-kind="danger"
                            data-size="lg"
                            type="submit"
                            name="decision"
                            value="reject"
                        >
                            "Reject"
                        </button>
                    </div>
                </div>
                {bound}
            </form>
        }
        .into_any()
    } else {
        let withdraw = detail.can_withdraw.then(|| {
            view! {
                <form method="post" action=format!("{}/{}/withdraw", snapshot.operation.path(), snapshot.id)>
                    <Button icon="undo">"Withdraw"</Button>
                </form>
            }
        });
        let why_not = detail.why_not.clone().map(|why| view! { <p>{why}</p> });
        let says = (why_not.is_some() || withdraw.is_some())
            .then(|| view! { <div class="card-body stack">{why_not}{withdraw}</div> });
        view! {
            <section class="card stick" id="decision" aria-labelledby="decide">
                {about}
                {says}
                {bound}
            </section>
        }
        .into_any()
    }
}

/// The hash as sixteen groups of four, so that two people can compare it by eye.
#[component]
fn Fingerprint(hash: String, can_decide: bool) -> impl IntoView {
    let digits: Vec<char> = hash.chars().collect();
    let groups = digits.chunks(4).map(|group| view! { <span>{group.iter().collect::<String>()}</span> }).collect_view();
    view! {
        <div class="card-body stack" data-gap="4">
            <span class="small soft row"><Icon name="lock"/>"Bound to exactly these rows"</span>
            <p class="fingerprint" aria-label="SHA-256 of the content">{groups}</p>
            {can_decide.then(|| view! {
                <p class="small dim">"If one of them changes, your decision does not count."</p>
            })}
        </div>
    }
    .into_any()
}
