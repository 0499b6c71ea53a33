//! Messages to an organisation's own endpoint, signed as Standard Webhooks say. The same rules of addresses and the
//! same client as for gateways: no inside address unless the operator named it, no redirect, each message written once.

use super::{
    SetupError, address,
    client::{self, Exchange, HttpResponse},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use std::{fmt, time::Duration};
use url::Url;

/// What stands before a secret's base64.
const PREFIX: &str = "whsec_";
/// Characters of an answer that people see.
const SHOWN: usize = 200;

/// The key that messages are signed with.
pub struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Reads `whsec_` and base64 of 24 to 64 bytes. The error is a sentence for the person who typed it.
    pub fn read(text: &SecretString) -> Result<Self, &'static str> {
        const WANTED: &str = "The signing secret must be whsec_ and 24 to 64 bytes in base64.";
        let encoded = text.expose_secret().trim().strip_prefix(PREFIX).ok_or(WANTED)?;
        let bytes = zeroize::Zeroizing::new(STANDARD.decode(encoded).map_err(|_| WANTED)?);
        if !(24..=64).contains(&bytes.len()) {
            return Err(WANTED);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// A new secret, as it is shown once and typed into the other system.
    pub fn make() -> Result<SecretString, getrandom::Error> {
        let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(SecretString::from(format!("{PREFIX}{}", STANDARD.encode(bytes.as_slice()))))
    }

    /// `v1,…`: over id, time and body, so that none of them can be another's.
    fn signature(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = hmac::sign(&self.0, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(signed.as_ref()))
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The endpoint took it (2xx).
    Accepted,
    /// It did not, and the same message will not be taken later.
    Rejected,
    /// It may take it later.
    Retry(Option<Duration>),
}

/// An endpoint's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What it means.
    pub taken: DeliveryOutcome,
    /// HTTP status; none without an answer.
    pub http: Option<u16>,
    /// `HTTP 200 …` with the first 200 characters; empty without an answer.
    pub response: String,
    /// Short code.
    pub code: String,
    /// One sentence for people; empty when it was taken.
    pub message: String,
    /// The answer as it came, cut at 64 KiB.
    pub body: String,
}

/// An endpoint.
pub struct Webhook {
    client: Client,
    url: Url,
    secret: Secret,
    /// What must not appear in anything that is kept.
    hidden: SecretString,
    timeout: Duration,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Prepares the endpoint; nothing is sent.
    pub fn new(
        url: &str,
        secret: &SecretString,
        timeout: Duration,
        concurrency: usize,
        allowed_hosts: &[String],
    ) -> Result<Self, SetupError> {
        let url = address::check(url, allowed_hosts).map_err(SetupError::Address)?;
        let key = Secret::read(secret).map_err(|_| SetupError::Credentials("signing secret"))?;
        let encrypted = url.scheme() == "https";
        let client = client::build(timeout, concurrency, allowed_hosts, encrypted, HeaderMap::new());
        Ok(Self { client: client?, url, secret: key, hidden: secret.clone(), timeout })
    }

    /// Sends a message, once. The same `id` tells the endpoint that it is the same message.
    pub async fn deliver(&self, id: &str, timestamp: i64, body: String) -> Delivery {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", self.secret.signature(id, timestamp, &body))
            .body(body);
        match client::exchange(request).await {
            Exchange::Reply(answer) => self.read(&answer),
            Exchange::NotSent { code, detail } | Exchange::NoReply { code, detail } => {
                let message = match code {
                    "private_network" => "The address of the external system leads into a private network.".to_owned(),
                    "timeout" => {
                        format!("The external system did not answer within {} seconds.", self.timeout.as_secs().max(1))
                    }
                    "no_connection" => "The external system could not be reached.".to_owned(),
                    _ => "The connection to the external system ended without an answer.".to_owned(),
                };
                let taken =
                    if code == "private_network" { DeliveryOutcome::Rejected } else { DeliveryOutcome::Retry(None) };
                let body = self.clean(detail.as_bytes());
                Delivery { taken, http: None, response: String::new(), code: code.to_owned(), message, body }
            }
        }
    }

    fn read(&self, answer: &HttpResponse) -> Delivery {
        let body = self.clean(&answer.body);
        let taken = match answer.status {
            200..=299 => DeliveryOutcome::Accepted,
            408 | 425 | 429 | 500..=599 => DeliveryOutcome::Retry(answer.wait),
            _ => DeliveryOutcome::Rejected,
        };
        let message = match taken {
            DeliveryOutcome::Accepted => String::new(),
            DeliveryOutcome::Rejected | DeliveryOutcome::Retry(_) => {
                format!("The external system did not take the order (HTTP {}).", answer.status)
            }
        };
        Delivery {
            taken,
            http: Some(answer.status),
            response: response(answer.status, &body),
            code: format!("http_{}", answer.status),
            message,
            body,
        }
    }

    fn clean(&self, bytes: &[u8]) -> String {
        client::evidence(bytes, &[self.hidden.expose_secret()])
    }
}

/// `HTTP 200` and the first 200 characters, on one line.
fn response(status: u16, body: &str) -> String {
    let line: String = body.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let shown: String = line.trim().chars().take(SHOWN).collect();
    format!("HTTP {status} {shown}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<Secret, &'static str> {
        Secret::read(&SecretString::from(text))
    }

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn messages_are_signed_as_standard_webhooks_say() {
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for other in [
            key.signature("msg_p5jXN8AQM9LWM0D4loKWxJeK", 1_614_265_330, "{\"test\": 2432232314}"),
            key.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_331, "{\"test\": 2432232314}"),
            key.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232315}"),
        ] {
            assert_ne!(other, signature);
        }
    }

    #[test]
    fn secrets_are_of_the_right_form() {
        assert!(secret(Secret::make().unwrap().expose_secret()).is_ok());
        assert_ne!(Secret::make().unwrap().expose_secret(), Secret::make().unwrap().expose_secret());
        for bad in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ", "whsec_****"] {
            assert!(secret(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn inside_addresses_are_refused_unless_listed() {
        let secret = Secret::make().unwrap();
        let make = |url: &str, listed: &[String]| Webhook::new(url, &secret, Duration::from_secs(1), 1, listed);
        for bad in [
            "http://127.0.0.1:9/x",
            "https://10.0.0.1/",
            "https://169.254.169.254/",
            "https://[::1]/",
            "http://example.com",
        ] {
            assert!(matches!(make(bad, &[]), Err(SetupError::Address(_))), "{bad}");
        }
        assert!(make("http://127.0.0.1:9/orders", &["127.0.0.1".to_owned()]).is_ok());
    }

    #[test]
    fn an_answer_is_shown_on_one_line() {
        assert_eq!(response(200, ""), "HTTP 200");
        assert_eq!(response(200, " {\n \"ok\": true\n}\n"), "HTTP 200 {  \"ok\": true }");
        assert_eq!(response(500, &"₹".repeat(500)).chars().count(), "HTTP 500 ".len() + 200);
    }
}
