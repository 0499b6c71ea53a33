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
struct ClientResponse {
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
        self.try_sign_in(email).unwrap()
    }

    fn try_sign_in(&self, email: &str) -> Result<String, String> {
        let form = [("email", email), ("password", PASSWORD)];
        let answer = self.response(self.post("/login").form(&form))?;
        match answer.cookie {
            Some(cookie) if answer.status == 303 => Ok(cookie),
            _ => Err(format!("{email} cannot sign in: {} {}", answer.status, answer.text)),
        }
    }

    /// Uploads a file as the organisation's maker, and has the checker approve it where one is needed. The batch's id.
    pub(super) fn submit(&self, organisation: &Organisation, file: &RefundFile) -> String {
        let (status, text) = self.upload(organisation, &file.name, &file.text(), false).unwrap();
        let batch = batch_of(status, &text).unwrap_or_else(|| panic!("{} was not accepted: {text}", file.name));
        self.approve(organisation, &batch).unwrap();
        batch
    }

    /// Uploads a file as the organisation's maker: status and body. The error is a server that went away.
    pub(super) fn upload(
        &self,
        organisation: &Organisation,
        name: &str,
        text: &str,
        again: bool,
    ) -> Result<(u16, String), String> {
        let cookie = self.try_sign_in(organisation.maker)?;
        let mark = "proof-7f3a";
        let field = "Content-Disposition: form-data; name=\"confirm_repeat\"";
        let repeat = if again { format!("--{mark}\r\n{field}\r\n\r\n1\r\n") } else { String::new() };
        let body = format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nProof of \
             {}\r\n--{mark}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: \
             text/csv\r\n\r\n{}\r\n{repeat}--{mark}--\r\n",
            name, name, text
        );
        let request = self
            .post("/batch/batch-refunds")
            .header(header::COOKIE, cookie)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={mark}"))
            .body(body);
        let answer = self.response(request)?;
        Ok((answer.status, answer.text))
    }

    /// Has the checker approve a batch that waits for it. The error is a server that went away, or refused.
    pub(super) fn approve(&self, organisation: &Organisation, batch: &str) -> Result<(), String> {
        let Some(checker) = organisation.checker else { return Ok(()) };
        let waiting = self.snapshot(organisation, batch)?;
        if waiting["status"] != "awaiting_approval" {
            return Ok(());
        }
        let cookie = self.try_sign_in(checker)?;
        let form = [("decision", "approve"), ("content_hash", waiting["content_sha256"].as_str().unwrap())];
        let request = self.post(&format!("/approvals/{batch}")).header(header::COOKIE, cookie).form(&form);
        let answer = self.response(request)?;
        if answer.status == 303 { Ok(()) } else { Err(format!("not approved: {} {}", answer.status, answer.text)) }
    }

    /// What the API says of a batch. The error is a server, or its database, that is not there at the moment.
    pub(super) fn snapshot(&self, organisation: &Organisation, batch: &str) -> Result<Value, String> {
        let request = self.request(Method::GET, &format!("/api/v1/batches/{batch}")).bearer_auth(organisation.api_key);
        let answer = self.response(request)?;
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
        let answer = self.response(self.request(Method::GET, &path).header(header::COOKIE, cookie)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    }

    /// "Sync with Gateway".
    pub(super) fn sync(&self, organisation: &Organisation, batch: &str) {
        let cookie = self.sign_in(organisation.maker);
        let request = self.post(&format!("/batch/batch-refunds/{batch}/sync")).header(header::COOKIE, cookie);
        let answer = self.response(request).unwrap();
        assert_eq!(answer.status, 303, "{}", answer.text);
    }

    /// Where the server answers.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).header(header::ORIGIN, &self.base)
    }

    fn response(&self, request: RequestBuilder) -> Result<ClientResponse, String> {
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            let cookies = response.headers().get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
            let cookie = cookies
                .filter_map(|cookie| cookie.split(';').next())
                .find(|cookie| cookie.starts_with("batchdesk="))
                .map(str::to_owned);
            let text = response.text().await.map_err(|error| error.to_string())?;
            Ok(ClientResponse { status, cookie, text })
        })
    }
}

/// The id of an accepted batch.
pub(super) fn batch_of(status: u16, text: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(text).ok().filter(|_| status == 201)?;
    Some(answer["batch_id"].as_str()?.to_owned())
}
