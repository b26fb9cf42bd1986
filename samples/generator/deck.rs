//! Which rows get which fault: positions drawn from a shuffled deck, so that no row is drawn twice.

use crate::prng::SplitMix64;

/// The positions of a stretch of rows, in random order.
pub(crate) struct Deck(Vec<usize>);

impl Deck {
    /// Positions `0..rows`, shuffled.
    pub(crate) fn new(rows: usize, random: &mut SplitMix64) -> Self {
        let mut positions: Vec<usize> = (0..rows).collect();
        random.shuffle(&mut positions);
        Self(positions)
    }

    /// Takes `count` positions, in ascending order; fewer when the deck runs out.
    pub(crate) fn draw(&mut self, count: usize) -> Vec<usize> {
        let mut hand = self.0.split_off(self.0.len().saturating_sub(count));
        hand.sort_unstable();
        hand
    }

    /// Takes what is left, in ascending order.
    pub(crate) fn rest(mut self) -> Vec<usize> {
        self.0.sort_unstable();
        self.0
    }
}
