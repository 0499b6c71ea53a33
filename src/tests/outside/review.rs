//! Review by form: what is typed is kept, the password is asked for again, another site's form changes nothing.

use super::support::{CHECKER, MAKER, MAKER2S_FILE, PASSWORD, TestApp, TestResponse, VIEWER, fingerprint};
use time::Duration;

const WHY: &str = "The gateway's desk says \"no\"";

/// An application with a batch whose first two rows are in review.
async fn case() -> (TestApp, String) {
    let app = TestApp::start().await;
    let batch = app.batch(MAKER2S_FILE).await;
    let mut database = app.database().await;
    for statement in [
        "UPDATE batch SET status = 'processing' WHERE id = $1::uuid",
        "INSERT INTO attempt (organisation_id, batch_id, from_row, to_row, revision, attempt, chunk_no, epoch, owner)
         SELECT organisation_id, batch_id, 1, 2, 1, 1, chunk_no, epoch, gen_random_uuid() FROM chunk
           WHERE batch_id = $1::uuid AND chunk_no = 0",
        "INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, run_at, attempts,
         first_sent_at, last_sent_at, code, message)
         SELECT r.organisation_id, r.batch_id, r.row_no, 1, b.gateway_id, 'REVIEW', now(), 1, now(), now(), 'not_found',
                'It was sent without a clear reply, and the gateway shows no refund under its key. Look it up at the gateway.'
           FROM record r JOIN batch b ON b.id = r.batch_id WHERE r.batch_id = $1::uuid AND r.row_no <= 2",
        "UPDATE chunk SET remaining = remaining - 2, next_row = 3 WHERE batch_id = $1::uuid AND chunk_no = 0",
    ] {
        let trigger = "SET session_replication_role = replica";
        sqlx::query(trigger).execute(&mut database).await.unwrap();
        sqlx::query(statement).bind(&batch).execute(&mut database).await.unwrap();
    }
    (app, batch)
}

/// The values of a field on a page, in order.
fn values(page: &TestResponse, name: &str) -> Vec<String> {
    let mark = format!("name=\"{name}\" value=\"");
    page.text.split(&mark).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn one_proposes_another_confirms_and_what_was_typed_is_kept() {
    let (app, batch) = case().await;
    let maker = app.signed_in(MAKER).await;
    let page = maker.get(&format!("/review?batch={batch}")).await;
    let rows = values(&page, "row");
    assert_eq!(rows.len(), 2, "{}", page.text);
    assert!(page.text.contains("shows no refund under its key"));
    let propose = format!("/review/{batch}/propose");
    // Without a reason: refused, and everything that was typed comes back.
    let fields = [("row", rows[0].as_str()), ("finding", "not_done"), ("reason", " ")];
    let refused = maker.form(&propose, &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("Write how you know"), "{}", refused.text);
    assert!(refused.text.contains(&format!("value=\"{}\" checked", rows[0])), "the mark is kept: {}", refused.text);
    let done = maker.form(&propose, &[("row", &rows[0]), ("finding", "not_done"), ("reason", WHY)]).await;
    assert_eq!((done.status, done.location()), (303, format!("/review?batch={batch}")), "{}", done.text);
    assert!(maker.get(&done.location()).await.text.contains("Proposed for 1 refund"));

    let checker = app.signed_in(CHECKER).await;
    let page = checker.get(&format!("/review?batch={batch}")).await;
    let proposals = values(&page, "proposal");
    assert_eq!(proposals.len(), 1);
    assert!(values(&page, "row").is_empty(), "who may not propose sees no form for it");
    app.advance(Duration::minutes(11));
    let answer = format!("/review/{batch}/answer");
    let fields = |password: &'static str| {
        [("proposal", proposals[0].as_str()), ("answer", "confirm"), ("note", "seen"), ("password", password)]
    };
    for password in ["", "wrong"] {
        let refused = checker.form(&answer, &fields(password)).await;
        assert_eq!(refused.status, 422, "{password:?}");
        assert!(refused.text.contains("type=\"password\"") && refused.text.contains("seen"), "{}", refused.text);
        assert!(!refused.text.contains("value=\"wrong\""));
    }
    let done = checker.form(&answer, &fields(PASSWORD)).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let state: (String, String) =
        sqlx::query_as("SELECT state, message FROM task WHERE batch_id = $1::uuid AND row_no = 1")
            .bind(&batch)
            .fetch_one(&mut app.database().await)
            .await
            .unwrap();
    assert_eq!(state, ("FAILED".to_owned(), format!("Two people found that it was not carried out: {WHY}")));
    let again = checker.form(&answer, &fields(PASSWORD)).await;
    assert_eq!(again.status, 409);
    assert!(again.text.contains("checker@acme.test confirmed this on"), "{}", again.text);
}

#[tokio::test]
async fn who_may_not_decide_sees_no_form_and_another_sites_form_changes_nothing() {
    let (app, batch) = case().await;
    let viewer = app.signed_in(VIEWER).await;
    let page = viewer.get(&format!("/review?batch={batch}")).await;
    assert!(page.text.contains("without a known end") && !page.text.contains("/propose"), "{}", page.text);
    assert!(viewer.get("/").await.text.contains("2 refunds in review"));
    let maker = app.signed_in(MAKER).await;
    let rows = values(&maker.get("/review").await, "row");
    let before = fingerprint(&app).await;
    let fields = [("row", rows[0].as_str()), ("finding", "not_done"), ("reason", WHY)];
    for origin in ["https://evil.test", "null"] {
        let request = maker.bare("POST", &format!("/review/{batch}/propose")).header("origin", origin);
        assert_eq!(maker.send(request.form(&fields)).await.status, 403, "{origin}");
    }
    assert_eq!(fingerprint(&app).await, before);
    assert_eq!(maker.form(&format!("/review/{batch}/propose"), &fields).await.status, 303);
}
