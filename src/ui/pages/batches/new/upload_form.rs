//! The state of a file that is looked at in the browser, and what can be done with it.
//!
//! On the server and until a file is chosen there is nothing here, so both render the same page.

#[cfg(feature = "hydrate")]
mod browser;

use crate::{
    domain::{
        ids::DraftId,
        operation::{Operation, Switch},
        view::{NewBatch, Repeat},
    },
    ui::worker::{
        groups::FixKind,
        messages::{EditorRequest, Options, Output, RepairKind, Report, RowsPage, RowsQuery},
    },
};
use leptos::prelude::*;

/// Name and size of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectedFile {
    /// As the person knows it.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
}

/// Something that has to be said above everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The fact.
    pub title: &'static str,
    /// The rest.
    pub text: String,
    /// Whether signing in again would help.
    pub sign_in: bool,
}

impl Trouble {
    #[cfg(feature = "hydrate")]
    fn new(title: &'static str, text: impl Into<String>) -> Self {
        Self { title, text: text.into(), sign_in: false }
    }
}

/// Everything that the page shows of the file.
#[derive(Clone, Copy)]
pub struct UploadForm {
    /// What the batch will do.
    pub operation: Operation,
    /// Currency and limits.
    pub options: Options,
    /// The draft that holds the description.
    pub draft: Option<DraftId>,
    /// The file, once it is chosen.
    pub chosen: RwSignal<Option<SelectedFile>>,
    /// How it stands, once it is read.
    pub report: RwSignal<Option<Report>>,
    /// The rows that are shown.
    pub rows: RwSignal<RowsPage>,
    /// Only rows with findings are shown.
    pub only: RwSignal<bool>,
    /// It is being read.
    pub reading: RwSignal<bool>,
    /// Bytes sent and bytes in all, while it is sent.
    pub sending: RwSignal<Option<(u64, u64)>>,
    /// What has to be said.
    pub trouble: RwSignal<Option<Trouble>>,
    /// What is wrong with the field.
    pub complaint: RwSignal<Option<String>>,
    /// What went out before.
    pub repeats: RwSignal<Vec<Repeat>>,
    /// That it is meant.
    pub confirmed: RwSignal<bool>,
    /// That what is warned of is meant.
    pub sure: RwSignal<bool>,
    /// How the switch stands.
    pub toggle: RwSignal<bool>,
    /// The person pressed "Upload" and could not be obeyed.
    pub refused: RwSignal<bool>,
    /// A file is held above the page.
    pub over: RwSignal<bool>,
    #[cfg(feature = "hydrate")]
    tools: StoredValue<browser::Tools, LocalStorage>,
}

impl UploadForm {
    /// An empty form for this page.
    pub fn new(new: &NewBatch) -> Self {
        Self {
            operation: new.operation,
            options: Options { operation: new.operation, currency: new.currency, limits: new.limits },
            draft: new.draft.as_ref().map(|draft| draft.id),
            chosen: RwSignal::new(None),
            report: RwSignal::new(None),
            rows: RwSignal::new(RowsPage::default()),
            only: RwSignal::new(true),
            reading: RwSignal::new(false),
            sending: RwSignal::new(None),
            trouble: RwSignal::new(None),
            complaint: RwSignal::new(None),
            repeats: RwSignal::new(Vec::new()),
            confirmed: RwSignal::new(false),
            sure: RwSignal::new(false),
            toggle: RwSignal::new(new.draft.as_ref().and_then(|draft| draft.switch).unwrap_or(new.gateway.is_some())),
            refused: RwSignal::new(false),
            over: RwSignal::new(false),
            #[cfg(feature = "hydrate")]
            tools: StoredValue::new_local(browser::Tools::new()),
        }
    }

    /// What the maker may choose beside the file.
    pub fn switch(self) -> Option<Switch> {
        self.operation.descriptor().switch
    }

    /// Whether a file lies here and was read.
    pub fn is_open(self) -> bool {
        self.report.with(Option::is_some)
    }

    /// Something of the report; the fallback while there is none.
    pub fn of<T: Default>(self, read: impl Fn(&Report) -> T) -> T {
        self.report.with(|report| report.as_ref().map(&read).unwrap_or_default())
    }

    /// Whether something is warned of that has to be meant, and nobody has said so.
    pub fn asks(self) -> bool {
        self.of(|report| report.asks()) && !self.sure.get()
    }

    /// Writes a cell.
    pub fn edit(self, row: u32, column: u32, text: String) {
        self.act(EditorRequest::Edit { row, column, text });
    }

    /// Repairs all cells of one kind.
    pub fn fix(self, kind: FixKind) {
        self.act(EditorRequest::Fix(kind));
    }

    /// Repairs the file as a whole.
    pub fn repair(self, kind: RepairKind) {
        self.act(EditorRequest::Repair(kind));
    }

    /// Shows other rows.
    pub fn show(self, query: RowsQuery) {
        #[cfg(feature = "hydrate")]
        self.load_rows(query);
        #[cfg(not(feature = "hydrate"))]
        let _ = query;
    }

    /// Changes the sheet.
    pub fn act(self, act: EditorRequest) {
        #[cfg(feature = "hydrate")]
        self.change(act);
        #[cfg(not(feature = "hydrate"))]
        let _ = act;
    }

    /// Gives the person a file to keep.
    pub fn keep(self, output: Output) {
        #[cfg(feature = "hydrate")]
        self.download(output);
        #[cfg(not(feature = "hydrate"))]
        let _ = output;
    }

    /// Takes the file from the field.
    pub fn take(self, event: &leptos::ev::Event) {
        #[cfg(feature = "hydrate")]
        self.take_from_field(event);
        #[cfg(not(feature = "hydrate"))]
        let _ = event;
    }

    /// Takes a file that was let go above the page.
    pub fn drop_file(self, event: &leptos::ev::DragEvent) {
        #[cfg(feature = "hydrate")]
        self.take_from_drop(event);
        #[cfg(not(feature = "hydrate"))]
        let _ = event;
    }

    /// Opens the browser's list of files.
    pub fn choose_another(self) {
        #[cfg(feature = "hydrate")]
        browser::press("file");
    }

    /// Sends the file, or says why not.
    pub fn upload(self) {
        #[cfg(feature = "hydrate")]
        self.send();
    }

    /// Calls the upload off.
    pub fn cancel(self) {
        #[cfg(feature = "hydrate")]
        self.call_off();
    }

    /// Shows the next row with an error.
    pub fn next_error(self) {
        #[cfg(feature = "hydrate")]
        self.find_next_error();
    }

    /// What only a browser has: the file of a field that was filled before the page was taken over, keys, pasted files.
    pub fn listen(self) {
        #[cfg(feature = "hydrate")]
        self.listen_in_browser();
    }
}
