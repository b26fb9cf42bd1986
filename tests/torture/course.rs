//! One job on one site, killed again and again until it has ended.

use super::site::Field;
use crate::support::process::{Ended, Process};
use crate::support::scripted::CREDENTIALS;
use crate::support::wait_for;
use rusqlite::{Connection, OpenFlags};
use std::time::{Duration, Instant};

/// Loads of one job that may be needed when nothing kills them: a hostile site ends some early.
const LOADS: usize = 40;

/// How a process is to die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kill {
    /// At a point, the so-manieth time it is reached.
    At(String, u32),
    /// So long after its start.
    After(Duration),
}

/// A number as chance has it: the same seed, the same numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// One of `0..bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("less than a usize")
    }
}

/// A job that is loaded, and what it took so far.
pub(crate) struct Course {
    pub(crate) field: Field,
    pub(crate) kills: usize,
    /// Loads after the first.
    pub(crate) resumes: usize,
    started: bool,
    /// The inputs are no more what they were, so that nothing can be resumed.
    pub(crate) changed: bool,
    /// What happened, for when it goes wrong.
    pub(crate) story: Vec<String>,
}

impl Course {
    pub(crate) fn on(field: Field) -> Self {
        Self {
            field,
            kills: 0,
            resumes: 0,
            started: false,
            changed: false,
            story: Vec::new(),
        }
    }

    /// What continues the job: `load` every other time, else `resume`, where there is something to resume.
    fn words(&self, flags: &str) -> String {
        let command =
            if self.resumes % 2 == 1 && !self.changed && flags.is_empty() && self.runs(0) > 0 {
                "resume --state-dir state"
            } else {
                "load job.toml"
            };
        format!("{command} {flags}")
    }

    /// Starts or continues the job, with these variables.
    pub(crate) fn start(&mut self, flags: &str, env: &[(&str, &str)]) -> Process {
        self.resumes += usize::from(self.started);
        self.started = true;
        let words = self.words(flags);
        self.story.push(words.clone());
        let env: Vec<_> = CREDENTIALS.iter().chain(env).copied().collect();
        self.field.place.start_with(&words, &env)
    }

    /// Starts or continues the job, to be killed; how it ended, if it came to its end before.
    pub(crate) fn killed(&mut self, kill: &Kill) -> Option<Ended> {
        self.story.push(format!("{kill:?}"));
        let ended = match kill {
            Kill::At(point, count) => {
                let at = format!("{point}:{count}");
                self.start("", &[("CSM_LOADER_KILL_AT", &at)]).end()
            }
            Kill::After(time) => {
                let mut process = self.start("", &[]);
                let started = Instant::now();
                wait_for("the moment", || {
                    (started.elapsed() >= *time || !process.runs()).then_some(())
                });
                process.kill();
                process.end()
            }
        };
        self.kills += usize::from(ended.code.is_none());
        ended.code.is_some().then(|| self.note(ended))
    }

    fn note(&mut self, ended: Ended) -> Ended {
        self.story
            .push(format!("ended with {:?}: {}", ended.code, ended.stderr));
        ended
    }

    /// Runs of the ledger in a state: 0 open, 1 finished, 2 superseded.
    pub(crate) fn runs(&self, state: u8) -> usize {
        let ledger = self.field.place.path("state/ledger.sqlite");
        // looks without changing what a kill left
        let Ok(db) = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
            return 0;
        };
        let count = db.query_row("SELECT count(*) FROM run WHERE state = ?", [state], |row| {
            row.get(0)
        });
        // a kill may come before there is a table
        count.unwrap_or(0)
    }

    /// The id of the run in a state.
    pub(crate) fn run_in(&self, state: u8) -> String {
        let ledger = self.field.place.path("state/ledger.sqlite");
        let db = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        db.query_row("SELECT id FROM run WHERE state = ?", [state], |row| {
            row.get(0)
        })
        .unwrap()
    }

    /// Whether the job has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.runs(0) == 0 && self.runs(1) > 0
    }

    /// Continues undisturbed until the job has ended.
    pub(crate) fn finish(&mut self, flags: &str) {
        for _ in 0..LOADS {
            if self.is_over() {
                return;
            }
            let ended = self.start(flags, &[]).end();
            let code = ended.code;
            self.note(ended);
            assert!(matches!(code, Some(0 | 4 | 5)), "{}", self.story.join("\n"));
        }
        panic!("the job never ended:\n{}", self.story.join("\n"));
    }
}
