//! Tests of the mapping as its users see it: faults of files, rows of chunks, properties.

mod definitions;
mod entitlements;
mod families;
mod faults;
mod hierarchy;
mod properties;
mod rows;

use crate::api::contract::Contract;
use crate::mapping::{Diagnostics, Draft, Emit, MappingFile, Plan, References};
use crate::model::row::{FileId, Mapped, Reason, RowId};
use crate::source::chunk::{RowChunk, SourceSchema};
use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NamedFrom, Series};

/// A schema of columns; `name` is text, `name:type` another type.
fn schema(columns: &[&str]) -> SourceSchema {
    let columns = columns.iter().map(|column| {
        let (name, kind) = column.split_once(':').unwrap_or((column, "text"));
        let kind = match kind {
            "text" => DataType::String,
            "integer" => DataType::Int64,
            "number" => DataType::Float64,
            "boolean" => DataType::Boolean,
            "date" => DataType::Date,
            "list" => DataType::List(Box::new(DataType::String)),
            other => panic!("{other}"),
        };
        (name.to_owned(), kind)
    });
    SourceSchema::new(columns.collect())
}

fn parse(text: &str) -> Result<MappingFile, Diagnostics> {
    MappingFile::parse("m.toml", text.to_owned())
}

/// The plan of a mapping over the columns of a chunk.
fn plan_for(text: &str, columns: &[Column]) -> Plan {
    let schema = columns
        .iter()
        .map(|column| (column.name().to_string(), column.dtype().clone()));
    Plan::compile(
        &parse(text).unwrap(),
        &SourceSchema::new(schema.collect()),
        &Contract::default(),
    )
    .unwrap_or_else(|faults| panic!("{faults}"))
}

/// A text column; `-` is null.
fn text(name: &str, cells: &[&str]) -> Column {
    let cells: Vec<_> = cells
        .iter()
        .map(|cell| (*cell != "-").then_some(*cell))
        .collect();
    Series::new(name.into(), cells).into_column()
}

/// A column of any type that Polars can make from values.
fn column<T, P: ?Sized>(name: &str, cells: T) -> Column
where
    Series: NamedFrom<T, P>,
{
    Series::new(name.into(), cells).into_column()
}

/// A chunk of rows from 1 on, each on the line after its number.
fn chunk(columns: Vec<Column>) -> RowChunk {
    let rows = columns.first().map_or(0, Column::len);
    chunk_of(rows, columns)
}

fn chunk_of(rows: usize, columns: Vec<Column>) -> RowChunk {
    let ids: Vec<_> = (1..=rows as u64).map(RowId).collect();
    RowChunk {
        file: FileId(0),
        lines: ids.iter().map(|id| id.0 + 1).collect(),
        ids,
        frame: DataFrame::new(rows, columns).unwrap(),
        bad: Vec::new(),
    }
}

fn draft(mapping: &str, columns: Vec<Column>) -> Draft {
    plan_for(mapping, &columns).draft(&chunk(columns))
}

/// Maps columns without looking names up.
fn map(mapping: &str, columns: Vec<Column>) -> Mapped {
    draft(mapping, columns).finish(&References::UNCHECKED, Emit::Payloads)
}

/// The payloads of the rows that may be sent, then the refused rows with their reasons, one line each.
fn shown(mapped: &Mapped) -> String {
    let rows = mapped.rows.iter().map(|row| {
        let (id, key) = (row.row.id.0, row.row.key.as_str());
        format!("{id} [{key}] {}\n", row.item.as_str())
    });
    let rejected = mapped.rejected.iter().map(|row| {
        let (id, key) = (row.row.id.0, row.row.key.as_str());
        format!("{id} [{key}] {}\n", reasons(&row.reasons))
    });
    rows.chain(rejected).collect()
}

fn reasons(reasons: &[Reason]) -> String {
    let reasons: Vec<_> = reasons
        .iter()
        .map(|reason| {
            let field = reason.field.as_deref().unwrap_or("-");
            format!("{} {field}: {}", reason.code, reason.message)
        })
        .collect();
    reasons.join("; ")
}
