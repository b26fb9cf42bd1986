//! What the ledger says about a run whose rows are retried.

use crate::ledger::record::StageHeader;
use crate::ledger::{Chain, Reader, RunState};
use crate::model::row::{FileId, RowId};
use crate::retry::{KnownFile, KnownRow, KnownRun, KnownStage, Ledgered, LedgeredError};
use crate::source::RecordedSource;
use std::path::{Path, PathBuf};

/// What makes two retries the same job: the run and the results file. A load never has this name.
pub(super) fn job_name(run: &str, results: &Path) -> String {
    let place = results
        .canonicalize()
        .unwrap_or_else(|_| results.to_owned());
    format!("retry of {run} from {}", place.display())
}

/// The ledger of a state folder, asked on behalf of one retry.
pub(super) struct Recorded {
    reader: Reader,
    /// The interrupted run that this one continues or takes the place of: which rows it was for is not changed by what it
    /// has loaded of them.
    ours: Option<String>,
    /// A run that is over, though it is closed only when another takes its place.
    settled: Option<String>,
    results: PathBuf,
    /// The stage that rows were asked for last.
    chain: Option<(String, u32, Chain)>,
}

impl Recorded {
    /// Asks for a retry of this results file: one that continues `ours`, else the latest of the same job that is open.
    pub(super) fn new(
        reader: Reader,
        ours: Option<String>,
        settled: Option<&str>,
        results: &Path,
    ) -> Self {
        Self {
            reader,
            ours,
            settled: settled.map(str::to_owned),
            results: results.to_owned(),
            chain: None,
        }
    }

    fn known(header: StageHeader) -> Result<KnownStage, LedgeredError> {
        let source = header.source.as_deref();
        Ok(KnownStage {
            stage: header.stage,
            entity: header.entity,
            mapping: header.mapping_path.map(PathBuf::from),
            duplicates: header.settings.get("duplicates").cloned(),
            source: source.map(RecordedSource::from_json).transpose()?,
            files: header
                .files
                .into_iter()
                .map(|(name, bytes, digest)| KnownFile {
                    name,
                    bytes,
                    digest,
                })
                .collect(),
        })
    }
}

impl Ledgered for Recorded {
    fn run(&mut self, id: &str) -> Result<Option<KnownRun>, LedgeredError> {
        let mut runs = self.reader.runs()?.into_iter();
        let Some(run) = runs.find(|run| run.id == id) else {
            return Ok(None);
        };
        let mut relatives = self.reader.open_relatives(id)?;
        relatives.retain(|run| self.settled.as_ref() != Some(&run.id));
        let job = job_name(id, &self.results);
        if self.ours.is_none() {
            let mut same = relatives.iter().rev();
            let same = same.find(|run| run.job.as_deref() == Some(&*job));
            self.ours = same.map(|run| run.id.clone());
        }
        let mut others = relatives.into_iter().map(|run| run.id);
        let other = others.find(|run| self.ours.as_ref() != Some(run));
        let stages = self.reader.stages(id)?.into_iter();
        Ok(Some(KnownRun {
            unfinished: match run.state {
                RunState::Open => Some(run.id.clone()),
                RunState::Finished | RunState::Superseded { .. } => other,
            },
            stages: stages
                .map(|stage| Self::known(stage.header))
                .collect::<Result<_, _>>()?,
            id: run.id,
        }))
    }

    fn row(
        &mut self,
        run: &str,
        stage: u32,
        row: RowId,
    ) -> Result<Option<KnownRow>, LedgeredError> {
        let chain = match self.chain.take() {
            Some((r, s, chain)) if r == run && s == stage => chain,
            _ => self.reader.chain(run, stage, self.ours.as_deref())?,
        };
        let found = self.reader.newest_row(&chain, row.0)?;
        self.chain = Some((run.to_owned(), stage, chain));
        Ok(found.map(|found| KnownRow {
            file: FileId(found.file),
            line: found.line,
            status: found.status,
            codes: found
                .reasons
                .into_iter()
                .map(|reason| reason.code)
                .collect(),
        }))
    }
}
