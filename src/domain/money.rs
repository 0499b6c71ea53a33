//! Money as integer minor units with a currency. Never a float.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The currencies an organisation can work in (ISO 4217).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Indian rupee, grouped by lakh and crore.
    Inr,
    /// US dollar.
    Usd,
    /// Euro.
    Eur,
    /// Pound sterling.
    Gbp,
    /// Singapore dollar.
    Sgd,
    /// Australian dollar.
    Aud,
    /// UAE dirham.
    Aed,
    /// Japanese yen, without decimals.
    Jpy,
    /// Kuwaiti dinar, with three decimals.
    Kwd,
}

impl Currency {
    /// All currencies, for pickers and tests.
    pub const ALL: [Self; 9] =
        [Self::Inr, Self::Usd, Self::Eur, Self::Gbp, Self::Sgd, Self::Aud, Self::Aed, Self::Jpy, Self::Kwd];

    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Inr => "INR",
            Self::Usd => "USD",
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
            Self::Sgd => "SGD",
            Self::Aud => "AUD",
            Self::Aed => "AED",
            Self::Jpy => "JPY",
            Self::Kwd => "KWD",
        }
    }

    /// How many decimals the currency has (ISO 4217 exponent).
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Jpy => 0,
            Self::Kwd => 3,
            _ => 2,
        }
    }

    /// Minor units in one major unit.
    pub const fn scale(self) -> i64 {
        10i64.pow(self.decimals())
    }

    /// Stands where there must be one and nothing has an amount: of an import no sum is shown, and no cell is money.
    pub const UNUSED: Self = Self::Inr;

    /// What stands before the figure.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Inr => "₹",
            Self::Usd => "$",
            Self::Eur => "€",
            Self::Gbp => "£",
            Self::Sgd => "S$",
            Self::Aud => "A$",
            Self::Aed => "AED\u{a0}",
            Self::Jpy => "¥",
            Self::Kwd => "KWD\u{a0}",
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is not the code of a currency that Batchdesk knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown currency {0:?}")]
pub struct UnknownCurrency(pub String);

impl FromStr for Currency {
    type Err = UnknownCurrency;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|currency| currency.code() == text).ok_or_else(|| UnknownCurrency(text.to_owned()))
    }
}

/// An amount of money: integer minor units (paise for INR) and their currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units of `currency`.
    pub minor: i64,
    /// The currency of `minor`.
    pub currency: Currency,
}

impl Money {
    /// An amount of `minor` units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// `100.50`: bare, as files and gateways want it.
    pub fn bare(self) -> String {
        let (sign, whole, fraction) = self.split();
        match self.currency.decimals() {
            0 => format!("{sign}{whole}"),
            d => format!("{sign}{whole}.{fraction:0width$}", width = d as usize),
        }
    }

    /// The parts that a page sets apart: sign and symbol, grouped whole units, decimals with their point.
    pub fn parts(self) -> MoneyParts {
        let (sign, whole, fraction) = self.split();
        MoneyParts {
            symbol: format!("{sign}{}", self.currency.symbol()),
            whole: group(whole, self.currency == Currency::Inr),
            fraction: match self.currency.decimals() {
                0 => String::new(),
                d => format!(".{fraction:0width$}", width = d as usize),
            },
        }
    }

    fn split(self) -> (&'static str, u64, u64) {
        let scale = self.currency.scale().unsigned_abs();
        let minor = self.minor.unsigned_abs();
        (if self.minor < 0 { "-" } else { "" }, minor / scale, minor % scale)
    }
}

/// `₹12,34,567.89`: for people.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        write!(f, "{}{}{}", parts.symbol, parts.whole, parts.fraction)
    }
}

/// An amount ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyParts {
    /// Sign and symbol, `-₹`.
    pub symbol: String,
    /// Grouped whole units, `12,34,567`.
    pub whole: String,
    /// Point and decimals, `.89`; empty for a currency without decimals.
    pub fraction: String,
}

