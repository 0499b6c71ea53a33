//! Tasks in review: those that wait for a proposal, and those that wait for another person.

use super::acts::{ProposeActs, answer_acts};
use crate::{
    domain::view::{
        Flash,
        review::{ReviewBatch, ReviewTask},
    },
    ui::components::{Button, Icon, Kind, MoneyView, TimeView, count},
};
use leptos::prelude::*;

/// `3 refunds`.
pub(super) fn refunds(n: u64) -> String {
    if n == 1 { "1 refund".to_owned() } else { format!("{} refunds", count(n)) }
}

fn length<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(0)
}

/// Tasks that nobody has proposed anything about.
#[component]
pub fn Open(batch: ReviewBatch, flash: Flash) -> impl IntoView {
    let title = format!("{} without a known end", refunds(length(&batch.open)));
    // One alone is what the form is about.
    let alone = batch.open.len() == 1;
    let ticked = move |flash: &Flash, value: &str| {
        alone || flash.values.iter().any(|(name, typed)| name == "row" && typed == value)
    };
    let items = batch
        .open
        .iter()
        .map(|task| {
            let value = format!("{}.{}", task.name, task.seen);
            let tick = batch.can_propose.then(|| {
                view! {
                    <input type="checkbox" name="row" value=value.clone() checked=ticked(&flash, &value) />
                }
                .into_any()
            });
            let field = format!("reference-{}", task.name);
            let typed = flash.value(&field);
            let typed = if typed.is_empty() { task.reference.clone() } else { typed };
            let reference = batch.can_propose.then(|| {
                let id = format!("{}-{field}", batch.id);
                view! {
                    <div class="field reference">
                        <label class="label" for=id.clone()>
                            "Gateway's reference"
                            <small>"only for Done"</small>
                        </label>
                        <input class="input" id=id name=field value=typed maxlength="128" autocomplete="off" />
                    </div>
                }
                .into_any()
            });
            item(task, tick, reference)
        })
        .collect_view();
    let inside = view! { <ul class="cases">{items}</ul> };
    let list = if batch.can_propose {
        view! {
            <form method="post" action=format!("/review/{}/propose", batch.id) novalidate>
                {inside}
                <ProposeActs batch=batch.clone() flash=flash />
            </form>
        }
        .into_any()
    } else {
        inside.into_any()
    };
    view! {
        <div class="part">
            <h3>{title}</h3>
            {list}
        </div>
    }
    .into_any()
}

/// Tasks with a proposal: the reader's own, which can be withdrawn, and those of others, which can be confirmed.
#[component]
pub fn Proposed(batch: ReviewBatch, flash: Flash, needs_password: bool, reader: String) -> impl IntoView {
    let (mine, others): (Vec<_>, Vec<_>) =
        batch.proposed.iter().cloned().partition(|task| task.proposal.as_ref().is_some_and(|proposal| proposal.mine));
    let mine = (!mine.is_empty()).then(|| {
        let title = format!("{}: your proposal waits for another person", refunds(length(&mine)));
        let alone = mine.len() == 1;
        let items = mine.iter().map(|task| item(task, tick(task, alone, batch.can_propose), None)).collect_view();
        let withdraw = batch.can_propose.then(|| {
            view! {
                <div class="card-foot">
                    <Button icon="undo">"Withdraw"</Button>
                    <span>"Then another proposal can be made."</span>
                </div>
            }
        });
        view! {
            <div class="part">
                <h3>{title}</h3>
                <form method="post" action=format!("/review/{}/withdraw", batch.id)>
                    <ul class="cases">{items}</ul>
                    {withdraw}
                </form>
            </div>
        }
    });
    let others = (!others.is_empty()).then(|| {
        let title = match batch.can_confirm {
            true => format!("{}: you can confirm", refunds(length(&others))),
            false => format!("{}: a person with Approve confirms", refunds(length(&others))),
        };
        let alone = others.len() == 1;
        let items = others.iter().map(|task| item(task, tick(task, alone, batch.can_confirm), None)).collect_view();
        let list = view! { <ul class="cases">{items}</ul> };
        let list = if batch.can_confirm {
            view! {
                <form method="post" action=format!("/review/{}/answer", batch.id) novalidate>
                    {list} {answer_acts(&batch, &flash, needs_password, reader)}
                </form>
            }
            .into_any()
        } else {
            list.into_any()
        };
        view! {
            <div class="part">
                <h3>{title}</h3>
                {list}
            </div>
        }
    });
    view! {
        {others}
        {mine}
    }
    .into_any()
}

fn tick(task: &ReviewTask, alone: bool, may: bool) -> Option<AnyView> {
    let number = task.proposal.as_ref()?.number;
    let value = format!("{}.{number}", task.name);
    may.then(|| view! { <input type="checkbox" name="proposal" value=value checked=alone /> }.into_any())
}

/// One task: what it is, why it is here, what the gateway said.
fn item(task: &ReviewTask, tick: Option<AnyView>, reference: Option<AnyView>) -> AnyView {
    let name = view! {
        <span class="case-name">
            <b>{task.order_id.clone()}</b>
            <small>"Row " {task.row}</small>
        </span>
    };
    let head = match tick {
        Some(tick) => view! { <label class="check case-head">{tick} {name}</label> }.into_any(),
        None => view! { <div class="case-head">{name}</div> }.into_any(),
    };
    let proposal = task.proposal.clone().map(|proposal| {
        view! {
            <div class="case-proposal" data-tone="waiting">
                <p>
                    <b>{proposal.text}</b>
                </p>
                <blockquote class="quote">{proposal.reason}</blockquote>
                <small>{proposal.person} ", " <TimeView moment=proposal.at /></small>
            </div>
        }
    });
    let replies = task
        .evidence
        .iter()
        .map(|said| {
            let body = (!said.body.is_empty()).then(|| view! { <pre tabindex="0">{said.body.clone()}</pre> });
            view! {
                <li>
                    <p>
                        <TimeView moment=said.at.clone() />
                        " "
                        {said.summary.clone()}
                    </p>
                    {body}
                </li>
            }
        })
        .collect_view();
    let evidence = match task.evidence.len() {
        0 => view! { <p class="small soft">"No reply was kept: Batchdesk stopped while it was being sent."</p> }
            .into_any(),
        n => view! {
            <details class="evidence">
                <summary>
                    <Icon name="right" />
                    "What the gateway said"
                    <small>{count(u64::try_from(n).unwrap_or(0))} ", newest first"</small>
                </summary>
                <ol>{replies}</ol>
            </details>
        }
        .into_any(),
    };
    view! {
        <li>
            {head}
            <div class="case-amount">
                <MoneyView amount=task.amount />
            </div>
            <div class="case-text stack" data-gap="8">
                <p>{task.why.clone()}</p>
                {proposal}
                {task.proposal.is_none().then(|| view! { <p class="soft">{task.next_step.clone()}</p> })}
                <p class="case-keys small">
                    <span>"Key " <span class="id">{task.key.clone()}</span></span>
                    {(!task.reference.is_empty())
                        .then(|| view! { <span>"Reference " <span class="id">{task.reference.clone()}</span></span> })}
                    <span>"Sent " <TimeView moment=task.sent.clone() /></span>
                </p>
                {reference}
                {evidence}
            </div>
        </li>
    }
    .into_any()
}

/// The button that carries a form out.
pub(super) fn primary(name: &'static str, value: &'static str, words: &'static str) -> AnyView {
    view! {
        <Button kind=Kind::Primary name=name value=value>
            {words}
        </Button>
    }
    .into_any()
}
