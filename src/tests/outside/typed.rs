//! Text that people type: every field says what it does not take, and a name is found however it was typed.

use super::{
    log::Log,
    support::{
        Browser, CHECKER, MAKER, MAKER2S_FILE, MAKERS_FILE, Part, STRANGER, STRANGERS_FILE, TestApp, fingerprint,
    },
};
use serde_json::json;

const LIST: &str = "/batch/batch-refunds";

/// A field of a form: who, where, the fields, which of them is hostile, and how the refusal begins.
struct Case<'a> {
    who: &'a Browser,
    path: String,
    fields: Vec<(&'a str, &'a str)>,
    field: &'a str,
    named: &'a str,
    most: usize,
}

#[tokio::test]
async fn every_field_names_what_it_does_not_take() {
    let app = TestApp::start().await;
    let log = Log::begin();
    let (owner, maker, checker) =
        (app.signed_in(STRANGER).await, app.signed_in(MAKER).await, app.signed_in(CHECKER).await);
    let (waiting, ended, theirs) =
        (app.batch(MAKER2S_FILE).await, app.batch(MAKERS_FILE).await, app.batch(STRANGERS_FILE).await);
    let case = |who, path: &str, fields: &[(&'static str, &'static str)], field, named, most| Case {
        who,
        path: path.to_owned(),
        fields: fields.to_vec(),
        field,
        named,
        most,
    };
    let row = [("finding", "done"), ("row", "1.1.x"), ("reason", "Seen in its list"), ("reference-1.1", "R1")];
    let cases = [
        case(&maker, &format!("{LIST}/new/description"), &[], "description", "The description", 500),
        case(
            &checker,
            &format!("/approvals/{waiting}"),
            &[("decision", "reject"), ("content_hash", "00")],
            "reason",
            "The reason",
            500,
        ),
        case(
            &checker,
            &format!("/approvals/{waiting}"),
            &[("decision", "approve"), ("content_hash", "00")],
            "reason",
            "The reason",
            500,
        ),
        case(&maker, &format!("{LIST}/{ended}/pause"), &[], "reason", "The reason", 500),
        case(&owner, "/settings/pause", &[], "reason", "The reason", 500),
        case(&owner, "/settings/external", &[], "url", "The address", 500),
        case(&owner, "/settings/external", &[("url", "https://example.invalid")], "secret", "The signing secret", 200),
        case(&owner, "/orders/refund", &[("do", "send"), ("description", "x")], "order", "The order ID", 128),
        case(&owner, &format!("/review/{theirs}/propose"), &row, "reason", "The reason", 500),
        case(&owner, &format!("/review/{theirs}/propose"), &row, "reference-1.1", "s reference", 128),
        case(
            &owner,
            &format!("/review/{theirs}/answer"),
            &[("answer", "reject"), ("proposal", "1.1.1")],
            "note",
            "The note",
            500,
        ),
        case(
            &owner,
            &format!("/review/{theirs}/answer"),
            &[("answer", "confirm"), ("proposal", "1.1.1")],
            "note",
            "The note",
            500,
        ),
        case(&owner, &format!("/review/{theirs}/acknowledge"), &[], "note", "The note", 500),
    ];
    let before = fingerprint(&app).await;
    for Case { who, path, fields, field, named, most } in cases {
        let long = "é".repeat(most + 1);
        let texts = [
            ("a\0b", "contains a character that cannot be used (U+0000)".to_owned()),
            ("a\u{1b}[1m", "contains a character that cannot be used (U+001B)".to_owned()),
            ("a\u{202e}b", "contains a character that cannot be used (U+202E)".to_owned()),
            (&long, format!("is too long: it has {} characters, at most {most} are taken", most + 1)),
        ];
        for (text, wrong) in texts {
            let mut form: Vec<(&str, &str)> = fields.iter().copied().filter(|(name, _)| *name != field).collect();
            form.push((field, text));
            let answer = who.form(&path, &form).await;
            let what = format!("{path} {field} = {text:.20?}");
            assert_eq!(answer.status, 422, "{what}: {}", answer.text);
            let sentence = format!("{named} {wrong}");
            assert!(answer.text.contains(&sentence), "{what}: no {sentence:?} in {}", answer.text);
        }
    }
    assert_eq!(fingerprint(&app).await, before);

    // Beside a file, and in the input of server functions, too.
    let file = "order_id,amount\nORD_1,1\n";
    for (text, wrong) in [("a\0b", "U+0000"), (&*"x".repeat(501), "501 characters")] {
        let parts = [Part::Field("description", text), Part::File("r.csv", file)];
        let answer = owner.upload(LIST, "application/json", &parts).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("The description ") && message.contains(wrong), "{message}");
        let query = json!({ "search": text, "case_sensitive": true, "status": null, "sort": "created", "descending": true, "page": 1 });
        let answer = owner.api("/api/batches/list", json!({ "operation": "refund", "query": query })).await;
        assert_eq!((answer.status, &answer.json()["refusal"]["kind"]), (422, &json!("invalid")), "{}", answer.text);
        let query = json!({ "order": text, "status": null, "page": 1 });
        let input = json!({ "operation": "refund", "batch": theirs, "query": query });
        assert_eq!(owner.api("/api/batches/detail", input).await.status, 422);
    }
    // What a person was shown cannot have been this.
    let form = [("finding", "not_done"), ("row", "1.1.\0"), ("reason", "x")];
    assert_eq!(owner.form(&format!("/review/{theirs}/propose"), &form).await.status, 412);
    log.has_nothing_of_ours();
}

#[tokio::test]
async fn a_name_is_found_however_it_was_typed() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    // As a Mac names it, and as everybody else does.
    for (number, name) in ["cafe\u{301} de\u{301}cembre.csv", "caf\u{e9} janvier.csv"].into_iter().enumerate() {
        let file = format!(
            "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,\
                            udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\nORD_{number},1,,,,,,,,,,,,,,,,,\n"
        );
        let answer = owner.upload(LIST, "application/json", &[Part::File(name, &file)]).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    for typed in ["caf%C3%A9", "cafe%CC%81"] {
        for page in
            [format!("{LIST}?q={typed}"), format!("{LIST}?q=CAF{}&case=0", &typed[3..]), format!("/search?q={typed}")]
        {
            let answer = owner.get(&page).await;
            assert_eq!(answer.status, 200, "{page}");
            // What was looked for is marked in the name.
            for name in [" décembre.csv", " janvier.csv"] {
                assert!(answer.text.contains(name), "{page}: no {name} in {}", answer.text);
            }
        }
    }
}
