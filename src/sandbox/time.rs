//! The site's own time, which may run faster than everybody else's.
//!
//! It never runs back: opened again, a site goes on from the latest time it knows, also when that is still to come for
//! the machine.

use crate::model::clock::{Clock, UnixMillis};
use std::sync::Arc;
use std::time::Duration;

/// The clock of a site.
#[derive(Clone)]
pub(super) struct SiteClock {
    machine: Arc<dyn Clock>,
    scale: u32,
    /// What the machine's clock and the site's showed when the site was opened.
    opened: (UnixMillis, UnixMillis),
}

impl SiteClock {
    /// A clock that runs `scale` times as fast as the machine's, and is not behind `latest`.
    pub(super) fn new(machine: Arc<dyn Clock>, scale: u32, latest: UnixMillis) -> Self {
        let now = machine.unix_millis();
        Self {
            machine,
            scale: scale.max(1),
            opened: (now, now.max(latest)),
        }
    }

    /// The site's time.
    pub(super) fn now(&self) -> UnixMillis {
        let (machine, site) = self.opened;
        let passed = self.machine.unix_millis().saturating_sub(machine);
        site.saturating_add(passed.saturating_mul(self.scale.into()))
    }

    /// How long everybody else waits until the site's clock shows this time.
    pub(super) fn until(&self, site: UnixMillis) -> Duration {
        let left = u64::try_from(site.saturating_sub(self.now())).unwrap_or(0);
        Duration::from_millis(left.div_ceil(self.scale.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Instant;

    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn instant(&self) -> Instant {
            Instant::now()
        }

        fn unix_millis(&self) -> UnixMillis {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn it_runs_so_many_times_as_fast_and_never_back() {
        let hands = Arc::new(Hands(AtomicI64::new(1000)));
        let clock = SiteClock::new(hands.clone(), 600, 0);
        assert_eq!(clock.now(), 1000);
        hands.0.store(1100, Ordering::Relaxed);
        assert_eq!(clock.now(), 61_000);
        assert_eq!(clock.until(61_601), Duration::from_millis(2));
        assert_eq!(clock.until(0), Duration::ZERO);
        // opened again, at the machine's pace
        let clock = SiteClock::new(hands.clone(), 1, 61_000);
        assert_eq!(clock.now(), 61_000);
        hands.0.store(1101, Ordering::Relaxed);
        assert_eq!(clock.now(), 61_001);
    }
}
