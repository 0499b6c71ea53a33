//! The form in the browser: files come in, the thread is asked, the upload goes out.

use super::{SelectedFile, Trouble, UploadForm};
use crate::{
    domain::limits::size_text,
    ui::{
        hooks::{
            check::Checker,
            upload::{Outcome, Sending},
            url::use_go,
        },
        worker::messages::{EditorRequest, Output, Report, RowsQuery},
    },
};
use js_sys::{Array, Promise, Reflect, Uint8Array};
use leptos::{ev, prelude::*};
use std::{rc::Rc, time::Duration};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    Blob, BlobPropertyBag, DataTransfer, File, FormData, HtmlAnchorElement, HtmlElement, HtmlInputElement, Url,
};

/// What cannot leave the page's own thread.
#[derive(Clone)]
pub(super) struct Tools {
    checker: Checker,
    /// The file as it was chosen.
    file: Option<Blob>,
    sending: Option<Sending>,
    /// Grows with each file, so that a late answer about an earlier one is known.
    turn: u32,
    /// "Upload" was pressed before the file was read.
    pressed: bool,
    go: Rc<dyn Fn(String)>,
}

impl Tools {
    pub(super) fn new() -> Self {
        let go = use_go();
        Self {
            checker: Checker::default(),
            file: None,
            sending: None,
            turn: 0,
            pressed: false,
            go: Rc::new(move |address| go(address, false)),
        }
    }
}

/// Presses an element of the page.
pub(super) fn press(id: &str) {
    if let Some(element) = element(id) {
        element.click();
    }
}

