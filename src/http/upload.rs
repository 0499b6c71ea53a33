//! Files that come in: the description before them, the multipart form that carries them, and the samples.

mod budget;
mod multipart;
mod parts;

pub(super) use budget::Budget;

use super::{
    Web,
    downloads::attachment,
    error,
    form::Form,
    render::{self, Page},
    reply::refused_on_page,
    request_context::{RequestContext, SignedIn},
};
use crate::{
    domain::{
        error::RefusalKind,
        finding::{Finding, Severity},
        operation::Operation,
        page::encode,
        view::{DraftView, Flash},
    },
    formats::registry,
    server::{
        error::OpError,
        ops::uploads::{self, Submitted},
    },
};
use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Sample files by name, and what is in them.
pub(super) fn samples() -> impl Iterator<Item = (&'static str, &'static str)> {
    Operation::ALL.into_iter().flat_map(|operation| {
        let format = registry::of(operation);
        let samples = operation.files().samples.iter();
        samples.filter_map(move |sample| Some((sample.name, format.template(sample.template)?.sample)))
    })
}

/// An upload is read and checked within this time.
pub(super) const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// Whether a request brings files, and so may take longer than others.
pub(super) fn takes_files(method: &Method, path: &str) -> bool {
    *method == Method::POST && Operation::ALL.iter().any(|operation| operation.path() == path)
}

/// `POST /batch/batch-refunds/new/description`.
pub(super) async fn describe(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    operation: Operation,
    form: Form,
) -> Response {
    let text = form.get("description");
    match uploads::describe(&web, &caller, operation, text).await {
        Ok(draft) => Redirect::to(&format!("{}/new?draft={draft}", operation.path())).into_response(),
        Err(error) if error.refusal.kind == RefusalKind::Invalid && !visit.wants_json() => {
            let flash = Flash {
                error: Some(error.refusal.message.clone()),
                notice: None,
                field: Some("description".to_owned()),
                values: vec![("description".to_owned(), text.to_owned())],
            };
            let path = format!("{}/new/description", operation.path());
            Page::new(&path).refused(&error).flash(flash).render(&web, &visit).await
        }
        Err(error) => render::error_response(&web, &visit, &error).await,
    }
}

/// `POST /batch/batch-refunds`: a file, streamed up to the organisation's limit.
pub(super) async fn submit(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    operation: Operation,
    request: Request,
) -> Response {
    // Rights and limits come first: nobody else's bytes are read.
    let admitted = match uploads::admit(&web, &caller, operation).await {
        Ok(admitted) => admitted,
        Err(error) => return render::error_response(&web, &visit, &error).await,
    };
    let limits = admitted.limits;
    let mut share = match web.uploads.enter(caller.person.id, 0) {
        Ok(share) => share,
        Err(error) => return later(refuse(&web, &visit, operation, error, None, Vec::new()).await),
    };
    let upload = match multipart::upload(request, operation, limits.bytes, &mut share, &web.config.spool_dir()).await {
        Ok(upload) => upload,
        Err(refused) => {
            let typed = vec![("description".to_owned(), refused.description)];
            return later(refuse(&web, &visit, operation, refused.error, refused.draft.as_deref(), typed).await);
        }
    };
    // A file that was kept is read from the database.
    if upload.bytes.is_empty()
        && let Err(error) = share.holds(limits.bytes)
    {
        return later(refuse(&web, &visit, operation, error, None, Vec::new()).await);
    }
    let (draft, description) = (upload.draft.or(upload.kept), upload.description.clone());
    match uploads::submit_admitted(&web, &caller, operation, admitted, upload).await {
        Ok(Submitted::Batch(batch)) => {
            let location = format!("{}/{batch}", operation.path());
            if !visit.wants_json() {
                return Redirect::to(&location).into_response();
            }
            let body = Json(json!({ "batch_id": batch, "location": location }));
            let mut response = (StatusCode::CREATED, body).into_response();
            if let Ok(location) = HeaderValue::try_from(location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Ok(Submitted::Draft(draft)) => found(&web, &visit, operation, *draft).await,
        Err(error) => {
            let draft = draft.map(|draft| draft.to_string());
            let typed = vec![("description".to_owned(), description)];
            refuse(&web, &visit, operation, error, draft.as_deref(), typed).await
        }
    }
}

/// Says when to try again, where that may help.
fn later(mut response: Response) -> Response {
    if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("30"));
    }
    response
}

/// The file was not accepted: 422 with every finding.
async fn found(web: &Web, visit: &RequestContext, operation: Operation, draft: DraftView) -> Response {
    if visit.wants_json() {
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(findings(&draft))).into_response();
    }
    let path = format!("{}/new?upload={}", operation.path(), draft.id);
    let page = Page::new(&path).status(StatusCode::UNPROCESSABLE_ENTITY).without_hydration();
    page.render(web, visit).await
}

/// Findings as machines get them. What keeps the file out until it is confirmed is among the errors.
fn findings(draft: &DraftView) -> Value {
    let of = |errors: bool| {
        let keeps_out = |finding: &Finding| finding.severity == Severity::Error || finding.must_be_confirmed();
        draft.findings.iter().filter(move |finding| keeps_out(finding) == errors).map(|finding| {
            json!({
                "row": finding.row,
                "column": finding.column,
                "code": finding.code,
                "message": finding.message,
            })
        })
    };
    let repeats = draft.repeats.iter().map(|repeat| {
        json!({ "row": repeat.row, "column": null, "code": "repeated", "message": repeat.message, "batch_id": repeat.batch })
    });
    json!({
        "errors": of(true).chain(repeats).collect::<Vec<_>>(),
        "warnings": of(false).collect::<Vec<_>>(),
        "upload": draft.id,
    })
}

/// Nothing was kept: the same page, or the same shape for machines, with the reason.
async fn refuse(
    web: &Web,
    visit: &RequestContext,
    operation: Operation,
    error: OpError,
    draft: Option<&str>,
    values: Vec<(String, String)>,
) -> Response {
    if visit.wants_json() {
        error::log(&visit.request_id, &error);
        let code = match error.refusal.kind {
            RefusalKind::TooLarge => "file_too_large",
            kind => kind.code(),
        };
        let one = json!({ "row": null, "column": null, "code": code, "message": error.refusal.message });
        return (error::status(&error), Json(json!({ "errors": [one] }))).into_response();
    }
    let mut path = format!("{}/new", operation.path());
    if let Some(draft) = draft {
        path.push_str(&format!("?draft={}", encode(draft)));
    }
    if error.refusal.kind == RefusalKind::TooLarge {
        let flash =
            Flash { error: Some(error.refusal.message.clone()), field: Some("file".to_owned()), notice: None, values };
        let page = Page::new(&path).refused(&error).flash(flash).without_hydration();
        return page.render(web, visit).await;
    }
    let flash = Flash { field: Some("file".to_owned()), values, ..Flash::default() };
    refused_on_page(web, visit, &path, error, flash).await
}

/// `GET /samples/…`: a file that passes its own validator. Needs a session, as the pages that link to it do.
pub(super) async fn sample(_: SignedIn, name: &str, text: &'static str) -> Response {
    attachment(name, "text/csv; charset=utf-8", Body::from(text))
}
