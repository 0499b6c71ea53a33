//! The way through a file: its size, its encoding, its header, then row by row.

use super::cells::is_whole;
use super::field_table::Notes;
use super::findings::{At, Findings};
use super::header::{self, Layout};
use super::printable::printable;
use super::repeats::{Gatherer, Key, Repeats};
use super::sheet::{Flaw, Fold, MAX_CELLS, Reader, Record, Sheet, SheetRow};
use super::stored_record::StoredRecord;
use super::text::{Encoding, Input};
use domain::{
    finding::{Finding, FindingCode as Code, Severity},
    limits::{Limits, MAX_CELL_BYTES},
    money::{Currency, group},
};
use std::io::{self, Cursor, SeekFrom};

/// What one operation's files are: their layouts, and the rules of their rows.
pub(super) trait Format: Copy + 'static {
    /// Its layouts.
    type Layout: Layout;
    /// A clean row.
    type Record;
    /// What checks the rows of one file.
    type Rows: Rows<Self::Record>;

    /// What a row is, for sentences: `refund`.
    const THING: &'static str;
    /// The header of its result files, with its line end.
    const RESULTS_HEADER: &'static str;
    /// What has to be known beside the field tables.
    const NOTES: &'static Notes;

    /// Files whose amounts are in this currency.
    fn new(currency: Currency) -> Self;
    /// Spreadsheet row and minor units of a record; zero where nothing is moved.
    fn ready(record: &Self::Record) -> (u32, i64);
    /// The record as it is stored.
    fn stored(record: Self::Record) -> StoredRecord;
    /// The record that was stored so.
    fn restored(stored: &StoredRecord) -> Self::Record;
    /// Everything that decides what is done and reported, as bytes that no other record has.
    fn canonical(self, record: &Self::Record) -> Vec<u8>;
    /// The cell of one column as people write it.
    fn cell(self, column: &str, record: &Self::Record) -> String;

    /// The columns whose ids are compared with each other.
    fn keys(_: Self::Layout) -> Vec<Key> {
        Vec::new()
    }

    /// Begins with the rows of a file of this layout, in which these ids of its keys may stand twice.
    fn rows(self, layout: Self::Layout, repeats: Repeats, findings: Findings) -> Self::Rows;
}

/// Checks the rows of one file, one after the other.
pub(super) trait Rows<R> {
    /// Checks one row; a clean one becomes a record. One that is not `whole` is only counted: the caller said why.
    fn row(&mut self, row: u32, cells: &[&str], whole: bool) -> Option<R>;
    /// Where findings go.
    fn findings(&mut self) -> &mut Findings;
    /// Says what can only be said once all rows were seen: the sum of the clean rows in minor units, and the findings.
    fn finish(self) -> (i64, Findings);
}

/// What the validator found out about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<L, R> {
    /// Which layout it has; none when the header fits none.
    pub template: Option<L>,
    /// Data rows (header and wholly blank lines are not counted).
    pub rows: u64,
    /// Sum of the clean rows, minor units; zero where rows have no amount.
    pub total_minor: i64,
    /// The clean rows, in file order.
    pub records: Vec<R>,
    /// Findings by row, those about the whole file first; as many as can be kept, and at the end how many are not
    /// listed.
    pub findings: Vec<Finding>,
    /// How many errors there are, listed or not.
    pub errors: u64,
    /// How many warnings there are, listed or not.
    pub warnings: u64,
    /// Names the warnings that must be confirmed; empty where there is none.
    pub seal: String,
    /// The cells, for a page that shows and edits them; none when the file could not be read as a sheet.
    pub sheet: Option<Sheet>,
}

impl<L, R> Default for Checked<L, R> {
    fn default() -> Self {
        Self {
            template: None,
            rows: 0,
            total_minor: 0,
            records: Vec::new(),
            findings: Vec::new(),
            errors: 0,
            warnings: 0,
            seal: String::new(),
            sheet: None,
        }
    }
}

impl<L, R> Checked<L, R> {
    /// Whether nothing keeps the file out.
    pub const fn is_clean(&self) -> bool {
        self.errors == 0
    }

    /// Over the row limit nothing counts as examined.
    fn with_records(mut self, records: Vec<R>, limits: Limits) -> Self {
        if self.rows <= u64::from(limits.rows) {
            self.records = records;
        }
        self
    }
}

