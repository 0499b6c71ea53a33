//! What kind of work a batch is, whom it came from, and who may decide on it: held by the database, whatever the
//! program says.

use crate::{
    domain::{
        ids::OrganisationId,
        operation::{Effect, Operation, Work},
    },
    server::db,
    tests::support::TestState,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};
use uuid::Uuid;

const MAKER: &str = "maker@acme.test";
const CHECKER: &str = "checker@acme.test";

/// Whose session it is.
#[derive(Clone, Copy)]
enum Session {
    Person(Uuid),
    Key(Uuid),
}

struct Acme {
    test: TestState,
    organisation: OrganisationId,
    admin: PgConnection,
}

impl Acme {
    async fn new() -> Self {
        let test = TestState::new().await;
        let organisation = test.caller(MAKER).await.organisation.id;
        let admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        Self { test, organisation, admin }
    }

    async fn person(&self, email: &str) -> Uuid {
        self.test.caller(email).await.person.id.0
    }

    /// A connection of the web part as this person or key.
    async fn web(&self, session: Session) -> PgConnection {
        let mut web = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        let (person, key) = match session {
            Session::Person(id) => (id.to_string(), String::new()),
            Session::Key(id) => (String::new(), id.to_string()),
        };
        let organisation = self.organisation;
        let session = format!(
            "SET ROLE batchdesk_web; SET app.organisation = '{organisation}'; SET app.person = '{person}'; SET app.key \
             = '{key}'"
        );
        web.execute(AssertSqlSafe(session)).await.unwrap();
        web
    }

    async fn text(&mut self, sql: &str) -> String {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.admin).await.unwrap()
    }

    /// A key that this person made, as a session of the web part makes one.
    async fn key_of(&self, person: Uuid) -> Uuid {
        let id = Uuid::now_v7();
        let organisation = self.organisation;
        let made = format!(
            "INSERT INTO api_key (organisation_id, id, name, role_id) SELECT organisation_id, '{id}', '{id}', id
             FROM role WHERE code = 'maker';
             INSERT INTO api_key_organisation (key_sha256, organisation_id, api_key_id)
               VALUES (sha256('{id}'), '{organisation}', '{id}')"
        );
        self.web(Session::Person(person)).await.execute(AssertSqlSafe(made)).await.unwrap();
        id
    }
}

fn code<T>(result: sqlx::Result<T>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned(),
    }
}

async fn code_of(connection: &mut PgConnection, sql: &str) -> String {
    code(connection.execute(AssertSqlSafe(sql.to_owned())).await)
}

/// A batch with one record that is read in by this session and not submitted yet.
async fn read_in(web: &mut PgConnection, operation: &str) -> Uuid {
    let id = Uuid::now_v7();
    let sql = format!(
        "INSERT INTO batch (organisation_id, id, gateway_id, operation, file_name, currency)
         SELECT organisation_id, '{id}', id, '{operation}', 'file.csv', 'INR' FROM gateway;
         SET app.batch = '{id}';
         INSERT INTO record_leaf (organisation_id, batch_id, row_no, sheet_row, amount_minor, gateway_key, order_id,
           request_sha256)
         SELECT current_organisation(), '{id}', 1, 2, o.moves_money::int * 100, CASE WHEN o.moves_money THEN '{id}'
           ELSE '' END, 'ORD_1', sha256('x')
           FROM operation o WHERE o.code = '{operation}'"
    );
    web.execute(AssertSqlSafe(sql)).await.unwrap();
    id
}

fn submit(batch: Uuid) -> String {
    format!("SELECT submit('{batch}', content_sha256('{batch}', 1::smallint))")
}

fn approve(batch: Uuid) -> String {
    format!(
        "INSERT INTO decision (organisation_id, batch_id, verdict, content_sha256)
         SELECT current_organisation(), '{batch}', 'APPROVE', content_sha256('{batch}', 1::smallint)"
    )
}

