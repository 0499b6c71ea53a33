//! Changes that weaken a control, or say where money and data go: a reason, a proof, a second administrator where there
//! is one, and everybody who decides is told.

use super::{
    connections::{Simulator, simulator},
    support::{ADMIN, Browser, CHECKER, MAKER, PASSWORD, STRANGER, TestApp, TestResponse, VIEWER, fingerprint, until},
};
use batchdesk::{
    domain::access::Role,
    server::ops::{housekeeping, people},
};
use secrecy::SecretString;

const SECOND: &str = "admin2@acme.test";
const WHY: &str = "The bank asks for it <b>today</b>";

/// An application whose Acme has two administrators, and both of them.
async fn two() -> (TestApp, Browser, Browser) {
    let app = TestApp::start().await;
    let password = SecretString::from(PASSWORD);
    people::create(&app.state, "Acme Stores", SECOND, Role::Admin, &password).await.unwrap();
    let (first, second) = (app.signed_in(ADMIN).await, app.signed_in(SECOND).await);
    (app, first, second)
}

async fn number(app: &TestApp, statement: &str) -> i64 {
    let (number,): (i64,) =
        sqlx::query_as(sqlx::AssertSqlSafe(statement.to_owned())).fetch_one(&mut app.database().await).await.unwrap();
    number
}

async fn run(app: &TestApp, statement: &str) {
    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut app.database().await).await.unwrap();
}

/// The change that waits, as the settings page shows it: its address and the hash of what is shown.
async fn waiting(browser: &Browser) -> (String, String) {
    let page = browser.get("/settings").await.text;
    let id = page.split("data-change=\"").nth(1).expect("a change waits").split('"').next().unwrap();
    let hash = page.split("name=\"content_hash\"").nth(1).and_then(|rest| rest.split("value=\"").nth(1));
    let hash = hash.map(|rest| rest.split('"').next().unwrap().to_owned()).unwrap_or_default();
    (format!("/settings/changes/{id}"), hash)
}

async fn answered(browser: &Browser, change: &str, hash: &str, verdict: &str, note: &str) -> TestResponse {
    let fields = [("answer", verdict), ("content_hash", hash), ("note", note)];
    browser.form(&format!("{change}/answer"), &fields).await
}

const OFF: [(&str, &str); 3] = [("operation", "refund"), ("needed", "no"), ("reason", WHY)];
const IS_ON: &str = "SELECT count(*) FROM approval_rule r JOIN organisation_name n USING (organisation_id)
    WHERE n.name = 'Acme Stores' AND r.operation = 'refund' AND r.needed";

