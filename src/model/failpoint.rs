//! Points at which a test kills the program, to see what is left. Release builds have none.
//!
//! `CSM_LOADER_KILL_AT=submit.after:3` ends the process with SIGKILL where the third answer to a bulk request has
//! arrived and nobody has looked at it. `CSM_LOADER_POINTS=file` appends the name of every point that is reached.
//!
//! From the kill on no thread gets past another point, so that what is durable, and what the site was told, is what it
//! was there and then.

use std::fmt;

/// What a point lies before or after: a transition of the ledger, an effect on the site, or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A new run is written to the ledger.
    Begin,
    /// An open run is taken up again: what it wrote as not sent is undecided.
    Reopen,
    /// A stage is written down.
    StageStarted,
    /// So is how many rows it has.
    StageRead,
    /// The intent of a bulk request.
    Sending,
    /// That of single calls.
    Calling,
    /// A task's id.
    Accepted,
    /// The outcomes of a batch.
    Settled,
    /// The outcomes of a batch, and the intents of what its other rows go on in: one transaction.
    Split,
    /// Outcomes without a batch.
    Rows,
    /// The end of a stage.
    StageFinished,
    /// The end of a run.
    RunFinished,
    /// A run takes the place of another one.
    RunSuperseded,
    /// What is remembered is merged; `after`: and the intents that say the same are still there.
    Merge,
    /// A bulk request; `after`: its answer has arrived.
    Submit,
    /// A write of one record.
    Create,
    /// A look at a task.
    Poll,
    /// A read of records or names.
    LookUp,
    /// All looks for the rows of a batch; `after`: what they showed is known to nobody.
    ReadBack,
    /// A results file is moved to its place.
    Results,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 20] = [
        Self::Begin,
        Self::Reopen,
        Self::StageStarted,
        Self::StageRead,
        Self::Sending,
        Self::Calling,
        Self::Accepted,
        Self::Settled,
        Self::Split,
        Self::Rows,
        Self::StageFinished,
        Self::RunFinished,
        Self::RunSuperseded,
        Self::Merge,
        Self::Submit,
        Self::Create,
        Self::Poll,
        Self::LookUp,
        Self::ReadBack,
        Self::Results,
    ];

    /// Its name, in points.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Reopen => "reopen",
            Self::StageStarted => "stage-started",
            Self::StageRead => "stage-read",
            Self::Sending => "sending",
            Self::Calling => "calling",
            Self::Accepted => "accepted",
            Self::Settled => "settled",
            Self::Split => "split",
            Self::Rows => "rows",
            Self::StageFinished => "stage-finished",
            Self::RunFinished => "run-finished",
            Self::RunSuperseded => "run-superseded",
            Self::Merge => "merge",
            Self::Submit => "submit",
            Self::Create => "create",
            Self::Poll => "poll",
            Self::LookUp => "look-up",
            Self::ReadBack => "read-back",
            Self::Results => "results",
        }
    }

    /// What is about to happen has not happened.
    pub fn before(self) {
        reach(Point(self, "before"));
    }

    /// It has, and nobody has been told.
    pub fn after(self) {
        reach(Point(self, "after"));
    }
}

/// One side of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point(Step, &'static str);

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.name(), self.1)
    }
}

#[cfg(not(debug_assertions))]
const fn reach(_: Point) {}

#[cfg(debug_assertions)]
fn reach(point: Point) {
    armed::reach(&point);
}

#[cfg(debug_assertions)]
mod armed {
    use super::Point;
    use std::env::var;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::process::{Command, id};
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::thread::park;

    /// What the variables ask for.
    struct Armed {
        kill_at: Option<(String, u32)>,
        log: Option<File>,
    }

    /// Without the variables nothing is ever locked.
    static ARMED: LazyLock<Option<Mutex<Armed>>> = LazyLock::new(|| {
        let kill_at = var("CSM_LOADER_KILL_AT").ok().and_then(|text| {
            let (point, count) = text.split_once(':')?;
            Some((point.to_owned(), count.parse().ok()?))
        });
        let log = var("CSM_LOADER_POINTS").ok().and_then(|path| {
            let mut options = OpenOptions::new();
            options.create(true).append(true).open(path).ok()
        });
        let wanted = kill_at.is_some() || log.is_some();
        wanted.then(|| Mutex::new(Armed { kill_at, log }))
    });

    pub(super) fn reach(point: &Point) {
        let Some(armed) = &*ARMED else { return };
        let mut armed = armed.lock().unwrap_or_else(PoisonError::into_inner);
        let name = point.to_string();
        if let Some(log) = &mut armed.log {
            // who reads the list sees what is missing in it
            let _ = writeln!(log, "{name}");
        }
        if let Some((at, left)) = &mut armed.kill_at
            && *at == name
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                // the lock is kept: whoever comes to a point stays there
                die();
            }
        }
    }

    fn die() -> ! {
        let kill = format!("kill -KILL {}", id());
        // should there be no shell, the process hangs here, and the test that waits for its death says so
        let _ = Command::new("sh").args(["-c", &kill]).status();
        loop {
            park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Step::ALL.map(Step::name).into();
        assert_eq!(names.len(), Step::ALL.len());
        assert_eq!(Point(Step::LookUp, "after").to_string(), "look-up.after");
    }

    #[test]
    fn a_point_that_nobody_asked_for_is_passed() {
        Step::Begin.before();
        Step::Begin.after();
    }
}
