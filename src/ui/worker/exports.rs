//! What `public/worker.js` calls by name. Without a thread of its own the page calls the same functions itself.

use super::{
    editor::SheetEditor,
    messages::{EditorRequest, Options, Output, RowsQuery},
};
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static EDITOR: RefCell<SheetEditor> = RefCell::default();
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn write<T: Serialize>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// Checks a file and keeps it; gives a `Report`.
#[wasm_bindgen]
pub fn check_file(bytes: Vec<u8>, options: &str) -> Result<String, String> {
    let options: Options = read(options)?;
    write(&EDITOR.with_borrow_mut(|editor| editor.open(bytes, options)))
}

/// Changes what is kept; gives a `Report`.
#[wasm_bindgen]
pub fn change_file(act: &str) -> Result<String, String> {
    let act: EditorRequest = read(act)?;
    write(&EDITOR.with_borrow_mut(|editor| editor.act(act)))
}

/// Rows to be shown; gives a `RowsPage`.
#[wasm_bindgen]
pub fn file_rows(query: &str) -> Result<String, String> {
    let query: RowsQuery = read(query)?;
    write(&EDITOR.with_borrow(|editor| editor.rows(query)))
}

/// What is kept, as CSV.
#[wasm_bindgen]
pub fn file_text(output: &str) -> Result<String, String> {
    let output: Output = read(output)?;
    Ok(EDITOR.with_borrow(|editor| editor.file(output)))
}
