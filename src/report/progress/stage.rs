//! How far a stage is and how fast it goes: what bars and lines show alike.

use crate::model::entity::Entity;
use crate::model::event::{Phase, Progress};
use crate::model::outcome::Status;
use crate::report::figures;
use std::time::{Duration, Instant};

/// A stage as its events show it.
pub(super) struct Stage {
    pub(super) entity: Entity,
    /// The phase at hand and when it began; `None` before the first.
    pub(super) phase: Option<(Phase, Instant)>,
    progress: Progress,
    rate: Rate,
}

impl Stage {
    pub(super) fn new(entity: Entity, now: Instant) -> Self {
        Self {
            entity,
            phase: None,
            progress: Progress::default(),
            rate: Rate::new(now, 0),
        }
    }

    /// Begins a phase. What other phases did does not count for its rate.
    pub(super) fn begin(&mut self, phase: Phase, now: Instant) {
        self.phase = Some((phase, now));
        self.progress.read = 0;
        self.rate = Rate::new(now, self.done());
    }

    /// Takes note of how far the phase is.
    pub(super) fn update(&mut self, progress: Progress, now: Instant) {
        self.progress = progress;
        self.rate.update(now, self.done());
    }

    /// Rows the phase is done with: those with an outcome while sending, those read otherwise.
    pub(super) fn done(&self) -> u64 {
        match self.phase {
            Some((Phase::Sending, _)) => self.progress.counts.total(),
            Some((Phase::Reading | Phase::Asking | Phase::Writing, _)) | None => self.progress.read,
        }
    }

    /// Rows of the whole phase, once known.
    pub(super) fn total(&self) -> Option<u64> {
        self.progress.rows
    }

    /// Rows a second, smoothed; `None` as long as there is nothing to tell.
    pub(super) fn rate(&self) -> Option<String> {
        self.rate.per_second().map(figures::rate)
    }

    /// The time the rest of the phase takes at this rate; `None` when that is anybody's guess.
    pub(super) fn left(&self) -> Option<String> {
        const GUESS: Duration = Duration::from_hours(100 * 24);
        let rest = self
            .total()?
            .checked_sub(self.done())
            .filter(|&rest| rest > 0)?;
        let seconds = figures::float(rest) / self.rate.per_second()?;
        let left = Duration::try_from_secs_f64(seconds).ok()?;
        (left < GUESS).then(|| figures::duration(left))
    }

    /// Task slots as `3/5`; `None` outside of sending, or when there are none.
    pub(super) fn slots(&self) -> Option<String> {
        let sending = matches!(self.phase, Some((Phase::Sending, _)));
        let Progress {
            slots_used, slots, ..
        } = self.progress;
        (sending && slots > 0).then(|| format!("{slots_used}/{slots}"))
    }

    /// Rows that did not load, by status: `12 rejected, 3 failed`.
    pub(super) fn troubles(&self) -> Option<String> {
        figures::statuses(&self.progress.counts, |status| {
            matches!(
                status,
                Status::Rejected | Status::Failed | Status::Unconfirmed
            )
        })
    }
}

/// Rows a second over about the last third of the phase.
///
/// Tasks end in lumps of a hundred rows, up to minutes apart, and files are read by the million a second: a window
/// that grows with the time already spent smooths both, and follows a change of pace within that time.
struct Rate {
    start: Instant,
    last: Instant,
    done: u64,
    per_second: Option<f64>,
}

impl Rate {
    /// Samples closer together than this say little; they are taken together.
    const SAMPLE: Duration = Duration::from_millis(100);
    /// The smallest window, in seconds.
    const WINDOW: f64 = 5.0;

    const fn new(now: Instant, done: u64) -> Self {
        Self {
            start: now,
            last: now,
            done,
            per_second: None,
        }
    }

    fn update(&mut self, now: Instant, done: u64) {
        let passed = now.saturating_duration_since(self.last);
        if passed < Self::SAMPLE {
            return;
        }
        let sample = figures::float(done.saturating_sub(self.done)) / passed.as_secs_f64();
        let spent = now.saturating_duration_since(self.start).as_secs_f64();
        let weight = 1.0 - (-passed.as_secs_f64() / (spent / 3.0).max(Self::WINDOW)).exp();
        self.per_second = Some(
            self.per_second
                .map_or(sample, |rate| rate + weight * (sample - rate)),
        );
        (self.last, self.done) = (now, done);
    }