/// Groups digits: by thousands, or by lakh and crore (three digits, then pairs).
pub fn group(number: u64, by_lakh: bool) -> String {
    let digits = number.to_string();
    let length = digits.len();
    let mut out = String::with_capacity(length + length / 2);
    for (position, digit) in digits.chars().enumerate() {
        let left = length - position;
        let comma = if by_lakh { left == 3 || (left > 3 && left % 2 == 1) } else { left.is_multiple_of(3) };
        if position > 0 && comma {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a plain decimal number at all.
    #[error("not a plain number such as 1250.00")]
    NotANumber,
    /// Zero.
    #[error("must be greater than 0")]
    Zero,
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// More decimals than the currency has.
    #[error("has more decimals than the currency")]
    TooManyDecimals,
    /// More than 13 digits before the point.
    #[error("is too large")]
    TooLarge,
}

/// Reads an amount in major units, `[0-9]{1,13}(\.[0-9]{1,d})?` with blanks around it ignored; the result is in minor
/// units and above zero.
pub fn parse_amount(text: &str, currency: Currency) -> Result<i64, AmountError> {
    let text = text.trim_matches(|c: char| c == ' ' || c == '\t');
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !fraction.is_none_or(plain) {
        return Err(AmountError::NotANumber);
    }
    if negative {
        return Err(AmountError::Negative);
    }
    let fraction = fraction.unwrap_or("");
    let decimals = currency.decimals() as usize;
    if fraction.len() > decimals {
        return Err(AmountError::TooManyDecimals);
    }
    if whole.len() > 13 {
        return Err(AmountError::TooLarge);
    }
    let number = |part: &str| if part.is_empty() { Ok(0) } else { part.parse::<i64>() };
    let whole = number(whole).map_err(|_| AmountError::TooLarge)?;
    let missing = u32::try_from(decimals - fraction.len()).unwrap_or(0);
    let fraction = number(fraction).map_err(|_| AmountError::TooLarge)? * 10i64.pow(missing);
    match whole * currency.scale() + fraction {
        0 => Err(AmountError::Zero),
        minor => Ok(minor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn money_is_grouped_by_currency() {
        for (minor, currency, shown, bare) in [
            (123_456_789, Currency::Inr, "₹12,34,567.89", "1234567.89"),
            (10_000_000, Currency::Inr, "₹1,00,000.00", "100000.00"),
            (12_345_678_950, Currency::Inr, "₹12,34,56,789.50", "123456789.50"),
            (-95_005, Currency::Inr, "-₹950.05", "-950.05"),
            (-5, Currency::Inr, "-₹0.05", "-0.05"),
            (0, Currency::Inr, "₹0.00", "0.00"),
            (99_999, Currency::Inr, "₹999.99", "999.99"),
            (100_000, Currency::Inr, "₹1,000.00", "1000.00"),
            (10_000_000, Currency::Usd, "$100,000.00", "100000.00"),
            (123_456_789, Currency::Eur, "€1,234,567.89", "1234567.89"),
            (123_456_789, Currency::Aud, "A$1,234,567.89", "1234567.89"),
            (1_234_567, Currency::Jpy, "¥1,234,567", "1234567"),
            (1_234_500, Currency::Kwd, "KWD\u{a0}1,234.500", "1234.500"),
            (1, Currency::Kwd, "KWD\u{a0}0.001", "0.001"),
            (i64::MIN, Currency::Jpy, "-¥9,223,372,036,854,775,808", "-9223372036854775808"),
        ] {
            let money = Money::new(minor, currency);
            assert_eq!(money.to_string(), shown);
            assert_eq!(money.bare(), bare);
        }
    }

    #[test]
    fn currencies_are_known_by_their_code() {
        for currency in Currency::ALL {
            assert_eq!(currency.code().parse(), Ok(currency));
            assert_eq!(currency.scale(), 10i64.pow(currency.decimals()));
        }
        assert_eq!("inr".parse::<Currency>(), Err(UnknownCurrency("inr".to_owned())));
    }

    #[test]
    fn amounts_follow_the_grammar() {
        use AmountError as E;
        let inr = |text| parse_amount(text, Currency::Inr);
        for (text, minor) in [
            ("100", 10_000),
            ("100.5", 10_050),
            ("007.50", 750),
            (" 0.01\t", 1),
            ("9999999999999.99", 999_999_999_999_999),
        ] {
            assert_eq!(inr(text), Ok(minor), "{text}");
        }
        for (text, error) in [
            ("", E::NotANumber),
            (" ", E::NotANumber),
            (".", E::NotANumber),
            (".5", E::NotANumber),
            ("5.", E::NotANumber),
            ("1.2.3", E::NotANumber),
            ("+5", E::NotANumber),
            ("--5", E::NotANumber),
            ("- 5", E::NotANumber),
            ("1e3", E::NotANumber),
            ("1,000.00", E::NotANumber),
            ("1_000", E::NotANumber),
            ("NaN", E::NotANumber),
            ("inf", E::NotANumber),
            ("0x10", E::NotANumber),
            ("１００", E::NotANumber),
            ("१००", E::NotANumber),
            ("5\u{a0}", E::NotANumber),
            ("-5", E::Negative),
            ("-0", E::Negative),
            ("-5.", E::NotANumber),
            ("0", E::Zero),
            ("0.00", E::Zero),
            ("10.005", E::TooManyDecimals),
            ("10.000", E::TooManyDecimals),
            ("12345678901234", E::TooLarge),
            ("00000000000001", E::TooLarge),
        ] {
            assert_eq!(inr(text), Err(error), "{text}");
        }
        assert_eq!(parse_amount("5", Currency::Jpy), Ok(5));
        assert_eq!(parse_amount("5.0", Currency::Jpy), Err(E::TooManyDecimals));
        assert_eq!(parse_amount("5.125", Currency::Kwd), Ok(5_125));
    }

    proptest! {
        #[test]
        fn what_is_written_bare_is_read_back(minor in 1..=999_999_999_999_999i64, index in 0..Currency::ALL.len()) {
            let money = Money::new(minor.min(10i64.pow(13) - 1), Currency::ALL[index]);
            prop_assert_eq!(parse_amount(&money.bare(), money.currency), Ok(money.minor));
        }

        #[test]
        fn grouping_only_adds_commas(number in any::<u64>(), by_lakh in any::<bool>()) {
            let grouped = group(number, by_lakh);
            prop_assert_eq!(grouped.replace(',', ""), number.to_string());
            let groups: Vec<usize> = grouped.split(',').map(str::len).collect();
            let (last, before) = groups.split_last().unwrap();
            prop_assert!(before.is_empty() || *last == 3);
            let full = if by_lakh { 2 } else { 3 };
            prop_assert!(before.iter().skip(1).all(|length| *length == full));
            prop_assert!(before.first().is_none_or(|length| (1..=full).contains(length)));
        }
    }
}
