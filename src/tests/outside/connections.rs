//! Connections and stops over HTTP: what people see, what they never see, and who may do what.

use super::support::{ADMIN, Browser, CHECKER, MAKER, MAKERS_FILE, PASSWORD, STRANGER, TestApp, VIEWER, fingerprint};
use batchdesk::simulator::{self, SimulatorArgs};
use tokio::{net::TcpListener, task::JoinHandle};

const LIST: &str = "/settings/connections";
/// A key that the simulator does not take: it must be seen nowhere.
const WRONG_KEY: &str = "sk_never_shown_7h3";

pub(crate) struct Simulator {
    pub(crate) url: String,
    _folder: tempfile::TempDir,
    task: JoinHandle<Result<(), String>>,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn simulator() -> Simulator {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = listener.local_addr().unwrap();
    let args = SimulatorArgs {
        listen,
        ledger: folder.path().join("ledger.jsonl"),
        latency_ms: None,
        forget_keys: false,
        pending_first: false,
        enforce_balance: false,
        hang_ms: 50,
        seed: 1,
    };
    Simulator {
        url: format!("http://{listen}/"),
        _folder: folder,
        task: tokio::spawn(simulator::serve(listener, args)),
    }
}

fn entry<'a>(simulator: &'a Simulator, key: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("connector", "juspay"),
        ("base_url", &simulator.url),
        ("merchant_id", "globex"),
        ("api_key", key),
        ("sandbox", "1"),
        ("reason", "Another account"),
    ]
}

async fn added(admin: &Browser, simulator: &Simulator) -> String {
    let answer = admin.form(LIST, &entry(simulator, "sim_globex")).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.location()
}

#[tokio::test]
async fn a_connection_is_added_tested_paused_resumed_and_chosen_by_plain_forms() {
    let (app, simulator) = (TestApp::start().await, simulator().await);
    let admin = app.signed_in(ADMIN).await;
    let page = added(&admin, &simulator).await;
    let shown = admin.get(&page).await;
    assert!(shown.text.contains("It works: Juspay answered at"), "{}", shown.text);
    assert!(shown.text.contains("not measured: treated as N"), "{}", shown.text);
    assert!(shown.text.contains("New batches use another connection"), "{}", shown.text);

    assert_eq!(admin.form(&format!("{page}/test"), &[]).await.status, 303);
    assert!(admin.get(&page).await.text.contains("It works"));

    let silent = admin.form(&format!("{page}/pause"), &[("reason", " ")]).await;
    assert_eq!(silent.status, 422);
    assert!(silent.text.contains("Say why"), "{}", silent.text);
    for hostile in ["a\u{0}b", "\u{1b}[2J", "\u{202e}".repeat(501).as_str()] {
        assert_eq!(admin.form(&format!("{page}/pause"), &[("reason", hostile)]).await.status, 422, "{hostile:?}");
    }
    assert_eq!(admin.form(&format!("{page}/pause"), &[("reason", "Audit <b>today</b>")]).await.status, 303);
    let paused = admin.get(&page).await.text;
    assert!(
        paused.contains("by ") && paused.contains("admin@acme.test") && paused.contains("Audit &lt;b&gt;today"),
        "{paused}"
    );
    assert!(!paused.contains("<b>today"), "{paused}");
    assert_eq!(admin.form(&format!("{page}/pause"), &[("reason", "again")]).await.status, 409);
    assert_eq!(admin.form(&format!("{page}/resume"), &[]).await.status, 303);
    assert_eq!(admin.form(&format!("{page}/resume"), &[]).await.status, 409);

    assert_eq!(admin.form(&format!("{page}/choose"), &[("reason", "It is cheaper")]).await.status, 303);
    assert!(admin.get(&page).await.text.contains("New batches use this connection."));
    let maker = app.signed_in(MAKER).await;
    assert!(maker.get("/batch/batch-refunds/new").await.text.contains("Juspay (globex)"), "new batches go there");
    let batch = app.batch(MAKERS_FILE).await;
    let sentence = "SELECT g.merchant_id FROM batch b JOIN gateway g ON g.id = b.gateway_id WHERE b.id = $1::uuid";
    let (merchant,): (String,) =
        sqlx::query_as(sentence).bind(&batch).fetch_one(&mut app.database().await).await.unwrap();
    assert_eq!(merchant, "acme", "a batch keeps the connection it began with");

    let acts: Vec<(String,)> =
        sqlx::query_as("SELECT action FROM audit WHERE actor = $1 AND action LIKE 'gateway.%' ORDER BY id")
            .bind(ADMIN)
            .fetch_all(&mut app.database().await)
            .await
            .unwrap();
    let acts: Vec<&str> = acts.iter().map(|(act,)| act.as_str()).collect();
    assert_eq!(acts, ["gateway.added", "gateway.tested", "gateway.paused", "gateway.resumed", "gateway.chosen"]);
}

