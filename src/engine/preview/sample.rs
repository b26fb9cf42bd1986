//! How many single calls rows take, from some of their payloads.

use crate::api::contract::Contract;
use crate::engine::seen::Target;
use crate::engine::single;
use crate::model::row::PreparedRow;

/// Rows whose payloads are looked at.
const ENOUGH: u32 = 500;

/// Calls of the rows that were looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    rows: u32,
    /// All their calls, were their records on the site, and were they not.
    if_there: u64,
    if_new: u64,
}

impl Sample {
    /// Whether enough rows were looked at.
    pub(super) fn is_enough(&self) -> bool {
        self.rows >= ENOUGH
    }

    /// Looks at rows, which have payloads.
    pub(super) fn take(&mut self, contract: &Contract, target: &Target, rows: &[PreparedRow]) {
        let left = ENOUGH.saturating_sub(self.rows) as usize;
        for row in rows.iter().take(left) {
            let calls = |exists| u64::from(single::calls_of(contract, target, &row.item, exists));
            self.rows += 1;
            self.if_there += calls(Some(true));
            self.if_new += calls(None);
        }
    }

    /// Calls a row, where so many of the rows have records and so many have none. At least one: what is not known to be
    /// written by calls is taken to need one.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn calls_a_row(&self, there: u64, new: u64) -> f64 {
        let a_row = |calls: u64| calls as f64 / f64::from(self.rows.max(1));
        let all = a_row(self.if_there) * there as f64 + a_row(self.if_new) * new as f64;
        (all / (there + new).max(1) as f64).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_records_and_those_that_are_there_count_by_their_shares() {
        let sample = Sample {
            rows: 4,
            if_there: 20,
            if_new: 4,
        };
        assert!((sample.calls_a_row(1, 3) - 2.0).abs() < 1e-9);
        assert!((sample.calls_a_row(0, 3) - 1.0).abs() < 1e-9);
        assert!((Sample::default().calls_a_row(5, 0) - 1.0).abs() < 1e-9);
    }
}
