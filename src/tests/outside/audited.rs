//! Whatever a person changes is in the audit trail, written in the transaction of the change: every route that changes
//! something is driven to success, and the database itself looks at each commit.

use super::{
    connections::simulator,
    support::{
        ADMIN, Browser, CHECKER, MAKER, MAKER2S_FILE, MAKER2S_ORDERS, PASSWORD, Part, STRANGER, TestApp, TestResponse,
    },
};
use batchdesk::http;
use serde_json::json;
use std::{collections::BTreeSet, future::Future};

/// Routes that may leave no entry, and why.
const WITHOUT_ENTRY: [(&str, &str); 11] = [
    ("/theme", "a cookie of the browser"),
    ("/batch/batch-refunds/new/description", "a draft of one person, gone after 24 hours"),
    ("/batch/batch-sync/new/description", "the same"),
    ("/notices/read", "what one person has read"),
    ("/api/home", "only reads"),
    ("/api/approvals/inbox", "only reads"),
    ("/api/approvals/detail", "only reads"),
    ("/api/batches/list", "only reads"),
    ("/api/batches/detail", "only reads"),
    ("/api/batches/new", "only reads"),
    ("/api/batches/sync", "what /batch/batch-refunds/{id}/sync does"),
];

/// Tables whose rows nobody has to answer for: sessions and their limits, drafts, news of what is in the trail anyway,
/// the trail.
const WITHOUT_GUARD: &str = "'session', 'sign_in_throttle', 'draft', 'retry_draft', 'outbox', 'notice', 'audit', \
                             'audit_waiting', 'audit_seal', '_sqlx_migrations', 'function_file'";

/// Notes each commit of the web part that changed a row and wrote no entry.
const GUARD: &str = "
CREATE TABLE unaudited (place text, act text);
CREATE FUNCTION note_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('test.audited', 'yes',
  true); RETURN NULL; END $$;
CREATE TRIGGER note_audit AFTER INSERT ON audit FOR EACH STATEMENT EXECUTE FUNCTION note_audit();
CREATE FUNCTION want_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  IF current_setting('role') = 'batchdesk_web' AND coalesce(current_setting('test.audited', true), '') <> 'yes' THEN
    INSERT INTO batchdesk.unaudited VALUES (TG_TABLE_NAME, TG_OP);
  END IF;
  RETURN NULL; END $$;
DO $$ DECLARE t regclass; BEGIN
  FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'batchdesk'::regnamespace AND relkind = 'r'
    AND relname NOT IN ('unaudited', {without}) LOOP
    EXECUTE
      format('CREATE CONSTRAINT TRIGGER want_audit AFTER INSERT OR UPDATE OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION want_audit()', t);
  END LOOP;
END $$";

struct Watched {
    app: TestApp,
    driven: BTreeSet<String>,
}

impl Watched {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let mut database = app.database().await;
        let guard = GUARD.replace("{without}", WITHOUT_GUARD);
        sqlx::raw_sql(sqlx::AssertSqlSafe(guard)).execute(&mut database).await.unwrap();
        Self { app, driven: BTreeSet::new() }
    }

    /// Sees to it that an act succeeds and leaves an entry.
    async fn saw(&mut self, route: &str, act: impl Future<Output = TestResponse>) -> TestResponse {
        let mut database = self.app.database().await;
        let entries = async |database: &mut sqlx::PgConnection| -> i64 {
            sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(database).await.unwrap()
        };
        let before = entries(&mut database).await;
        let answer = act.await;
        assert!([200, 303].contains(&answer.status), "{route}: {} {}", answer.status, answer.text);
        assert!(entries(&mut database).await > before, "{route} left no entry");
        let unaudited: Vec<(String, String)> =
            sqlx::query_as("SELECT DISTINCT place, act FROM unaudited").fetch_all(&mut database).await.unwrap();
        assert!(unaudited.is_empty(), "{route} changed without an entry in the same transaction: {unaudited:?}");
        self.driven.insert(route.to_owned());
        answer
    }

    async fn form(&mut self, who: &Browser, route: &str, id: &str, fields: &[(&str, &str)]) -> TestResponse {
        let address = route.replace("{id}", id);
        self.saw(route, who.form(&address, fields)).await
    }

    /// Uploads a file to a list; returns the batch.
    async fn upload(&mut self, who: &Browser, list: &str, name: &str, file: &str) -> String {
        let parts = [Part::Field("description", "why"), Part::File(name, file)];
        let answer = self.saw(list, who.upload(list, "text/html", &parts)).await;
        answer.location().rsplit('/').next().unwrap().to_owned()
    }

    /// SQL behind the scenes, with the batch as its parameter.
    async fn behind(&self, batch: &str, statements: &[&str]) {
        let mut database = self.app.database().await;
        sqlx::raw_sql("SET session_replication_role = replica").execute(&mut database).await.unwrap();
        for statement in statements {
            sqlx::query(sqlx::AssertSqlSafe((*statement).to_owned())).bind(batch).execute(&mut database).await.unwrap();
        }
    }

    /// The content of a batch, as a decision on it names it.
    async fn content(&self, batch: &str) -> String {
        let visitor = self.app.visitor();
        let request = visitor.bare("GET", &format!("/api/v1/batches/{batch}")).bearer_auth("bd_demo_acme");
        visitor.send(request).await.json()["content_sha256"].as_str().unwrap().to_owned()
    }
}

