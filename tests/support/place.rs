//! A folder of one test: the binary's current folder, its state and its files.

use super::exchange::Exchange;
use super::openapi;
use super::process::{Ended, Process};
use super::repository;
use super::table::Table;
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::thread;
use tempfile::TempDir;

/// A mapping of two CSV columns, `email` and `name`, for tests that are about something else.
pub(crate) const PEOPLE: &str = "\
entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n";

/// A folder that is gone when the test ends. What was said to the sandboxes of it is then held to the API's description.
pub(crate) struct Place {
    folder: TempDir,
    /// Apart, so that a test can look at everything in its folder.
    log: TempDir,
    judged: Cell<fn(&Exchange) -> bool>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a temporary folder");
        Self {
            folder: folder(),
            log: folder(),
            judged: Cell::new(Exchange::counts),
        }
    }

    /// A place with `people.toml` and the lines of `people.csv` below its header `email,name`.
    pub(crate) fn with_people(lines: &str) -> Self {
        let place = Self::new();
        place.write("people.toml", PEOPLE);
        place.write("people.csv", format!("email,name\n{lines}"));
        place
    }

    /// The same with so many good rows.
    pub(crate) fn with_crowd(rows: usize) -> Self {
        let mut lines = String::new();
        for row in 1..=rows {
            let _ = writeln!(lines, "p{row}@example.com,Person {row}");
        }
        Self::with_people(&lines)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("a folder made");
        fs::write(path, content).expect("a file written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Some exchanges of this place's sandboxes are wrong on purpose, for this reason; these alone are judged.
    pub(crate) fn judge_only(&self, _why: &str, these: fn(&Exchange) -> bool) {
        self.judged.set(these);
    }

    fn traffic(&self) -> PathBuf {
        self.log.path().join("traffic.jsonl")
    }

    /// What was said to the sandboxes of this place so far.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        Exchange::logged(&self.traffic())
    }

    fn start_fed(&self, args: &str, env: &[(&str, &str)], stdin: Option<&[u8]>) -> Process {
        let traffic = self.traffic().display().to_string();
        let mut env = env.to_vec();
        env.push(("CSM_LOADER_SANDBOX_TRAFFIC", &traffic));
        Process::start(self.folder.path(), &split(args), &env, stdin)
    }

    /// Starts the binary here. Arguments are split at blanks; `samples/` and `mappings/` are those of the repository.
    pub(crate) fn start(&self, args: &str) -> Process {
        self.start_fed(args, &[], None)
    }

    /// The same with credentials and other variables.
    pub(crate) fn start_with(&self, args: &str, env: &[(&str, &str)]) -> Process {
        self.start_fed(args, env, None)
    }

    /// Runs the binary here to its end.
    pub(crate) fn run(&self, args: &str) -> Ended {
        self.tidy(self.start(args).end())
    }

    pub(crate) fn run_with(&self, args: &str, env: &[(&str, &str)]) -> Ended {
        self.tidy(self.start_with(args, env).end())
    }

    /// Runs it with something on standard input.
    pub(crate) fn run_fed(&self, args: &str, stdin: &[u8]) -> Ended {
        self.tidy(self.start_fed(args, &[], Some(stdin)).end())
    }

    /// Loads `people.csv`, or what else is named, into the embedded sandbox: quietly, with results in `out.csv`.
    pub(crate) fn load_people(&self, input_and_flags: &str) -> Ended {
        self.run(&format!(
            "load --quiet --target sandbox --state-dir state --results out.csv --mapping people.toml \
             --input {input_and_flags}"
        ))
    }

    /// The results in a file here.
    pub(crate) fn results(&self, name: &str) -> Table {
        Table::read(&self.path(name))
    }

    /// This folder as `…` in what was said, so that messages can be compared.
    fn tidy(&self, mut ended: Ended) -> Ended {
        let here = self.folder.path().display().to_string();
        for text in [&mut ended.stdout, &mut ended.stderr] {
            *text = text
                .replace(&here, "…")
                .replace(&repository(""), "repository/");
        }
        ended
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        let mut exchanges = self.exchanges();
        exchanges.retain(|exchange| exchange.counts() && self.judged.get()(exchange));
        openapi::judge(&exchanges);
    }
}

fn split(args: &str) -> Vec<String> {
    args.split_whitespace()
        .map(|arg| {
            if arg.starts_with("samples/") || arg.starts_with("mappings/") {
                repository(arg)
            } else {
                arg.to_owned()
            }
        })
        .collect()
}
