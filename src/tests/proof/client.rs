//! HTTP as a script would speak it: cookies by hand, `Origin` on what changes something, a key for the API.

use super::file::RefundFile;
use reqwest::{Method, RequestBuilder, header};
use serde_json::Value;
use std::{sync::Once, time::Duration};
use tokio::runtime::{Builder, Runtime};

const PASSWORD: &str = "batchdesk-demo";

/// An organisation of the demo.
pub(super) struct Organisation {
    /// Its name at the gateway.
    pub(super) merchant: &'static str,
    api_key: &'static str,
    maker: &'static str,
    checker: Option<&'static str>,
}

pub(super) const ACME: Organisation = Organisation {
    merchant: "acme",
    api_key: "bd_demo_acme",
    maker: "maker@acme.test",
    checker: Some("checker@acme.test"),
};

pub(super) const GLOBEX: Organisation =
    Organisation { merchant: "globex", api_key: "bd_demo_globex", maker: "owner@globex.test", checker: None };

/// An answer, read whole.
struct Answer {
    status: u16,
    cookie: Option<String>,
    text: String,
}

/// A client of one server.
pub(super) struct Client {
    runtime: Runtime,
    http: reqwest::Client,
    base: String,
}

impl Client {
    pub(super) fn new(base: String) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            // The server is killed between requests.
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self { runtime: Builder::new_current_thread().enable_all().build().unwrap(), http, base }
    }

    /// Signs in; the cookie of the session.
    pub(super) fn sign_in(&self, email: &str) -> String {
        let form = [("email", email), ("password", PASSWORD)];
        let answer = self.answer(self.post("/login").form(&form)).unwrap();
        assert_eq!(answer.status, 303, "{email} cannot sign in: {}", answer.text);
        answer.cookie.expect("signing in sets a cookie")
    }

    /// Uploads a file as the organisation's maker, and has the checker approve it where one is needed. The batch's id.
    pub(super) fn submit(&self, organisation: &Organisation, file: &RefundFile) -> String {
        let cookie = self.sign_in(organisation.maker);
        let mark = "proof-7f3a";
        let body = format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nProof of {}\r\n\
             --{mark}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: text/csv\r\n\r\n{}\r\n\
             --{mark}--\r\n",
            file.name,
            file.name,
            file.text()
        );
        let request = self
            .post("/batch/batch-refunds")
            .header(header::COOKIE, cookie)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={mark}"))
            .body(body);
        let answer = self.answer(request).unwrap();
        assert_eq!(answer.status, 201, "{} was not accepted: {}", file.name, answer.text);
        let answer: Value = serde_json::from_str(&answer.text).unwrap();
        let batch = answer["batch_id"].as_str().unwrap().to_owned();
        if let Some(checker) = organisation.checker {
            self.approve(organisation, checker, &batch);
        }
        batch
    }

    fn approve(&self, organisation: &Organisation, checker: &str, batch: &str) {
        let waiting = self.snapshot(organisation, batch).unwrap();
        assert_eq!(waiting["status"], "awaiting_approval", "{waiting}");
        let cookie = self.sign_in(checker);
        let form = [("decision", "approve"), ("content_hash", waiting["content_sha256"].as_str().unwrap())];
        let request = self.post(&format!("/approvals/{batch}")).header(header::COOKIE, cookie).form(&form);
        let answer = self.answer(request).unwrap();
        assert_eq!(answer.status, 303, "not approved: {}", answer.text);
    }

    /// What the API says of a batch. The error is a server, or its database, that is not there at the moment.
    pub(super) fn snapshot(&self, organisation: &Organisation, batch: &str) -> Result<Value, String> {
        let request = self.request(Method::GET, &format!("/api/v1/batches/{batch}")).bearer_auth(organisation.api_key);
        let answer = self.answer(request)?;
        match answer.status {
            200 => Ok(serde_json::from_str(&answer.text).unwrap()),
            500.. => Err(answer.text),
            status => panic!("the API answers {status}: {}", answer.text),
        }
    }

    /// "Download Data".
    pub(super) fn results(&self, organisation: &Organisation, batch: &str) -> String {
        let cookie = self.sign_in(organisation.maker);
        let path = format!("/batch/batch-refunds/{batch}/batch_refund.csv");
        let answer = self.answer(self.request(Method::GET, &path).header(header::COOKIE, cookie)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    }

    /// The number that a query of the database finds.
    pub(super) fn count(&self, database_url: &str, query: &'static str) -> i64 {
        self.runtime.block_on(async {
            use sqlx::Connection;
            let mut connection = sqlx::PgConnection::connect(database_url).await.unwrap();
            sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).header(header::ORIGIN, &self.base)
    }

    fn answer(&self, request: RequestBuilder) -> Result<Answer, String> {
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            let cookies = response.headers().get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
            let cookie = cookies
                .filter_map(|cookie| cookie.split(';').next())
                .find(|cookie| cookie.starts_with("batchdesk="))
                .map(str::to_owned);
            let text = response.text().await.map_err(|error| error.to_string())?;
            Ok(Answer { status, cookie, text })
        })
    }
}