fn refunds(orders: &[&str]) -> String {
    let mut file = String::from(
        "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\n",
    );
    orders.iter().for_each(|order| file.push_str(&format!("{order},1.00,,,,,,,,,,,,,,,,,\n")));
    file
}

/// The value of a field on a page.
fn value(page: &TestResponse, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let found = page.text.split(&mark).nth(1).unwrap_or_else(|| panic!("no field {name}: {}", page.text));
    found.split('"').next().unwrap().to_owned()
}

const REFUNDS: &str = "/batch/batch-refunds";
const SYNCS: &str = "/batch/batch-sync";

#[tokio::test]
async fn every_route_that_changes_something_leaves_an_entry_in_the_same_transaction() {
    let mut watched = Watched::start().await;
    let visitor = watched.app.visitor();
    watched.saw("/login", visitor.form("/login", &[("email", MAKER), ("password", PASSWORD)])).await;
    watched.saw("/logout", visitor.form("/logout", &[])).await;

    batches(&mut watched).await;
    syncs_and_orders(&mut watched).await;
    review(&mut watched).await;
    settings(&mut watched).await;

    let posted: BTreeSet<String> =
        http::routes().into_iter().filter(|route| route.method == "POST").map(|route| route.path).collect();
    let without: BTreeSet<String> = WITHOUT_ENTRY.iter().map(|(path, _)| (*path).to_owned()).collect();
    let missing: Vec<_> = posted.difference(&watched.driven).filter(|path| !without.contains(*path)).collect();
    assert!(missing.is_empty(), "not driven, and no reason given: {missing:?}");
    let gone: Vec<_> = without.difference(&posted).collect();
    assert!(gone.is_empty(), "no such routes: {gone:?}");
}

async fn batches(watched: &mut Watched) {
    let maker = watched.app.signed_in(MAKER).await;
    let checker = watched.app.signed_in(CHECKER).await;
    let batch = watched.upload(&maker, REFUNDS, "a.csv", &refunds(&["AUDITED_1"])).await;
    watched.form(&maker, "/batch/batch-refunds/{id}/withdraw", &batch, &[]).await;

    let batch = watched.upload(&maker, REFUNDS, "b.csv", &refunds(&["AUDITED_2", "AUDITED_3"])).await;
    let content = watched.content(&batch).await;
    let approve = [("decision", "approve"), ("content_hash", content.as_str()), ("password", PASSWORD)];
    watched.form(&checker, "/approvals/{id}", &batch, &approve).await;
    watched.form(&maker, "/batch/batch-refunds/{id}/pause", &batch, &[("reason", "a look")]).await;
    watched.form(&maker, "/batch/batch-refunds/{id}/resume", &batch, &[]).await;
    watched.form(&maker, "/batch/batch-refunds/{id}/sync", &batch, &[]).await;
    watched.form(&maker, "/batch/batch-refunds/{id}/cancel", &batch, &[]).await;

    let batch = watched.upload(&maker, REFUNDS, "c.csv", &refunds(&["AUDITED_4", "AUDITED_5"])).await;
    let ended = [
        "UPDATE batch SET status = 'completed_with_failures' WHERE id = $1::uuid",
        "INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code, message)
         SELECT organisation_id, batch_id, row_no, 1, 1, row_no <> 1, CASE row_no WHEN 1
           THEN 'refund.not.allowed' END, CASE row_no WHEN 1 THEN 'Refund is not allowed.' END
           FROM record WHERE batch_id = $1::uuid",
        "UPDATE batch_progress SET queued = 0, accepted = 1, failed = 1, queued_minor = 0, accepted_minor = 100,
         failed_minor = 100 WHERE batch_id = $1::uuid",
        "UPDATE chunk SET state = 'DONE', remaining = 0 WHERE batch_id = $1::uuid",
    ];
    watched.behind(&batch, &ended).await;
    watched.form(&maker, "/batch/batch-refunds/{id}/retry", &batch, &[("do", "send"), ("revision", "1")]).await;
}

