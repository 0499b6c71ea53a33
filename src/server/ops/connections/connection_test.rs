//! Whether a connection works: one reading of an order that nobody has. Moves no money.

use crate::{
    db::gateways::GatewayRow,
    gateway::{Connector, OrderState, Reply, ReplyClass},
};

/// An order id that no merchant gives.
const NO_ORDER: &str = "BatchdeskConnectionTest";

/// What the gateway said, each with a sentence for the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestResult {
    /// It answered as it should.
    Works(String),
    /// It does not take the key.
    KeyRefused(String),
    /// It does not know the merchant.
    UnknownMerchant(String),
    /// Nothing answers, or something else does.
    Away(String),
}

impl TestResult {
    /// The sentence.
    pub fn sentence(&self) -> &str {
        let (Self::Works(said) | Self::KeyRefused(said) | Self::UnknownMerchant(said) | Self::Away(said)) = self;
        said
    }
}

/// Asks.
pub(super) async fn read(gateway: &dyn Connector, row: &GatewayRow) -> TestResult {
    let label = gateway.descriptor().label;
    match gateway.order(NO_ORDER).await {
        OrderState::Known(_) | OrderState::Missing(_) => {
            TestResult::Works(format!("It works: {label} answered at {} as {}.", row.base_url, row.merchant_id))
        }
        OrderState::NoAnswer(reply) => failed(&reply, row, label),
    }
}

fn failed(reply: &Reply, row: &GatewayRow, label: &str) -> TestResult {
    let status = reply.http.map(|http| format!(" (status {http})")).unwrap_or_default();
    let url = &row.base_url;
    match (reply.class, reply.http) {
        (_, Some(400..=499)) if names_merchant(&reply.body) => {
            TestResult::UnknownMerchant(format!("{label} does not know the merchant {}{status}.", row.merchant_id))
        }
        (ReplyClass::Refused, _) => {
            TestResult::KeyRefused(format!("{label} refused this key for the merchant {}{status}.", row.merchant_id))
        }
        (_, None) => {
            let why = reply.message.as_deref().unwrap_or("There was no answer.");
            TestResult::Away(format!("{url} is not reachable. {why}"))
        }
        (_, Some(500..=599)) => TestResult::Away(format!("{url} answers with an error of its own{status}.")),
        (_, Some(429)) => TestResult::Away(format!("{url} asks for fewer requests{status}. Try again in a minute.")),
        _ => TestResult::Away(format!("Something answers at {url}, but not as {label} does{status}.")),
    }
}

/// Whether an error speaks of the merchant rather than of the key.
fn names_merchant(body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    body.contains("merchant")
        && ["not found", "unknown", "invalid", "does not exist"].iter().any(|word| body.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    fn reply(class: ReplyClass, http: Option<u16>, body: &str) -> Reply {
        Reply {
            class,
            http,
            reference: None,
            gateway_status: None,
            gateway_kind: None,
            code: None,
            message: Some("The gateway could not be reached; nothing was sent.".to_owned()),
            confirmed_minor: None,
            wait: None,
            body: body.to_owned(),
        }
    }

    #[test]
    fn each_way_to_fail_has_its_own_sentence() {
        let row = GatewayRow {
            base_url: "https://api.example.test/".to_owned(),
            merchant_id: "acme".to_owned(),
            ..GatewayRow::unsaved(OffsetDateTime::UNIX_EPOCH)
        };
        let denied = r#"{"error_code":"access_denied","error_message":"Authentication failed."}"#;
        let unknown = r#"{"error_code":"invalid_merchant","error_message":"Merchant not found"}"#;
        for (class, http, body, expected) in [
            (
                ReplyClass::Refused,
                Some(401),
                denied,
                TestResult::KeyRefused("X refused this key for the merchant acme (status 401).".to_owned()),
            ),
            (
                ReplyClass::Refused,
                Some(403),
                unknown,
                TestResult::UnknownMerchant("X does not know the merchant acme (status 403).".to_owned()),
            ),
            (
                ReplyClass::NotSent,
                None,
                "",
                TestResult::Away(
                    "https://api.example.test/ is not reachable. The gateway could not be reached; nothing was sent."
                        .to_owned(),
                ),
            ),
            (
                ReplyClass::Unknown,
                Some(502),
                "",
                TestResult::Away("https://api.example.test/ answers with an error of its own (status 502).".to_owned()),
            ),
            (
                ReplyClass::Unknown,
                Some(200),
                "<html>",
                TestResult::Away(
                    "Something answers at https://api.example.test/, but not as X does (status 200).".to_owned(),
                ),
            ),
        ] {
            assert_eq!(failed(&reply(class, http, body), &row, "X"), expected);
        }
    }
}
