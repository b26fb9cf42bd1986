//! What has to be remembered of a source so that its rows can be read again in another run: plain data, as JSON text.

use super::chunk::SourceSchema;
use super::dataset::Dataset;
use super::spec::{CsvOptions, Format, SourceSpec};
use polars::prelude::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The type of a recorded column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RecordedKind {
    /// Text.
    Text,
    /// Signed integers of 64 bits.
    Integer,
    /// Unsigned integers of 64 bits.
    Unsigned,
    /// Floating-point numbers of 64 bits.
    Float,
    /// Booleans.
    Boolean,
    /// Dates.
    Date,
    /// Points in time, in microseconds.
    Datetime,
    /// Exact decimals.
    Decimal {
        /// Digits in all, at most 38.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// Lists of text.
    List,
}

impl RecordedKind {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Integer,
            DataType::UInt64 => Self::Unsigned,
            DataType::Float64 => Self::Float,
            DataType::Boolean => Self::Boolean,
            DataType::Date => Self::Date,
            DataType::Datetime(..) => Self::Datetime,
            DataType::Decimal(precision, scale) => {
                match (u8::try_from(*precision), u8::try_from(*scale)) {
                    (Ok(precision), Ok(scale)) => Self::Decimal { precision, scale },
                    _ => Self::Text,
                }
            }
            DataType::List(_) => Self::List,
            // a schema has no other types
            _ => Self::Text,
        }
    }

    /// The type of its column in a [`SourceSchema`].
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::String,
            Self::Integer => DataType::Int64,
            Self::Unsigned => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date,
            Self::Datetime => DataType::Datetime(TimeUnit::Microseconds, None),
            Self::Decimal { precision, scale } => {
                DataType::Decimal(usize::from(precision), usize::from(scale))
            }
            Self::List => DataType::List(Box::new(DataType::String)),
        }
    }
}

/// A recorded column: its name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedColumn {
    /// Its name in the source.
    pub name: String,
    /// Its type.
    #[serde(flatten)]
    pub kind: RecordedKind,
}

/// The columns of a source, in order: a [`SourceSchema`] that can be written down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordedSchema {
    /// Name and type of each column; names are unique.
    pub columns: Vec<RecordedColumn>,
}

impl RecordedSchema {
    /// As JSON text: `[{"name":"email","type":"text"}]`.
    ///
    /// # Errors
    /// None that a schema can cause.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// From the text of [`Self::to_json`].
    ///
    /// # Errors
    /// When the text is another one.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The schema that was recorded.
    pub(super) fn schema(&self) -> SourceSchema {
        let columns = self.columns.iter();
        SourceSchema::new(
            columns
                .map(|column| (column.name.clone(), column.kind.data_type()))
                .collect(),
        )
    }
}

impl From<&SourceSchema> for RecordedSchema {
    fn from(schema: &SourceSchema) -> Self {
        let columns = schema.columns().iter();
        Self {
            columns: columns
                .map(|(name, data_type)| RecordedColumn {
                    name: name.clone(),
                    kind: RecordedKind::of(data_type),
                })
                .collect(),
        }
    }
}

/// Where a stage's rows came from and how they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedSource {
    /// Inputs as typed.
    pub inputs: Vec<String>,
    /// The folder that they start from, absolute.
    pub base: String,
    /// The format that was asked for.
    pub format: Option<Format>,
    /// How CSV files were read.
    pub csv: CsvOptions,
    /// The columns that were found.
    pub columns: RecordedSchema,
}

impl RecordedSource {
    /// The record of a dataset that was opened by `spec`.
    #[must_use]
    pub fn new(spec: &SourceSpec, dataset: &Dataset) -> Self {
        let base = std::path::absolute(&spec.base).unwrap_or_else(|_| spec.base.clone());
        Self {
            inputs: spec.inputs.clone(),
            // a folder whose name is not text is not found again, and that is said then
            base: base.to_string_lossy().into_owned(),
            format: spec.format,
            csv: spec.csv.clone(),
            columns: dataset.schema().into(),
        }
    }

    /// The record of rows that were taken from this source and may have been edited since: nothing opens them again.
    #[must_use]
    pub fn edited(&self, columns: RecordedSchema) -> Self {
        Self {
            inputs: Vec::new(),
            base: self.base.clone(),
            format: None,
            csv: CsvOptions::default(),
            columns,
        }
    }

    /// Whether it is that of [`Self::edited`].
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.inputs.is_empty()
    }

    /// As JSON text, for the ledger.
    ///
    /// # Errors
    /// None that a record can cause.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// From the text of [`Self::to_json`].
    ///
    /// # Errors
    /// When the text is another one.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// What opens the same inputs again; standard input would be kept in `spool`.
    #[must_use]
    pub fn spec(&self, spool: &Path) -> SourceSpec {
        SourceSpec {
            inputs: self.inputs.clone(),
            base: self.base.as_str().into(),
            format: self.format,
            csv: self.csv.clone(),
            spool: spool.to_owned(),
        }
    }

    /// Whether a part of it came from standard input, which cannot be read again.
    #[must_use]
    pub fn has_stdin(&self) -> bool {
        self.inputs
            .iter()
            .any(|input| input == super::expand::STDIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: RecordedKind) -> RecordedColumn {
        RecordedColumn {
            name: name.into(),
            kind,
        }
    }

    #[test]
    fn every_type_of_a_source_survives_being_recorded() {
        let (precision, scale) = (10, 2);
        let columns = vec![
            column("text", RecordedKind::Text),
            column("int", RecordedKind::Integer),
            column("uint", RecordedKind::Unsigned),
            column("float", RecordedKind::Float),
            column("bool", RecordedKind::Boolean),
            column("date", RecordedKind::Date),
            column("time", RecordedKind::Datetime),
            column("price", RecordedKind::Decimal { precision, scale }),
            column("tags", RecordedKind::List),
        ];
        let recorded = RecordedSchema { columns };
        assert_eq!(RecordedSchema::from(&recorded.schema()), recorded);
        let text = recorded.to_json().unwrap();
        insta::assert_snapshot!(text, @r#"[{"name":"text","type":"text"},{"name":"int","type":"integer"},{"name":"uint","type":"unsigned"},{"name":"float","type":"float"},{"name":"bool","type":"boolean"},{"name":"date","type":"date"},{"name":"time","type":"datetime"},{"name":"price","type":"decimal","precision":10,"scale":2},{"name":"tags","type":"list"}]"#);
        assert_eq!(RecordedSchema::from_json(&text).unwrap(), recorded);
        assert!(RecordedSchema::from_json("[{\"name\":\"a\",\"type\":\"money\"}]").is_err());
    }

    #[test]
    fn a_source_can_be_opened_again_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), "a;b\n1;2\n").unwrap();
        let spec = SourceSpec {
            inputs: vec!["a.csv".into()],
            base: folder.path().to_owned(),
            format: None,
            csv: CsvOptions {
                delimiter: Some(b';'),
                ..CsvOptions::default()
            },
            spool: folder.path().join("spool"),
        };
        let recorded = RecordedSource::new(&spec, &Dataset::open(&spec).unwrap());
        let read = RecordedSource::from_json(&recorded.to_json().unwrap()).unwrap();
        assert_eq!(read, recorded);
        assert_eq!(read.spec(&spec.spool), spec);
        assert!(!read.has_stdin());
    }
}
