//! What can be asked of the files of an operation, whichever it is: one registry, so that nobody else asks which one it
//! is.

use super::{
    csv_lines::CsvLines,
    field_table::Notes,
    file::{self, Checked, Format},
    header::{Layout, Template},
    refunds::Refunds,
    repair::{Rearranged, rearranged},
    sheet::Sheet,
    stored_record::StoredRecord,
    sync::Orders,
    text::Input,
};
use domain::{
    finding::{Finding, FindingCode, Severity},
    limits::Limits,
    money::Currency,
    operation::Operation,
};
use std::{io, marker::PhantomData};

/// What the validator found out about a file, for whoever shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Its layout; none when the header fits none.
    pub template: Option<&'static Template>,
    /// Data rows.
    pub rows: u64,
    /// Sum of the clean rows, minor units; zero where rows have no amount.
    pub total_minor: i64,
    /// Spreadsheet row and minor units of each clean row, where nobody took the records themselves.
    pub ready: Vec<(u32, i64)>,
    /// Every finding by row, findings about the whole file first.
    pub findings: Vec<Finding>,
    /// How many errors there are, listed or not.
    pub errors: u64,
    /// How many warnings there are, listed or not.
    pub warnings: u64,
    /// Names the warnings that must be confirmed; empty where there is none.
    pub seal: String,
    /// The cells; none when the file could not be read as a sheet.
    pub sheet: Option<Sheet>,
}

impl Overview {
    /// The first thing that is wrong with the file as a whole, so that no row of it can be trusted.
    pub fn of_file(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| {
            let of_file = self.template.is_none() || finding.row.is_none();
            finding.severity == Severity::Error && (of_file || finding.code == FindingCode::InvalidFileFormat)
        })
    }
}

/// The files of one operation.
pub trait FileFormat: Sync {
    /// Checks a whole file and keeps its cells.
    fn check(&self, bytes: &[u8], currency: Currency, limits: Limits) -> Overview;

    /// Checks a sheet again after it was edited. The result's `sheet` stays empty: the caller has it.
    fn check_sheet(&self, sheet: &Sheet, currency: Currency, limits: Limits) -> Overview;

    /// Checks a whole file and hands each clean row to `sink` as it is read. A later finding may still refuse the file:
    /// act on nothing before the end.
    fn read(
        &self,
        input: &mut dyn Input,
        currency: Currency,
        limits: Limits,
        sink: &mut dyn FnMut(StoredRecord),
    ) -> io::Result<Overview>;

    /// The same, each row with its canonical form.
    fn read_canonical(
        &self,
        input: &mut dyn Input,
        currency: Currency,
        limits: Limits,
        sink: &mut dyn FnMut(StoredRecord, Vec<u8>),
    ) -> io::Result<Overview>;

    /// Checks a sheet and hands over its clean rows.
    fn read_sheet(
        &self,
        sheet: &Sheet,
        currency: Currency,
        limits: Limits,
        sink: &mut dyn FnMut(StoredRecord),
    ) -> Overview;

    /// The sheet with the columns of the template that it is meant to be; none where that is in doubt or nothing would
    /// change.
    fn rearranged(&self, sheet: &Sheet) -> Option<Rearranged>;

    /// Its templates, the plain one first.
    fn templates(&self) -> Vec<&'static Template>;

    /// The header of its result files, with its line end.
    fn results_header(&self) -> &'static str;

    /// What has to be known beside the field tables.
    fn notes(&self) -> &'static Notes;

    /// The cell of one column as people write it, without the guard that a file has against formulas.
    fn cell(&self, column: &str, record: &StoredRecord, currency: Currency) -> String;

    /// Everything that decides what is done and reported: the base of the record's hash.
    fn canonical(&self, record: &StoredRecord, currency: Currency) -> Vec<u8>;

    /// The template with this code.
    fn template(&self, code: &str) -> Option<&'static Template> {
        self.templates().into_iter().find(|template| template.code == code)
    }

    /// Appends the line of a record to a file in this template, which can be uploaded again as it is.
    fn put_line(&self, out: &mut CsvLines, template: &Template, record: &StoredRecord, currency: Currency) {
        template.columns.iter().for_each(|column| out.text(&self.cell(column, record, currency)));
        out.end();
    }
}

/// The files of this operation. Together with its descriptor and with `server::operations` the only place that names
/// one.
pub fn of(operation: Operation) -> &'static dyn FileFormat {
    match operation {
        Operation::Refund => &Registered::<Refunds>(PhantomData),
        Operation::OrderSync => &Registered::<Orders>(PhantomData),
        #[cfg(debug_assertions)]
        Operation::TestSend => &Registered::<super::test_send::Sends>(PhantomData),
        #[cfg(debug_assertions)]
        Operation::TestQuery => &Registered::<super::test_query::Questions>(PhantomData),
        #[cfg(debug_assertions)]
        Operation::TestImport => &Registered::<super::test_import::Items>(PhantomData),
    }
}