async fn syncs_and_orders(watched: &mut Watched) {
    let maker = watched.app.signed_in(MAKER).await;
    let owner = watched.app.signed_in(STRANGER).await;
    let orders = |order: &str| format!("order_id,txn_id,unique_request_id\n{order},,\n");
    let batch = watched.upload(&maker, SYNCS, "a.csv", &orders("AUDITED_1")).await;
    watched.form(&maker, "/batch/batch-sync/{id}/withdraw", &batch, &[]).await;
    // No decision is needed there.
    let batch = watched.upload(&owner, SYNCS, "b.csv", &orders("AUDITED_2")).await;
    watched.form(&owner, "/batch/batch-sync/{id}/pause", &batch, &[("reason", "a look")]).await;
    watched.form(&owner, "/batch/batch-sync/{id}/resume", &batch, &[]).await;
    watched.form(&owner, "/batch/batch-sync/{id}/sync", &batch, &[]).await;
    watched.form(&owner, "/batch/batch-sync/{id}/cancel", &batch, &[]).await;

    let stored = "INSERT INTO stored_order (organisation_id, order_id, gateway_id, batch_id, status, charged,
                  amount_minor, currency, refunded_minor,
            refundable_minor, transactions, refunds, body, content_sha256, seen_at)
         SELECT b.organisation_id, 'AUDITED_6', b.gateway_id, b.id, 'CHARGED', true, 10000, 'INR', 0, 10000, ARRAY['t'],
           '[]', '{}',
            decode(repeat('00', 32), 'hex'), now() FROM batch b WHERE b.id = $1::uuid";
    let batch = watched.app.batch(MAKER2S_ORDERS).await;
    watched.behind(&batch, &[stored]).await;
    watched.form(&maker, "/orders/{id}/sync", "AUDITED_6", &[]).await;
    let send = [("order", "AUDITED_6"), ("amount", "1"), ("description", "lost"), ("do", "send")];
    watched.form(&maker, "/orders/refund", "", &send).await;
}