    /// The rate; `None` before the first sample and while nothing has moved.
    fn per_second(&self) -> Option<f64> {
        self.per_second.filter(|&rate| rate > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Counts;

    fn seconds(rate: &mut Rate, from: u64, to: u64, done: impl Fn(u64) -> u64) {
        for second in from..=to {
            rate.update(rate.start + Duration::from_secs(second), done(second));
        }
    }

    #[test]
    fn a_steady_pace_is_told_as_it_is_and_a_new_one_is_followed() {
        let mut rate = Rate::new(Instant::now(), 500);
        assert_eq!(rate.per_second(), None);
        seconds(&mut rate, 1, 60, |second| 500 + 100 * second);
        assert!((rate.per_second().unwrap() - 100.0).abs() < 0.01);
        seconds(&mut rate, 61, 240, |second| 6_500 + 10 * (second - 60));
        assert!((10.0..12.0).contains(&rate.per_second().unwrap()));
    }

    #[test]
    fn lumps_minutes_apart_are_smoothed() {
        let mut rate = Rate::new(Instant::now(), 0);
        // one task of 100 rows every eight minutes
        seconds(&mut rate, 1, 3 * 3600, |second| second / 480 * 100);
        let told = rate.per_second().unwrap();
        assert!((told * 480.0 - 100.0).abs() < 15.0, "{told}");
    }

    #[test]
    fn samples_at_one_instant_do_not_divide_by_nothing() {
        let now = Instant::now();
        let mut rate = Rate::new(now, 0);
        rate.update(now, 1_000_000);
        assert_eq!(rate.per_second(), None);
        rate.update(now + Duration::from_secs(2), 1_000_000);
        assert_eq!(rate.per_second(), Some(500_000.0));
    }

    #[test]
    fn a_stage_that_hardly_moves_tells_no_time() {
        let now = Instant::now();
        let mut stage = Stage::new(Entity::Customer, now);
        stage.begin(Phase::Reading, now);
        let rows = Some(u64::MAX);
        stage.update(
            Progress {
                read: 1,
                rows,
                ..Progress::default()
            },
            now + Rate::SAMPLE,
        );
        assert_eq!((stage.rate().unwrap(), stage.left()), ("10".into(), None));
        stage.update(
            Progress {
                read: 2,
                rows: Some(1),
                ..Progress::default()
            },
            now,
        );
        assert_eq!(stage.left(), None, "more rows than were counted");
    }

    #[test]
    fn each_phase_counts_its_own_rows() {
        let now = Instant::now();
        let at = |second| now + Duration::from_secs(second);
        let mut stage = Stage::new(Entity::Customer, now);
        let mut counts = Counts::default();
        counts.add(Status::Rejected, 40);
        stage.begin(Phase::Reading, now);
        stage.update(
            Progress {
                read: 240,
                counts,
                ..Progress::default()
            },
            at(2),
        );
        assert_eq!(
            (stage.done(), stage.rate().unwrap(), stage.left()),
            (240, "120".into(), None)
        );
        stage.begin(Phase::Sending, at(3));
        assert_eq!((stage.done(), stage.rate()), (40, None));
        counts.add(Status::Loaded, 100);
        let progress = Progress {
            read: 200,
            rows: Some(240),
            counts,
            slots_used: 1,
            slots: 5,
        };
        stage.update(progress, at(13));
        assert_eq!(stage.done(), 140);
        assert_eq!(stage.rate().unwrap(), "10");
        assert_eq!(stage.left().unwrap(), "10 s");
        assert_eq!(stage.slots().unwrap(), "1/5");
        assert_eq!(stage.troubles().unwrap(), "40 rejected");
        stage.begin(Phase::Writing, at(14));
        assert_eq!((stage.done(), stage.slots()), (0, None));
    }
}