#[tokio::test]
async fn one_administrator_alone_gives_a_reason_and_the_password_and_everybody_who_decides_is_told() {
    let app = TestApp::start().await;
    let admin = app.signed_in(ADMIN).await;
    let page = admin.get("/settings").await.text;
    assert!(page.contains("Refunds will be sent without a second person."), "{page}");
    let silent = admin.form("/settings/approval", &[("operation", "refund"), ("needed", "no")]).await;
    assert_eq!(silent.status, 422);
    assert!(silent.text.contains("id=\"refund-reason-error\"") && silent.text.contains("Say why"), "{}", silent.text);
    let long = "x".repeat(501);
    for reason in [" \t", long.as_str(), "a\u{0}b"] {
        let fields = [("operation", "refund"), ("needed", "no"), ("reason", reason)];
        assert_eq!(admin.form("/settings/approval", &fields).await.status, 422, "{reason:?}");
    }
    app.advance(time::Duration::minutes(11));
    assert!(admin.get("/settings").await.text.contains("id=\"refund-password\""));
    for password in ["", "not-the-password"] {
        let fields = [OFF.as_slice(), [("password", password)].as_slice()].concat();
        let refused = admin.form("/settings/approval", &fields).await;
        assert_eq!(refused.status, 422, "{password}");
        assert!(refused.text.contains("id=\"refund-password-error\""), "{}", refused.text);
        assert!(refused.text.contains("The bank asks for it &lt;b&gt;today&lt;/b&gt;"), "what was typed stays");
        assert!(!refused.text.contains("not-the-password"));
    }
    assert_eq!(number(&app, IS_ON).await, 1, "nothing was changed yet");
    let done = admin.form("/settings/approval", &[OFF.as_slice(), [("password", PASSWORD)].as_slice()].concat()).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert_eq!(number(&app, IS_ON).await, 0);
    let trail = "SELECT count(*) FROM audit WHERE action = 'settings.approval' AND actor = 'admin@acme.test'
                 AND detail LIKE '%The bank asks%'";
    assert_eq!(number(&app, trail).await, 1);
    for (email, told) in [(CHECKER, true), (ADMIN, true), (MAKER, false), (VIEWER, false)] {
        let browser = app.signed_in(email).await;
        if told {
            let text = until("a notice", || async {
                let text = browser.get("/notices").await.text;
                text.contains("changed the settings").then_some(text)
            })
            .await;
            assert!(
                text.contains("Turn off approvals of Batch Refunds.") && text.contains("There is no second"),
                "{text}"
            );
            assert!(text.contains("The bank asks for it &lt;b&gt;"), "{text}");
            assert_eq!(text.contains("/settings#changes"), email == ADMIN, "{email}");
        } else {
            assert!(!browser.get("/notices").await.text.contains("changed the settings"), "{email}");
        }
    }
    assert!(!app.signed_in(STRANGER).await.get("/notices").await.text.contains("settings:"));
    // Turning it on again needs nothing of that.
    assert_eq!(admin.form("/settings/approval", &[("operation", "refund"), ("needed", "yes")]).await.status, 303);
    assert_eq!(number(&app, IS_ON).await, 1);
}