#[tokio::test]
async fn records_are_numbered_without_gaps_and_chunks_follow_from_that() {
    let mut acme = Acme::new().await;
    let mut web = acme.web(Session::Person(acme.person(MAKER).await)).await;
    let batch = read_in(&mut web, "refund").await;
    let add = |number: u32| {
        format!(
            "INSERT INTO record_leaf (organisation_id, batch_id, row_no, sheet_row, amount_minor, gateway_key, order_id,
             request_sha256)
             VALUES (current_organisation(), '{batch}', {number}, {number}, 100, 'K{number}', 'ORD_1', sha256('x'))"
        )
    };
    assert_eq!(code_of(&mut web, &add(3)).await, "done");
    assert_eq!(code_of(&mut web, &submit(batch)).await, "BD422", "the second is missing");
    for number in [2, 4, 5] {
        assert_eq!(code_of(&mut web, &add(number)).await, "done");
    }
    let by_two = format!("SELECT submit('{batch}', content_sha256('{batch}', 1::smallint), 2)");
    assert_eq!(code_of(&mut web, &by_two).await, "done");
    let sql = "SELECT chunk_no, from_row, to_row, next_row, size, remaining FROM chunk ORDER BY chunk_no";
    let chunks: Vec<(i32, i32, i32, i32, i32, i32)> = sqlx::query_as(sql).fetch_all(&mut acme.admin).await.unwrap();
    assert_eq!(chunks, [(0, 1, 2, 1, 2, 2), (1, 3, 4, 3, 2, 2), (2, 5, 5, 5, 1, 1)]);
}

/// Two batches of different operations are not kept apart by the lock of their uploads: then the primary key decides.
#[tokio::test]
async fn of_two_batches_that_take_the_same_id_at_once_one_has_it_and_the_other_is_told_which_rows() {
    let acme = Acme::new().await;
    let person = acme.person(MAKER).await;
    let mut batches = Vec::new();
    for ids in [["A", "B", "C"], ["X", "B", "C"]] {
        let mut web = acme.web(Session::Person(person)).await;
        let batch = read_in(&mut web, "refund").await;
        for (number, id) in (2..).zip(ids) {
            let add = format!(
                "INSERT INTO record_leaf (organisation_id, batch_id, row_no, sheet_row, amount_minor, gateway_key,
                   order_id, unique_id, request_sha256)
                 VALUES (current_organisation(), '{batch}', {number}, {number} + 1, 100, '{batch} {id}', 'ORD_1', '{id}',
                   sha256('x'))"
            );
            web.execute(AssertSqlSafe(add)).await.unwrap();
        }
        batches.push((web, batch));
    }
    let [(mut first, one), (mut second, other)] = <[_; 2]>::try_from(batches).unwrap();
    first.execute("BEGIN").await.unwrap();
    first.execute(AssertSqlSafe(submit(one))).await.unwrap();
    let waits = tokio::spawn(async move { (second.execute(AssertSqlSafe(submit(other))).await, second) });
    let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'";
    while acme.test.as_superuser(waiting).await.unwrap() == 0 {
        assert!(!waits.is_finished(), "nothing kept the second from taking ids that are being taken");
        tokio::task::yield_now().await;
    }
    first.execute("COMMIT").await.unwrap();
    let (refused, mut second) = waits.await.unwrap();
    let taken = db::batches::taken_ids(&refused.unwrap_err()).expect("it is said which");
    let named: Vec<_> = taken.iter().map(|taken| (taken.sheet_row, taken.unique_id.as_str(), taken.batch_id)).collect();
    assert_eq!(named, [(4, "B", one), (5, "C", one)]);
    let held = |batch| format!("SELECT FROM unique_id_taken WHERE batch_id = '{batch}'");
    assert_eq!(acme.test.as_superuser(&held(one)).await.unwrap(), 3);
    assert_eq!(acme.test.as_superuser(&held(other)).await.unwrap(), 0, "not even the one that was free");
    // Given back, they are free.
    first.execute(AssertSqlSafe(format!("SELECT withdraw('{one}')"))).await.unwrap();
    assert_eq!(code_of(&mut second, &submit(other)).await, "done");
}

#[tokio::test]
async fn the_database_and_the_program_know_the_same_operations() {
    let mut acme = Acme::new().await;
    type Known = (String, String, bool, bool, Option<String>, bool);
    let rows: Vec<Known> = sqlx::query_as(
        "SELECT code, work, moves_money, needs_decision, effect, takes_from_orders FROM operation ORDER BY code",
    )
    .fetch_all(&mut acme.admin)
    .await
    .unwrap();
    let mut known: Vec<_> = Operation::ALL
        .into_iter()
        .map(|operation| {
            let (work, effect) = match operation.work() {
                Work::Send(effect) => ("send", Some(effect)),
                Work::Query => ("query", None),
                Work::Import => ("import", None),
            };
            let takes = effect.is_some_and(Effect::takes_from_an_order);
            let effect = effect.map(|effect| effect.code().to_owned());
            let needs_decision = operation.approval().is_needed(None);
            (operation.code().to_owned(), work.to_owned(), operation.has_amounts(), needs_decision, effect, takes)
        })
        .collect();
    known.sort();
    assert_eq!(rows, known);
}