#[tokio::test]
async fn a_key_is_on_no_page_and_in_no_row_as_it_was_typed() {
    let (app, simulator) = (TestApp::start().await, simulator().await);
    let admin = app.signed_in(ADMIN).await;
    let page = added(&admin, &simulator).await;
    let refused = admin.form(LIST, &entry(&simulator, WRONG_KEY)).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("refused this key") && refused.text.contains(&simulator.url), "{}", refused.text);
    let changed = admin
        .form(
            &format!("{page}/change"),
            &[("base_url", &simulator.url), ("merchant_id", "globex"), ("api_key", WRONG_KEY)],
        )
        .await;
    assert_eq!(changed.status, 422);
    let mut seen = vec![refused.text, changed.text];
    for address in ["/", "/settings", LIST, "/settings/connections/new", &page, "/batch/batch-refunds"] {
        seen.push(admin.get(address).await.text);
    }
    for text in &seen {
        for key in [WRONG_KEY, "sim_globex", "sim_acme", PASSWORD] {
            assert!(!text.contains(key), "{key} is on a page: {text}");
        }
    }
    let mut database = app.database().await;
    for table in ["audit", "gateway", "gateway_capability", "settings_change", "outbox", "notice", "session"] {
        let statement = format!(
            "SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%' OR t::text LIKE '%sim_globex%'"
        );
        let (found,): (i64,) =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(WRONG_KEY).fetch_one(&mut database).await.unwrap();
        assert_eq!(found, 0, "{table}");
    }
}

#[tokio::test]
async fn others_neither_see_nor_change_a_connection() {
    let (app, simulator) = (TestApp::start().await, simulator().await);
    let admin = app.signed_in(ADMIN).await;
    let page = added(&admin, &simulator).await;
    let before = fingerprint(&app).await;
    for (email, status) in [(MAKER, 403), (CHECKER, 403), (VIEWER, 403), (STRANGER, 404)] {
        let browser = app.signed_in(email).await;
        assert_eq!(browser.get(&page).await.status, status, "{email}");
        for (act, fields) in [
            (
                "change",
                vec![("base_url", simulator.url.as_str()), ("merchant_id", "globex"), ("api_key", "sim_globex")],
            ),
            ("test", vec![]),
            ("pause", vec![("reason", "mine now")]),
            ("resume", vec![]),
            ("choose", vec![]),
            ("limits", vec![("rate_limit", "1")]),
            ("measure", vec![("order", "ORD_1")]),
        ] {
            assert_eq!(browser.form(&format!("{page}/{act}"), &fields).await.status, status, "{email} {act}");
        }
        if status == 403 {
            for (path, fields) in [("/settings/pause", vec![("reason", "x")]), ("/settings/resume", vec![])] {
                assert_eq!(browser.form(path, &fields).await.status, 403, "{email} {path}");
            }
            assert_eq!(browser.form(LIST, &entry(&simulator, "sim_globex")).await.status, 403, "{email}");
        }
    }
    assert_eq!(fingerprint(&app).await, before, "nothing may have changed");
}

