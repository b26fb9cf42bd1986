//! What is read, and how.

use super::input;
use crate::cli::args::StageArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::job::{CsvTable, StageTable};
use crate::dedupe::Policy;
use crate::model::entity::Entity;
use crate::source::{CsvOptions, Format, Header};
use std::path::{Path, PathBuf};

/// One stage.
#[derive(Debug, Clone)]
pub(in crate::cli) struct StageSettings {
    pub(in crate::cli) entity: Option<Entity>,
    pub(in crate::cli) mapping: PathBuf,
    pub(in crate::cli) inputs: Vec<String>,
    /// The folder that the inputs start from.
    pub(in crate::cli) base: PathBuf,
    pub(in crate::cli) format: Option<Format>,
    pub(in crate::cli) csv: CsvOptions,
    /// As written, with `{date}` and `{run}`; the folder it starts from is already in front.
    pub(in crate::cli) results: Option<String>,
    pub(in crate::cli) with_source: bool,
    pub(in crate::cli) duplicates: Policy,
    /// Whether what the input no longer has is listed.
    pub(in crate::cli) gone: bool,
}

pub(super) fn stages(
    args: &StageArgs,
    tables: Vec<StageTable>,
    base: &Path,
) -> Result<Vec<StageSettings>, Failure> {
    let stages = match (&args.mapping, tables.is_empty()) {
        (Some(mapping), _) => vec![stage_of_flags(args, mapping)?],
        (None, _) => tables
            .into_iter()
            .map(|table| stage_of_table(args, table, base))
            .collect::<Result<Vec<_>, _>>()?,
    };
    if args.results.is_some() && stages.len() > 1 {
        let message = "--results names one file, and the job has several stages; write results into each [[stage]]";
        return Err(Failure::new(Exit::Usage, message));
    }
    if stages
        .iter()
        .flat_map(|stage| &stage.inputs)
        .filter(|input| *input == "-")
        .count()
        > 1
    {
        return Err(input(
            "standard input (-) is named more than once; it can be read by one stage only".into(),
        ));
    }
    Ok(stages)
}

fn stage_of_flags(args: &StageArgs, mapping: &Path) -> Result<StageSettings, Failure> {
    Ok(StageSettings {
        entity: args.entity,
        mapping: mapping.to_owned(),
        inputs: args.input.clone(),
        base: PathBuf::new(),
        format: args.format,
        csv: csv_options(args, CsvTable::default())?,
        results: args.results.clone(),
        with_source: args.with_source,
        duplicates: args.duplicates.unwrap_or_default(),
        gone: false,
    })
}

fn stage_of_table(
    args: &StageArgs,
    table: StageTable,
    base: &Path,
) -> Result<StageSettings, Failure> {
    let format = match (args.format, table.format) {
        (Some(format), _) => Some(format),
        (None, Some(word)) => Some(
            word.parse()
                .map_err(|error| input(format!("format in [[stage]]: {error}")))?,
        ),
        (None, None) => None,
    };
    let results = table
        .results
        .map(|results| base.join(results).display().to_string());
    Ok(StageSettings {
        entity: table.entity,
        mapping: base.join(table.mapping),
        inputs: table.input.into(),
        base: base.to_owned(),
        format,
        csv: csv_options(args, table.csv)?,
        results: args.results.clone().or(results),
        with_source: args.with_source || table.with_source,
        duplicates: args.duplicates.or(table.duplicates).unwrap_or_default(),
        gone: table.gone.is_some(),
    })
}

fn csv_options(args: &StageArgs, table: CsvTable) -> Result<CsvOptions, Failure> {
    let of_flags = |error| Failure::new(Exit::Usage, error);
    let usual = CsvOptions::default();
    Ok(CsvOptions {
        delimiter: match (&args.csv_delimiter, &table.delimiter) {
            (Some(text), _) => Some(delimiter(text).map_err(of_flags)?),
            (None, Some(text)) => Some(delimiter(text).map_err(input)?),
            (None, None) => None,
        },
        encoding: args.csv_encoding.clone().or(table.encoding),
        header: args
            .csv_columns
            .clone()
            .or(table.columns)
            .map_or(Header::FromFile, Header::Names),
        max_record: match (&args.csv_max_record, &table.max_record) {
            (Some(text), _) => bytes(text).map_err(of_flags)?,
            (None, Some(text)) => bytes(text).map_err(input)?,
            (None, None) => usual.max_record,
        },
    })
}

fn delimiter(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        (_, [byte]) if !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(format!(
            "the CSV delimiter {text:?} is not one ASCII character; write it as in \";\" or \"tab\""
        )),
    }
}

/// `16MiB`, `512KiB`, `1048576`
fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kib" | "k" => Some(1 << 10),
        "mib" | "m" => Some(1 << 20),
        "gib" | "g" => Some(1 << 30),
        "kb" => Some(1_000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        _ => None,
    };
    let number = digits
        .trim()
        .parse::<usize>()
        .ok()
        .filter(|number| *number > 0);
    unit.zip(number)
        .and_then(|(unit, number)| number.checked_mul(unit))
        .ok_or_else(|| format!("{text:?} is not a size; write it as in 16MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, expected) in [
            ("16MiB", 16 << 20),
            ("1k", 1024),
            ("2MB", 2_000_000),
            ("7", 7),
        ] {
            assert_eq!(bytes(text).unwrap(), expected, "{text}");
        }
        assert!(
            bytes("0").is_err() && bytes("1 furlong").is_err() && bytes("99999999999gib").is_err()
        );
    }
}
