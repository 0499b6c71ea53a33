//! A result as a spreadsheet (Office Open XML, `.xlsx`): the texts of its parts, the rows of its sheet one by one. Ids
//! are text, so that no leading zero is lost and nothing becomes `1.23457E+15`; amounts are numbers with the currency's
//! decimals, written as the decimal digits that they are: no float comes near them. Texts are typed as texts, which no
//! spreadsheet runs.

use super::results::Cells;
use domain::money::{Currency, Money};

/// The type of such a file.
pub const CONTENT_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Digits that a spreadsheet keeps of a number; more would be rounded, and stay text.
const DIGITS: usize = 15;

/// Looks, by their place in `cellXfs`.
const HEAD: u8 = 1;
const TEXT: u8 = 2;
const NUMBER: u8 = 3;
const AMOUNT: u8 = 4;

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// The part that the rows belong into.
pub const SHEET: &str = "xl/worksheets/sheet1.xml";

/// Every part but the sheet: name and content.
pub fn parts(sheet: &str, currency: Currency) -> Vec<(&'static str, String)> {
    const KIND: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
    let mut name = String::new();
    put_escaped(&mut name, sheet);
    vec![
        (
            "[Content_Types].xml",
            format!(
                "{XML}<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" \
                 ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" \
                 ContentType=\"application/xml\"/><Override PartName=\"/xl/workbook.xml\" \
                 ContentType=\"{KIND}.sheet.main+xml\"/><Override PartName=\"/{SHEET}\" \
                 ContentType=\"{KIND}.worksheet+xml\"/><Override PartName=\"/xl/styles.xml\" \
                 ContentType=\"{KIND}.styles+xml\"/></Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "{XML}<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" \
                 Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "{XML}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"{name}\" sheetId=\"1\" \
                 r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "{XML}<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" \
                 Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"rId2\" \
                 Type=\"{OFFICE}/styles\" Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        ("xl/styles.xml", styles(currency)),
    ]
}

fn styles(currency: Currency) -> String {
    let decimals = usize::try_from(currency.decimals()).unwrap_or(0);
    let amount = if decimals == 0 { "0".to_owned() } else { format!("0.{}", "0".repeat(decimals)) };
    // 49 is "Text", 1 is "0"; own formats begin at 164.
    let look = |format: u16, font: u8| {
        format!(
            "<xf numFmtId=\"{format}\" fontId=\"{font}\" fillId=\"0\" borderId=\"0\" xfId=\"0\" \
             applyNumberFormat=\"1\" applyFont=\"1\"/>"
        )
    };
    format!(
        "{XML}<styleSheet xmlns=\"{MAIN}\"><numFmts count=\"1\"><numFmt numFmtId=\"164\" \
         formatCode=\"{amount}\"/></numFmts><fonts count=\"2\"><font><sz val=\"11\"/><name \
         val=\"Calibri\"/></font><font><b/><sz val=\"11\"/><name val=\"Calibri\"/></font></fonts><fills \
         count=\"2\"><fill><patternFill patternType=\"none\"/></fill><fill><patternFill \
         patternType=\"gray125\"/></fill></fills><borders \
         count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count=\"1\"><xf \
         numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs><cellXfs \
         count=\"5\">{}{}{}{}{}</cellXfs><cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" \
         builtinId=\"0\"/></cellStyles></styleSheet>",
        look(0, 0),
        look(49, 1),
        look(49, 0),
        look(1, 0),
        look(164, 0),
    )
}

/// The rows of the sheet, from its begin to its end.
#[derive(Debug)]
pub struct SheetRows {
    out: String,
    row: u32,
    column: usize,
    width: usize,
}

impl SheetRows {
    /// A sheet with this header line, which stays in sight.
    pub fn new(header: &str) -> Self {
        let columns: Vec<&str> = header.trim_end().split(',').collect();
        let mut out = format!(
            "{XML}<worksheet xmlns=\"{MAIN}\"><sheetViews><sheetView tabSelected=\"1\" workbookViewId=\"0\"><pane \
             ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" \
             state=\"frozen\"/></sheetView></sheetViews><cols>"
        );
        for (index, column) in columns.iter().enumerate() {
            let (place, width) = (index + 1, width(column));
            out.push_str(&format!("<col min=\"{place}\" max=\"{place}\" width=\"{width}\" customWidth=\"1\"/>"));
        }
        out.push_str("</cols><sheetData>");
        let mut rows = Self { out, row: 0, column: 0, width: columns.len() };
        for column in columns {
            rows.string(column, HEAD);
        }
        rows.end();
        rows
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// The end of the sheet.
    pub fn finish(mut self) -> String {
        let all = format!("A1:{}{}", letters(self.width.saturating_sub(1)), self.row);
        // An id of digits only is meant as text: no mark beside it.
        self.out.push_str(&format!(
            "</sheetData><autoFilter ref=\"{all}\"/><ignoredErrors><ignoredError sqref=\"{all}\" \
             numberStoredAsText=\"1\"/></ignoredErrors></worksheet>"
        ));
        self.out
    }

    /// Opens the next cell; the caller writes what stands between it and its end.
    fn open(&mut self, look: u8, kind: &str) {
        if self.column == 0 {
            self.row += 1;
            self.out.push_str(&format!("<row r=\"{}\">", self.row));
        }
        self.out.push_str(&format!("<c r=\"{}{}\" s=\"{look}\"{kind}>", letters(self.column), self.row));
        self.column += 1;
    }

    fn string(&mut self, text: &str, look: u8) {
        if text.is_empty() && self.column > 0 {
            // A blank cell is one that is not there.
            self.column += 1;
            return;
        }
        self.open(look, " t=\"inlineStr\"");
        self.out.push_str("<is><t xml:space=\"preserve\">");
        put_escaped(&mut self.out, text);
        self.out.push_str("</t></is></c>");
    }

    fn value(&mut self, digits: &str, look: u8) {
        self.open(look, "");
        self.out.push_str("<v>");
        self.out.push_str(digits);
        self.out.push_str("</v></c>");
    }
}

impl Cells for SheetRows {
    fn number(&mut self, number: u32) {
        self.value(&number.to_string(), NUMBER);
    }

    fn amount(&mut self, amount: Money) {
        let digits = amount.bare();
        if digits.bytes().filter(u8::is_ascii_digit).count() > DIGITS {
            return self.string(&digits, TEXT);
        }
        self.value(&digits, AMOUNT);
    }

    fn text(&mut self, text: &str) {
        self.string(text, TEXT);
    }

    fn end(&mut self) {
        self.out.push_str("</row>");
        self.column = 0;
    }
}

/// How wide a column is, in characters.
fn width(column: &str) -> u8 {
    match column {
        "S.No" => 8,
        "Error Message" | "External System Response" => 48,
        "Created At" | "Updated At" => 27,
        "Amount" | "Task Status" | "Sync Status" | "Refund Status" | "Refund Type" => 16,
        column if column.starts_with("Udf") => 16,
        _ => 24,
    }
}

/// The letters of a column, from 0: A, B, … Z, AA.
fn letters(mut column: usize) -> String {
    let mut name = String::new();
    loop {
        let letter = u8::try_from(column % 26).unwrap_or(0);
        name.insert(0, char::from(b'A' + letter));
        match column / 26 {
            0 => return name,
            more => column = more - 1,
        }
    }
}

/// Appends text as it may stand in XML. What XML cannot hold is written as Office writes it, `_x000D_`, and a text that
/// looks like that is written so that it comes back.
fn put_escaped(out: &mut String, text: &str) {
    for (at, character) in text.char_indices() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '_' if is_escape(text.get(at..).unwrap_or_default()) => out.push_str("_x005F_"),
            '\n' | '\t' => out.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push_str(&format!("_x{:04X}_", u32::from(character))),
            _ => out.push(character),
        }
    }
}

/// Whether a text begins with `_xHHHH_`.
fn is_escape(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("_x") else { return false };
    rest.get(..4).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && rest.get(4..).is_some_and(|rest| rest.starts_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> SheetRows {
        let mut rows = SheetRows::new("S.No,Order ID,Amount\n");
        rows.take();
        rows
    }

    #[test]
    fn amounts_are_the_digits_they_are_and_ids_are_text() {
        let mut rows = rows();
        rows.number(1);
        rows.text("007");
        rows.amount(Money::new(10_050, Currency::Inr));
        rows.end();
        assert_eq!(
            rows.take(),
            "<row r=\"2\"><c r=\"A2\" s=\"3\"><v>1</v></c><c r=\"B2\" s=\"2\" t=\"inlineStr\"><is><t \
             xml:space=\"preserve\">007</t></is></c><c r=\"C2\" s=\"4\"><v>100.50</v></c></row>"
        );
        // A float has 15 digits for sure: 9,999,999,999,999.99 is a number, more would come back as another amount.
        rows.amount(Money::new(999_999_999_999_999, Currency::Inr));
        assert!(rows.take().contains("<v>9999999999999.99</v>"));
        rows.amount(Money::new(9_007_199_254_740_993, Currency::Inr));
        assert!(rows.take().contains("t=\"inlineStr\"><is><t xml:space=\"preserve\">90071992547409.93</t>"));
    }

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        for (currency, format) in [(Currency::Inr, "0.00"), (Currency::Jpy, "0"), (Currency::Kwd, "0.000")] {
            let styles = styles(currency);
            assert!(styles.contains(&format!("formatCode=\"{format}\"")), "{styles}");
        }
    }

    #[test]
    fn what_xml_cannot_hold_comes_back() {
        for (text, written) in [
            ("=1+1", "=1+1"),
            ("<a & \"b\">", "&lt;a &amp; &quot;b&quot;&gt;"),
            ("a\r\n\u{1}", "a_x000D_\n_x0001_"),
            ("_x000D_", "_x005F_x000D_"),
            ("_x00", "_x00"),
            ("ORD_x1", "ORD_x1"),
            ("_xé000_", "_xé000_"),
        ] {
            let mut out = String::new();
            put_escaped(&mut out, text);
            assert_eq!(out, written, "{text:?}");
        }
    }

    #[test]
    fn columns_have_letters() {
        assert_eq!([0, 20, 25, 26, 51, 52, 702].map(letters), ["A", "U", "Z", "AA", "AZ", "BA", "AAA"]);
    }

    #[test]
    fn the_sheet_keeps_its_header_in_sight() {
        let mut sheet = SheetRows::new("S.No,Order ID,Amount\n");
        let head = sheet.take();
        assert!(
            head.contains("<pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/>"),
            "{head}"
        );
        assert!(
            head.contains("<c r=\"B1\" s=\"1\" t=\"inlineStr\"><is><t xml:space=\"preserve\">Order ID</t></is></c>")
        );
        assert!(sheet.finish().starts_with("</sheetData><autoFilter ref=\"A1:C1\"/>"));
    }
}