#[tokio::test]
async fn a_stop_of_everything_is_said_on_every_batch_with_who_and_why_and_told_apart_from_batchdesks_own() {
    let app = TestApp::start().await;
    let admin = app.signed_in(ADMIN).await;
    let maker = app.signed_in(MAKER).await;
    sqlx::query("UPDATE batch SET status = 'processing' WHERE file_name = $1")
        .bind(MAKERS_FILE)
        .execute(&mut app.database().await)
        .await
        .unwrap();
    let page = format!("/batch/batch-refunds/{}", app.batch(MAKERS_FILE).await);
    assert!(!maker.get(&page).await.text.contains("paused all sending"));
    assert_eq!(admin.form("/settings/pause", &[("reason", "Bank holiday")]).await.status, 303);
    for address in [page.as_str(), "/batch/batch-refunds", "/"] {
        let text = maker.get(address).await.text;
        assert!(text.contains("admin@acme.test paused all sending of Acme Stores since"), "{address}: {text}");
        assert!(text.contains("“Bank holiday”"), "{address}");
    }
    assert_eq!(maker.form("/settings/resume", &[]).await.status, 403);
    assert_eq!(admin.form("/settings/resume", &[]).await.status, 303);
    assert!(!maker.get(&page).await.text.contains("paused all sending"));

    // Batchdesk's own stop names nobody.
    sqlx::query(
        "UPDATE organisation SET sending = false, stopped_at = now(),
                 stopped_reason = 'Something does not add up.' WHERE name = 'Acme Stores'",
    )
    .execute(&mut app.database().await)
    .await
    .unwrap();
    let text = maker.get(&page).await.text;
    assert!(text.contains("Batchdesk itself stopped all sending of Acme Stores since"), "{text}");
    let settings = admin.get("/settings").await.text;
    assert!(settings.contains("data-sending=\"stopped\""), "{settings}");
}

#[tokio::test]
async fn what_an_administrator_paused_only_an_administrator_resumes() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let batch = app.batch(super::support::STRANGERS_FILE).await;
    let page = format!("/batch/batch-refunds/{batch}");
    assert_eq!(owner.form(&format!("{page}/pause"), &[("reason", "Checking prices")]).await.status, 303);
    let text = owner.get(&page).await.text;
    assert!(text.contains("Paused by owner@globex.test since") && text.contains("“Checking prices”"), "{text}");
    assert!(text.contains("Only an administrator can resume it."), "{text}");
    // The owner stays who looks after refunds, but no longer after the settings.
    let statement = "UPDATE role_permission SET \"right\" = 'read' WHERE module = 'settings' AND role_id IN
        (SELECT m.role_id FROM membership m JOIN person p ON p.id = m.person_id WHERE p.email = $1)";
    sqlx::query(statement).bind(STRANGER).execute(&mut app.database().await).await.unwrap();
    // What the audit trail says is no rule: it stands on the batch.
    let gone = "DELETE FROM audit_waiting; DELETE FROM audit_seal; DELETE FROM audit WHERE action = 'batch.paused'";
    sqlx::raw_sql(gone).execute(&mut app.database().await).await.unwrap();
    let refused = owner.form(&format!("{page}/resume"), &[]).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let (status,): (String,) = sqlx::query_as("SELECT status FROM batch WHERE id = $1::uuid")
        .bind(&batch)
        .fetch_one(&mut app.database().await)
        .await
        .unwrap();
    assert_eq!(status, "paused");
    assert!(!owner.get(&page).await.text.contains("/resume\""), "what they may not do is not offered");
}

#[tokio::test]
async fn an_older_proof_asks_for_the_password_once_more() {
    let (app, simulator) = (TestApp::start().await, simulator().await);
    let admin = app.signed_in(ADMIN).await;
    let page = added(&admin, &simulator).await;
    app.advance(time::Duration::minutes(11));
    assert!(admin.get(&page).await.text.contains("id=\"choose-password\""));
    let why = ("reason", "It is cheaper");
    let asked = admin.form(&format!("{page}/choose"), &[why]).await;
    assert_eq!(asked.status, 422);
    assert!(asked.text.contains("Give your password again"), "{}", asked.text);
    assert_eq!(admin.form(&format!("{page}/choose"), &[why, ("password", "wrong")]).await.status, 422);
    assert!(admin.get(&page).await.text.contains("New batches use another connection"));
    assert_eq!(admin.form(&format!("{page}/choose"), &[why, ("password", PASSWORD)]).await.status, 303);
}