/// A file of this format, checked.
type Of<F> = Checked<<F as Format>::Layout, <F as Format>::Record>;

/// Checks a whole file that is in memory, and keeps its cells.
pub(super) fn check_bytes<F: Format>(format: F, bytes: &[u8], limits: Limits) -> Of<F> {
    let mut records = Vec::new();
    let mut sheet = Sheet::default();
    let keep = Some(&mut sheet);
    let checked = check(format, &mut Cursor::new(bytes), limits, keep, &mut |record| records.push(record));
    let mut checked = checked.unwrap_or_else(|error| unreadable(&error));
    checked.sheet = (!sheet.header.is_empty()).then_some(sheet);
    checked.with_records(records, limits)
}

/// Checks a sheet that was read before. The result's `sheet` stays empty: the caller has it.
pub(super) fn check_cells<F: Format>(format: F, sheet: &Sheet, limits: Limits) -> Of<F> {
    let mut records = Vec::new();
    let checked = check_sheet(format, sheet, limits, &mut |record| records.push(record));
    checked.with_records(records, limits)
}

/// What can hardly be: bytes in memory that cannot be read.
fn unreadable<L, R>(error: &io::Error) -> Checked<L, R> {
    let mut findings = Findings::default();
    findings.error(At::FILE, Code::InvalidFileFormat, format!("Invalid file format: it could not be read: {error}."));
    result(None, 0, 0, findings)
}

/// Checks a file, which is read three times: whether it is text, which ids may stand in it twice, and row by row. Keeps
/// its cells in `keep` as long as they can be trusted to be all there is.
pub(super) fn check<F: Format>(
    format: F,
    input: &mut dyn Input,
    limits: Limits,
    keep: Option<&mut Sheet>,
    sink: &mut dyn FnMut(F::Record),
) -> io::Result<Of<F>> {
    let mut findings = Findings::default();
    let length = input.seek(SeekFrom::End(0))?;
    if length > limits.bytes {
        let message =
            format!("File too large: {} bytes, at most {}.", group(length, false), group(limits.bytes, false));
        findings.error(At::FILE, Code::FileTooLarge, message);
        return Ok(result(None, 0, 0, findings));
    }
    let encoding = match Encoding::of(input)? {
        Ok(encoding) => encoding,
        Err(refusal) => {
            findings.add(refusal);
            return Ok(result(None, 0, 0, findings));
        }
    };
    if let Some(warning) = encoding.warning() {
        findings.add(warning);
    }
    let repeats = repeats::<F>(input, encoding, limits)?;
    read_text(format, input, encoding, limits, (repeats, findings), keep, sink)
}

/// Which ids may stand in the file twice. Rows that nobody will look at do not count.
fn repeats<F: Format>(input: &mut dyn Input, encoding: Encoding, limits: Limits) -> io::Result<Repeats> {
    let mut records = Reader::new(encoding.text(input)?);
    let mut gatherer = Gatherer::new(&[]);
    if let Some(first) = records.next_filled()? {
        let names: Vec<&str> = first.cells().collect();
        let layout = header::recognise::<F::Layout>(&names, first.width, first.row, &mut Findings::default());
        gatherer = Gatherer::new(&layout.map(F::keys).unwrap_or_default());
    }
    let mut spare = Vec::new();
    let mut rows = 0;
    while rows < limits.rows
        && gatherer.looks()
        && let Some(record) = records.next_filled()?
    {
        rows += 1;
        let mut cells = reused(spare);
        cells.extend(record.cells());
        gatherer.add(&cells);
        spare = reused(cells);
    }
    Ok(gatherer.finish())
}

/// An empty vector with the memory of another one.
fn reused<'a>(mut cells: Vec<&str>) -> Vec<&'a str> {
    cells.clear();
    cells.into_iter().map(|_| "").collect()
}