#[tokio::test]
async fn where_there_is_a_second_administrator_nothing_changes_before_they_confirm() {
    let (app, first, second) = two().await;
    let asked = first.form("/settings/approval", &OFF).await;
    assert_eq!(asked.status, 303, "{}", asked.text);
    assert_eq!(number(&app, IS_ON).await, 1, "nothing was changed yet");
    let own = first.get("/settings").await.text;
    assert!(
        own.contains("Nothing was changed yet") && own.contains("/withdraw\"") && !own.contains("/answer\""),
        "{own}"
    );
    let page = second.get("/settings").await.text;
    for shown in [
        "Changes waiting for a second administrator",
        "Turn off approvals of Batch Refunds.",
        "admin@acme.test",
        "The bank asks for it &lt;b&gt;today",
        "<del>Yes<",
        "<ins>No<",
        "Refunds will be sent without a second person.",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(second.get("/settings/connections").await.text.contains("Changes waiting for a second administrator"));
    until("the checker is told that it is asked for", || async {
        let checker = app.signed_in(CHECKER).await;
        checker.get("/notices").await.text.contains("Another administrator must confirm it.").then_some(())
    })
    .await;
    assert_eq!(first.form("/settings/approval", &OFF).await.status, 409, "one of them waits already");

    let (change, hash) = waiting(&second).await;
    // Who asked does not confirm, whatever they send; the database refuses it.
    let refused = answered(&first, &change, &hash, "confirm", "").await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert_eq!(answered(&first, &change, &hash, "reject", "mine").await.status, 403);
    assert_eq!(second.form(&format!("{change}/withdraw"), &[]).await.status, 403, "nobody else takes it back");
    for (email, status) in [(MAKER, 403), (CHECKER, 403), (STRANGER, 404)] {
        assert_eq!(
            answered(&app.signed_in(email).await, &change, &hash, "confirm", "").await.status,
            status,
            "{email}"
        );
    }
    // What is confirmed is what was shown.
    assert_eq!(answered(&second, &change, &"0".repeat(64), "confirm", "").await.status, 412);
    assert_eq!(answered(&second, &change, "", "confirm", "").await.status, 412);
    assert_eq!(answered(&second, &change, &hash, "perhaps", "").await.status, 422);
    app.advance(time::Duration::minutes(11));
    let asked = answered(&second, &change, &hash, "confirm", "Right so").await;
    assert_eq!(asked.status, 422);
    assert!(asked.text.contains("Give your password again") && asked.text.contains("Right so"), "{}", asked.text);
    assert_eq!(number(&app, IS_ON).await, 1, "nothing was changed yet");
    let fields = [("answer", "confirm"), ("content_hash", hash.as_str()), ("password", PASSWORD)];
    let confirmed = second.form(&format!("{change}/answer"), &fields).await;
    assert_eq!(confirmed.status, 303, "{}", confirmed.text);
    assert_eq!(number(&app, IS_ON).await, 0);
    assert_eq!(answered(&second, &change, &hash, "confirm", "").await.status, 409, "once");
    assert!(!second.get("/settings").await.text.contains("data-change"));
    let trail = "SELECT count(*) FROM audit
                 WHERE (action, actor) IN (('settings.change_proposed', 'admin@acme.test'),
                 ('settings.approval', 'admin2@acme.test'))
                  AND detail LIKE '%The bank asks%'";
    assert_eq!(number(&app, trail).await, 2);
    until("the checker is told that it holds", || async {
        let text = app.signed_in(CHECKER).await.get("/notices").await.text;
        text.contains("admin2@acme.test confirmed it.").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_change_is_rejected_with_a_reason_withdrawn_or_forgotten_in_time() {
    let (app, first, second) = two().await;
    let external = [
        ("url", "https://erp.example.com/orders"),
        ("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("enabled", "on"),
        ("reason", WHY),
    ];
    let sealed = "SELECT count(*) FROM settings_change WHERE sealed_secret IS NOT NULL";
    for how in ["reject", "withdraw", "expire"] {
        let asked = first.form("/settings/external", &external).await;
        assert_eq!(asked.status, 303, "{how}: {}", asked.text);
        assert_eq!(number(&app, sealed).await, 1);
        let (change, hash) = waiting(&second).await;
        for text in [second.get("/settings").await.text, first.get("/settings").await.text] {
            assert!(!text.contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "{text}");
        }
        match how {
            "reject" => {
                let silent = answered(&second, &change, &hash, "reject", " ").await;
                assert_eq!(silent.status, 422);
                assert!(silent.text.contains("-note-error"), "{}", silent.text);
                assert_eq!(answered(&second, &change, &hash, "reject", "Not our system").await.status, 303);
            }
            "withdraw" => assert_eq!(first.form(&format!("{change}/withdraw"), &[]).await.status, 303),
            _ => {
                app.advance(time::Duration::days(7));
                let late = app.signed_in(SECOND).await;
                assert!(!late.get("/settings").await.text.contains("data-change"));
                assert_eq!(answered(&late, &change, &hash, "confirm", "").await.status, 409);
                housekeeping::tidy_up(&app.state).await.unwrap();
            }
        }
        assert_eq!(number(&app, sealed).await, 0, "{how}: the secret is wiped when it ends");
        assert_eq!(number(&app, "SELECT count(*) FROM external_system").await, 0, "{how}");
    }
    let ends =
        "SELECT count(DISTINCT verdict) FROM settings_change_end WHERE verdict IN ('REJECT', 'WITHDRAW', 'EXPIRE')";
    assert_eq!(number(&app, ends).await, 3);
    until("everybody is told of each end", || async {
        let told = "SELECT count(*) FROM notice n JOIN person p ON p.id = n.person_id WHERE n.kind = 'change_dropped'
                    AND p.email = 'admin2@acme.test'";
        (number(&app, told).await == 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_change_is_void_when_its_setting_has_changed_since() {
    let (app, first, second) = two().await;
    let raise = [("row_limit", "5000"), ("approval_days", "7"), ("reason", WHY)];
    assert_eq!(first.form("/settings/limits", &raise).await.status, 303);
    let (change, hash) = waiting(&second).await;
    // Stricter is one person's, at once, and without a reason.
    assert_eq!(first.form("/settings/limits", &[("row_limit", "900"), ("approval_days", "7")]).await.status, 303);
    let late = answered(&second, &change, &hash, "confirm", "").await;
    assert_eq!(late.status, 412, "{}", late.text);
    assert!(late.text.contains("was changed after this was asked for"), "{}", late.text);
    let limit = "SELECT row_limit::bigint FROM organisation WHERE name = 'Acme Stores'";
    assert_eq!(number(&app, limit).await, 900);

    // Off and on again looks the same and is not.
    assert_eq!(first.form(&format!("{change}/withdraw"), &[]).await.status, 303);
    assert_eq!(first.form("/settings/approval", &OFF).await.status, 303);
    let (change, hash) = waiting(&second).await;
    run(&app, "UPDATE approval_rule SET version = version + 2").await;
    assert_eq!(answered(&second, &change, &hash, "confirm", "").await.status, 412);
    // And a row that was changed behind our back is not what was shown.
    run(&app, "UPDATE approval_rule SET version = version - 2; ").await;
    run(&app, "UPDATE settings_change SET becomes = jsonb_set(becomes, '{operation}', '\"order_sync\"')").await;
    assert_eq!(answered(&second, &change, &hash, "confirm", "").await.status, 412);
    assert_eq!(number(&app, IS_ON).await, 1);
}

/// A form that can weaken a control: its address, its fields, and the table of what it changes.
type Weakening = (String, Vec<(&'static str, String)>, &'static str);

fn forms(simulator: &Simulator, connection: &str, other: &str) -> Vec<Weakening> {
    let text = |fields: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let account = [("base_url", simulator.url.as_str()), ("merchant_id", "globex"), ("api_key", "sim_globex")];
    let new = [account.as_slice(), &[("connector", "juspay"), ("sandbox", "1")]].concat();
    vec![
        ("/settings/approval".to_owned(), text(&[("operation", "refund"), ("needed", "no")]), "approval_rule"),
        ("/settings/approval".to_owned(), text(&[("operation", "order_sync"), ("needed", "no")]), "approval_rule"),
        ("/settings/limits".to_owned(), text(&[("row_limit", "1001"), ("approval_days", "7")]), "organisation"),
        ("/settings/limits".to_owned(), text(&[("row_limit", "1000"), ("approval_days", "8")]), "organisation"),
        (
            "/settings/external".to_owned(),
            text(&[("url", "https://erp.example.com/"), ("enabled", "on")]),
            "external_system",
        ),
        ("/settings/connections".to_owned(), text(&new), "gateway"),
        (
            format!("/settings/connections/{other}/change"),
            text(&[("base_url", &simulator.url), ("merchant_id", "globex"), ("api_key", "sim_globex")]),
            "gateway",
        ),
        (format!("/settings/connections/{other}/choose"), Vec::new(), "gateway_choice"),
        (format!("/settings/connections/{connection}/limits"), text(&[("concurrency", "30")]), "gateway"),
    ]
}

#[tokio::test]
async fn every_form_that_weakens_a_control_waits_for_the_second_administrator_and_then_holds() {
    let (app, first, second) = two().await;
    let simulator = simulator().await;
    let acme = "(SELECT organisation_id FROM organisation_name WHERE name = 'Acme Stores')";
    run(&app, &format!("UPDATE gateway SET concurrency = 4 WHERE organisation_id = {acme}")).await;
    // A second account that nothing is open on.
    run(
        &app,
        &format!(
            "INSERT INTO gateway (organisation_id, id, connector, base_url, merchant_id, sealed_key)
             SELECT organisation_id, gen_random_uuid(), connector, base_url, 'another', sealed_key FROM gateway
               WHERE organisation_id = {acme}"
        ),
    )
    .await;
    let id = async |merchant: &str| {
        let statement = format!("SELECT id FROM gateway WHERE organisation_id = {acme} AND merchant_id = '{merchant}'");
        let (id,): (uuid::Uuid,) =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_one(&mut app.database().await).await.unwrap();
        id.to_string()
    };
    let (connection, other) = (id("acme").await, id("another").await);
    let table_of =
        |all: &str, table: &str| all.lines().find(|line| line.starts_with(&format!("{table} "))).unwrap().to_owned();
    for (path, fields, table) in forms(&simulator, &connection, &other) {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let before = fingerprint(&app).await;
        let silent = first.form(&path, &fields).await;
        assert_eq!(silent.status, 422, "{path} without a reason: {}", silent.text);
        assert!(silent.text.contains("-reason-error"), "{path}: the field is named: {}", silent.text);
        assert!(silent.text.contains("class=\"consequence\""), "{path}: what follows is said in red");
        assert_eq!(fingerprint(&app).await, before, "{path}");
        let asked = first.form(&path, &[fields.as_slice(), [("reason", WHY)].as_slice()].concat()).await;
        assert_eq!(asked.status, 303, "{path}: {}", asked.text);
        assert_eq!(
            table_of(&fingerprint(&app).await, table),
            table_of(&before, table),
            "{path} was changed by one person"
        );
        let (change, hash) = waiting(&second).await;
        let confirmed = answered(&second, &change, &hash, "confirm", "").await;
        assert_eq!(confirmed.status, 303, "{path}: {}", confirmed.text);
        assert_ne!(table_of(&fingerprint(&app).await, table), table_of(&before, table), "{path} holds");
    }
    // The key that went through the change opens.
    let tested = first.form(&format!("/settings/connections/{other}/test"), &[]).await;
    assert_eq!(tested.status, 303, "{}", tested.text);
    assert!(first.get(&format!("/settings/connections/{other}")).await.text.contains("It works"));
    let sealed = "SELECT count(*) FROM settings_change WHERE sealed_secret IS NOT NULL";
    assert_eq!(number(&app, sealed).await, 0);
}

#[tokio::test]
async fn the_database_itself_refuses_a_change_that_nobody_else_confirmed() {
    let (app, first, second) = two().await;
    assert_eq!(first.form("/settings/approval", &OFF).await.status, 303);
    let (change, hash) = waiting(&second).await;
    let id = change.rsplit('/').next().unwrap().to_owned();
    let mut database = app.database().await;
    let (organisation, person): (uuid::Uuid, uuid::Uuid) =
        sqlx::query_as("SELECT organisation_id, proposer FROM settings_change").fetch_one(&mut database).await.unwrap();
    let session = format!(
        "SET ROLE batchdesk_web; SELECT set_config('app.organisation', '{organisation}', false),
         set_config('app.person', '{person}', false)"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(session)).execute(&mut database).await.unwrap();
    let end = |verdict: &str| {
        format!(
            "INSERT INTO settings_change_end (organisation_id, change_id, verdict, content_sha256, at)
             SELECT organisation_id, id, '{verdict}', decode('{hash}', 'hex'), at FROM settings_change
               WHERE id = '{id}'"
        )
    };
    let alone = "INSERT INTO settings_change (organisation_id, id, kind, object, summary, was, becomes, reason, alone,
                 at, expires_at)
        SELECT organisation_id, gen_random_uuid(), 'limits', '', 'x', '{}', '{}', 'x', true, at, expires_at
          FROM settings_change";
    for (what, statement, code) in [
        ("who asked confirms", end("CONFIRM"), "BD403"),
        ("who asked says that it was alone", end("ALONE"), "BD403"),
        ("one of two says that it was alone", alone.to_owned(), "BD403"),
        ("its time is not over", end("EXPIRE"), "BD409"),
        ("another proposer is named", "UPDATE settings_change SET proposer = gen_random_uuid()".to_owned(), "42501"),
        ("an end is taken back", "DELETE FROM settings_change_end".to_owned(), "42501"),
    ] {
        let error = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut database).await.unwrap_err();
        let found = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        assert_eq!(found.as_deref(), Some(code), "{what}: {error}");
    }
}

#[tokio::test]
async fn of_many_confirmations_at_once_one_counts() {
    let (app, first, second) = two().await;
    assert_eq!(first.form("/settings/approval", &OFF).await.status, 303);
    let (change, hash) = waiting(&second).await;
    let answers = (0..6).map(|_| answered(&second, &change, &hash, "confirm", ""));
    let mut statuses: Vec<u16> = futures::future::join_all(answers).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409, 409, 409, 409, 409]);
    assert_eq!(number(&app, "SELECT count(*) FROM audit WHERE action = 'settings.approval'").await, 1);
}
