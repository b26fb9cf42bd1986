//! Disks that are full or cannot be written: what is said, and that nothing is lost when the run goes on.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::CREDENTIALS;
use insta::{allow_duplicates, assert_snapshot};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

/// How a program of ours ended whose files could not grow beyond a size, or that was no mighty root.
struct Held {
    code: Option<i32>,
    stderr: String,
}

impl Held {
    fn of(place: &Place, output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        Self {
            code: output.status.code(),
            stderr: stderr.replace(&place.path("").display().to_string(), "…/"),
        }
    }
}

/// Runs the binary behind a shell's preparations, which may set the words that stand before it.
fn shell(place: &Place, prepare: &str, args: &str) -> Held {
    let output = Command::new("sh")
        .args(["-c", &format!("{prepare} exec \"$@\" \"$0\" {args}")])
        .arg(env!("CARGO_BIN_EXE_csm-loader"))
        .current_dir(place.path(""))
        .envs(CREDENTIALS)
        .env_remove("CSM_LOADER_STATE_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Held::of(place, output)
}

/// Runs with files of at most so many blocks of 512 bytes; writing more is an error and no signal.
fn limited(place: &Place, blocks: u64, args: &str) -> Held {
    shell(place, &format!("ulimit -f {blocks};"), args)
}

/// So many rows with a note of so many bytes, beside an e-mail.
fn notes(rows: usize, bytes: usize) -> String {
    let mut text = "email,name,note\n".to_owned();
    for row in 1..=rows {
        let note = format!("{row} ").repeat(bytes / 4);
        let _ = writeln!(
            text,
            "p{row}@example.com,Person {row},{}",
            &note[..bytes.min(note.len())]
        );
    }
    text
}

/// A place with rows that have notes, and a job for a served site.
fn place(rows: usize, bytes: usize, key: &str, with_source: bool) -> (Place, Sandbox) {
    let place = Place::new();
    let fields = "[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n";
    place.write(
        "people.toml",
        format!("entity = \"customer\"\nkey = \"{key}\"\n{fields}"),
    );
    place.write("people.csv", notes(rows, bytes));
    let site = Sandbox::serve(&place, "--state-dir site");
    let job = format!(
        "{}[state]\ndir = \"state\"\n[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n\
         results = \"out.csv\"\nwith_source = {with_source}\n",
        site.site_table()
    );
    place.write("job.toml", job);
    (place, site)
}

/// Loads without limits; every row must be loaded, and each customer written once in all.
fn goes_on(place: &Place, site: &Sandbox, rows: usize) {
    place
        .run_with("load job.toml --quiet", &CREDENTIALS)
        .expect(0);
    let results = place.results("out.csv");
    results.expect_rows(rows);
    assert_eq!(results.counts(), [("loaded".to_owned(), rows)].into());
    let mut keys: Vec<_> = site.audit().into_iter().map(|write| write.key).collect();
    assert_eq!(keys.len(), rows);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), rows);
}

#[test]
fn a_ledger_that_cannot_begin_is_said_and_nothing_is_sent() {
    let (place, site) = place(300, 10, "email", false);
    let refused = |blocks| {
        let held = limited(&place, blocks, "load job.toml --quiet");
        assert_eq!(held.code, Some(3), "{}", held.stderr);
        held.stderr
    };
    assert_snapshot!(refused(0), @"error: failed to open the ledger state/ledger.sqlite; free disk space or choose another --state-dir: disk I/O error: Error code 778: disk I/O error");
    assert_snapshot!(refused(16), @"error: failed to open the ledger state/ledger.sqlite; free disk space or choose another --state-dir: disk I/O error: Error code 4874: disk I/O error");
    assert_snapshot!(refused(64), @"error: failed to open the ledger state/ledger.sqlite; free disk space or choose another --state-dir: disk I/O error: Error code 778: disk I/O error");
    assert_eq!(site.count("writes"), 0);
    assert!(!place.has("out.csv"));
    goes_on(&place, &site, 300);
}

