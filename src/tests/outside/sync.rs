//! Batch Sync by plain forms: the toggle that stays as it was, files, the external system in the settings.

use super::support::{ADMIN, MAKER, Part, STRANGER, TestApp};

const LIST: &str = "/batch/batch-sync";
const HEADER: &str = "order_id,txn_id,unique_request_id";

/// How the page shows the switch.
fn is_on(page: &str) -> bool {
    let field = page.split("id=\"sync-with-gateway\"").nth(1).expect("the page has the switch");
    field.split('>').next().unwrap().contains("checked")
}

#[tokio::test]
async fn the_switch_is_on_at_first_and_stays_as_it_was_set() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    assert!(is_on(&owner.get(&format!("{LIST}/new")).await.text), "on, for a gateway is connected");
    let bad = format!("{HEADER}\nORD 1,,\n");
    // A box that is not ticked sends nothing.
    let page = owner.upload(LIST, "text/html", &[Part::File("o.csv", &bad)]).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("Invalid order ID format") && page.text.contains("data-column=\"order_id\""));
    assert!(!is_on(&page.text), "what was chosen comes back with the findings");
    let page =
        owner.upload(LIST, "text/html", &[Part::Field("sync_with_gateway", "on"), Part::File("o.csv", &bad)]).await;
    assert!(is_on(&page.text));

    let good = format!("{HEADER}\nORD_1,,R1\n");
    for (toggle, shown) in [(Some("on"), "<dd>On"), (None, "<dd>Off")] {
        let mut parts = vec![Part::Field("confirm_repeat", "1"), Part::File("o.csv", &good)];
        parts.extend(toggle.map(|on| Part::Field("sync_with_gateway", on)));
        let made = owner.upload(LIST, "text/html", &parts).await;
        assert_eq!(made.status, 303, "{}", made.text);
        assert!(made.location().starts_with(LIST));
        let page = owner.get(&made.location()).await.text;
        assert!(page.contains("Sync With Gateway") && page.contains(shown), "{page}");
        assert!(page.contains("Total Records") && !page.contains("Total Amount"));
    }
}

#[tokio::test]
async fn findings_are_the_specification_s_for_machines_too() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let many: String = (0..1_001).map(|n| format!("A{n},,\n")).collect();
    for (file, code, begins) in [
        (format!("{HEADER}\n,T,\n"), "empty_order_id", "Empty order ID"),
        (format!("{HEADER}\nA/B,,\n"), "invalid_order_id", "Invalid order ID format"),
        (format!("{HEADER}\nA,,\nA,,\n"), "duplicate_order_id", "Duplicate order ID: rows 2 and 3"),
        ("txn_id,unique_request_id\nA,B\n".to_owned(), "missing_mandatory_fields", "Missing mandatory fields"),
        (format!("{HEADER}\n{many}"), "row_limit_exceeded", "Row limit exceeded: 1,001 rows, at most 1,000"),
        ("order_id;txn_id\nA;B\n".to_owned(), "invalid_file_format", "Invalid file format"),
    ] {
        let answer = owner.upload(LIST, "application/json", &[Part::File("o.csv", &file)]).await;
        assert_eq!(answer.status, 422, "{code}");
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        let found = errors.iter().find(|error| error["code"] == code).unwrap_or_else(|| panic!("{code}: {errors:?}"));
        assert!(found["message"].as_str().unwrap().starts_with(begins), "{found}");
    }
}

#[tokio::test]
async fn pages_say_what_the_specification_says_and_offer_only_what_one_may_do() {
    let app = TestApp::start().await;
    let page = app.signed_in(MAKER).await.get(LIST).await.text;
    for words in [
        "This module helps in creating data synchronization in bulk using a file upload. It provides a holistic view \
         of the files uploaded. Upon clicking the filename in the table below a detailed view of each sync operation \
         uploaded is displayed.",
        "Create Batch Sync",
        "Total Records",
        "Tasks Progress",
        "File Upload Status",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains(">Amount<"));
    let page = app.signed_in("viewer@acme.test").await.get(LIST).await.text;
    assert!(
        !page.contains("Create Batch Sync")
            && !page.contains("Sync with Gateway")
            && page.contains("You have read access")
    );
    // The tabs lead to what one may read.
    assert!(page.contains("href=\"/batch/batch-refunds\"") && page.contains("href=\"/batch/batch-sync\""));
    let sample = app.signed_in(MAKER).await.get("/samples/batch_sync_sample.csv").await;
    assert_eq!(sample.header("content-disposition"), "attachment; filename=\"batch_sync_sample.csv\"");
    assert!(sample.text.starts_with(&format!("{HEADER}\nORD_123456789,TXN_987654321,SYNC_REQ_001\n")));
}

#[tokio::test]
async fn an_administrator_names_the_external_system_and_sees_its_secret_once() {
    let app = TestApp::start().await;
    let admin = app.signed_in(ADMIN).await;
    let inside = admin.form("/settings/external", &[("url", "https://10.0.0.1/orders"), ("enabled", "on")]).await;
    assert_eq!(inside.status, 422);
    assert!(inside.text.contains("private network") && inside.text.contains("https://10.0.0.1/orders"));
    let bad = [("url", "https://erp.example.com/orders"), ("secret", "hunter2"), ("enabled", "on")];
    let bad = admin.form("/settings/external", &bad).await;
    assert!(bad.status == 422 && bad.text.contains("whsec_") && !bad.text.contains("hunter2"));
    let set = [("url", "https://erp.example.com/orders"), ("enabled", "on"), ("reason", "The new ERP")];
    let set = admin.form("/settings/external", &set).await;
    assert_eq!(set.status, 303, "{}", set.text);
    let page = admin.get("/settings").await.text;
    let secret = page.split("shown this once: whsec_").nth(1).expect("the secret is shown").split('<').next().unwrap();
    assert_eq!(secret.len(), 44);
    let page = admin.get("/settings").await.text;
    assert!(!page.contains("shown this once") && !page.contains(secret), "once");
    assert!(page.contains("Each synchronised order is told to https://erp.example.com/orders."));
    let maker = app.signed_in(MAKER).await;
    let new = maker.get(&format!("{LIST}/new?draft=x")).await;
    assert_eq!(new.status, 200);
    assert!(!new.text.contains("whsec_"));
}
