//! What was made of the texts of one column in one chunk.

use crate::api::fold::recent::Recent;

/// Texts of a column that are remembered: a chunk has some thousand rows.
const MOST: usize = 2_048;
/// After so many questions it shows whether the column's texts come again.
const TRIAL: u32 = 1_024;

/// Answers by text, as long as enough of them are asked for again.
#[derive(Debug)]
pub(super) struct Memo<'t, V> {
    /// `None` when it was given up.
    recent: Option<Recent<&'t str, V>>,
    asked: u32,
    found: u32,
}

impl<'t, V: Copy> Memo<'t, V> {
    /// A memory for a column of so many rows; of none, it remembers nothing.
    pub(super) fn new(rows: usize) -> Self {
        Self {
            recent: (rows > 0).then(|| Recent::new(rows.min(MOST))),
            asked: 0,
            found: 0,
        }
    }

    /// What was kept for the text.
    pub(super) fn get(&mut self, text: &str) -> Option<V> {
        let found = self.recent.as_ref()?.get(text).copied();
        self.asked += 1;
        self.found += u32::from(found.is_some());
        if self.asked == TRIAL {
            // a fruitless question costs a fifth of what a fruitful one saves, or less
            if self.found < TRIAL / 4 {
                self.recent = None;
            }
            (self.asked, self.found) = (0, 0);
        }
        found
    }

    /// Keeps what was made of the text.
    pub(super) fn keep(&mut self, text: &'t str, value: V) {
        if let Some(recent) = &mut self.recent {
            recent.keep(text, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_without_use_is_given_up() {
        let texts: Vec<_> = (0..TRIAL).map(|number| number.to_string()).collect();
        let mut useless = Memo::new(texts.len());
        let mut useful = Memo::new(texts.len());
        useful.keep("often", 1);
        for text in &texts {
            assert_eq!(useless.get(text), None);
            useless.keep(text, 1);
            assert_eq!(useful.get("often"), Some(1));
        }
        assert_eq!(useless.get(&texts[0]), None);
        assert_eq!(useful.get("often"), Some(1));
        assert!(useless.recent.is_none() && useful.recent.is_some());
    }
}