async fn review(watched: &mut Watched) {
    let maker = watched.app.signed_in(MAKER).await;
    let checker = watched.app.signed_in(CHECKER).await;
    let batch = watched.app.batch(MAKER2S_FILE).await;
    let in_review = [
        "UPDATE batch SET status = 'processing' WHERE id = $1::uuid",
        "INSERT INTO attempt (organisation_id, batch_id, from_row, to_row, revision, attempt, chunk_no, epoch, owner)
         SELECT organisation_id, batch_id, 1, 2, 1, 1, chunk_no, epoch, gen_random_uuid() FROM chunk
           WHERE batch_id = $1::uuid AND chunk_no = 0",
        "INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, run_at, attempts,
         first_sent_at, last_sent_at, code, message)
         SELECT r.organisation_id, r.batch_id, r.row_no, 1, b.gateway_id, 'REVIEW', now(), 1, now(), now(), 'not_found',
           'Look it up at the gateway.'
           FROM record r JOIN batch b ON b.id = r.batch_id WHERE r.batch_id = $1::uuid AND r.row_no <= 2",
        "UPDATE chunk SET remaining = remaining - 2, next_row = 3 WHERE batch_id = $1::uuid AND chunk_no = 0",
        "INSERT INTO review_entry (organisation_id, batch_id, row_no, revision, kind, order_id, gateway_key, ours,
         ours_minor, fact)
         SELECT organisation_id, batch_id, row_no, 1, 'missing', order_id, gateway_key, 'ACCEPTED', amount_minor, 'x'
           FROM record WHERE batch_id = $1::uuid AND row_no = 3",
    ];
    watched.behind(&batch, &in_review).await;
    let page = format!("/review?batch={batch}");
    let propose = async |watched: &mut Watched| {
        let row = value(&maker.get(&page).await, "row");
        let fields = [("row", row.as_str()), ("finding", "not_done"), ("reason", "the desk says no")];
        watched.form(&maker, "/review/{id}/propose", &batch, &fields).await;
    };
    propose(&mut *watched).await;
    let proposal = value(&maker.get(&page).await, "proposal");
    watched.form(&maker, "/review/{id}/withdraw", &batch, &[("proposal", &proposal), ("note", "a mistake")]).await;
    propose(&mut *watched).await;
    let proposal = value(&checker.get(&page).await, "proposal");
    let fields = [("proposal", proposal.as_str()), ("answer", "confirm"), ("note", "seen"), ("password", PASSWORD)];
    watched.form(&checker, "/review/{id}/answer", &batch, &fields).await;
    let (entry,): (uuid::Uuid,) = sqlx::query_as("SELECT id FROM review_entry WHERE batch_id = $1::uuid")
        .bind(&batch)
        .fetch_one(&mut watched.app.database().await)
        .await
        .unwrap();
    let fields = [("entry", entry.to_string()), ("note", "it is known".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    watched.form(&maker, "/review/{id}/acknowledge", &batch, &fields).await;
}

async fn settings(watched: &mut Watched) {
    let admin = watched.app.signed_in(ADMIN).await;
    let proof = ("password", PASSWORD);
    let why = ("reason", "a look");
    let limits = [("row_limit", "777"), ("approval_days", "5"), proof];
    watched.form(&admin, "/settings/limits", "", &limits).await;
    let rule = [("operation", "order_sync"), ("needed", "no"), why, proof];
    watched.form(&admin, "/settings/approval", "", &rule).await;
    let external = [("url", "https://erp.example.test/orders"), ("enabled", "on"), why, proof];
    watched.form(&admin, "/settings/external", "", &external).await;
    watched.form(&admin, "/settings/pause", "", &[("reason", "a look"), proof]).await;
    watched.form(&admin, "/settings/resume", "", &[proof]).await;

    let simulator = simulator().await;
    let account =
        [("base_url", simulator.url.as_str()), ("merchant_id", "globex"), ("api_key", "sim_globex"), why, proof];
    let added = [&account[..], &[("connector", "juspay"), ("sandbox", "1")]].concat();
    let page = watched.form(&admin, "/settings/connections", "", &added).await.location();
    let id = page.rsplit('/').next().unwrap();
    for (act, fields) in [
        ("change", account.to_vec()),
        ("test", vec![]),
        ("limits", vec![("concurrency", "3"), ("rate_limit", ""), ("rate_burst", "")]),
        ("measure", vec![("order", "ORD_1")]),
        ("choose", vec![why, proof]),
        ("pause", vec![("reason", "a look")]),
        ("resume", vec![]),
    ] {
        watched.form(&admin, &format!("/settings/connections/{{id}}/{act}"), id, &fields).await;
    }

    // Two administrators: what one asks for, the other answers.
    let (role, password) = (batchdesk::domain::access::Role::Admin, secrecy::SecretString::from(PASSWORD));
    let people = &watched.app.state;
    batchdesk::server::ops::people::create(people, "Acme Stores", "admin2@acme.test", role, &password).await.unwrap();
    let second = watched.app.signed_in("admin2@acme.test").await;
    let rule = [("operation", "refund"), ("needed", "no"), why, proof];
    for act in ["withdraw", "answer"] {
        watched.form(&admin, "/settings/approval", "", &rule).await;
        let page = second.get("/settings").await;
        let id = page.text.split("data-change=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let hash = value(&page, "content_hash");
        let (who, fields) = match act {
            "withdraw" => (&admin, Vec::new()),
            _ => (&second, vec![("answer", "confirm"), ("content_hash", hash.as_str()), proof]),
        };
        watched.form(who, &format!("/settings/changes/{{id}}/{act}"), &id, &fields).await;
    }
}

#[tokio::test]
async fn the_guard_sees_a_change_without_an_entry() {
    let watched = Watched::start().await;
    let maker = watched.app.signed_in(MAKER).await;
    let organisation: uuid::Uuid = sqlx::query_scalar("SELECT id FROM organisation WHERE name = 'Acme Stores'")
        .fetch_one(&mut watched.app.database().await)
        .await
        .unwrap();
    assert_eq!(maker.api("/api/home", json!({})).await.status, 200);
    let mut tx = watched.app.state.db.web(batchdesk::domain::ids::OrganisationId(organisation), None).await.unwrap();
    batchdesk::server::db::approval_rules::set_needed(&mut tx, batchdesk::domain::operation::Operation::Refund, false)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let seen: Vec<(String,)> =
        sqlx::query_as("SELECT place FROM unaudited").fetch_all(&mut watched.app.database().await).await.unwrap();
    assert_eq!(seen, [("approval_rule".to_owned(),)]);
}