#[tokio::test]
async fn a_batch_is_the_work_of_its_operation_and_only_an_import_has_no_connection() {
    let mut acme = Acme::new().await;
    acme.test
        .as_superuser("INSERT INTO operation VALUES ('test_import', 'import', false, false, false, NULL, false)")
        .await
        .unwrap();
    let person = acme.person(MAKER).await;
    let mut web = acme.web(Session::Person(person)).await;
    let insert = |operation: &str, gateway: &str, currency: &str| {
        format!(
            "INSERT INTO batch (organisation_id, id, gateway_id, operation, file_name, currency)
             SELECT organisation_id, gen_random_uuid(), {gateway}, '{operation}', 'x', {currency} FROM gateway"
        )
    };
    for (operation, gateway, currency, expected) in [
        ("refund", "id", "'INR'", "done"),
        ("order_sync", "id", "'INR'", "done"),
        ("test_import", "NULL", "NULL", "done"),
        ("refund", "NULL", "'INR'", "23514"),
        ("refund", "id", "NULL", "23514"),
        ("order_sync", "NULL", "'INR'", "23514"),
        ("test_import", "id", "NULL", "23514"),
        ("test_import", "NULL", "'INR'", "23514"),
        ("payment", "id", "'INR'", "BD422"),
    ] {
        let said = code_of(&mut web, &insert(operation, gateway, currency)).await;
        assert_eq!(said, expected, "{operation} {gateway} {currency}");
    }
    let works = acme.text("SELECT string_agg(operation || ' ' || work, ', ' ORDER BY operation) FROM batch").await;
    // The test must be able to fail.
    acme.test.as_superuser("ALTER TABLE batch DROP CONSTRAINT connected").await.unwrap();
    for (operation, gateway, currency) in [("refund", "NULL", "'INR'"), ("test_import", "id", "NULL")] {
        assert_eq!(code_of(&mut web, &insert(operation, gateway, currency)).await, "done");
    }
    acme.test.as_superuser("DELETE FROM batch WHERE (work = 'import') <> (gateway_id IS NULL)").await.unwrap();
    assert_eq!(works, "order_sync query, refund send, test_import import");
    // Neither the web part nor whoever may write everything makes another kind of work of it.
    assert_eq!(code_of(&mut web, "UPDATE batch SET work = 'query'").await, "42501");
    acme.test.as_superuser("UPDATE batch SET work = 'query' WHERE operation = 'refund'").await.unwrap();
    assert_eq!(acme.text("SELECT work FROM batch WHERE operation = 'refund'").await, "send");
    let refused =
        acme.test.as_superuser("INSERT INTO operation VALUES ('x', 'import', true, false, false, NULL, false)").await;
    assert_eq!(code(refused), "23514", "an import that moves money");
}

#[tokio::test]
async fn without_a_rule_an_operation_says_whether_a_checker_is_needed() {
    let mut acme = Acme::new().await;
    let person = acme.person(MAKER).await;
    acme.test
        .as_superuser(
            "DELETE FROM approval_rule; INSERT INTO operation
             VALUES ('test_file', 'send', true, false, false, 'refund', true)",
        )
        .await
        .unwrap();
    for (operation, expected) in
        [("refund", "awaiting_approval"), ("order_sync", "awaiting_approval"), ("test_file", "processing")]
    {
        let mut web = acme.web(Session::Person(person)).await;
        let batch = read_in(&mut web, operation).await;
        assert_eq!(code_of(&mut web, &submit(batch)).await, "done");
        assert_eq!(acme.text(&format!("SELECT status FROM batch WHERE id = '{batch}'")).await, expected, "{operation}");
    }
    // A rule of the organisation wins.
    let organisation = acme.organisation;
    acme.test
        .as_superuser(&format!("INSERT INTO approval_rule VALUES ('{organisation}', 'test_file', true)"))
        .await
        .unwrap();
    let mut web = acme.web(Session::Person(person)).await;
    let batch = read_in(&mut web, "test_file").await;
    assert_eq!(code_of(&mut web, &submit(batch)).await, "done");
    assert_eq!(acme.text(&format!("SELECT status FROM batch WHERE id = '{batch}'")).await, "awaiting_approval");
}

