//! Sending a file, with its progress.

use crate::{
    domain::{finding::FindingCode, view::Repeat},
    ui::worker::messages::ServerFinding,
};
use serde::Deserialize;

/// What became of a file that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The batch is made; its page is at this address.
    Made(String),
    /// The server found more than the browser could know.
    Found(Vec<ServerFinding>),
    /// It went out before, and that has to be confirmed.
    Repeated(Vec<Repeat>),
    /// The session ended.
    SignedOut,
    /// Nothing was kept, for this reason.
    Refused(String),
    /// Nobody answered: nobody knows whether it arrived.
    NoAnswer,
    /// The person called it off.
    Cancelled,
}

#[derive(Deserialize)]
struct Made {
    location: String,
}

#[derive(Deserialize)]
struct Findings {
    errors: Vec<Answered>,
}

#[derive(Deserialize)]
struct Answered {
    row: Option<u32>,
    column: Option<String>,
    code: String,
    message: String,
    batch_id: Option<crate::domain::ids::BatchId>,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// Reads the server's answer to an upload.
pub fn read_response(status: u16, body: &str) -> Outcome {
    if status == 0 {
        return Outcome::NoAnswer;
    }
    if status == 401 {
        return Outcome::SignedOut;
    }
    if let Ok(made) = serde_json::from_str::<Made>(body)
        && status == 201
        && is_local(&made.location)
    {
        return Outcome::Made(made.location);
    }
    if let Ok(Findings { errors }) = serde_json::from_str::<Findings>(body) {
        return found(errors);
    }
    if let Ok(Problem { detail }) = serde_json::from_str::<Problem>(body) {
        return Outcome::Refused(detail);
    }
    match status {
        413 => Outcome::Refused("The file is too large for this server. Nothing was kept.".to_owned()),
        502..=504 => Outcome::NoAnswer,
        _ => Outcome::Refused(format!(
            "The server answered {status} and gave no reason. Look at the list before you upload the file again."
        )),
    }
}

fn found(errors: Vec<Answered>) -> Outcome {
    let repeats = errors.iter().filter(|one| one.code == "repeated").filter_map(|one| {
        Some(Repeat { row: one.row, message: one.message.clone(), batch: one.batch_id?, file_name: String::new() })
    });
    let repeats: Vec<Repeat> = repeats.collect();
    if !repeats.is_empty() {
        return Outcome::Repeated(repeats);
    }
    let known = |one: &Answered| {
        let code = serde_json::Value::String(one.code.clone());
        // The size of a whole request is no finding about a row.
        serde_json::from_value::<FindingCode>(code).is_ok_and(|code| code != FindingCode::FileTooLarge)
    };
    let asked = |one: &Answered| {
        let code = serde_json::Value::String(one.code.clone());
        serde_json::from_value::<FindingCode>(code).is_ok_and(FindingCode::must_be_confirmed)
    };
    // This page asks before it sends. A server that still asks is another version of the program.
    if !errors.is_empty() && errors.iter().all(asked) {
        let said = errors.first().map_or("", |one| one.message.as_str());
        return Outcome::Refused(format!(
            "It has to be confirmed: {said} Load this page again and choose the file again."
        ));
    }
    let errors: Vec<Answered> = errors.into_iter().filter(|one| !asked(one)).collect();
    if !errors.is_empty() && errors.iter().all(known) {
        let finding =
            |one: Answered| ServerFinding { row: one.row, column: one.column, code: one.code, message: one.message };
        return Outcome::Found(errors.into_iter().map(finding).collect());
    }
    let messages: Vec<String> = errors.into_iter().map(|one| one.message).collect();
    Outcome::Refused(messages.join(" "))
}

/// An address of our own.
fn is_local(location: &str) -> bool {
    location.starts_with('/') && !location.starts_with("//") && !location.contains(['\\', '\n', '\r'])
}

#[cfg(feature = "hydrate")]
pub use sending::Sending;

#[cfg(feature = "hydrate")]
mod sending {
    use super::{Outcome, read_response};
    use js_sys::Promise;
    use std::{cell::Cell, rc::Rc};
    use wasm_bindgen::{JsCast, JsValue, closure::Closure};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{FormData, ProgressEvent, XmlHttpRequest};

