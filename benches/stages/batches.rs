//! Rows → requests' bodies.

use crate::input::{ROWS, prepared};
use csm_loader::api::contract::{CUSTOMER_PROFILE_BULK, Name};
use csm_loader::engine::batcher::{BatchLimits, Batcher};
use divan::Bencher;
use divan::counter::ItemsCount;

#[divan::bench]
fn cut_and_written(bencher: Bencher) {
    let rows = prepared();
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| rows.clone())
        .bench_values(|rows| {
            let mut batcher = Batcher::new(BatchLimits {
                list_key: Name::CustomerProfiles.default().into(),
                items: CUSTOMER_PROFILE_BULK.max_items,
                operations: None,
                bytes: 4 << 20,
            });
            let mut bytes = 0;
            for row in rows {
                if let Some(batch) = batcher.push(row) {
                    bytes += batch.body().len();
                    assert!(batcher.settled(&batch).is_empty());
                }
            }
            bytes
        });
}
