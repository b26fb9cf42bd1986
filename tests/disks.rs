//! Disks that are full or cannot be written: what is said, and that nothing is lost when the run goes on.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::CREDENTIALS;
use insta::{allow_duplicates, assert_snapshot};
use rusqlite::Connection;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

/// How a program of ours ended whose files could not grow beyond a size, or that was no mighty root.
struct Held {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Held {
    fn of(place: &Place, output: Output) -> Self {
        let said = |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(&place.path("").display().to_string(), "…/")
        };
        Self {
            code: output.status.code(),
            stdout: said(output.stdout),
            stderr: said(output.stderr),
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

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

/// Runs as someone who may not write what permissions forbid: root is held back, anybody else is that already.
fn unprivileged(place: &Place, args: &str) -> Held {
    let script = if is_root() {
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
    assert_eq!(site.count("writes"), 10);
    permit(&place, "state", 0o700, 0o600);
    place
        .run_with("load job.toml --quiet", &CREDENTIALS)
        .expect(0);
}

/// Runs where `state` is on a disk that is read-only; `None` where this machine lets nobody make it so.
fn on_read_only_disk(place: &Place, args: &str) -> Option<Held> {
    let apart = if is_root() {
        "unshare --mount"
    } else {
        "unshare --map-root-user --mount"
    };
    let mounted = format!(
        "{apart} sh -c 'mount --bind state state && mount -o remount,bind,ro state && exec \"$0\" \"$@\"'"
    );
    let possible = Command::new("sh")
        .args(["-c", &format!("{mounted} true")])
        .current_dir(place.path(""))
        .output();
    possible
        .is_ok_and(|output| output.status.success())
        .then(|| shell(place, &format!("set -- {mounted};"), args))
}

/// What is loaded with its results in `out.csv`, and the run's id; its folder may then only be read.
fn read_only() -> (Place, String) {
    let place = Place::with_crowd(10);
    place.load_people("people.csv").expect(0);
    let run = place.results("out.csv").column("run")[0].to_owned();
    permit(&place, "state", 0o555, 0o444);
    (place, run)
}

const CHECK: &str = "check --quiet --mapping people.toml --input people.csv --state-dir state";

#[test]
fn a_folder_that_cannot_be_written_is_read_all_the_same() {
    let (place, run) = read_only();
    let report = format!("report {run} --results again.csv --state-dir state");
    for way in [on_read_only_disk, |place: &Place, args: &str| {
        Some(unprivileged(place, args))
    }] {
        let Some(held) = way(&place, "runs --state-dir state") else {
            continue;
        };
        assert_eq!(held.code, Some(0), "{}", held.stderr);
        assert!(held.stdout.starts_with(&run), "{}", held.stdout);
        let held = way(&place, &report).unwrap();
        assert_eq!(held.code, Some(0), "{}", held.stderr);
        assert_eq!(place.results("again.csv"), place.results("out.csv"));
        fs::remove_file(place.path("again.csv")).unwrap();
        // what it spills needs no state folder
        let held = way(&place, CHECK).unwrap();
        assert_eq!(held.code, Some(0), "{}", held.stderr);
        let left = fs::read_dir(place.path("state")).unwrap();
        let mut left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
        left.sort_unstable();
        assert_eq!(left, ["ledger.sqlite", "lock", "sandbox", "spool"]);
    }
    permit(&place, "state", 0o700, 0o600);
}

#[test]
fn a_ledger_that_is_held_by_another_or_unreadable_is_not_read() {
    let (place, _) = read_only();
    let writer = fs::File::open(place.path("state/lock")).unwrap();
    writer.lock().unwrap();
    let runs = "runs --state-dir state";
    let ways = [
        Some(unprivileged(&place, runs)),
        on_read_only_disk(&place, runs),
    ];
    for held in ways.into_iter().flatten() {
        allow_duplicates! {
            assert_snapshot!(held.stderr, @"error: the state folder state is in use by another csm-loader; wait for it to end, or give this run a folder of its own with --state-dir");
        }
        assert_eq!(held.code, Some(3));
    }
    drop(writer);
    // who may not even read it
    permit(&place, "state", 0o555, 0);
    let held = unprivileged(&place, runs);
    assert_snapshot!(held.stderr, @"error: failed to open the ledger state/ledger.sqlite or to make files beside it; see to its permissions and those of its folder, or choose another --state-dir: unable to open database file: state/ledger.sqlite: Error code 14: unable to open database file");
    assert_eq!(held.code, Some(3));
    permit(&place, "state", 0o700, 0o600);
}

#[test]
fn what_a_kill_left_beside_the_ledger_is_read_or_missed() {
    let (place, _) = read_only();
    permit(&place, "state", 0o700, 0o600);
    let db = Connection::open(place.path("state/ledger.sqlite")).unwrap();
    db.execute("UPDATE run SET site = 'beside'", []).unwrap();
    fs::create_dir(place.path("killed")).unwrap();
    for file in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let from = place.path("state").join(file);
        fs::copy(from, place.path("killed").join(file)).unwrap();
    }
    drop(db);
    fs::remove_dir_all(place.path("state")).unwrap();
    fs::rename(place.path("killed"), place.path("state")).unwrap();
    permit(&place, "state", 0o555, 0o444);
    let runs = "runs --state-dir state";
    let ways = [
        Some(unprivileged(&place, runs)),
        on_read_only_disk(&place, runs),
    ];
    for held in ways.into_iter().flatten() {
        assert!(held.stdout.contains("beside"), "{}", held.stderr);
    }
    // a copy, as of a disk, may lack the file that finds one's way in the other
    permit(&place, "state", 0o700, 0o600);
    fs::remove_file(place.path("state/ledger.sqlite-shm")).unwrap();
    permit(&place, "state", 0o555, 0o444);
    let held = unprivileged(&place, runs);
    assert_snapshot!(held.stderr, @"error: the ledger state/ledger.sqlite cannot be read where nothing can be written: what its last run wrote is still beside it, in state/ledger.sqlite-wal; make the folder writable, or name a copy of the whole folder with --state-dir");
    assert_eq!(held.code, Some(3));
    permit(&place, "state", 0o700, 0o600);
}
