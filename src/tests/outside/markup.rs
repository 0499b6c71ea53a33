//! What people type is text on every page, wherever it stands: in the title, between tags, in attributes, in scripts
//! and in headers.

use super::support::{ADMIN, Browser, CHECKER, MAKER, Part, TestApp, TestResponse};
use batchdesk::http;
use html5gum::{DefaultEmitter, Token, Tokenizer};
use std::collections::BTreeSet;

/// Ends whatever text, attribute, script or comment it may stand in, and begins an element of its own. It has no blank
/// and no comma.
const HOSTILE: &str = "'\"></title></textarea></script></style>--><b/id=pwn>";
/// The same for a file's name, from which folders are taken away.
const HOSTILE_FILE: &str = "a'\"><b id=pwn>.csv";

/// What a browser makes of a page: its title, and whether an element came of the text.
#[derive(Debug, Default)]
struct Parsed {
    titles: Vec<String>,
    broken: bool,
}

fn parsed(html: &str) -> Parsed {
    // The text of titles, scripts and the like is read as browsers read it.
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let (mut found, mut open) = (Parsed::default(), false);
    for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
        match token {
            Token::StartTag(tag) => {
                open = tag.name.as_slice() == b"title";
                if open {
                    found.titles.push(String::new());
                }
                found.broken |= tag.attributes.get(b"id".as_slice()).is_some_and(|id| id.as_slice() == b"pwn");
            }
            Token::EndTag(_) => open = false,
            Token::String(text) if open => {
                found.titles.last_mut().unwrap().push_str(&String::from_utf8_lossy(&text.value));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_reader_sees_an_element_that_text_became() {
    let broken = parsed("<head><title>a</title><b id=pwn> – Batchdesk</title></head>");
    assert_eq!((broken.titles.as_slice(), broken.broken), (["a".to_owned()].as_slice(), true));
    for sound in
        ["<title><b id=pwn></title>", "<title>&lt;/title>&lt;b id=pwn></title>", "<script>'<b id=pwn>'</script>"]
    {
        assert!(!parsed(sound).broken, "{sound}");
    }
    assert_eq!(parsed("<title>&lt;/title&gt;&amp;lt;</title>").titles, ["</title>&lt;"]);
}

/// An application on which everything that can be named is named hostilely: a batch that waits, one of a sync, a
/// connection.
struct Named {
    app: TestApp,
    batch: String,
    sync: String,
    connection: String,
}

async fn named() -> Named {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let refunds = "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\nA1,1,,,,,,,,,,,,,,,,,\n";
    let orders = "order_id,txn_id,unique_request_id\nA1,,\n";
    let mut ids = Vec::new();
    for (list, file) in [("/batch/batch-refunds", refunds), ("/batch/batch-sync", orders)] {
        let parts = [Part::Field("description", HOSTILE), Part::File("hostile.csv", file)];
        let answer = maker.upload(list, "application/json", &parts).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        ids.push(answer.location().rsplit('/').next().unwrap().to_owned());
    }
    let mut database = app.database().await;
    // Files cannot bring such names any more; rows that are older, or that another way brings, are shown like any
    // others.
    for statement in [
        "SET session_replication_role = replica",
        "UPDATE record SET order_id = '{}', txn_id = '{}' WHERE order_id = 'A1'",
        "UPDATE batch SET file_name = '{}' WHERE description = '{}'",
    ] {
        let statement = statement.replace("{}", &HOSTILE.replace('\'', "''"));
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut database).await.unwrap();
    }
    let (connection,): (uuid::Uuid,) = sqlx::query_as(
        "UPDATE gateway SET merchant_id = $1, stopped_reason = $1 WHERE merchant_id = 'acme' RETURNING id",
    )
    .bind(HOSTILE)
    .fetch_one(&mut database)
    .await
    .unwrap();
    let [batch, sync] = ids.try_into().unwrap();
    Named { app, batch, sync, connection: connection.to_string() }
}

fn sound(page: &str, answer: &TestResponse) -> Vec<String> {
    let found = parsed(&answer.text);
    assert!(!found.broken, "{page}: text became an element\n{}", answer.text);
    found.titles
}

async fn looked_at(browser: &Browser, page: &str) -> Vec<String> {
    let answer = browser.get(page).await;
    assert_eq!(answer.status, 200, "{page}: {}", answer.text);
    sound(page, &answer)
}

#[tokio::test]
async fn what_people_type_is_text_on_every_page() {
    let Named { app, batch, sync, connection } = named().await;
    let (maker, checker, admin) =
        (app.signed_in(MAKER).await, app.signed_in(CHECKER).await, app.signed_in(ADMIN).await);
    let order = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>();
    // Every page of the application, and its title where that tells of data.
    let pages: Vec<(&str, &Browser, String, Option<String>)> = vec![
        ("/", &maker, "/".to_owned(), None),
        ("/notices", &maker, "/notices".to_owned(), None),
        ("/orders", &maker, format!("/orders?q={order}"), None),
        ("/orders/refund", &maker, format!("/orders/refund?order={order}"), None),
        ("/orders/{}", &maker, format!("/orders/{order}"), Some(format!("Order {HOSTILE}"))),
        ("/review", &maker, "/review".to_owned(), None),
        ("/search", &maker, format!("/search?q={order}"), None),
        ("/approvals", &checker, "/approvals".to_owned(), None),
        ("/approvals/{}", &checker, format!("/approvals/{batch}"), Some(format!("{HOSTILE} – Approvals"))),
        ("/approvals/{}", &checker, format!("/approvals/{sync}"), Some(format!("{HOSTILE} – Approvals"))),
        ("/batch/batch-refunds", &maker, format!("/batch/batch-refunds?q={order}"), None),
        ("/batch/batch-refunds/new", &maker, format!("/batch/batch-refunds/new?draft={order}"), None),
        ("/batch/batch-refunds/new/description", &maker, "/batch/batch-refunds/new/description".to_owned(), None),
        (
            "/batch/batch-refunds/{}",
            &maker,
            format!("/batch/batch-refunds/{batch}?q={order}"),
            Some(format!("{HOSTILE} – Batch Refunds")),
        ),
        ("/batch/batch-refunds/{}/retry", &maker, format!("/batch/batch-refunds/{batch}/retry"), None),
        (
            "/batch/batch-refunds/{}/tasks/{}",
            &maker,
            format!("/batch/batch-refunds/{batch}/tasks/1"),
            Some(format!("{HOSTILE} – task 1")),
        ),
        ("/batch/batch-refunds/{}/activity", &maker, format!("/batch/batch-refunds/{batch}/activity"), None),
        ("/batch/batch-sync", &maker, format!("/batch/batch-sync?q={order}"), None),
        ("/batch/batch-sync/new", &maker, "/batch/batch-sync/new".to_owned(), None),
        ("/batch/batch-sync/new/description", &maker, "/batch/batch-sync/new/description".to_owned(), None),
        ("/batch/batch-sync/{}", &maker, format!("/batch/batch-sync/{sync}"), Some(format!("{HOSTILE} – Batch Sync"))),
        (
            "/batch/batch-sync/{}/tasks/{}",
            &maker,
            format!("/batch/batch-sync/{sync}/tasks/1"),
            Some(format!("{HOSTILE} – task 1")),
        ),
        ("/batch/batch-sync/{}/activity", &maker, format!("/batch/batch-sync/{sync}/activity"), None),
        ("/settings", &admin, "/settings".to_owned(), None),
        ("/settings/connections", &admin, "/settings/connections".to_owned(), None),
        ("/settings/connections/new", &admin, "/settings/connections/new".to_owned(), None),
        (
            "/settings/connections/{}",
            &admin,
            format!("/settings/connections/{connection}"),
            Some(format!("Juspay ({HOSTILE}) – Connections")),
        ),
    ];
    for (_, browser, page, title) in &pages {
        let titles = looked_at(browser, page).await;
        if let Some(title) = title {
            assert_eq!(titles.first(), Some(&format!("{title} – Batchdesk")), "{page}");
        }
    }
    let visitor = app.visitor();
    sound("/login", &visitor.get(&format!("/login?next=/{order}")).await);
    sound("a missing page", &maker.get(&format!("/nowhere/{order}")).await);
    sound("a missing order", &maker.get(&format!("/orders/{order}1")).await);

    // A new page is looked at, too.
    let shape = |path: &str| {
        path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
    };
    let served: BTreeSet<String> = http::routes()
        .iter()
        .filter(|route| route.kind == http::RouteKind::Page)
        .map(|route| shape(&route.path))
        .collect();
    let looked: BTreeSet<String> =
        pages.iter().map(|(route, ..)| (*route).to_owned()).chain(["/login".to_owned()]).collect();
    assert_eq!(served, looked, "left: pages of the application; right: pages that this test looks at");
}

#[tokio::test]
async fn what_was_typed_is_text_where_a_form_gives_it_back() {
    let Named { app, batch, connection, .. } = named().await;
    let (maker, checker, admin) =
        (app.signed_in(MAKER).await, app.signed_in(CHECKER).await, app.signed_in(ADMIN).await);
    // The page of a file with findings names the file and shows its cells.
    let file = format!("order_id,amount\n{HOSTILE},1\n");
    for list in ["/batch/batch-refunds", "/batch/batch-sync"] {
        let parts = [Part::Field("description", HOSTILE), Part::File("a'><b id=pwn>.csv", &file)];
        let answer = maker.upload(list, "text/html", &parts).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        sound(list, &answer);
    }
    let described = maker.form("/batch/batch-refunds/new/description", &[("description", HOSTILE)]).await;
    assert_eq!(described.status, 303, "{}", described.text);
    looked_at(&maker, &described.location()).await;
    let long = HOSTILE.repeat(20);
    for (browser, path, fields) in [
        (&maker, "/login".to_owned(), vec![("email", HOSTILE), ("password", "x")]),
        (&maker, "/batch/batch-refunds/new/description".to_owned(), vec![("description", long.as_str())]),
        (&checker, format!("/approvals/{batch}"), vec![("decision", HOSTILE), ("reason", HOSTILE)]),
        (&admin, "/settings/limits".to_owned(), vec![("row_limit", HOSTILE), ("approval_days", HOSTILE)]),
        (&admin, "/settings/external".to_owned(), vec![("url", HOSTILE)]),
        (&admin, "/settings/pause".to_owned(), vec![("reason", long.as_str())]),
        (&admin, "/settings/connections".to_owned(), vec![("connector", HOSTILE), ("base_url", HOSTILE)]),
        (&admin, format!("/settings/connections/{connection}/limits"), vec![("rate_limit", HOSTILE)]),
        (&admin, format!("/settings/connections/{connection}/measure"), vec![("order", HOSTILE)]),
    ] {
        let answer = browser.form(&path, &fields).await;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        sound(&path, &answer);
    }
}

#[tokio::test]
async fn a_notice_of_a_form_names_the_file_as_text() {
    let Named { app, batch, .. } = named().await;
    let checker = app.signed_in(CHECKER).await;
    let page = format!("/approvals/{batch}");
    let shown = checker.get(&page).await.text;
    let hash = shown.split("name=\"content_hash\"").nth(1).unwrap().split("value=\"").nth(1).unwrap();
    let hash = hash.split('"').next().unwrap();
    let reason = ("reason", HOSTILE);
    let decided = checker.form(&page, &[("decision", "reject"), ("content_hash", hash), reason]).await;
    assert_eq!(decided.status, 303, "{}", decided.text);
    let answer = checker.get(&page).await;
    sound(&page, &answer);
    assert!(answer.text.contains("You rejected"), "{}", answer.text);
    for address in ["/approvals", "/batch/batch-refunds", "/search?q=pwn"] {
        looked_at(&checker, address).await;
    }
}

#[tokio::test]
async fn the_name_of_a_file_stays_inside_its_header() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let file = "order_id,txn_id,unique_request_id\nORD_1,,\n";
    let parts = [Part::Field("description", "x"), Part::File("plain.csv", file)];
    let answer = maker.upload("/batch/batch-sync", "application/json", &parts).await;
    let id = answer.location().rsplit('/').next().unwrap().to_owned();
    let name = format!("{HOSTILE_FILE}\"; filename=x.html\r\nContent-Type: x");
    sqlx::query("UPDATE batch SET file_name = $1 WHERE id = $2::uuid")
        .bind(&name)
        .bind(&id)
        .execute(&mut app.database().await)
        .await
        .unwrap();
    let original = maker.get(&format!("/batch/batch-sync/{id}/original")).await;
    assert_eq!(original.status, 200);
    assert_eq!(original.headers.get_all("content-type").iter().count(), 1);
    let disposition = original.header("content-disposition");
    let quoted = disposition.strip_prefix("attachment; filename=\"").unwrap().split('"').next().unwrap();
    assert!(disposition[..].matches('"').count() == 2 && quoted.contains("filename=x.html"), "{disposition}");
}
