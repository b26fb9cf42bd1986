//! Up to the run: which rows of a results file are loaded again, by which mapping, and where to.

use crate::api::contract::Contract;
use crate::cli::args::RetryArgs;
use crate::cli::exit::{Exit, Failure};
use crate::engine::job::{Retried, StageJob};
use crate::mapping::{MappingFile, Plan};
use crate::report::results;
use crate::retry::{Filter, Ledgered, Origin, Prepared, Request, prepare};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a run needs to load the rows again.
pub(super) struct Ready {
    /// The run whose rows they are, which the new run links to.
    pub(super) retry_of: String,
    /// Where the rows are read from.
    pub(super) origin: Origin,
    /// The one stage of the new run.
    pub(super) job: StageJob,
    /// What a person is told first: sentences without cell values.
    pub(super) told: Vec<String>,
}

/// Finds the rows, maps nothing yet. `spool` is a private folder for rows on their way; `date` and `run` expand in the
/// name of the new results.
///
/// # Errors
/// When the file, the ledger, the source or the mapping do not allow it; nothing was sent.
pub(super) fn ready(
    args: &RetryArgs,
    ledger: &mut impl Ledgered,
    spool: &Path,
    contract: &Contract,
    date: &str,
    run: &str,
) -> Result<Ready, Failure> {
    let named = args.results.as_deref();
    let request = Request {
        file: &args.file,
        encoding: args.csv_encoding.as_deref(),
        filter: Filter {
            statuses: args.status.clone(),
            codes: args.code.clone(),
        },
        mapping: args.mapping.clone(),
        results: named.map(|name| PathBuf::from(results::expand_name(name, date, run))),
        spool,
    };
    let prepared = prepare(&request, ledger).map_err(|error| Failure::of(Exit::Input, &error))?;
    let told = prepared.told.sentences();
    let failed = |message: String| Failure::new(Exit::Input, message);
    let mapping =
        MappingFile::read(&prepared.mapping).map_err(|error| failed(error.to_string()))?;
    if mapping.entity() != prepared.entity {
        return Err(failed(format!(
            "the rows are {}s, and the mapping {} is for {}s; name the right mapping with --mapping",
            prepared.entity,
            prepared.mapping.display(),
            mapping.entity()
        )));
    }
    let plan = Plan::compile(&mapping, prepared.dataset.schema(), contract)
        .map_err(|error| failed(format!("{error}{}", note(&prepared))))?;
    let duplicates = prepared.duplicates.as_deref();
    let duplicates = duplicates.and_then(|policy| policy.parse().ok());
    Ok(Ready {
        retry_of: prepared.run,
        origin: prepared.origin,
        job: StageJob {
            dataset: Arc::new(prepared.dataset),
            plan: Arc::new(plan),
            mapping: mapping.digest(),
            duplicates: args.duplicates.or(duplicates).unwrap_or_default(),
            results: prepared.results,
            // what is edited in the new results is retried from them again
            with_source: args.with_source || prepared.origin == Origin::ResultsFile,
            settings: BTreeMap::new(),
            gone: false,
            mapping_path: prepared.mapping,
            source: prepared.source,
            retries: Some(Retried {
                stage: prepared.stage,
                rows: (prepared.rows, prepared.choice),
            }),
        },
        told,
    })
}