#[tokio::test]
async fn who_a_batch_came_from_is_the_session_s_and_nobody_else_submits_or_withdraws_it() {
    let mut acme = Acme::new().await;
    let (maker, checker) = (acme.person(MAKER).await, acme.person(CHECKER).await);
    let (key, other) = (acme.key_of(maker).await, acme.key_of(maker).await);
    let mut web = acme.web(Session::Key(key)).await;
    let batch = read_in(&mut web, "refund").await;
    let from = format!("SELECT concat_ws(' ', source, maker, source_id) FROM batch WHERE id = '{batch}'");
    assert_eq!(acme.text(&from).await, format!("key {key}"));
    for column in ["source", "maker", "source_id"] {
        let claimed = format!(
            "INSERT INTO batch (organisation_id, id, gateway_id, operation, file_name, currency, {column})
             SELECT organisation_id, gen_random_uuid(), id, 'refund', 'x', 'INR', NULL FROM gateway"
        );
        assert_eq!(code_of(&mut web, &claimed).await, "42501", "{column}");
    }
    let mut others = [
        acme.web(Session::Key(other)).await,
        acme.web(Session::Person(maker)).await,
        acme.web(Session::Person(checker)).await,
    ];
    for session in &mut others {
        assert_eq!(code_of(session, &submit(batch)).await, "BD404", "another's batch");
    }
    assert_eq!(code_of(&mut web, &submit(batch)).await, "done");
    for session in &mut others {
        assert_eq!(code_of(session, &format!("SELECT withdraw('{batch}')")).await, "BD403", "another's batch");
    }
    assert_eq!(code_of(&mut web, &format!("SELECT withdraw('{batch}')")).await, "done");

    // A file that was fetched is nobody's: any person takes it back, a program does not.
    let fetched = Uuid::now_v7();
    let organisation = acme.organisation;
    let sql = format!(
        "SET app.organisation = '{organisation}';
         INSERT INTO batch (organisation_id, id, gateway_id, operation, file_name, currency, source, source_id, maker,
           status)
         SELECT organisation_id, '{fetched}', id, 'refund', 'x', 'INR', 'sftp', gen_random_uuid(), NULL,
           'awaiting_approval' FROM gateway WHERE organisation_id = '{organisation}';
         INSERT INTO batch_revision VALUES ('{organisation}', '{fetched}', 1, NULL, sha256('x'), true, 1, 1, now())"
    );
    acme.test.as_superuser(&sql).await.unwrap();
    let withdraw = format!("SELECT withdraw('{fetched}')");
    assert_eq!(code_of(&mut web, &withdraw).await, "BD403");
    assert_eq!(code_of(&mut others[2], &withdraw).await, "done");
    let nobody = format!("UPDATE batch SET source = 'person', source_id = NULL WHERE id = '{batch}'");
    assert_eq!(code(acme.test.as_superuser(&nobody).await), "23514", "a person's batch without a person");
}

#[tokio::test]
async fn who_had_a_hand_in_a_key_does_not_decide_on_what_it_submits() {
    let acme = Acme::new().await;
    let (maker, checker) = (acme.person(MAKER).await, acme.person(CHECKER).await);
    let mut deciding = acme.web(Session::Person(checker)).await;
    let submitted = async |acme: &Acme, key: Uuid| {
        let mut web = acme.web(Session::Key(key)).await;
        let batch = read_in(&mut web, "refund").await;
        assert_eq!(code_of(&mut web, &submit(batch)).await, "done");
        batch
    };
    let may = async |deciding: &mut PgConnection, batch: Uuid| {
        let sql = format!("SELECT NOT had_part(b, b.maker) FROM batch b WHERE id = '{batch}'");
        sqlx::query_scalar::<_, bool>(AssertSqlSafe(sql)).fetch_one(deciding).await.unwrap()
    };

    // Made it.
    let own = acme.key_of(checker).await;
    let batch = submitted(&acme, own).await;
    assert!(!may(&mut deciding, batch).await);
    assert_eq!(code_of(&mut deciding, &approve(batch)).await, "BD403", "made the key");

    // Somebody else made it, and nobody else had a hand in it.
    let key = acme.key_of(maker).await;
    let batch = submitted(&acme, key).await;
    assert_eq!(code_of(&mut acme.web(Session::Person(maker)).await, &approve(batch)).await, "BD403", "made the key");
    assert!(may(&mut deciding, batch).await);
    assert_eq!(code_of(&mut deciding, &approve(batch)).await, "done");

    // Gave it another secret; changed its role; took it over. The web part has a right to the first alone, so far.
    let organisation = acme.organisation;
    for touched in [
        "INSERT INTO api_key_organisation (key_sha256, organisation_id, api_key_id)
         VALUES (sha256('another'), '{organisation}', '{key}')",
        "UPDATE api_key SET role_id = (SELECT id FROM role WHERE code = 'viewer' AND organisation_id = '{organisation}')
         WHERE id = '{key}'",
        "UPDATE api_key SET made_by = '{checker}' WHERE id = '{key}'",
    ] {
        let key = acme.key_of(maker).await;
        let batch = submitted(&acme, key).await;
        let touched = touched
            .replace("{organisation}", &organisation.to_string())
            .replace("{key}", &key.to_string())
            .replace("{checker}", &checker.to_string());
        let by = format!("SET app.organisation = '{organisation}'; SET app.person = '{checker}'; {touched}");
        acme.test.as_superuser(&by).await.unwrap();
        assert!(!may(&mut deciding, batch).await);
        assert_eq!(code_of(&mut deciding, &approve(batch)).await, "BD403", "{touched}");
    }
    for forbidden in [
        "DELETE FROM api_key_hand",
        "UPDATE api_key_hand SET person_id = person_id",
        "UPDATE api_key SET made_by = NULL",
    ] {
        assert_eq!(code_of(&mut deciding, forbidden).await, "42501", "{forbidden}");
    }
}

