//! A ledger made of a few rows that a test tells it.

use csm_loader::model::code::Code;
use csm_loader::model::entity::Entity;
use csm_loader::model::outcome::Status;
use csm_loader::model::row::{FileId, RowId};
use csm_loader::retry::{KnownFile, KnownRow, KnownRun, KnownStage, Ledgered, LedgeredError};
use csm_loader::source::{Dataset, RecordedSource, SourceSpec, digest};
use std::collections::BTreeMap;

/// One run of one stage.
pub(crate) struct Recalled {
    run: String,
    pub(crate) unfinished: Option<String>,
    pub(crate) stage: KnownStage,
    rows: BTreeMap<RowId, KnownRow>,
    /// What happens while the ledger is asked for the first time.
    pub(crate) meanwhile: Option<Box<dyn FnOnce()>>,
}

pub(crate) fn row(file: FileId, line: Option<u64>, status: Status, code: Option<Code>) -> KnownRow {
    KnownRow {
        file,
        line,
        status,
        codes: code.into_iter().map(Into::into).collect(),
    }
}

impl Recalled {
    /// Remembers the source as it is now.
    pub(crate) fn new(
        run: &str,
        entity: Entity,
        spec: &SourceSpec,
        rows: BTreeMap<RowId, KnownRow>,
    ) -> Self {
        let dataset = Dataset::open(spec).unwrap();
        let files = dataset.files().iter().map(|file| KnownFile {
            name: file.name.clone(),
            bytes: file.bytes,
            digest: digest::file(&file.path).unwrap(),
        });
        let stage = KnownStage {
            stage: 0,
            entity,
            mapping: Some("people.toml".into()),
            duplicates: None,
            files: files.collect(),
            source: Some(RecordedSource::new(spec, &dataset)),
        };
        Self {
            run: run.to_owned(),
            unfinished: None,
            stage,
            rows,
            meanwhile: None,
        }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (&RowId, &KnownRow)> {
        self.rows.iter()
    }
}

impl Ledgered for Recalled {
    fn run(&mut self, id: &str) -> Result<Option<KnownRun>, LedgeredError> {
        Ok((id == self.run).then(|| KnownRun {
            id: self.run.clone(),
            unfinished: self.unfinished.clone(),
            stages: vec![self.stage.clone()],
        }))
    }

    fn row(
        &mut self,
        run: &str,
        stage: u32,
        row: RowId,
    ) -> Result<Option<KnownRow>, LedgeredError> {
        assert_eq!((run, stage), (self.run.as_str(), self.stage.stage));
        if let Some(meanwhile) = self.meanwhile.take() {
            meanwhile();
        }
        Ok(self.rows.get(&row).cloned())
    }
}
