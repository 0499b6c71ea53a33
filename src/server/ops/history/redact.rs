//! A gateway's reply as people may read it.

use serde_json::Value;

/// Characters of a reply that are shown.
const SHOWN: usize = 6_000;
/// What stands for a secret.
const HIDDEN: &str = "•••";
/// Parts of names whose values are hidden: what signs in or signs, and what belongs to the buyer.
const SECRET: [&str; 17] = [
    "token",
    "secret",
    "password",
    "authorization",
    "signature",
    "api_key",
    "apikey",
    "client_auth",
    "card",
    "cvv",
    "pan_",
    "vpa",
    "email",
    "phone",
    "mobile",
    "address",
    "payload",
];

/// The reply with secrets taken out, indented where it is JSON, and cut to what a page can show.
pub(in crate::ops) fn readable(body: &str) -> String {
    let body = body.trim();
    let text = match serde_json::from_str::<Value>(body) {
        Ok(mut value @ (Value::Object(_) | Value::Array(_))) => {
            hide(&mut value);
            serde_json::to_string_pretty(&value).unwrap_or_default()
        }
        // Not JSON, or half of it: nothing can be told from a secret by its name there.
        _ if SECRET.iter().any(|part| body.to_ascii_lowercase().contains(part)) => {
            "The reply is not JSON and may hold a secret, so it is not shown.".to_owned()
        }
        _ => body.to_owned(),
    };
    let mut shown: String = text.chars().filter(|c| !c.is_control() || *c == '\n').take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        shown.push_str("\n…");
    }
    shown
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.to_ascii_lowercase();
                let secret = SECRET.iter().any(|part| name.contains(part)) || name == "pan";
                match secret && !value.is_null() {
                    true => *value = Value::from(HIDDEN),
                    false => hide(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_signs_in_or_belongs_to_the_buyer_is_not_shown() {
        let body = r#"{"order_id":"ORD_1","customer_email":"a@b.test","txn":{"card":{"last":"4242"},"client_auth_token":"tkn_1"},
                       "refunds":[{"unique_request_id":"BD1","amount":10.5,"api_key":"k","status":"SUCCESS"}],"udf1":null}"#;
        let shown = readable(body);
        for secret in ["a@b.test", "4242", "tkn_1", "\"k\""] {
            assert!(!shown.contains(secret), "{shown}");
        }
        for kept in ["ORD_1", "BD1", "10.5", "SUCCESS", "•••"] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }

    #[test]
    fn what_is_not_json_is_shown_only_without_a_word_that_names_a_secret() {
        assert_eq!(readable("<html>502\u{7}</html>"), "<html>502</html>");
        assert!(!readable("{\"api_key\":\"sim_acme\", cut").contains("sim_acme"));
        assert!(readable(&"x".repeat(9_000)).chars().count() < 6_010);
    }
}
