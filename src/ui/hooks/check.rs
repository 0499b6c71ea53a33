//! The page's side of the thread that checks files: starts it, asks it, and does without where it cannot start.

use crate::ui::worker::{
    exports,
    messages::{EditorRequest, Options, Output, Report, RowsPage, RowsQuery},
};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, MessageEvent, Worker, WorkerOptions, WorkerType};

/// Calls that wait for an answer: what ends them well, and what ends them badly.
type Waiting = Rc<RefCell<HashMap<u32, (Function, Function)>>>;

/// The thread with its listeners; ended when dropped.
struct Thread {
    worker: Worker,
    waiting: Waiting,
    next: Cell<u32>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(Event)>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

impl Thread {
    /// Starts the thread at the address that the document names.
    fn start() -> Option<Self> {
        let named = leptos::prelude::document().query_selector("meta[name=batchdesk-worker]").ok().flatten()?;
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&named.get_attribute("content")?, &options).ok()?;
        let waiting = Waiting::default();
        let message = Closure::<dyn FnMut(MessageEvent)>::new({
            let waiting = waiting.clone();
            move |event: MessageEvent| {
                let data = event.data();
                let part = |name: &str| Reflect::get(&data, &name.into()).unwrap_or(JsValue::UNDEFINED);
                // Call ids are whole and small.
                let id = part("id").as_f64().map_or(0, |id| id as u32);
                let Some((done, failed)) = waiting.borrow_mut().remove(&id) else { return };
                let error = part("error");
                let _ = if error.is_undefined() {
                    done.call1(&JsValue::NULL, &part("result"))
                } else {
                    failed.call1(&JsValue::NULL, &error)
                };
            }
        });
        // It could not be loaded, or broke: nobody will answer any more.
        let error = Closure::<dyn FnMut(Event)>::new({
            let waiting = waiting.clone();
            move |_: Event| {
                for (_, (_, failed)) in waiting.borrow_mut().drain() {
                    let _ = failed.call1(&JsValue::NULL, &"the thread for files stopped".into());
                }
            }
        });
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        Some(Self { worker, waiting, next: Cell::new(1), _message: message, _error: error })
    }

    async fn call(&self, name: &str, args: Array) -> Result<String, String> {
        let id = self.next.replace(self.next.get().wrapping_add(1));
        let answer = Promise::new(&mut |done, failed| {
            self.waiting.borrow_mut().insert(id, (done, failed));
        });
        let question = Object::new();
        for (key, value) in [("id", JsValue::from(id)), ("name", name.into()), ("args", args.into())] {
            let _ = Reflect::set(&question, &key.into(), &value);
        }
        self.worker.post_message(&question).map_err(|_| "the file could not be handed over".to_owned())?;
        match JsFuture::from(answer).await {
            Ok(text) => text.as_string().ok_or_else(|| "the answer is no text".to_owned()),
            Err(error) => Err(error.as_string().unwrap_or_default()),
        }
    }
}

/// Checks files beside the page.
#[derive(Clone, Default)]
pub struct Checker {
    thread: Rc<RefCell<Option<Rc<Thread>>>>,
}

impl Checker {
    /// Checks a file and keeps it. The first call starts the thread; where that fails, the page does the work itself.
    pub async fn open(&self, bytes: Uint8Array, options: Options) -> Result<Report, String> {
        let options = json(&options)?;
        if self.thread.borrow().is_none() {
            let started = Thread::start().map(Rc::new);
            *self.thread.borrow_mut() = started;
        }
        let thread = self.thread.borrow().clone();
        if let Some(thread) = thread {
            let args = Array::of2(&bytes, &options.as_str().into());
            if let Ok(report) = thread.call("check_file", args).await {
                return parse(&report);
            }
            *self.thread.borrow_mut() = None;
        }
        parse(&exports::check_file(bytes.to_vec(), &options)?)
    }

    /// Changes what is kept.
    pub async fn act(&self, act: EditorRequest) -> Result<Report, String> {
        parse(&self.ask("change_file", exports::change_file, &act).await?)
    }

    /// Rows to be shown.
    pub async fn rows(&self, query: RowsQuery) -> Result<RowsPage, String> {
        parse(&self.ask("file_rows", exports::file_rows, &query).await?)
    }

    /// What is kept, as CSV.
    pub async fn text(&self, output: Output) -> Result<String, String> {
        self.ask("file_text", exports::file_text, &output).await
    }

    async fn ask<T: Serialize>(
        &self,
        name: &str,
        here: fn(&str) -> Result<String, String>,
        question: &T,
    ) -> Result<String, String> {
        let question = json(question)?;
        let thread = self.thread.borrow().clone();
        match thread {
            Some(thread) => thread.call(name, Array::of1(&question.as_str().into())).await,
            None => here(&question),
        }
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