struct Registered<F>(PhantomData<fn() -> F>);

impl<F: Format> FileFormat for Registered<F> {
    fn check(&self, bytes: &[u8], currency: Currency, limits: Limits) -> Overview {
        overview::<F>(file::check_bytes(F::new(currency), bytes, limits))
    }

    fn check_sheet(&self, sheet: &Sheet, currency: Currency, limits: Limits) -> Overview {
        overview::<F>(file::check_cells(F::new(currency), sheet, limits))
    }

    fn read(
        &self,
        input: &mut dyn Input,
        currency: Currency,
        limits: Limits,
        sink: &mut dyn FnMut(StoredRecord),
    ) -> io::Result<Overview> {
        let checked = file::check(F::new(currency), input, limits, None, &mut |record| sink(F::stored(record)))?;
        Ok(overview::<F>(checked))
    }

    fn read_canonical(
        &self,
        input: &mut dyn Input,
        currency: Currency,
        limits: Limits,
        sink: &mut dyn FnMut(StoredRecord, Vec<u8>),
    ) -> io::Result<Overview> {
        let format = F::new(currency);
        let checked = file::check(format, input, limits, None, &mut |record| {
            let canonical = format.canonical(&record);
            sink(F::stored(record), canonical);
        })?;
        Ok(overview::<F>(checked))
    }

    fn read_sheet(
        &self,
        sheet: &Sheet,
        currency: Currency,
        limits: Limits,
        sink: &mut dyn FnMut(StoredRecord),
    ) -> Overview {
        let mut checked = file::check_cells(F::new(currency), sheet, limits);
        std::mem::take(&mut checked.records).into_iter().for_each(|record| sink(F::stored(record)));
        overview::<F>(checked)
    }

    fn rearranged(&self, sheet: &Sheet) -> Option<Rearranged> {
        rearranged::<F::Layout>(sheet)
    }

    fn templates(&self) -> Vec<&'static Template> {
        F::Layout::all().iter().map(|layout| layout.template()).collect()
    }

    fn results_header(&self) -> &'static str {
        F::RESULTS_HEADER
    }

    fn notes(&self) -> &'static Notes {
        F::NOTES
    }

    fn cell(&self, column: &str, record: &StoredRecord, currency: Currency) -> String {
        F::new(currency).cell(column, &F::restored(record))
    }

    fn canonical(&self, record: &StoredRecord, currency: Currency) -> Vec<u8> {
        F::new(currency).canonical(&F::restored(record))
    }
}

fn overview<F: Format>(checked: Checked<F::Layout, F::Record>) -> Overview {
    Overview {
        template: checked.template.map(Layout::template),
        rows: checked.rows,
        total_minor: checked.total_minor,
        ready: checked.records.iter().map(F::ready).collect(),
        findings: checked.findings,
        errors: checked.errors,
        warnings: checked.warnings,
        seal: checked.seal,
        sheet: checked.sheet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_known_by_its_code_and_by_nothing_else() {
        let refunds = of(Operation::Refund);
        assert_eq!(refunds.template("split").map(|template| template.columns.len()), Some(9));
        for unknown in ["", "Standard", "Standard, 19 columns", "order_sync"] {
            assert_eq!(refunds.template(unknown), None, "{unknown}");
        }
        let codes: Vec<&str> = refunds.templates().iter().map(|template| template.code).collect();
        assert_eq!(codes, ["standard", "split"], "batches that are stored name them");
        assert_eq!(of(Operation::OrderSync).templates()[0].code, "order_sync");
    }

    #[test]
    fn every_sample_follows_a_template_passes_and_shows_all_fields() {
        for operation in Operation::ALL {
            let format = of(operation);
            let samples = operation.files().samples;
            assert_eq!(samples.len(), format.templates().len(), "{operation:?}");
            for sample in samples {
                let template = format.template(sample.template).expect(sample.name);
                let checked = format.check(template.sample.as_bytes(), Currency::Inr, Limits::default());
                assert_eq!((checked.errors, checked.template), (0, Some(template)), "{}", sample.name);
                let fields: Vec<&str> = template.fields.iter().map(|field| field.name).collect();
                assert_eq!(fields, template.columns, "{}", sample.name);
            }
        }
    }

    #[test]
    fn what_is_stored_is_the_record_and_its_line_can_be_uploaded_again() {
        for operation in Operation::ALL {
            let format = of(operation);
            for template in format.templates() {
                let mut records = Vec::new();
                let keep = &mut |record, canonical| records.push((record, canonical));
                let mut input = io::Cursor::new(template.sample);
                format.read_canonical(&mut input, Currency::Inr, Limits::default(), keep).unwrap();
                let mut again = CsvLines::with_header(template.columns);
                for (record, canonical) in &records {
                    assert_eq!(&format.canonical(record, Currency::Inr), canonical, "{}", template.code);
                    format.put_line(&mut again, template, record, Currency::Inr);
                }
                assert_eq!(again.take(), template.sample, "{}", template.code);
            }
        }
    }
}
