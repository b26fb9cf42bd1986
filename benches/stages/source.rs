//! Files → chunks.

use crate::input::{ROWS, dataset};
use csm_loader::source::ChunkRequest;
use divan::Bencher;
use divan::counter::ItemsCount;

#[divan::bench(args = ["csv", "parquet", "arrow"])]
fn all_columns(bencher: Bencher, ending: &str) {
    let dataset = dataset(ending);
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let chunks = dataset.chunks(&ChunkRequest::default());
        let rows: usize = chunks.map(|chunk| chunk.unwrap().records()).sum();
        assert_eq!(rows as u64, ROWS);
    });
}
