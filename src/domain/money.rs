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
    /// UAE dirham.
    Aed,
    /// Japanese yen, without decimals.
    Jpy,
    /// Kuwaiti dinar, with three decimals.
    Kwd,
}

impl Currency {
    /// All currencies, for pickers and tests.
    pub const ALL: [Self; 8] = [Self::Inr, Self::Usd, Self::Eur, Self::Gbp, Self::Sgd, Self::Aed, Self::Jpy, Self::Kwd];

    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Inr => "INR",
            Self::Usd => "USD",
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
            Self::Sgd => "SGD",
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

    /// What stands before the figure.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Inr => "₹",
            Self::Usd => "$",
            Self::Eur => "€",
            Self::Gbp => "£",
            Self::Sgd => "S$",
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

/// Reads an amount in major units, `[0-9]{1,13}(\.[0-9]{1,d})?` with blanks around it ignored; the result is in minor units
/// and above zero.
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
