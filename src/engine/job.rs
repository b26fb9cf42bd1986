//! One stage of a run: what it reads, how it maps, where its results go.

use super::run::RunError;
use super::seen::Target;
use crate::dedupe::Policy;
use crate::ledger::record::{Shape, StageHeader};
use crate::mapping::Plan;
use crate::source::{Dataset, RecordedSource, digest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One stage, opened and compiled.
#[derive(Clone)]
pub struct StageJob {
    /// The input.
    pub dataset: Arc<Dataset>,
    /// How rows are mapped.
    pub plan: Arc<Plan>,
    /// Digest of the mapping file.
    pub mapping: u128,
    /// What happens to rows that share a key.
    pub duplicates: Policy,
    /// Where the results go.
    pub results: PathBuf,
    /// Whether results hold the source's columns.
    pub with_source: bool,
    /// Whether records are listed that were loaded before and that the input no longer has: of customers and organizations.
    pub gone: bool,
    /// What else shapes its rows and batches, by name, as a person wrote it.
    pub settings: BTreeMap<String, String>,
    /// The mapping file.
    pub mapping_path: PathBuf,
    /// What opens the input again in another run, where that can be.
    pub source: Option<RecordedSource>,
    /// Of a retry: what it retries.
    pub retries: Option<Retried>,
}

/// Which rows a retry loads again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// The stage of the run it retries, whose row numbers it uses.
    pub stage: u32,
    /// How many they are, and a digest of their numbers: a run that stopped is continued only with the same rows.
    pub rows: (u64, u64),
}

impl StageJob {
    /// What the stage writes, as far as its records and single calls are concerned.
    #[must_use]
    pub fn target(&self, stage: u32) -> Target {
        let plan = &self.plan;
        Target {
            stage,
            entity: plan.entity(),
            family: plan.family(),
            asked: plan.asked(),
            key_detail: plan.key_detail().map(str::to_owned),
        }
    }

    /// What the ledger keeps of the stage: what it reads, how it maps, what it writes. Blocks: it reads the inputs.
    ///
    /// # Errors
    /// When an input cannot be read.
    pub fn header(&self, stage: u32) -> Result<StageHeader, RunError> {
        // rows that were kept stand in one file, whichever they came from
        let mut last: Option<(&Path, u128)> = None;
        let files = self.dataset.files().iter().map(|file| {
            let digest = match last {
                Some((path, digest)) if path == file.path => digest,
                _ => digest::file(&file.path).map_err(|source| RunError::Io {
                    doing: format!("read {}", file.name),
                    source,
                })?,
            };
            last = Some((&file.path, digest));
            Ok((file.name.clone(), file.bytes, digest))
        });
        let files = files.collect::<Result<_, RunError>>()?;
        let mut settings = self.settings.clone();
        settings.insert("duplicates".into(), self.duplicates.name().into());
        if let Some(Retried { rows, .. }) = &self.retries {
            let (count, digest) = rows;
            settings.insert("choice of rows".into(), format!("{count} ({digest:016x})"));
        }
        let mapping_path = absolute(&self.mapping_path);
        // a source is plain data: it can be written
        let source = self
            .source
            .as_ref()
            .and_then(|source| source.to_json().ok());
        let (entity, family) = (self.plan.entity(), self.plan.family());
        Ok(StageHeader {
            stage,
            entity,
            operation: self.plan.asked(),
            mapping: self.mapping,
            results: Some(absolute(&self.results).display().to_string()),
            files,
            settings,
            shape: Some(Shape {
                mapping: self.mapping,
                family: family.name().to_owned(),
                fields: self.plan.writes(),
            }),
            retries: self.retries.as_ref().map(|retried| retried.stage),
            source,
            mapping_path: Some(mapping_path.display().to_string()),
        })
    }
}

/// The same place from any folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
