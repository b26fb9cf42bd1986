//! Whether a site refuses every request, whatever rows it holds.
//!
//! Down to the single row that would cost two requests a row, and no row would be to blame: a name in `[contract]` is wrong,
//! say, or a permission is missing. While the site has taken nothing, a few rows leave alone, from the middle of different
//! refused requests, and the others wait for what becomes of them; once some were refused in the same words, the next would be
//! as well.

/// Requests that are refused before rows are sent ahead: by then at least three rows of different requests are to blame.
const BEFORE_SCOUTS: u32 = 5;
/// Rows that may be ahead unanswered: with three bad rows, no more requests than finding these may cost.
const SCOUTS: u32 = 3;
/// So many rows, refused alone and in the same words, speak for all.
const ENOUGH: u32 = 5;

/// What was refused before anything was taken.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    taken: bool,
    requests: u32,
    scouts: u32,
    alone: u32,
    words: String,
}

impl Refusals {
    /// The site took something: whatever it refuses is a row's fault.
    pub(super) fn taken(&mut self) {
        self.taken = true;
    }

    /// The site refused a request of several rows. Gives whether one of them is to be sent ahead.
    pub(super) fn several(&mut self) -> bool {
        if self.taken {
            return false;
        }
        self.requests += 1;
        let is_due = self.requests >= BEFORE_SCOUTS && self.scouts < self.alone + SCOUTS;
        self.scouts += u32::from(is_due);
        is_due
    }

    /// Whether rows were sent ahead, and the site has taken nothing yet.
    pub(super) fn is_scouting(&self) -> bool {
        !self.taken && self.scouts > 0
    }

    /// The site refused a row that was sent alone. Gives how many were so in the same words, once these speak for all.
    pub(super) fn alone(&mut self, words: &str) -> Option<u32> {
        let words = without_numbers(words);
        if self.words != words {
            self.alone = 0;
            self.words = words;
        }
        self.alone += 1;
        (!self.taken && self.alone >= ENOUGH).then_some(self.alone)
    }
}

/// The words of a refusal may count the items of the request.
fn without_numbers(words: &str) -> String {
    words
        .chars()
        .filter(|letter| !letter.is_ascii_digit())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_refused_alone_speak_for_all_while_nothing_was_taken() {
        let mut refusals = Refusals::default();
        let told: Vec<_> = (0..6)
            .map(|item| refusals.alone(&format!("item {item}: unknown field")))
            .collect();
        assert_eq!(told, [None, None, None, None, Some(5), Some(6)]);
        refusals.taken();
        assert_eq!(refusals.alone("item 6: unknown field"), None);
    }

    #[test]
    fn other_words_are_another_matter() {
        let mut refusals = Refusals::default();
        let words = ["bad region", "bad region", "bad date"];
        let told = (0..30).filter_map(|turn| refusals.alone(words[turn % 3]));
        assert_eq!(told.count(), 0);
    }

    #[test]
    fn few_rows_are_sent_ahead_and_only_while_nothing_was_taken() {
        let mut refusals = Refusals::default();
        let ahead: Vec<_> = (0..9).map(|_| refusals.several()).collect();
        assert_eq!(ahead.iter().position(|ahead| *ahead), Some(4));
        assert_eq!(ahead.iter().filter(|ahead| **ahead).count(), 3);
        // one more for each that was refused
        refusals.alone("no");
        assert_eq!([refusals.several(), refusals.several()], [true, false]);
        assert!(refusals.is_scouting());
        refusals.taken();
        assert!(!refusals.is_scouting());
        let mut refusals = Refusals::default();
        refusals.taken();
        assert!((0..9).all(|_| !refusals.several()));
    }
}
