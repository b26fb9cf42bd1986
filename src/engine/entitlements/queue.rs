//! Rows that wait for their turn: in order, but never two of one entitlement at a time.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// Rows of type `R`, each about one thing of type `K`.
pub(super) struct Queue<R, K, F> {
    waiting: VecDeque<R>,
    busy: HashSet<K>,
    about: F,
}

impl<R, K: Eq + Hash, F: Fn(&R) -> K> Queue<R, K, F> {
    /// Rows in the order in which they are to be taken.
    pub(super) fn new(rows: Vec<R>, about: F) -> Self {
        Self {
            waiting: rows.into(),
            busy: HashSet::new(),
            about,
        }
    }

    /// The next row whose thing nobody is busy with; what it is about is busy then.
    pub(super) fn take(&mut self) -> Option<R> {
        let free = |row: &R| !self.busy.contains(&(self.about)(row));
        let at = self.waiting.iter().position(free)?;
        let row = self.waiting.remove(at)?;
        self.busy.insert((self.about)(&row));
        Some(row)
    }

    /// A row about this has ended.
    pub(super) fn done(&mut self, about: &K) {
        self.busy.remove(about);
    }

    /// The rows that were never taken.
    pub(super) fn rest(self) -> impl Iterator<Item = R> {
        self.waiting.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_about_the_same_follow_each_other_and_others_overtake_them() {
        let rows = vec![("a", 1), ("a", 2), ("b", 3), ("a", 4), ("c", 5)];
        let mut queue = Queue::new(rows, |row: &(&'static str, u32)| row.0);
        let mut take = |done: Option<&'static str>| {
            if let Some(done) = done {
                queue.done(&done);
            }
            queue.take().map(|(_, number)| number)
        };
        assert_eq!(take(None), Some(1));
        assert_eq!(take(None), Some(3));
        assert_eq!(take(None), Some(5));
        assert_eq!(take(None), None);
        assert_eq!(take(Some("b")), None);
        assert_eq!(take(Some("a")), Some(2));
        assert_eq!(take(None), None);
        let left: Vec<_> = queue.rest().collect();
        assert_eq!(left, [("a", 4)]);
    }
}
