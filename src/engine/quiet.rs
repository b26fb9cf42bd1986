//! The times during which the site wants no requests.

use std::time::Instant;

/// Windows in which calls of some kind `C`, or all of them, must not leave. They only ever grow.
#[derive(Debug, Clone)]
pub struct Quiet<C> {
    all: Option<Instant>,
    some: Vec<(C, Instant)>,
}

impl<C> Default for Quiet<C> {
    fn default() -> Self {
        Self {
            all: None,
            some: Vec::new(),
        }
    }
}

impl<C: Copy + PartialEq> Quiet<C> {
    /// Nothing leaves before `until`.
    pub fn all(&mut self, until: Instant) {
        self.all = self.all.max(Some(until));
    }

    /// No call of this kind leaves before `until`.
    pub fn only(&mut self, call: C, until: Instant) {
        match self.some.iter_mut().find(|(other, _)| *other == call) {
            Some((_, end)) => *end = until.max(*end),
            None => self.some.push((call, until)),
        }
    }

    /// When calls of this kind may leave again; `None` when they may now.
    #[must_use]
    pub fn until(&self, call: C, now: Instant) -> Option<Instant> {
        self.end(call).filter(|until| *until > now)
    }

    /// The end of the last window of this kind of call, past or to come.
    #[must_use]
    pub fn end(&self, call: C) -> Option<Instant> {
        let only = self.some.iter().find(|(other, _)| *other == call);
        self.all.max(only.map(|(_, until)| *until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn windows_hold_what_they_mean_and_never_shrink() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quiet = Quiet::default();
        assert_eq!(quiet.until('a', start), None);
        quiet.only('a', at(5));
        quiet.only('a', at(3));
        assert_eq!(quiet.until('a', start), Some(at(5)));
        assert_eq!(quiet.until('b', start), None);
        quiet.all(at(8));
        quiet.all(at(2));
        assert_eq!(quiet.until('a', start), Some(at(8)));
        assert_eq!(quiet.until('b', at(7)), Some(at(8)));
        assert_eq!(quiet.until('b', at(8)), None);
    }
}
