//! When to ask for a task's state.

use std::time::Duration;

/// The first wait after a task was accepted.
const FIRST: Duration = Duration::from_millis(20);
/// The longest wait between two polls.
const LONGEST: Duration = Duration::from_secs(10);
/// How long a task may stay unfinished before its rows are given up as unconfirmed: the site itself gives up
/// after 30 minutes, and may start late.
pub const DEADLINE: Duration = Duration::from_hours(2);

/// How long to wait before the next poll of a task that was accepted `elapsed` ago: a twentieth of its age, so
/// that the delay stays small against the task's own time.
#[must_use]
pub fn wait(elapsed: Duration) -> Duration {
    (elapsed / 20).clamp(FIRST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_the_age_of_the_task_within_bounds() {
        assert_eq!(wait(Duration::ZERO), FIRST);
        assert_eq!(wait(Duration::from_secs(20)), Duration::from_secs(1));
        assert_eq!(wait(Duration::from_hours(1)), LONGEST);
    }
}
