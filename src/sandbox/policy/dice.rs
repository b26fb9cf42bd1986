//! Chance without a generator: each roll is a function of a seed, of what is rolled for, and of who it is about.
//!
//! So the same seed gives the same fate to the same thing, in whatever order things happen.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Dice of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::sandbox) struct Dice {
    seed: u64,
}

impl Dice {
    /// The dice of a seed.
    pub(in crate::sandbox) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number for something, the same whenever it is asked for. `about` says what is rolled for, `who` about whom.
    pub(in crate::sandbox) fn number(self, about: &str, who: &[u8]) -> u64 {
        xxh3_64_with_seed(who, xxh3_64_with_seed(about.as_bytes(), self.seed))
    }

    /// A number from 0 to 1, 1 excluded.
    pub(in crate::sandbox) fn roll(self, about: &str, who: &[u8]) -> f64 {
        // 32 bits are exact in a float, and fine enough for any share
        let upper = u32::try_from(self.number(about, who) >> 32).unwrap_or(u32::MAX);
        f64::from(upper) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_are_even_and_change_with_seed_subject_and_identity() {
        let rolls = |seed, about: &str| -> Vec<f64> {
            let dice = Dice::new(seed);
            let roll = |n: u32| dice.roll(about, &n.to_le_bytes());
            (0..10_000).map(roll).collect()
        };
        let first = rolls(1, "poison");
        assert_eq!(first, rolls(1, "poison"));
        for quarter in [0.25, 0.5, 0.75, 1.0] {
            let under = first.iter().filter(|roll| **roll < quarter).count();
            let expected = 10_000.0 * quarter;
            assert!((f64::from(u32::try_from(under).unwrap()) - expected).abs() < 200.0);
        }
        for other in [rolls(2, "poison"), rolls(1, "failed")] {
            let both = first.iter().zip(&other);
            let both = both.filter(|(a, b)| **a < 0.5 && **b < 0.5).count();
            assert!((2300..2700).contains(&both), "{both}");
        }
    }
}