fn read_text<F: Format>(
    format: F,
    input: &mut dyn Input,
    encoding: Encoding,
    limits: Limits,
    (repeats, mut findings): (Repeats, Findings),
    mut keep: Option<&mut Sheet>,
    sink: &mut dyn FnMut(F::Record),
) -> io::Result<Of<F>> {
    let mut records = Reader::new(encoding.text(input)?);
    if keep.is_some() {
        records = records.with_whole_cells();
    }
    let Some(first) = records.next_filled()? else {
        let message = "Invalid file format: the file is empty; its first row must be the header of the sample file.";
        findings.error(At::FILE, Code::EmptyFile, message);
        return Ok(result(None, 0, 0, findings));
    };
    let cells: Vec<&str> = first.cells().collect();
    let bytes = |place: usize, cell: &str| {
        first.cut.iter().find(|(cut, _)| *cut == place).map_or(cell.len(), |(_, bytes)| *bytes)
    };
    let lengths = cells.iter().enumerate().map(|(place, cell)| (place, bytes(place, cell)));
    if let Some((place, bytes)) = lengths.into_iter().find(|(_, bytes)| *bytes > MAX_CELL_BYTES) {
        let message = format!(
            "Too long: cell {} of the header has {} bytes; a cell may have {MAX_CELL_BYTES}. Nothing else was looked \
             at: the first row must be the header of the sample file.",
            place + 1,
            group(u64::try_from(bytes).unwrap_or(u64::MAX), false)
        );
        findings.error(At::row(first.row), Code::TooLong, message);
        return Ok(result(None, 0, 0, findings));
    }
    let names: Vec<String> = cells.iter().map(|name| name.trim().to_owned()).collect();
    let lost = first.folds.iter().find(|fold| fold.has_rows_below_header(first.width));
    let mut whole =
        explain(first, lost, if lost.is_some() { &[] } else { &names }, &mut findings) && first.width <= MAX_CELLS;
    let template = if first.flaws.is_empty() && lost.is_none() {
        header::recognise(&cells, first.width, first.row, &mut findings)
    } else {
        None
    };
    let width = first.width;
    let money = names.iter().map(String::as_str).take(2).eq(["order_id", "amount"]);
    if let Some(sheet) = keep.as_deref_mut() {
        sheet.header.clone_from(&names);
    }
    let mut run = Run::new(format, template, limits, repeats, findings);
    let mut spare = Vec::new();
    while let Some(record) = records.next_filled()? {
        if run.begin() {
            let lost = record.folds.iter().find(|fold| fold.has_rows(width, record.width, money));
            let sure = record.flaws.is_empty() && lost.is_none();
            whole &= explain(record, lost, &names, run.findings()) && record.width <= MAX_CELLS;
            let mut cells = reused(spare);
            cells.extend(record.cells());
            if let Some(sheet) = keep.as_deref_mut() {
                let cells = cells.iter().map(|cell| (*cell).to_owned()).collect();
                sheet.rows.push(SheetRow { row: record.row, cells, complete: sure && record.width == width });
            }
            run.row(record.row, &cells, record.width, &record.cut, sure, sink);
            spare = reused(cells);
        }
    }
    // A lost quotation mark hides rows, and rows beyond the limit are not kept: half a sheet must never be taken for
    // the file.
    if let Some(sheet) = keep
        && (!whole || run.is_over())
    {
        *sheet = Sheet::default();
    }
    Ok(run.end())
}

fn check_sheet<F: Format>(format: F, sheet: &Sheet, limits: Limits, sink: &mut dyn FnMut(F::Record)) -> Of<F> {
    let mut findings = Findings::default();
    let names: Vec<&str> = sheet.header.iter().map(String::as_str).collect();
    let template = header::recognise(&names, names.len(), 1, &mut findings);
    let mut run = Run::new(format, template, limits, Repeats::Any, findings);
    let mut cells: Vec<&str> = Vec::new();
    for row in &sheet.rows {
        if !run.begin() {
            continue;
        }
        cells.clear();
        cells.extend(row.cells.iter().map(String::as_str));
        let sure = row.complete || row.cells.len() != names.len();
        if !sure {
            let message = format!(
                "Invalid file format: the quotation marks in row {} are not in order; look at its cells.",
                row.row
            );
            run.findings().error(At::row(row.row), Code::InvalidFileFormat, message);
        }
        run.row(row.row, &cells, row.cells.len(), &[], sure, sink);
    }
    run.end()
}

/// What is under way: a layout whose rows are checked, or a header that fits none, whose rows are counted.
struct Run<F: Format> {
    template: Option<F::Layout>,
    limit: u64,
    rows: u64,
    state: State<F::Rows>,
}

enum State<C> {
    Checking(C),
    Counting(Box<Findings>),
}