#[test]
fn a_ledger_that_is_full_in_the_middle_stops_the_run_which_then_goes_on() {
    let (place, site) = place(2_000, 10, "email", false);
    for blocks in [400, 500, 700] {
        let held = limited(&place, blocks, "load job.toml --quiet");
        assert_eq!(held.code, Some(5), "{}", held.stderr);
        allow_duplicates! {
            assert_snapshot!(held.stderr, @"error: failed to write the ledger state/ledger.sqlite; free disk space or choose another --state-dir: disk I/O error: Error code 778: disk I/O error");
        }
        assert!(!place.has("out.csv"));
        let sent = site.count("writes");
        // with more room it comes further, and no run has room enough to end
        let most = if blocks == 400 { 1_999 } else { 2_000 };
        assert!((1..=most).contains(&sent), "{blocks} blocks: {sent}");
    }
    goes_on(&place, &site, 2_000);
}

#[test]
fn a_spool_that_is_full_stops_the_run_before_anything_is_sent() {
    let (place, site) = place(2_000, 12_000, "note", false);
    let held = limited(&place, 260, "load job.toml --quiet");
    assert_snapshot!(held.stderr, @"error: failed to write the spill of natural keys; free disk space or choose another --state-dir: File too large (os error 27)");
    assert_eq!(held.code, Some(5));
    assert_eq!(site.count("writes"), 0);
    goes_on(&place, &site, 2_000);
}

#[test]
fn results_that_cannot_be_written_are_written_by_the_next_load() {
    let (place, site) = place(500, 30_000, "email", true);
    let held = limited(&place, 12_000, "load job.toml --quiet");
    assert_snapshot!(held.stderr, @"error: results file out.csv: failed to write: File too large (os error 27)");
    assert_eq!(held.code, Some(5));
    assert_eq!(site.count("writes"), 500);
    assert!(!place.has("out.csv"));
    goes_on(&place, &site, 500);
}

/// Runs as someone who may not write what permissions forbid: root is held back, anybody else is that already.
fn unprivileged(place: &Place, args: &str) -> Held {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let script = if root {
        "set -- setpriv --bounding-set=-dac_override,-dac_read_search;"
    } else {
        ""
    };
    shell(place, script, args)
}

fn permit(place: &Place, folder: &str, mode: u32, files: u32) {
    let path = place.path(folder);
    for file in fs::read_dir(&path).unwrap().flatten() {
        if file.path().is_file() {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(files)).unwrap();
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_state_folder_that_cannot_be_written_is_said_and_nothing_is_sent() {
    let (place, site) = place(10, 10, "email", false);
    fs::create_dir(place.path("state")).unwrap();
    permit(&place, "state", 0o555, 0o444);
    let held = unprivileged(&place, "load job.toml --quiet");
    assert_snapshot!(held.stderr, @"error: failed to use the state folder state; it must be writable: choose another with --state-dir: Permission denied (os error 13)");
    assert_eq!(held.code, Some(3));
    permit(&place, "state", 0o700, 0o600);
    goes_on(&place, &site, 10);
    // a ledger that is there is no better off
    permit(&place, "state", 0o555, 0o444);
    let held = unprivileged(&place, "load job.toml --quiet");
    assert_snapshot!(held.stderr, @"error: failed to use the state folder state; it must be writable: choose another with --state-dir: Permission denied (os error 13)");
    assert_eq!(held.code, Some(3));
    let held = unprivileged(&place, "runs --state-dir state");
    assert_snapshot!(held.stderr, @"error: the ledger state/ledger.sqlite cannot be written, which reading it takes too; make it and its folder writable: attempt to write a readonly database: Error code 1544: attempt to write a readonly database");
    assert_eq!(held.code, Some(3));
    assert_eq!(site.count("writes"), 10);
    permit(&place, "state", 0o700, 0o600);
    place
        .run_with("load job.toml --quiet", &CREDENTIALS)
        .expect(0);
}