/// Why a column of the mapping may be missing.
fn note(prepared: &Prepared) -> String {
    match prepared.told.absent.as_slice() {
        [] => String::new(),
        absent => format!(
            "\n\nnote: the results file no longer has {}; restore what the mapping uses\n",
            absent.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedupe::Policy;
    use crate::model::entity::Entity;
    use crate::model::outcome::Status;
    use crate::model::row::{FileId, RowId};
    use crate::retry::{KnownFile, KnownRow, KnownRun, KnownStage, LedgeredError};
    use crate::source::{CsvOptions, RecordedColumn, RecordedKind, RecordedSchema, RecordedSource};
    use clap::Parser;
    use std::fs;
    use tempfile::TempDir;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        retry: RetryArgs,
    }

    /// A run of failed customers, all rows alike.
    struct AllFailed;

    impl Ledgered for AllFailed {
        fn run(&mut self, id: &str) -> Result<Option<KnownRun>, LedgeredError> {
            let column = |name: &str| RecordedColumn {
                name: name.to_owned(),
                kind: RecordedKind::Text,
            };
            let source = RecordedSource {
                inputs: vec!["people.csv".into()],
                base: "/nowhere".into(),
                format: None,
                csv: CsvOptions::default(),
                columns: RecordedSchema {
                    columns: vec![column("email"), column("name")],
                },
            };
            let stage = KnownStage {
                stage: 0,
                entity: Entity::Customer,
                mapping: None,
                duplicates: Some("first".into()),
                files: vec![KnownFile {
                    name: "people.csv".into(),
                    bytes: 0,
                    digest: 0,
                }],
                source: Some(source),
            };
            Ok(Some(KnownRun {
                id: id.to_owned(),
                unfinished: None,
                stages: vec![stage],
            }))
        }

        fn row(&mut self, _: &str, _: u32, row: RowId) -> Result<Option<KnownRow>, LedgeredError> {
            Ok(Some(KnownRow {
                file: FileId(0),
                line: Some(row.0 + 1),
                status: Status::Failed,
                codes: Vec::new(),
            }))
        }
    }

    fn folder(results: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let people =
            "entity = \"customer\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n";
        fs::write(folder.path().join("people.toml"), people).unwrap();
        let products = "entity = \"product\"\n[fields]\nname = \"name\"\n";
        fs::write(folder.path().join("products.toml"), products).unwrap();
        fs::write(folder.path().join("out.csv"), results).unwrap();
        folder
    }

    fn typed(folder: &TempDir, flags: &str) -> Result<Ready, String> {
        let here = format!("{}/", folder.path().display());
        let words = format!("retry …out.csv {flags}").replace('…', &here);
        let args = Typed::try_parse_from(words.split_whitespace())
            .unwrap()
            .retry;
        ready(
            &args,
            &mut AllFailed,
            folder.path(),
            &Contract::default(),
            "2026-01-31",
            "R2",
        )
        .map_err(|failure| failure.to_string().replace(&here, "…"))
    }

    #[test]
    fn a_retry_is_a_stage_of_its_own() {
        let folder =
            folder("run,row,src.email,src.name\nR1,7,a@example.com,Ana\nR1,3,b@example.com,Bo\n");
        let flags = "--mapping …people.toml --with-source --results …{date}-{run}.csv --status failed,rejected";
        let ready = typed(&folder, flags).unwrap();
        assert_eq!(ready.retry_of, "R1");
        assert_eq!(ready.job.retries.as_ref().unwrap().stage, 0);
        assert_eq!(ready.origin, Origin::ResultsFile);
        assert_eq!(ready.told, ["2 rows are loaded again (2 failed)"]);
        assert_eq!(ready.job.results, folder.path().join("2026-01-31-R2.csv"));
        assert!(ready.job.with_source);
        assert_eq!(ready.job.duplicates, Policy::First, "as in the run");
        let request = crate::source::ChunkRequest::default();
        let chunk = ready.job.dataset.chunks(&request).next().unwrap().unwrap();
        assert_eq!(
            (chunk.ids, chunk.lines),
            (vec![RowId(3), RowId(7)], vec![4, 8])
        );
    }

    #[test]
    fn what_cannot_be_mapped_is_said_before_anything_is_sent() {
        let folder = folder("run,row,src.email\nR1,7,a@example.com\n");
        insta::assert_snapshot!(typed(&folder, "--status rejected --mapping …people.toml").err().unwrap(), @"…out.csv: no row is left to load again (1 failed); name other rows with --status or --code, or load them with csm-loader load");
        insta::assert_snapshot!(typed(&folder, "--mapping …products.toml").err().unwrap(), @"the rows are customers, and the mapping …products.toml is for products; name the right mapping with --mapping");
        insta::assert_snapshot!(typed(&folder, "--mapping …people.toml").err().unwrap(), @r#"
        error: unknown column "name"
         --> …people.toml:4:16
          |
        4 | display_name = "name"
          |                ^^^^^^
          |
          = help: the only column here is "email"

        note: the results file no longer has src.name; restore what the mapping uses
        "#);
    }
}
