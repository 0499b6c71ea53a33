//! The decision of a checker, as a plain form. What was typed is never lost: every refusal answers with the same page.

use super::{
    Web,
    address::PathId,
    answer,
    batches::done,
    form::Form,
    pages::Page,
    session,
    visit::{SignedIn, Visit},
};
use crate::{
    domain::{
        access::Right,
        error::RefusalKind,
        ids::BatchId,
        view::{BatchSnapshot, Flash},
    },
    server::{
        error::{OpError, OpResult},
        ops::{
            self,
            access::{Caller, authorise},
            approvals::{self, Decision, Verdict},
        },
    },
};
use axum::{extract::State, response::Response};
use secrecy::SecretString;
use time::Duration;

/// A decision needs the password again when its last proof is older.
const PROOF: Duration = Duration::minutes(10);

/// `POST /approvals/{batch_id}`.
pub(super) async fn decide(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(id): PathId,
    form: Form,
) -> Response {
    let found = match id.parse::<BatchId>() {
        Ok(batch) => ops::batches::snapshot(&web, &caller, batch).await,
        Err(_) => Err(OpError::not_found("batch")),
    };
    let snapshot = match found {
        Ok(snapshot) => snapshot,
        Err(error) => return answer::failure(&web, &visit, &error).await,
    };
    match settle(&web, &visit, caller.clone(), &snapshot, &form).await {
        Ok(Verdict::Approve) => {
            let notice = format!("You approved {}. It is being carried out.", snapshot.file_name);
            done(&web, caller.person.id, &format!("/approvals/{}", snapshot.id), &notice)
        }
        Ok(Verdict::Reject) => {
            let notice = format!("You rejected {}. Nothing was sent.", snapshot.file_name);
            done(&web, caller.person.id, &format!("/approvals/{}", snapshot.id), &notice)
        }
        Err((error, field)) => {
            if visit.wants_json() {
                return answer::failure(&web, &visit, &error).await;
            }
            answer::log(&visit.request_id, &error);
            let typed = |name: &str| (name.to_owned(), form.get(name).to_owned());
            let flash = Flash {
                error: Some(error.refusal.message.clone()),
                notice: None,
                field: field.map(str::to_owned),
                values: vec![typed("reason"), typed("decision")],
            };
            let path = format!("/approvals/{}", snapshot.id);
            Page::new(&path).refused(&error).flash(flash).render(&web, &visit).await
        }
    }
}

type Refused = (OpError, Option<&'static str>);

/// Proves who decides, then decides. The refusal names the field that it is about.
async fn settle(
    web: &Web,
    visit: &Visit,
    caller: Caller,
    snapshot: &BatchSnapshot,
    form: &Form,
) -> Result<Verdict, Refused> {
    let refused = |field: Option<&'static str>| move |error: OpError| (error, field);
    authorise(&caller, snapshot.operation.module(), Right::Approve).map_err(refused(None))?;
    let verdict = match form.get("decision") {
        "approve" => Verdict::Approve,
        "reject" => Verdict::Reject,
        _ => {
            let error = OpError::refuse(RefusalKind::Invalid, "Choose Approve or Reject.");
            return Err((error, Some("decision")));
        }
    };
    let reason = form.get("reason").trim().to_owned();
    if verdict == Verdict::Reject && reason.is_empty() {
        let error = OpError::refuse(RefusalKind::Invalid, "Say why you reject it: the maker reads the reason.");
        return Err((error, Some("reason")));
    }
    let asked = "Give your password again to decide.";
    let caller = prove(web, visit, caller, form.get("password"), asked).await.map_err(refused(Some("password")))?;
    let content_hash = form.get("content_hash").to_owned();
    let field = (verdict == Verdict::Reject || !reason.is_empty()).then_some("reason");
    approvals::decide(web, &caller, snapshot.id, Decision { verdict, content_hash, reason }).await.map_err(
        |error| {
            let field = if error.refusal.kind == RefusalKind::Invalid { field } else { None };
            (error, field)
        },
    )?;
    Ok(verdict)
}

/// The caller with a proof of the password that is new enough; takes the password when it is not. `asked` is what the person is
/// told when it is missing.
pub(super) async fn prove(web: &Web, visit: &Visit, caller: Caller, password: &str, asked: &str) -> OpResult<Caller> {
    let now = web.clock.now();
    if caller.proved_at.is_some_and(|proved| now - proved < PROOF) {
        return Ok(caller);
    }
    if password.is_empty() {
        return Err(OpError::refuse(RefusalKind::Invalid, asked));
    }
    ops::sessions::prove(web, &caller, &SecretString::from(password)).await?;
    if let Some(who) = visit.who {
        let renewed = session::renew(&visit.session, who.proved(now)).await;
        renewed.map_err(|error| OpError::internal(format!("session: {error}")))?;
    }
    Ok(Caller { proved_at: Some(now), ..caller })
}
