//! How many allocations a row costs on the hot path: chunk → payloads. They do not depend on the machine, so that more
//! of them is a change of the code. A binary of its own, since every thread of the process is counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use csm_loader::api::contract::Contract;
use csm_loader::mapping::{Emit, MappingFile, Plan, References};
use csm_loader::source::chunk::RowChunk;
use csm_loader::source::{ChunkRequest, CsvOptions, Dataset, SourceSpec};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations and reallocations that a row of the measured customers may cost, over a chunk of 8,192: to be lowered with
/// every gain, never raised.
const PER_ROW: f64 = 2.2;
/// The same where a phone number is checked, each another one: its text is one.
const PER_ROW_WITH_PHONE: f64 = 1.3;
/// Bytes that a row may allocate, its payload among them.
const BYTES_PER_ROW: f64 = 1_500.0;

/// Rows of a chunk.
const ROWS: usize = 8_192;

/// Two chunks of customers with the columns of `benches/tools/input`: the first warms up what is made once.
fn dataset(folder: &TempDir) -> Dataset {
    let mut csv = String::from(
        "crm_id,first_name,last_name,email,phone,country,language,plan,account,created_at,signed_on,mrr,seats,active,notes\n",
    );
    for row in 0..2 * ROWS {
        let _ = writeln!(
            csv,
            "C{row:08},Ann,Müller,Info{row}@example.com,07710 {row:06},gb,en,pro,Account {} Ltd.,2025-03-01T10:00:00Z,\
             2025-02-11,{}.50,{},true,\"Prefers \"\"morning\"\" calls\"",
            row % 1_000,
            row % 3_000,
            row % 500,
        );
    }
    fs::write(folder.path().join("customers.csv"), csv).unwrap();
    Dataset::open(&SourceSpec {
        inputs: vec!["customers.csv".into()],
        base: folder.path().to_owned(),
        format: None,
        csv: CsvOptions::default(),
        spool: folder.path().join("spool"),
    })
    .unwrap()
}

/// Allocations a row and bytes a row of the second chunk.
fn measure(dataset: &Dataset, mapping: &str) -> (f64, f64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("benches")
        .join(mapping);
    let mapping = MappingFile::read(&path).unwrap();
    let plan = Plan::compile(&mapping, dataset.schema(), &Contract::default()).unwrap();
    let request = ChunkRequest {
        columns: Some(plan.columns().to_vec()),
        rows: ROWS,
        ..ChunkRequest::default()
    };
    let chunks: Vec<_> = dataset.chunks(&request).map(Result::unwrap).collect();
    let [first, second] = &chunks[..] else {
        panic!("{} chunks", chunks.len());
    };
    map(&plan, first);
    let region = Region::new(ALLOCATOR);
    map(&plan, second);
    let stats = region.change();
    let a_row = |count: usize| f64::from(u32::try_from(count).unwrap()) / 8_192.0;
    (
        a_row(stats.allocations + stats.reallocations),
        a_row(stats.bytes_allocated),
    )
}

fn map(plan: &Plan, chunk: &RowChunk) {
    let draft = plan.draft(chunk);
    let mapped = draft.finish(&References::UNCHECKED, Emit::Payloads);
    assert_eq!((mapped.rows.len(), mapped.rejected.len()), (ROWS, 0));
}

#[test]
fn a_row_costs_few_allocations() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(&folder);
    let (plain, bytes) = measure(&dataset, "customers.toml");
    let (with_phone, _) = measure(&dataset, "customers-phone.toml");
    println!(
        "a row costs {plain:.3} allocations and {bytes:.0} bytes, with a phone number {with_phone:.3}"
    );
    assert!(plain <= PER_ROW, "{plain} allocations a row");
    assert!(
        with_phone <= PER_ROW_WITH_PHONE,
        "{with_phone} allocations a row with a phone number"
    );
    assert!(bytes <= BYTES_PER_ROW, "{bytes} bytes a row");
}
