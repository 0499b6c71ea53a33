//! What a connection to a gateway may be asked, as a person sets it.

/// Most requests a second, and most at once, that can be set.
const MOST_A_SECOND: u32 = 10_000;
/// Most calls on the wire that can be set.
const MOST_AT_ONCE: u32 = 1_000;

/// The limits of a connection. What is none is not limited, or left to the operator's default (calls on the wire).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Calls on the wire at once.
    pub concurrency: Option<u32>,
    /// Requests a second, sends and questions together.
    pub rate: Option<u32>,
    /// Requests at once after a rest; none: evenly spaced.
    pub burst: Option<u32>,
}

/// A field of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitField {
    /// Calls on the wire.
    Concurrency,
    /// Requests a second.
    Rate,
    /// Requests at once.
    Burst,
}

impl LimitField {
    const fn most(self) -> u32 {
        match self {
            Self::Concurrency => MOST_AT_ONCE,
            Self::Rate | Self::Burst => MOST_A_SECOND,
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Concurrency => "Calls at once",
            Self::Rate => "Requests a second",
            Self::Burst => "Requests in a row",
        }
    }

    /// Reads what was typed; blank means none. The error is a sentence.
    pub fn read(self, typed: &str) -> Result<Option<u32>, String> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Ok(None);
        }
        let (what, most) = (self.what(), self.most());
        let digits = typed.strip_prefix('-').unwrap_or(typed);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{what} must be a whole number, or blank for no limit."));
        }
        if typed.starts_with('-') || digits.bytes().all(|byte| byte == b'0') {
            let instead = "To send nothing, pause the connection.";
            return Err(format!("{what} must be at least 1. {instead}"));
        }
        match digits.parse::<u32>() {
            Ok(number) if number <= most => Ok(Some(number)),
            _ => Err(format!("{what} must be at most {most}.")),
        }
    }
}

impl ConnectionLimits {
    /// Reads three fields of a form. Every field that cannot be read has its sentence.
    pub fn read(concurrency: &str, rate: &str, burst: &str) -> Result<Self, Vec<(LimitField, String)>> {
        let mut wrong = Vec::new();
        let mut read = |field: LimitField, typed: &str| {
            field.read(typed).unwrap_or_else(|sentence| {
                wrong.push((field, sentence));
                None
            })
        };
        let limits = Self {
            concurrency: read(LimitField::Concurrency, concurrency),
            rate: read(LimitField::Rate, rate),
            burst: read(LimitField::Burst, burst),
        };
        wrong.extend(limits.check().err());
        if wrong.is_empty() { Ok(limits) } else { Err(wrong) }
    }

    /// Whether they can be stored. The error is the field and a sentence.
    pub fn check(&self) -> Result<(), (LimitField, String)> {
        for (field, value) in [
            (LimitField::Concurrency, self.concurrency),
            (LimitField::Rate, self.rate),
            (LimitField::Burst, self.burst),
        ] {
            if let Some(value) = value {
                field.read(&value.to_string()).map_err(|sentence| (field, sentence))?;
            }
        }
        if self.burst.is_some() && self.rate.is_none() {
            let sentence = "Requests in a row need a limit of requests a second; without one there is no limit at all.";
            return Err((LimitField::Burst, sentence.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_less_are_refused_with_a_sentence() {
        for field in [LimitField::Concurrency, LimitField::Rate, LimitField::Burst] {
            for typed in ["0", "-1", "-0", "000", " 0 ", "-99999999999999999999"] {
                let sentence = field.read(typed).unwrap_err();
                assert!(sentence.contains("at least 1"), "{typed}: {sentence}");
            }
            for typed in ["1.5", "1e3", "+1", "five", "-", "1 2", "١"] {
                assert!(field.read(typed).unwrap_err().contains("whole number"), "{typed}");
            }
            for typed in ["10001", "4294967296", "99999999999999999999"] {
                assert!(field.read(typed).unwrap_err().contains("at most"), "{typed}");
            }
            assert_eq!(field.read(""), Ok(None));
            assert_eq!(field.read(" 7 "), Ok(Some(7)));
        }
        assert!(LimitField::Concurrency.read("1001").is_err());
        assert_eq!(LimitField::Rate.read("10000"), Ok(Some(10_000)));
    }

    #[test]
    fn all_fields_are_read_and_all_mistakes_named() {
        let limits = ConnectionLimits { concurrency: Some(4), rate: Some(5), burst: Some(2) };
        assert_eq!(ConnectionLimits::read("4", "5", "2"), Ok(limits));
        assert_eq!(ConnectionLimits::read("", "", ""), Ok(ConnectionLimits::default()));
        let wrong = ConnectionLimits::read("0", "-5", "x").unwrap_err();
        assert_eq!(
            wrong.iter().map(|(field, _)| *field).collect::<Vec<_>>(),
            [LimitField::Concurrency, LimitField::Rate, LimitField::Burst]
        );
        assert_eq!(ConnectionLimits::read("", "", "3").unwrap_err()[0].0, LimitField::Burst);
        assert!(ConnectionLimits { rate: Some(0), ..ConnectionLimits::default() }.check().is_err());
    }
}