#[tokio::test]
async fn only_a_member_decides() {
    let mut acme = Acme::new().await;
    let (maker, checker) = (acme.person(MAKER).await, acme.person(CHECKER).await);
    let mut web = acme.web(Session::Person(maker)).await;
    let batch = read_in(&mut web, "refund").await;
    assert_eq!(code_of(&mut web, &submit(batch)).await, "done");
    let key = acme.key_of(checker).await;
    let stranger = acme.person("owner@globex.test").await;
    for (session, who) in [(Session::Key(key), "a key"), (Session::Person(stranger), "of another organisation")] {
        let mut session = acme.web(session).await;
        assert_eq!(code_of(&mut session, &approve(batch)).await, "BD403", "{who}");
    }
    // A person at whose session a key is set as well is a program.
    let mut both = acme.web(Session::Person(checker)).await;
    both.execute(AssertSqlSafe(format!("SET app.key = '{key}'"))).await.unwrap();
    assert_eq!(code_of(&mut both, &approve(batch)).await, "BD403");
    assert_eq!(code_of(&mut acme.web(Session::Person(checker)).await, &approve(batch)).await, "done");
    assert_eq!(acme.text(&format!("SELECT status FROM batch WHERE id = '{batch}'")).await, "processing");
}

#[tokio::test]
async fn what_an_administrator_paused_the_database_lets_no_other_resume() {
    let acme = Acme::new().await;
    let maker = acme.person(MAKER).await;
    let mut web = acme.web(Session::Person(maker)).await;
    for (module, expected) in [("settings", "BD403"), ("refunds", "done")] {
        let batch = read_in(&mut web, "refund").await;
        assert_eq!(code_of(&mut web, &submit(batch)).await, "done");
        assert_eq!(
            code_of(&mut acme.web(Session::Person(acme.person(CHECKER).await)).await, &approve(batch)).await,
            "done"
        );
        let organisation = acme.organisation;
        let right = format!(
            "INSERT INTO role_permission SELECT organisation_id, id, '{module}', 'read_write' FROM role
              WHERE organisation_id = '{organisation}' AND code = 'checker' ON CONFLICT DO NOTHING"
        );
        acme.test.as_superuser(&right).await.unwrap();
        let checker = acme.person(CHECKER).await;
        let mut pausing = acme.web(Session::Person(checker)).await;
        assert_eq!(code_of(&mut pausing, &format!("SELECT control('{batch}', 'PAUSE')")).await, "done");
        assert_eq!(code_of(&mut web, &format!("SELECT control('{batch}', 'RESUME')")).await, expected, "{module}");
        assert_eq!(code_of(&mut web, &format!("SELECT control('{batch}', 'CANCEL')")).await, "done", "{module}");
        acme.test
            .as_superuser(&format!(
                "DELETE FROM role_permission WHERE module = '{module}'
                                         AND role_id IN (SELECT id FROM role WHERE code = 'checker')"
            ))
            .await
            .unwrap();
    }
}
