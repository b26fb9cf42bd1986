//! What the stages are measured with: files of made-up customers, and what the stage before makes of them.

use crate::customers;
use csm_loader::api::contract::Contract;
use csm_loader::mapping::{Emit, MappingFile, Plan, References};
use csm_loader::model::row::PreparedRow;
use csm_loader::source::chunk::RowChunk;
use csm_loader::source::{ChunkRequest, CsvOptions, Dataset, SourceSpec};
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// Rows of each file: a few chunks; in a test a few rows.
pub(crate) const ROWS: u64 = if cfg!(debug_assertions) { 500 } else { 65_536 };

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    customers::write(folder.path(), ROWS).unwrap();
    folder
});

/// The customers as a file with this ending.
pub(crate) fn dataset(ending: &str) -> Dataset {
    let spec = SourceSpec {
        inputs: vec![format!("customers.{ending}")],
        base: FOLDER.path().to_owned(),
        format: None,
        csv: CsvOptions::default(),
        spool: FOLDER.path().join("spool"),
    };
    Dataset::open(&spec).unwrap()
}

/// A mapping of this folder, for such a file.
pub(crate) fn plan(mapping: &str, dataset: &Dataset) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(mapping);
    let mapping = MappingFile::read(&path).unwrap();
    Plan::compile(&mapping, dataset.schema(), &Contract::default()).unwrap()
}

/// All chunks, of the columns that a plan reads.
pub(crate) fn chunks(dataset: &Dataset, plan: &Plan) -> Vec<RowChunk> {
    let request = ChunkRequest {
        columns: Some(plan.columns().to_vec()),
        ..ChunkRequest::default()
    };
    dataset.chunks(&request).map(Result::unwrap).collect()
}

/// All rows, ready to be sent.
pub(crate) fn prepared() -> Vec<PreparedRow> {
    let dataset = dataset("csv");
    let plan = plan("customers.toml", &dataset);
    let chunks = chunks(&dataset, &plan);
    let mapped = chunks.iter().map(|chunk| {
        plan.draft(chunk)
            .finish(&References::UNCHECKED, Emit::Payloads)
    });
    mapped.flat_map(|mapped| mapped.rows).collect()
}