fn element(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// Puts the focus on an element, once the page has been drawn anew.
fn focus_soon(id: String) {
    request_animation_frame(move || {
        request_animation_frame(move || {
            if let Some(element) = element(&id) {
                let _ = element.focus();
            }
        });
    });
}

/// Waits while a button of the form is held down. What the page shows of a file takes the place of the form, and a
/// button that is gone before it is let go never hears of the press.
async fn presses_end() {
    while document().query_selector("#upload button:active").is_ok_and(|button| button.is_some()) {
        let frame = Promise::new(&mut |next, _| {
            let _ = window().request_animation_frame(&next);
        });
        let _ = JsFuture::from(frame).await;
    }
}

impl UploadForm {
    fn checker(self) -> Option<(Checker, u32)> {
        self.tools.try_with_value(|tools| (tools.checker.clone(), tools.turn))
    }

    fn is_turn(self, turn: u32) -> bool {
        self.tools.try_with_value(|tools| tools.turn) == Some(turn)
    }

    pub(super) fn take_from_field(self, event: &ev::Event) {
        let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) else { return };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            self.open(file.clone().into(), file.name());
        }
    }

    pub(super) fn take_from_drop(self, event: &ev::DragEvent) {
        self.over.set(false);
        let Some(transfer) = event.data_transfer() else { return };
        self.take_from_transfer(&transfer, "Drop one file, please.");
    }

    fn take_from_transfer(self, transfer: &DataTransfer, several: &str) -> bool {
        let Some(files) = transfer.files() else { return false };
        match (files.length(), files.get(0)) {
            (1, Some(file)) => {
                self.open(file.clone().into(), file.name());
                true
            }
            (0, _) => false,
            _ => {
                self.complain(several);
                true
            }
        }
    }

    fn complain(self, text: &str) {
        self.complaint.set(Some(text.to_owned()));
        focus_soon("file".to_owned());
    }

    /// Reads a file and checks it. Nothing is sent.
    fn open(self, file: Blob, name: String) {
        if self.sending.get_untracked().is_some() {
            return;
        }
        // Sizes of files are whole numbers well below 2^53.
        let bytes = file.size() as u64;
        let Some((checker, turn)) = self.tools.try_update_value(|tools| {
            tools.turn = tools.turn.wrapping_add(1);
            tools.file = Some(file.clone());
            tools.pressed = false;
            (tools.checker.clone(), tools.turn)
        }) else {
            return;
        };
        self.chosen.set(Some(SelectedFile { name, bytes }));
        self.complaint.set(None);
        self.trouble.set(None);
        self.repeats.set(Vec::new());
        self.confirmed.set(false);
        self.sure.set(false);
        self.refused.set(false);
        if bytes > self.options.limits.bytes {
            self.report.set(None);
            self.chosen.set(None);
            self.reading.set(false);
            self.tools.update_value(|tools| tools.file = None);
            return self.complain(&format!(
                "File too large: it has {}, at most {} are taken. Split it and upload the parts.",
                size_text(bytes),
                size_text(self.options.limits.bytes)
            ));
        }
        self.reading.set(true);
        spawn_local(async move {
            let read = JsFuture::from(file.array_buffer()).await;
            let report = match read {
                Ok(buffer) => checker.open(Uint8Array::new(&buffer), self.options).await,
                Err(_) => Err("the browser could not read the file; choose it again".to_owned()),
            };
            presses_end().await;
            if !self.is_turn(turn) {
                return;
            }
            self.reading.set(false);
            match report {
                Ok(report) => {
                    self.only.set(report.errors + report.warnings > 0);
                    self.opened(report);
                }
                Err(why) => self.stopped(&why),
            }
        });
    }

    fn opened(self, report: Report) {
        let only = self.only.get_untracked();
        self.report.set(Some(report));
        self.load_rows(RowsQuery { only, ..RowsQuery::default() });
        let pressed = self.tools.try_update_value(|tools| std::mem::take(&mut tools.pressed));
        if pressed == Some(true) {
            self.send();
        } else {
            focus_soon("file-name".to_owned());
        }
    }

    fn stopped(self, why: &str) {
        self.report.set(None);
        self.trouble.set(Some(Trouble::new(
            "The file could not be checked here.",
            format!("The browser says: {why}. Choose the file again, or upload it as it is: the server checks it too."),
        )));
    }

    pub(super) fn change(self, act: EditorRequest) {
        let Some((checker, turn)) = self.checker() else { return };
        if self.sending.get_untracked().is_some() {
            return;
        }
        // What was confirmed was another file.
        self.repeats.set(Vec::new());
        self.confirmed.set(false);
        self.sure.set(false);
        spawn_local(async move {
            match checker.act(act).await {
                Ok(report) if self.is_turn(turn) => {
                    if report.is_clean() {
                        self.refused.set(false);
                    }
                    self.report.set(Some(report));
                    let page = self.rows.with_untracked(|rows| rows.page);
                    self.load_rows(RowsQuery { only: self.only.get_untracked(), page, ..RowsQuery::default() });
                }
                Err(why) if self.is_turn(turn) => self.stopped(&why),
                _ => {}
            }
        });
    }

    pub(super) fn load_rows(self, query: RowsQuery) {
        let Some((checker, turn)) = self.checker() else { return };
        spawn_local(async move {
            let Ok(page) = checker.rows(query).await else { return };
            if !self.is_turn(turn) {
                return;
            }
            let focus = page.focus;
            self.rows.set(page);
            if let Some((row, column)) = focus {
                focus_soon(format!("cell-{row}-{column}"));
            }
        });
    }

    pub(super) fn find_next_error(self) {
        let active = document().active_element().map(|element| element.id()).unwrap_or_default();
        let row = active.strip_prefix("cell-").and_then(|rest| rest.split('-').next()).and_then(|row| row.parse().ok());
        let only = self.only.get_untracked();
        self.load_rows(RowsQuery { only, error_after: Some(row.unwrap_or(0)), ..RowsQuery::default() });
    }

    pub(super) fn download(self, output: Output) {
        let Some((checker, _)) = self.checker() else { return };
        let name = self.chosen.with_untracked(|chosen| chosen.clone().unwrap_or_default().name);
        let stem = name.strip_suffix(".csv").unwrap_or(&name).to_owned();
        let name = match output {
            Output::Bad => format!("{stem}_errors.csv"),
            Output::Whole | Output::Upload => format!("{stem}_corrected.csv"),
        };
        spawn_local(async move {
            let Ok(text) = checker.text(output).await else { return };
            if let Some(blob) = csv(&text)
                && let Ok(address) = Url::create_object_url_with_blob(&blob)
            {
                if let Ok(link) = document().create_element("a")
                    && let Ok(link) = link.dyn_into::<HtmlAnchorElement>()
                {
                    link.set_href(&address);
                    link.set_download(&name);
                    link.click();
                }
                // The browser has begun to save it by then.
                set_timeout(
                    move || {
                        let _ = Url::revoke_object_url(&address);
                    },
                    Duration::from_secs(60),
                );
            }
        });
    }

    pub(super) fn send(self) {
        if self.sending.get_untracked().is_some() {
            return;
        }
        if self.reading.get_untracked() {
            self.tools.update_value(|tools| tools.pressed = true);
            return;
        }
        let Some(file) = self.tools.try_with_value(|tools| tools.file.clone()).flatten() else {
            return self.complain("Choose a CSV file first.");
        };
        let report = self.report.get_untracked();
        if report.as_ref().is_some_and(|report| !report.is_clean()) {
            self.refused.set(true);
            focus_soon("findings".to_owned());
            return;
        }
        if report.as_ref().is_some_and(Report::asks) && !self.sure.get_untracked() {
            self.refused.set(true);
            focus_soon("confirm-warnings".to_owned());
            return;
        }
        if !self.repeats.with_untracked(Vec::is_empty) && !self.confirmed.get_untracked() {
            self.refused.set(true);
            focus_soon("confirm-repeat".to_owned());
            return;
        }
        self.refused.set(false);
        self.trouble.set(None);
        if !window().navigator().on_line() {
            let text = "This device has no network. The file stays here; press Upload again when it is back.";
            self.trouble.set(Some(Trouble::new("You are offline.", text)));
            return;
        }
        let bytes = self.chosen.with_untracked(|chosen| chosen.as_ref().map_or(0, |chosen| chosen.bytes));
        self.sending.set(Some((0, bytes)));
        let changed = report.is_some_and(|report| report.changed);
        spawn_local(async move {
            let outcome = self.send_now(file, changed).await;
            self.tools.try_update_value(|tools| tools.sending = None);
            if self.sending.try_set(None).is_none() {
                self.answered(outcome);
            }
        });
    }

    async fn send_now(self, file: Blob, changed: bool) -> Outcome {
        let Some((checker, _)) = self.checker() else { return Outcome::Cancelled };
        let file = if changed {
            match checker.text(Output::Upload).await.ok().and_then(|text| csv(&text)) {
                Some(file) => file,
                None => {
                    return Outcome::Refused(
                        "The corrected file could not be put together. Choose the file again.".into(),
                    );
                }
            }
        } else {
            file
        };
        let Ok(sending) = Sending::new(self.operation.path()) else { return Outcome::NoAnswer };
        let Ok(form) = self.form(&file) else { return Outcome::NoAnswer };
        self.tools.try_update_value(|tools| tools.sending = Some(sending.clone()));
        let sent = self.sending;
        sending
            .send(form, move |done, all| {
                let _ = sent.try_update(|sending| {
                    if sending.is_some() {
                        *sending = Some((done, all));
                    }
                });
            })
            .await
    }

    fn form(self, file: &Blob) -> Result<FormData, JsValue> {
        let form = FormData::new()?;
        // The server reads fields in order and refuses a file that is too large at once: what names the draft stands
        // first.
        if let Some(draft) = self.draft {
            form.append_with_str("draft", &draft.to_string())?;
        }
        if self.confirmed.get_untracked() {
            form.append_with_str("confirm_repeat", "1")?;
        }
        if self.sure.get_untracked() {
            // Its seal: what the server finds must be what was shown here.
            let seal = self.report.with_untracked(|report| report.as_ref().map(|report| report.seal.clone()));
            form.append_with_str("confirm_warnings", &seal.unwrap_or_default())?;
        }
        if let Some(switch) = self.switch().filter(|_| self.toggle.get_untracked()) {
            form.append_with_str(switch.name, "on")?;
        }
        let name = self.chosen.with_untracked(|chosen| chosen.clone().unwrap_or_default().name);
        form.append_with_blob_and_filename("file", file, &name)?;
        Ok(form)
    }

    fn answered(self, outcome: Outcome) {
        match outcome {
            Outcome::Made(location) => {
                if let Some(go) = self.tools.try_with_value(|tools| tools.go.clone()) {
                    go(location);
                }
            }
            Outcome::Found(findings) => {
                self.refused.set(true);
                self.only.set(true);
                self.change(EditorRequest::ServerFindings(findings));
                focus_soon("findings".to_owned());
            }
            Outcome::Repeated(repeats) => {
                self.repeats.set(repeats);
                self.refused.set(true);
                focus_soon("confirm-repeat".to_owned());
            }
            Outcome::SignedOut => {
                let text = "Sign in in another tab and press Upload again; the file and your corrections stay here.";
                self.trouble.set(Some(Trouble { sign_in: true, ..Trouble::new("You are signed out.", text) }));
            }
            Outcome::Refused(why) => self.trouble.set(Some(Trouble::new("The file was not taken.", why))),
            Outcome::NoAnswer => {
                let text = "The connection broke, so nobody knows here whether the file arrived. Look at the list of \
                            batches before you press Upload again.";
                self.trouble.set(Some(Trouble::new("The server did not answer.", text)));
            }
            Outcome::Cancelled => {
                let text = "Unless it had arrived already: then it stands in the list of batches.";
                self.trouble.set(Some(Trouble::new("The upload was called off; nothing was sent.", text)));
            }
        }
    }

    pub(super) fn call_off(self) {
        if let Some(sending) = self.tools.try_with_value(|tools| tools.sending.clone()).flatten() {
            sending.cancel();
        }
    }

    pub(super) fn listen_in_browser(self) {
        let keys = window_event_listener(ev::keydown, move |event| {
            let typing = event.target().is_some_and(|target| {
                target
                    .dyn_ref::<web_sys::Element>()
                    .is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"))
            });
            let plain = !(typing || event.ctrl_key() || event.meta_key() || event.alt_key());
            if plain && event.key() == "n" && self.is_open() {
                event.prevent_default();
                self.find_next_error();
            }
        });
        let pasted = window_event_listener_untyped("paste", move |event| {
            let transfer = Reflect::get(&event, &"clipboardData".into()).ok();
            let Some(transfer) = transfer.and_then(|transfer| transfer.dyn_into::<DataTransfer>().ok()) else { return };
            if self.take_from_transfer(&transfer, "Paste one file, please.") {
                return event.prevent_default();
            }
            let typing = document().active_element().is_some_and(|element| {
                matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA") && element.id() != "file"
            });
            // Cells that were copied from a spreadsheet come as text between tabs.
            let text = transfer.get_data("text/plain").unwrap_or_default();
            if !typing && text.contains('\n') && text.contains(['\t', ',']) {
                event.prevent_default();
                if let Some(blob) = csv(&text) {
                    self.open(blob, "pasted.csv".to_owned());
                }
            }
        });
        on_cleanup(move || {
            keys.remove();
            pasted.remove();
        });
        // Chosen before the page was taken over, or kept by the browser over a reload.
        let field = element("file").and_then(|field| field.dyn_into::<HtmlInputElement>().ok());
        let file: Option<File> = field.and_then(|field| field.files()).and_then(|files| files.get(0));
        if let Some(file) = file {
            self.open(file.clone().into(), file.name());
        }
    }
}

fn csv(text: &str) -> Option<Blob> {
    let options = BlobPropertyBag::new();
    options.set_type("text/csv");
    Blob::new_with_str_sequence_and_options(&Array::of1(&text.into()), &options).ok()
}
