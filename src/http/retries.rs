//! The form that sends failed rows again. Every button keeps what was typed first; only one sends.

use super::{
    Web,
    address::PathId,
    form::Form,
    render::{self, Page},
    reply::{done, refused_on_page, submitted},
    request_context::SignedIn,
};
use crate::{
    domain::{ids::BatchId, money::group, operation::Operation, view::Flash},
    server::{
        error::{OpError, OpResult},
        ops::{
            access::Caller,
            retries::{self, RetryOutcome, Typed},
        },
    },
};
use axum::{extract::State, http::StatusCode, response::Response};
use std::collections::{BTreeMap, HashMap};

/// What a button of the form asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    /// Look at what was typed.
    Check,
    /// Another page, perhaps a cell on it.
    Go(u32, String),
    /// Tick all rows, or none.
    Take(bool),
    /// Forget what was typed.
    Reset,
    /// Send.
    Send,
}

fn wish(text: &str) -> Wish {
    match text {
        "send" => Wish::Send,
        "reset" => Wish::Reset,
        "all" => Wish::Take(true),
        "none" => Wish::Take(false),
        _ => match text.strip_prefix("go:").and_then(|rest| rest.split_once(':')) {
            Some((page, place)) => {
                let place = place.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
                Wish::Go(page.parse().unwrap_or(1), place)
            }
            None => Wish::Check,
        },
    }
}

/// The rows of the form: `row` names each, `take-7` ticks it, `c7-amount` is one of its cells.
fn typed(form: &Form) -> Vec<Typed> {
    let mut rows: BTreeMap<u32, Typed> = BTreeMap::new();
    let named = form.pairs().filter(|(name, _)| *name == "row").filter_map(|(_, number)| number.parse().ok());
    for number in named {
        rows.insert(number, Typed { number, take: false, cells: HashMap::new() });
    }
    for (name, value) in form.pairs() {
        if let Some(row) = name.strip_prefix("take-").and_then(|number| rows.get_mut(&number.parse().ok()?)) {
            row.take = true;
        }
        let cell = name.strip_prefix('c').and_then(|rest| rest.split_once('-'));
        if let Some((number, column)) = cell
            && let Some(row) = number.parse().ok().and_then(|number: u32| rows.get_mut(&number))
        {
            row.cells.insert(column.to_owned(), value.to_owned());
        }
    }
    rows.into_values().collect()
}

/// What the answer is.
enum Next {
    /// 303 there, with or without a notice.
    To(String, Option<String>),
    /// The page itself, with what keeps it from being sent.
    Stay(String),
}

/// `POST /batch/batch-refunds/{id}/retry`.
pub(super) async fn act(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(id): PathId,
    operation: Operation,
    form: Form,
) -> Response {
    let Ok(batch) = id.parse::<BatchId>() else {
        return render::error_response(&web, &visit, &OpError::not_found("batch")).await;
    };
    let number: u32 = form.get("page").parse().unwrap_or(1);
    let page = format!("{}/{batch}/retry?page={number}", operation.path());
    match perform(&web, &caller, operation, batch, &page, &form).await {
        Ok(Next::To(path, Some(notice))) => done(&web, caller.person.id, &path, &notice),
        Ok(Next::To(path, None)) => {
            use axum::response::IntoResponse;
            axum::response::Redirect::to(&path).into_response()
        }
        Ok(Next::Stay(sentence)) => {
            let flash = Flash { error: Some(sentence), ..Flash::default() };
            Page::new(&page)
                .status(StatusCode::UNPROCESSABLE_ENTITY)
                .flash(flash)
                .without_hydration()
                .render(&web, &visit)
                .await
        }
        Err(error) => refused_on_page(&web, &visit, &page, error, Flash::default()).await,
    }
}

async fn perform(
    web: &Web,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    page: &str,
    form: &Form,
) -> OpResult<Next> {
    let base: u32 = form.get("revision").parse().unwrap_or(0);
    let here = format!("{}/{batch}/retry", operation.path());
    let wish = wish(form.get("do"));
    if wish == Wish::Reset {
        retries::reset(web, caller, operation, batch).await?;
        return Ok(Next::To(here, Some("What was typed is gone; the rows stand as they were sent.".to_owned())));
    }
    retries::keep(web, caller, operation, batch, base, &typed(form)).await?;
    Ok(match wish {
        Wish::Check | Wish::Reset => Next::To(page.to_owned(), None),
        Wish::Go(number, place) if place.is_empty() => Next::To(format!("{here}?page={number}"), None),
        Wish::Go(number, place) => Next::To(format!("{here}?page={number}#{place}"), None),
        Wish::Take(take) => {
            retries::take_all(web, caller, operation, batch, base, take).await?;
            Next::To(page.to_owned(), None)
        }
        Wish::Send => match retries::send(web, caller, operation, batch, base, form.ticks()).await? {
            RetryOutcome::Revision { records, waits } => {
                let notice = submitted(
                    records,
                    waits,
                    ["failed row", "is sent again, under a new key."],
                    ["failed rows", "are sent again, each under a new key."],
                );
                Next::To(format!("{}/{batch}", operation.path()), Some(notice))
            }
            RetryOutcome::Findings { errors: 0, repeats: 0, .. } => Next::Stay(
                "Some of these refunds must be confirmed. Nothing was sent now: look at them, then confirm.".to_owned(),
            ),
            RetryOutcome::Findings { errors: 0, .. } => Next::Stay(
                "Some of these refunds went out before. Nothing was sent now: look at them, then confirm.".to_owned(),
            ),
            RetryOutcome::Findings { errors: 1, .. } => Next::Stay("1 error in the rows. Nothing was sent.".to_owned()),
            RetryOutcome::Findings { errors, .. } => {
                Next::Stay(format!("{} errors in the rows. Nothing was sent.", group(errors, true)))
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_says_what_it_wants_and_no_address_of_its_own() {
        assert_eq!(wish("send"), Wish::Send);
        assert_eq!(wish(""), Wish::Check, "Enter in a field looks, it does not send");
        assert_eq!(wish("go:3:c-17-amount"), Wish::Go(3, "c-17-amount".to_owned()));
        assert_eq!(wish("go:x:"), Wish::Go(1, String::new()));
        assert_eq!(wish("go:2:/\r\nSet-Cookie: a"), Wish::Go(2, "Set-Cookiea".to_owned()));
    }
}
