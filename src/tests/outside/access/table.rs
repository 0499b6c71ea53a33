//! The matrix: what each route answers to each kind of person.

use super::super::support::{ADMIN, CHECKER, MAKER, STRANGER, VIEWER};
use serde_json::json;

/// The people of the matrix, in the order of the columns.
pub(super) const PEOPLE: [Option<&str>; 6] =
    [None, Some(VIEWER), Some(MAKER), Some(CHECKER), Some(ADMIN), Some(STRANGER)];

/// What is sent to a route.
pub(super) enum RequestBody {
    Get,
    Form(&'static [(&'static str, &'static str)]),
    Multipart,
    Json(serde_json::Value),
}

pub(super) struct Row {
    pub(super) method: &'static str,
    /// The route as the router knows it.
    pub(super) route: &'static str,
    /// The address asked, with `{}` for a batch of Acme that waits for a decision, and `{sync}` for such a sync.
    pub(super) address: &'static str,
    pub(super) sent: RequestBody,
    /// Status for nobody, viewer, maker (not this batch's), checker, admin, and another organisation's owner.
    pub(super) status: [u16; 6],
}

fn row(method: &'static str, route: &'static str, address: &'static str, sent: RequestBody, status: [u16; 6]) -> Row {
    Row { method, route, address, sent, status }
}

pub(super) fn table(batch: &str) -> Vec<Row> {
    use RequestBody::{Form, Get, Json, Multipart};
    const LIST: &str = "/batch/batch-refunds";
    const SYNC: &str = "/batch/batch-sync";
    const OPEN: [u16; 6] = [200; 6];
    const SETTINGS: [u16; 6] = [303, 403, 403, 403, 200, 200];
    const NO_CONNECTION: [u16; 6] = [303, 403, 403, 403, 404, 404];
    const WORK: [u16; 6] = [303, 403, 409, 403, 403, 404];
    let query = json!({ "search": "", "case_sensitive": true, "status": null, "sort": "created", "descending": true, "page": 1 });
    let tasks = json!({ "status": null, "order": "", "page": 1 });
    vec![
        row("GET", "/", "/", Get, [303, 200, 200, 200, 200, 200]),
        row("GET", "/login", "/login", Get, [200, 303, 303, 303, 303, 303]),
        row("GET", "/approvals", "/approvals", Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/approvals/{id}", "/approvals/{}", Get, [303, 200, 200, 200, 403, 404]),
        row("GET", "/search", "/search?q=ORD_", Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/settings", "/settings", Get, [303, 403, 403, 403, 200, 200]),
        row(
            "POST",
            "/settings/limits",
            "/settings/limits",
            Form(&[("row_limit", "0"), ("approval_days", "7")]),
            [303, 403, 403, 403, 422, 422],
        ),
        row(
            "POST",
            "/settings/approval",
            "/settings/approval",
            Form(&[("operation", "refund"), ("needed", "perhaps")]),
            [303, 403, 403, 403, 422, 422],
        ),
        // No batch is a change of settings.
        row(
            "POST",
            "/settings/changes/{id}/answer",
            "/settings/changes/{}/answer",
            Form(&[("answer", "confirm")]),
            NO_CONNECTION,
        ),
        row("POST", "/settings/changes/{id}/withdraw", "/settings/changes/{}/withdraw", Form(&[]), NO_CONNECTION),
        row("GET", "/orders", "/orders", Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/orders/{id}", "/orders/NO_SUCH_ORDER", Get, [303, 404, 404, 404, 403, 404]),
        row("GET", "/orders/refund", "/orders/refund", Get, [303, 403, 200, 403, 403, 200]),
        row("POST", "/orders/refund", "/orders/refund", Form(&[("do", "send")]), [303, 403, 422, 403, 403, 422]),
        row("POST", "/orders/{id}/sync", "/orders/NO_SUCH_ORDER/sync", Form(&[]), [303, 403, 404, 403, 403, 404]),
        row("GET", "/notices", "/notices", Get, [303, 200, 200, 200, 200, 200]),
        row("POST", "/notices/read", "/notices/read", Form(&[("until", "yesterday")]), [303, 422, 422, 422, 422, 422]),
        row("POST", "/settings/pause", "/settings/pause", Form(&[]), [303, 403, 403, 403, 422, 422]),
        row("POST", "/settings/resume", "/settings/resume", Form(&[]), [303, 403, 403, 403, 409, 409]),
        row("GET", "/settings/connections", "/settings/connections", Get, SETTINGS),
        row("GET", "/settings/connections/new", "/settings/connections/new", Get, SETTINGS),
        row("POST", "/settings/connections", "/settings/connections", Form(&[]), [303, 403, 403, 403, 422, 422]),
        // No batch is a connection.
        row("GET", "/settings/connections/{id}", "/settings/connections/{}", Get, NO_CONNECTION),
        row("POST", "/settings/connections/{id}/change", "/settings/connections/{}/change", Form(&[]), NO_CONNECTION),
        row("POST", "/settings/connections/{id}/test", "/settings/connections/{}/test", Form(&[]), NO_CONNECTION),
        row(
            "POST",
            "/settings/connections/{id}/pause",
            "/settings/connections/{}/pause",
            Form(&[("reason", "x")]),
            NO_CONNECTION,
        ),
        row("POST", "/settings/connections/{id}/resume", "/settings/connections/{}/resume", Form(&[]), NO_CONNECTION),
        row("POST", "/settings/connections/{id}/choose", "/settings/connections/{}/choose", Form(&[]), NO_CONNECTION),
        row("POST", "/settings/connections/{id}/limits", "/settings/connections/{}/limits", Form(&[]), NO_CONNECTION),
        row("POST", "/settings/connections/{id}/measure", "/settings/connections/{}/measure", Form(&[]), NO_CONNECTION),
        row("GET", LIST, LIST, Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/batch/batch-refunds/new", "/batch/batch-refunds/new", Get, [303, 403, 200, 403, 403, 200]),
        row(
            "GET",
            "/batch/batch-refunds/new/description",
            "/batch/batch-refunds/new/description",
            Get,
            [303, 403, 200, 403, 403, 200],
        ),
        row("GET", "/batch/batch-refunds/{id}", "/batch/batch-refunds/{}", Get, [303, 200, 200, 200, 403, 404]),
        row(
            "GET",
            "/batch/batch-refunds/{id}/retry",
            "/batch/batch-refunds/{}/retry",
            Get,
            [303, 403, 200, 403, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/tasks/{row}",
            "/batch/batch-refunds/{}/tasks/1",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/tasks/{row}",
            "/batch/batch-refunds/{}/tasks/9999",
            Get,
            [303, 404, 404, 404, 403, 404],
        ),
        row(
            "POST",
            "/batch/batch-refunds/{id}/retry",
            "/batch/batch-refunds/{}/retry",
            Form(&[("do", "send"), ("revision", "1")]),
            WORK,
        ),
        row(
            "POST",
            "/settings/external",
            "/settings/external",
            Form(&[("url", "http://10.0.0.1/")]),
            [303, 403, 403, 403, 422, 422],
        ),
        row("GET", SYNC, SYNC, Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/batch/batch-sync/new", "/batch/batch-sync/new", Get, [303, 403, 200, 403, 403, 200]),
        row(
            "GET",
            "/batch/batch-sync/new/description",
            "/batch/batch-sync/new/description",
            Get,
            [303, 403, 200, 403, 403, 200],
        ),
        row("GET", "/batch/batch-sync/{id}", "/batch/batch-sync/{sync}", Get, [303, 200, 200, 200, 403, 404]),
        row(
            "GET",
            "/batch/batch-sync/{id}/tasks/{row}",
            "/batch/batch-sync/{sync}/tasks/1",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/tasks/{row}",
            "/batch/batch-sync/{sync}/tasks/9999",
            Get,
            [303, 404, 404, 404, 403, 404],
        ),
        // A batch of another operation is not there.
        row("GET", "/batch/batch-sync/{id}", "/batch/batch-sync/{}", Get, [303, 404, 404, 404, 403, 404]),
        row("GET", "/batch/batch-refunds/{id}", "/batch/batch-refunds/{sync}", Get, [303, 404, 404, 404, 403, 404]),
        row(
            "POST",
            "/batch/batch-sync/new/description",
            "/batch/batch-sync/new/description",
            Form(&[("description", "")]),
            [303, 403, 422, 403, 403, 422],
        ),
        row("POST", SYNC, SYNC, Multipart, [303, 403, 422, 403, 403, 422]),
        row("POST", "/batch/batch-sync/{id}/sync", "/batch/batch-sync/{sync}/sync", Form(&[]), WORK),
        row(
            "POST",
            "/batch/batch-sync/{id}/withdraw",
            "/batch/batch-sync/{sync}/withdraw",
            Form(&[]),
            [303, 403, 403, 403, 403, 404],
        ),
        row(
            "POST",
            "/batch/batch-sync/{id}/pause",
            "/batch/batch-sync/{sync}/pause",
            Form(&[]),
            [303, 403, 409, 409, 403, 404],
        ),
        row("POST", "/batch/batch-sync/{id}/resume", "/batch/batch-sync/{sync}/resume", Form(&[]), WORK),
        row("POST", "/batch/batch-sync/{id}/cancel", "/batch/batch-sync/{sync}/cancel", Form(&[]), WORK),
        row("GET", "/approvals/{id}", "/approvals/{sync}", Get, [303, 200, 200, 200, 403, 404]),
        row(
            "GET",
            "/batch/batch-sync/{id}/activity",
            "/batch/batch-sync/{sync}/activity",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/batch_sync.csv",
            "/batch/batch-sync/{sync}/batch_sync.csv",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/batch_sync.xlsx",
            "/batch/batch-sync/{sync}/batch_sync.xlsx",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/original",
            "/batch/batch-sync/{sync}/original",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/failed_rows.csv",
            "/batch/batch-sync/{sync}/failed_rows.csv",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/samples/batch_sync_sample.csv",
            "/samples/batch_sync_sample.csv",
            Get,
            [303, 200, 200, 200, 200, 200],
        ),
        row("POST", "/login", "/login", Form(&[("email", ""), ("password", "x")]), [422; 6]),
        row("POST", "/theme", "/theme", Form(&[("theme", "dark")]), [303; 6]),
        row(
            "POST",
            "/batch/batch-refunds/new/description",
            "/batch/batch-refunds/new/description",
            Form(&[("description", "")]),
            [303, 403, 422, 403, 403, 422],
        ),
        row("POST", LIST, LIST, Multipart, [303, 403, 422, 403, 403, 422]),
        row("POST", "/batch/batch-refunds/{id}/sync", "/batch/batch-refunds/{}/sync", Form(&[]), WORK),
        row(
            "POST",
            "/batch/batch-refunds/{id}/withdraw",
            "/batch/batch-refunds/{}/withdraw",
            Form(&[]),
            [303, 403, 403, 403, 403, 404],
        ),
        row(
            "POST",
            "/batch/batch-refunds/{id}/pause",
            "/batch/batch-refunds/{}/pause",
            Form(&[]),
            [303, 403, 409, 409, 403, 404],
        ),
        row("POST", "/batch/batch-refunds/{id}/resume", "/batch/batch-refunds/{}/resume", Form(&[]), WORK),
        row("POST", "/batch/batch-refunds/{id}/cancel", "/batch/batch-refunds/{}/cancel", Form(&[]), WORK),
        row(
            "POST",
            "/approvals/{id}",
            "/approvals/{}",
            Form(&[("decision", "approve"), ("content_hash", "00")]),
            [303, 403, 403, 412, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/activity",
            "/batch/batch-refunds/{}/activity",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/batch_refund.csv",
            "/batch/batch-refunds/{}/batch_refund.csv",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/batch_refund.xlsx",
            "/batch/batch-refunds/{}/batch_refund.xlsx",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/original",
            "/batch/batch-refunds/{}/original",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/failed_rows.csv",
            "/batch/batch-refunds/{}/failed_rows.csv",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/samples/batch_refunds_sample.csv",
            "/samples/batch_refunds_sample.csv",
            Get,
            [303, 200, 200, 200, 200, 200],
        ),
        row(
            "GET",
            "/samples/batch_refunds_split_sample.csv",
            "/samples/batch_refunds_split_sample.csv",
            Get,
            [303, 200, 200, 200, 200, 200],
        ),
        row("GET", "/events", "/events?batch={}", Get, [401, 200, 200, 200, 403, 404]),
        row("GET", "/events", "/events?operation=refund", Get, [401, 200, 200, 200, 403, 200]),
        row("GET", "/events", "/events?operation=order_sync", Get, [401, 200, 200, 200, 403, 200]),
        row("GET", "/review", "/review", Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/review", "/review?batch={}", Get, [303, 200, 200, 200, 403, 404]),
        row("POST", "/review/{id}/propose", "/review/{}/propose", Form(&[]), [303, 403, 422, 403, 403, 404]),
        row("POST", "/review/{id}/answer", "/review/{}/answer", Form(&[]), [303, 403, 403, 422, 403, 404]),
        row("POST", "/review/{id}/withdraw", "/review/{}/withdraw", Form(&[]), [303, 403, 422, 403, 403, 404]),
        row("POST", "/review/{id}/acknowledge", "/review/{}/acknowledge", Form(&[]), [303, 403, 422, 422, 403, 404]),
        // A session does not open the HTTP API.
        row("GET", "/api/v1/batches/{id}", "/api/v1/batches/{}", Get, [401; 6]),
        row("GET", "/healthz", "/healthz", Get, OPEN),
        row("GET", "/readyz", "/readyz", Get, OPEN),
        row("POST", "/api/home", "/api/home", Json(json!({})), [401, 200, 200, 200, 200, 200]),
        row("POST", "/api/approvals/inbox", "/api/approvals/inbox", Json(json!({})), [401, 200, 200, 200, 403, 200]),
        row(
            "POST",
            "/api/approvals/detail",
            "/api/approvals/detail",
            Json(json!({ "batch": batch })),
            [401, 200, 200, 200, 403, 404],
        ),
        row(
            "POST",
            "/api/batches/list",
            "/api/batches/list",
            Json(json!({ "operation": "refund", "query": query })),
            [401, 200, 200, 200, 403, 200],
        ),
        row(
            "POST",
            "/api/batches/detail",
            "/api/batches/detail",
            Json(json!({ "operation": "refund", "batch": batch, "query": tasks })),
            [401, 200, 200, 200, 403, 404],
        ),
        row(
            "POST",
            "/api/batches/new",
            "/api/batches/new",
            Json(json!({ "operation": "refund", "draft": null })),
            [401, 403, 200, 403, 403, 200],
        ),
        row(
            "POST",
            "/api/batches/sync",
            "/api/batches/sync",
            Json(json!({ "operation": "refund", "batch": batch })),
            [401, 403, 409, 403, 403, 404],
        ),
        // Last: it ends the sessions.
        row("POST", "/logout", "/logout", Form(&[]), [303; 6]),
    ]
}