    /// An upload that is under way.
    #[derive(Clone)]
    pub struct Sending {
        request: XmlHttpRequest,
        cancelled: Rc<Cell<bool>>,
    }

    impl Sending {
        /// Prepares an upload to `address`.
        pub fn new(address: &str) -> Result<Self, JsValue> {
            let request = XmlHttpRequest::new()?;
            request.open_with_async("POST", address, true)?;
            request.set_request_header("Accept", "application/json")?;
            Ok(Self { request, cancelled: Rc::default() })
        }

        /// Calls it off. What the server has already taken stays taken.
        pub fn cancel(&self) {
            self.cancelled.set(true);
            let _ = self.request.abort();
        }

        /// Sends the form and waits for the answer; `progress` is told bytes sent and bytes in all.
        pub async fn send(self, form: FormData, progress: impl Fn(u64, u64) + 'static) -> Outcome {
            // Counts of bytes are whole numbers well below 2^53.
            let told = Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| {
                progress(event.loaded() as u64, event.total() as u64);
            });
            if let Ok(upload) = self.request.upload() {
                upload.set_onprogress(Some(told.as_ref().unchecked_ref()));
            }
            let request = &self.request;
            let ended = Promise::new(&mut |done, _| {
                request.set_onloadend(Some(&done));
            });
            if self.request.send_with_opt_form_data(Some(&form)).is_err() {
                return Outcome::NoAnswer;
            }
            let _ = JsFuture::from(ended).await;
            if self.cancelled.get() {
                return Outcome::Cancelled;
            }
            let status = self.request.status().unwrap_or(0);
            let body = self.request.response_text().ok().flatten().unwrap_or_default();
            read_response(status, &body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_the_server_is_understood() {
        let id = "0191d3a0-0000-7000-8000-000000000001";
        let made = format!(r#"{{"batch_id":"{id}","location":"/batch/batch-refunds/{id}"}}"#);
        assert_eq!(read_response(201, &made), Outcome::Made(format!("/batch/batch-refunds/{id}")));
        let found =
            r#"{"errors":[{"row":14,"column":"amount","code":"invalid_data_type","message":"Invalid data type: x"}]}"#;
        assert!(matches!(read_response(422, found), Outcome::Found(list) if list[0].row == Some(14)));
        let repeated = format!(
            r#"{{"errors":[{{"row":null,"column":null,"code":"repeated","message":"The same file","batch_id":"{id}"}}]}}"#
        );
        assert!(matches!(read_response(422, &repeated), Outcome::Repeated(list) if list.len() == 1));
        let large =
            r#"{"errors":[{"row":null,"column":null,"code":"file_too_large","message":"File too large: 6 MB"}]}"#;
        assert_eq!(read_response(413, large), Outcome::Refused("File too large: 6 MB".into()));
        let none = r#"{"errors":[{"row":null,"column":null,"code":"conflict","message":"No gateway is connected."}]}"#;
        assert_eq!(read_response(409, none), Outcome::Refused("No gateway is connected.".into()));
        assert_eq!(read_response(403, r#"{"detail":"You may not."}"#), Outcome::Refused("You may not.".into()));
        assert_eq!(read_response(401, "{}"), Outcome::SignedOut);
        assert_eq!(read_response(0, ""), Outcome::NoAnswer);
        assert_eq!(read_response(504, "<html>"), Outcome::NoAnswer);
        assert!(matches!(read_response(500, "x"), Outcome::Refused(_)));
    }

    #[test]
    fn nobody_is_sent_to_another_site() {
        for location in ["//evil.example", "https://evil.example", "/\\evil.example"] {
            let body = format!(r#"{{"location":{}}}"#, serde_json::Value::String(location.into()));
            assert!(!matches!(read_response(201, &body), Outcome::Made(_)), "{location}");
        }
    }
}
