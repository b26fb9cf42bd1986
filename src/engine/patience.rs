//! How long a record is waited for that reads do not show yet.

use super::stop::Stop;
use std::time::Duration;

/// The first wait; each is twice the one before.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);

/// What is left of a wait.
pub(super) struct Patience {
    left: Duration,
    next: Duration,
}

impl Patience {
    /// So much of it.
    pub(super) const fn of(left: Duration) -> Self {
        Self { left, next: FIRST }
    }

    /// Waits before another look; `false` when patience is at its end, or a stop was asked for.
    pub(super) async fn waits(&mut self, stop: &Stop) -> bool {
        let Some(wait) = self.wait() else {
            return false;
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = stop.asked() => false,
        }
    }

    fn wait(&mut self) -> Option<Duration> {
        let wait = self.next.min(self.left);
        self.left -= wait;
        self.next = (self.next * 2).min(LONGEST);
        (!wait.is_zero()).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_where_patience_does() {
        let mut patience = Patience::of(Duration::from_secs(40));
        let waits: Vec<_> = std::iter::from_fn(|| patience.wait()).collect();
        let seconds: Vec<_> = waits.iter().map(Duration::as_secs_f64).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 4.5]);
        assert_eq!(Patience::of(Duration::ZERO).wait(), None);
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let stop = Stop::default();
        stop.set("interrupted");
        assert!(!Patience::of(Duration::from_hours(1)).waits(&stop).await);
    }
}
