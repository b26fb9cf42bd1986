//! Chunks → payloads: evaluated, validated, written.

use crate::input::{ROWS, chunks, dataset, plan};
use csm_loader::mapping::{Emit, References};
use divan::Bencher;
use divan::counter::ItemsCount;

#[divan::bench(
    args = ["csv", "parquet", "arrow"],
    consts = [false, true],
)]
fn with_phones<const PHONES: bool>(bencher: Bencher, ending: &str) {
    let mapping = if PHONES {
        "customers-phone.toml"
    } else {
        "customers.toml"
    };
    let dataset = dataset(ending);
    let plan = plan(mapping, &dataset);
    let chunks = chunks(&dataset, &plan);
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let mapped = chunks.iter().map(|chunk| {
            plan.draft(chunk)
                .finish(&References::UNCHECKED, Emit::Payloads)
        });
        let rows: usize = mapped.map(|mapped| mapped.rows.len()).sum();
        assert_eq!(rows as u64, ROWS);
    });
}
