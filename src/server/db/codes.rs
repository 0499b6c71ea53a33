//! Codes in rows: words of ours that a column holds. One that this program does not know is an error that names table,
//! column and row, never a default: what is shown or done by a guess would be wrong in silence.

use super::tasks::Verdict;
use crate::domain::{
    batch::BatchStatus,
    money::Currency,
    operation::Operation,
    task::{RecordExtra, TaskState, TaskStatus},
};
use sqlx::{
    Decode, FromRow, Postgres, Row, Type,
    error::BoxDynError,
    postgres::{PgRow, PgTypeInfo, PgValueRef},
};
use std::fmt::Display;

/// A row that does not hold what the rest of the program relies on.
#[derive(Debug, thiserror::Error)]
#[error("{table} {row}, column {column}: {why}")]
pub struct Inconsistency {
    table: &'static str,
    column: String,
    row: String,
    why: String,
    #[source]
    source: Option<sqlx::error::BoxDynError>,
}

impl Inconsistency {
    /// Of a value that is not known.
    pub fn unknown(table: &'static str, column: &str, row: impl Display, code: &str) -> Self {
        Self { table, column: column.to_owned(), row: row.to_string(), why: unknown(code), source: None }
    }
}

impl From<Inconsistency> for sqlx::Error {
    fn from(inconsistency: Inconsistency) -> Self {
        Self::Decode(inconsistency.into())
    }
}

/// Reads a row of `table`. What a column holds that cannot be read is an [`Inconsistency`] of the row with these key
/// columns.
pub(super) fn read<T>(
    table: &'static str,
    key: &[&str],
    row: &PgRow,
    read: impl FnOnce(&PgRow) -> sqlx::Result<T>,
) -> sqlx::Result<T> {
    read(row).map_err(|error| match error {
        sqlx::Error::ColumnDecode { index, source } => {
            let row = key.iter().map(|column| part(row, column)).collect::<Vec<_>>().join(" ");
            let column = index.trim_matches('"').to_owned();
            Inconsistency { table, column, row, why: source.to_string(), source: Some(source) }.into()
        }
        other => other,
    })
}

/// The same of a row that is read by its columns' names.
pub(super) fn row<T: for<'r> FromRow<'r, PgRow>>(table: &'static str, key: &[&str], row: &PgRow) -> sqlx::Result<T> {
    read(table, key, row, |row| T::from_row(row))
}

fn unknown(code: &str) -> String {
    // Codes of ours are short. What is longer may hold what no log should.
    if code.len() <= 40 { format!("{code:?} is not known") } else { "it cannot be read".to_owned() }
}

fn part(row: &PgRow, column: &str) -> String {
    let id = row.try_get::<uuid::Uuid, _>(column).map(|id| id.to_string());
    id.or_else(|_| row.try_get::<i64, _>(column).map(|number| number.to_string()))
        .or_else(|_| row.try_get::<i32, _>(column).map(|number| number.to_string()))
        .or_else(|_| row.try_get::<i16, _>(column).map(|number| number.to_string()))
        .or_else(|_| row.try_get::<String, _>(column))
        .unwrap_or_else(|_| "?".to_owned())
}

/// A code of ours as a text column holds it. A row's field is read through it with `#[sqlx(try_from =
/// "codes::Code<…>")]`: sqlx's traits and most of these types are of other packages.
pub struct Code<T>(pub T);

/// The code in this column.
pub(super) fn code<'r, T>(row: &'r PgRow, column: &str) -> sqlx::Result<T>
where
    Code<T>: Decode<'r, Postgres>,
{
    row.try_get::<Code<T>, _>(column).map(|code| code.0)
}

impl<T> Type<Postgres> for Code<T> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <str as Type<Postgres>>::compatible(ty)
    }
}

impl<'r, T: Coded> Decode<'r, Postgres> for Code<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        T::decode(<&str as Decode<Postgres>>::decode(value)?).map(Self)
    }
}

impl<'r, T: Coded> Decode<'r, Postgres> for Code<Option<T>> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <Option<&str> as Decode<Postgres>>::decode(value)?.map(T::decode).transpose().map(Self)
    }
}

/// What a text column may hold as a code.
pub(super) trait Coded: Sized {
    /// None when it is not known.
    fn parse(code: &str) -> Option<Self>;

    /// The error never shows more than a code.
    fn decode(code: &str) -> Result<Self, BoxDynError> {
        Self::parse(code).ok_or_else(|| unknown(code).into())
    }
}

macro_rules! codes {
    ($($type:ty: $parse:expr;)*) => {$(
        impl Coded for $type {
            fn parse(code: &str) -> Option<Self> {
                let parse: fn(&str) -> Option<Self> = $parse;
                parse(code)
            }
        }

        impl From<Code<$type>> for $type {
            fn from(code: Code<$type>) -> Self {
                code.0
            }
        }

        impl From<Code<Option<$type>>> for Option<$type> {
            fn from(code: Code<Option<$type>>) -> Self {
                code.0
            }
        }
    )*};
}

codes! {
    BatchStatus: BatchStatus::from_code;
    Currency: |code| code.trim().parse().ok();
    Operation: Operation::from_code;
    RecordExtra: |text| serde_json::from_str(text).ok();
    TaskState: TaskState::from_code;
    TaskStatus: TaskStatus::from_code;
    Verdict: Verdict::from_code;
}
