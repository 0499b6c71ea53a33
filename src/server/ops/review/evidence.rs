//! What the gateway said, readable: one line a reply, and the body with secrets left out.

use super::super::time_format;
use crate::{
    db::{self, Tx},
    domain::{ids::BatchId, view::review::Evidence},
    error::OpResult,
};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::HashMap;

/// Longest body that is shown, in characters.
const BODY: usize = 4_000;
/// Fields whose values nobody needs to see to decide. Compared in lower case, anywhere in the name.
const SECRET: [&str; 11] = [
    "authorization",
    "password",
    "secret",
    "token",
    "api_key",
    "apikey",
    "card_number",
    "cvv",
    "email",
    "phone",
    "mobile",
];

/// Replies about rows, newest first, by S.No and revision.
pub(super) async fn of_rows(
    tx: &mut Tx,
    batch: BatchId,
    rows: &[i32],
    limit: i64,
    zone: &TimeZone,
) -> OpResult<HashMap<(i32, i16), Vec<Evidence>>> {
    let mut found: HashMap<(i32, i16), Vec<Evidence>> = HashMap::new();
    for kept in db::review::evidence(tx, batch, rows, limit).await? {
        let replies: Vec<Value> = serde_json::from_str(&kept.replies).unwrap_or_default();
        // Of one piece the last reply is the newest.
        for reply in replies.iter().rev() {
            let number = |name: &str| reply.get(name).and_then(Value::as_i64);
            let (Some(row), Some(revision)) = (number("row"), number("revision")) else { continue };
            let (Ok(row), Ok(revision)) = (i32::try_from(row), i16::try_from(revision)) else { continue };
            if row != kept.row_no {
                continue;
            }
            let shown = Evidence {
                at: time_format::display_time(kept.at, zone),
                summary: summary(&kept.source, reply),
                body: reply.get("body").and_then(Value::as_str).map(readable).unwrap_or_default(),
            };
            found.entry((row, revision)).or_default().push(shown);
        }
    }
    Ok(found)
}

fn summary(source: &str, reply: &Value) -> String {
    let text = |name: &str| reply.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if source == "PEOPLE" {
        let (one, other) = (text("proposer").unwrap_or("somebody"), text("confirmer").unwrap_or("somebody"));
        return format!("{one} proposed and {other} confirmed: {}", text("reason").unwrap_or_default());
    }
    let asked = match source {
        "SEND" => "Sent",
        "WEBHOOK" => "Told by the gateway",
        _ => "Asked",
    };
    let meant = match text("class").unwrap_or_default() {
        "Succeeded" => "it was carried out",
        "Failed" => "it was not carried out",
        "Pending" => "it is under way",
        "NotSent" => "nothing reached the gateway",
        "Refused" => "the gateway refused our key",
        "Review" if text("code") == Some("manual_review") => "the gateway itself cannot tell",
        "Review" => "the answer does not fit",
        _ if text("code") == Some("refund_not_found") => "no refund under this key",
        _ => "no clear answer",
    };
    let http = reply.get("http").and_then(Value::as_i64).map(|http| format!(", HTTP {http}")).unwrap_or_default();
    let code = text("code").map(|code| format!(", {code}")).unwrap_or_default();
    let reference = text("ref").map(|reference| format!(", reference {reference}")).unwrap_or_default();
    format!("{asked}: {meant}{http}{code}{reference}")
}

/// A body as people can read it: JSON laid out, fields that name secrets or customers left out, cut where it is too
/// long.
fn readable(body: &str) -> String {
    let text = match serde_json::from_str::<Value>(body) {
        Ok(mut value) => {
            redact(&mut value);
            serde_json::to_string_pretty(&value).unwrap_or_default()
        }
        Err(_) => body.to_owned(),
    };
    match text.char_indices().nth(BODY) {
        Some((at, _)) => format!("{}\n… cut here", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.to_ascii_lowercase();
                match field {
                    Value::String(_) | Value::Number(_) if SECRET.iter().any(|secret| name.contains(secret)) => {
                        *field = Value::from("left out");
                    }
                    field => redact(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_customers_are_left_out_and_the_rest_can_be_read() {
        let shown = readable(
            r#"{"order_id":"O1","customer_email":"a@b.test","card":{"card_number":"4111","cvv":1},"refunds":[{"auth_token":"x","ref":"R1"}]}"#,
        );
        for secret in ["a@b.test", "4111", "\"x\""] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("\"order_id\": \"O1\"") && shown.contains("\"ref\": \"R1\""), "{shown}");
        assert_eq!(readable("<html>gateway is down</html>"), "<html>gateway is down</html>");
        assert!(readable(&"x".repeat(9_000)).ends_with("cut here"));
    }

    #[test]
    fn a_reply_is_one_line() {
        let reply = serde_json::json!({ "class": "Unknown", "http": 504, "code": "http_504" });
        assert_eq!(summary("SEND", &reply), "Sent: no clear answer, HTTP 504, http_504");
        let reply = serde_json::json!({ "class": "Unknown", "http": 200, "code": "refund_not_found" });
        assert_eq!(summary("QUERY", &reply), "Asked: no refund under this key, HTTP 200, refund_not_found");
    }
}