impl<F: Format> Run<F> {
    fn new(format: F, template: Option<F::Layout>, limits: Limits, repeats: Repeats, findings: Findings) -> Self {
        let state = match template {
            Some(template) => State::Checking(format.rows(template, repeats, findings)),
            None => State::Counting(Box::new(findings)),
        };
        Self { template, limit: u64::from(limits.rows), rows: 0, state }
    }

    /// Counts a row; false when it is over the limit, and everything found so far is let go.
    fn begin(&mut self) -> bool {
        self.rows += 1;
        if self.is_over() && self.rows == self.limit + 1 {
            self.state = State::Counting(Box::default());
        }
        !self.is_over()
    }

    const fn is_over(&self) -> bool {
        self.rows > self.limit
    }

    fn findings(&mut self) -> &mut Findings {
        match &mut self.state {
            State::Checking(checker) => checker.findings(),
            State::Counting(findings) => findings,
        }
    }

    fn row(
        &mut self,
        row: u32,
        cells: &[&str],
        width: usize,
        cut: &[(usize, usize)],
        sure: bool,
        sink: &mut dyn FnMut(F::Record),
    ) {
        if let (State::Checking(checker), Some(template)) = (&mut self.state, self.template) {
            let whole = sure && is_whole(template.columns(), row, cells, width, cut, checker.findings());
            if let Some(record) = checker.row(row, cells, whole) {
                sink(record);
            }
        }
    }

    fn end(self) -> Of<F> {
        let over = self.is_over();
        let (total, mut findings) = match self.state {
            State::Checking(checker) => checker.finish(),
            State::Counting(findings) => (0, *findings),
        };
        if over {
            let (rows, limit) = (group(self.rows, false), group(self.limit, false));
            let message = format!("Row limit exceeded: {rows} rows, at most {limit}");
            findings.error(At::FILE, Code::RowLimitExceeded, message);
        } else if self.rows == 0 && findings.errors() == 0 {
            let message =
                format!("Invalid file format: the file has a header and no rows; add one row for each {}.", F::THING);
            findings.error(At::FILE, Code::EmptyFile, message);
        }
        result(self.template, self.rows, total, findings)
    }
}

/// Says what is wrong with the quotation marks of a row; false when rows could not be read for them. Where a mark is
/// `lost`, the others of the row are only what comes of it.
fn explain(record: &Record, lost: Option<&Fold>, names: &[String], findings: &mut Findings) -> bool {
    if let Some(fold) = lost {
        let what = format!(
            "the quotation mark that opens in line {} of the file closes only in line {}, and what stands between has \
             the commas of rows; put the missing quotation mark where the text ends",
            fold.opens, fold.closes
        );
        flawed(record.row, fold.column, &what, names, findings);
        return false;
    }
    let mut readable = true;
    for flaw in &record.flaws {
        let (column, what) = match *flaw {
            Flaw::StrayQuote { column } => (
                column,
                "a quotation mark stands inside a cell; put the cell in quotation marks and double the one inside",
            ),
            Flaw::AfterQuote { column } => {
                (column, "text follows a closing quotation mark; double quotation marks that belong to the text")
            }
            Flaw::Unclosed { column } => {
                readable = false;
                (column, "a quotation mark opens here and does not close; the rows after it could not be read")
            }
        };
        flawed(record.row, column, what, names, findings);
    }
    readable
}

fn flawed(row: u32, column: usize, what: &str, names: &[String], findings: &mut Findings) {
    let name = names.get(column).map(String::as_str).filter(|name| !name.is_empty());
    let place = name.map_or_else(|| format!("cell {}", column + 1), |name| printable(name).into_owned());
    let message = format!("Invalid file format: row {row}, {place}: {what}.");
    findings.error(At { row: Some(row), column: name, value: "" }, Code::InvalidFileFormat, message);
}

fn result<L, R>(template: Option<L>, rows: u64, total_minor: i64, findings: Findings) -> Checked<L, R> {
    let (errors, warnings, seal) = (findings.errors(), findings.warnings(), findings.fingerprint());
    let findings = findings.into_list();
    debug_assert!(errors > 0 || findings.iter().all(|finding| finding.severity == Severity::Warning));
    Checked { template, rows, total_minor, findings, errors, warnings, seal, ..Checked::default() }
}
