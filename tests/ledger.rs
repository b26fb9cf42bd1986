//! The ledger as people use it: runs, report, and the state commands of the built program.

use crate::support::place::Place;
use crate::support::process::Ended;
use insta::assert_snapshot;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

const ROWS: &str =
    "ana@example.com,Ana\nbo@example.com,Bo\nnot an address,Cy\nANA@example.com,Anna\n";

/// A place in whose `state` four rows were loaded: two loaded, one rejected, one duplicate.
fn loaded() -> Place {
    let place = Place::with_people(ROWS);
    place.load_people("people.csv").expect(4);
    place
}

/// The id of the first run that `runs` lists.
fn first_run(place: &Place) -> String {
    let listed = place.run("runs --state-dir state").expect(0).stdout;
    listed.split_whitespace().next().unwrap().to_owned()
}

/// Ids and times as letters.
fn steady(text: &str, run: &str) -> String {
    let mut said = String::new();
    for line in text.replace(run, "RUN").lines() {
        match line
            .split_once('T')
            .filter(|(before, _)| before.starts_with("RUN  20"))
        {
            Some((_, rest)) => {
                said.push_str("RUN  TIME  ");
                said.push_str(rest.split_once("Z  ").unwrap().1);
            }
            None => said.push_str(line),
        }
        said.push('\n');
    }
    said
}

fn state(place: &Place, args: &str) -> Ended {
    place.run(&format!("state {args} --state-dir state"))
}

/// Whether any file below a folder holds these bytes.
fn held(folder: &std::path::Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let bytes = fs::read(path).unwrap_or_default();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[test]
fn runs_lists_what_was_loaded_and_of_which_job() {
    let place = loaded();
    let run = first_run(&place);
    let listed = place.run("runs --state-dir state").expect(0);
    assert_snapshot!(steady(&listed.stdout, &run), @"
    RUN  TIME  finished
      site          sandbox
      job           people.toml people.csv
      customer      4 rows: 2 loaded, 1 rejected, 1 duplicate
    ");
    place.load_people("people.csv").expect(4);
    let listed = place.run("runs --state-dir state").expect(0).stdout;
    assert_eq!(listed.matches("finished").count(), 2);
    assert!(listed.starts_with(&run), "{listed}");
}

#[test]
fn a_state_folder_without_a_ledger_is_named_and_not_made() {
    let place = Place::new();
    for command in [
        "runs",
        "report x",
        "state export a.sqlite",
        "state forget x",
        "state prune",
    ] {
        let ended = place
            .run(&format!("{command} --state-dir nowhere"))
            .expect(3);
        insta::allow_duplicates! {
            assert_snapshot!(ended.stderr, @"error: the state folder nowhere holds no ledger; name the folder of your loads with --state-dir");
        }
    }
    assert!(!place.has("nowhere"));
}

#[test]
fn report_writes_the_same_results_again_in_every_format() {
    let place = loaded();
    let run = first_run(&place);
    let written = place.results("out.csv");
    for ending in ["csv", "parquet", "arrow", "jsonl"] {
        let ended = place
            .run(&format!(
                "report {} --results again/{{run}}.{ending} --state-dir state",
                &run[..17]
            ))
            .expect(0);
        let name = format!("again/{run}.{ending}");
        let columns: Vec<_> = written.columns.iter().map(String::as_str).collect();
        assert_eq!(place.results(&name).select(&columns), written, "{ending}");
        let said = steady(&ended.stdout, &run).replace(ending, "ENDING");
        insta::allow_duplicates! {
            assert_snapshot!(said, @"
            run RUN, finished
            customer: 4 rows: 2 loaded, 1 rejected, 1 duplicate
              results: again/RUN.ENDING
            ");
        }
        let mode = fs::metadata(place.path(&name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let ended = place
        .run(&format!("report {run} --merged --state-dir state"))
        .expect(0);
    assert_snapshot!(steady(&ended.stdout, &run), @"
    run RUN, finished
    customer: 4 rows: 2 loaded, 1 rejected, 1 duplicate
      results: RUN-customer-results.csv
    ");
    assert_eq!(
        place.results(&format!("{run}-customer-results.csv")),
        written
    );
    let ended = place.run("report 1999 --state-dir state").expect(3);
    assert_snapshot!(ended.stderr, @"error: no run 1999 is in the ledger; `csm-loader runs` lists those that are");
    let ended = place
        .run(&format!("report {run} --results a.xlsx --state-dir state"))
        .expect(3);
    assert_snapshot!(ended.stderr, @"error: results file a.xlsx: its name must end in .csv, .jsonl, .ndjson, .parquet, .arrow, .ipc or .feather");
}

#[test]
fn report_of_a_job_with_stages_writes_a_file_for_each() {
    let place = Place::new();
    place.write("people.toml", crate::support::place::PEOPLE);
    place.write("people.csv", format!("email,name\n{ROWS}"));
    place.write(
        "things.toml",
        "entity = \"product\"\n[fields]\nname = \"name\"\n",
    );
    let job = "[site]\ntarget = \"sandbox\"\n[state]\ndir = \"state\"\n
        [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"p.csv\"\n
        [[stage]]\nmapping = \"things.toml\"\ninput = \"people.csv\"\nresults = \"t.csv\"\n";
    place.write("job.toml", job);
    place.run("load job.toml --quiet").expect(4);
    let run = first_run(&place);
    let ended = place
        .run(&format!("report {run} --results all.csv --state-dir state"))
        .expect(0);
    assert_snapshot!(steady(&ended.stdout, &run), @"
    run RUN, finished
    product: 4 rows: 4 loaded
      results: all-product.csv
    customer: 4 rows: 2 loaded, 1 rejected, 1 duplicate
      results: all-customer.csv
    ");
    assert_eq!(place.results("all-product.csv"), place.results("t.csv"));
    assert_eq!(place.results("all-customer.csv"), place.results("p.csv"));
}

#[test]
fn a_run_that_did_not_end_is_shown_as_it_stands() {
    let place = loaded();
    let run = first_run(&place);
    let ledger = place.path("state/ledger.sqlite");
    let changed = |sql: &str| {
        Connection::open(&ledger)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    };
    // as a kill leaves it
    changed(
        "UPDATE run SET state = 0, finished_at = NULL; UPDATE stage SET finished_at = NULL, counts = NULL;
         DELETE FROM row WHERE row = 4; UPDATE batch SET state = 1;
         INSERT INTO body SELECT part, batch, x'7b7d', CAST('[[4,0,5,\"ANA@example.com\"]]' AS BLOB) FROM batch;",
    );
    let listed = place.run("runs --state-dir state").expect(0);
    assert_snapshot!(steady(&listed.stdout, &run), @"
    RUN  TIME  open, under way or killed
      site          sandbox
      job           people.toml people.csv
      customer      3 rows: 1 loaded, 1 rejected, 1 duplicate (not finished)
    ");
    let report = format!("report {run} --results r.csv --state-dir state");
    let ended = place.run(&report).expect(0);
    assert_snapshot!(steady(&ended.stdout, &run), @"
    run RUN, open
    customer: 3 rows: 1 loaded, 1 rejected, 1 duplicate
      results: r.csv
      the stage is not finished; not in the file: 1 row without an outcome, of which 1 row may have been sent
    ");
    assert_eq!(place.results("r.csv").column("row"), ["1", "2", "3"]);
    changed("UPDATE stage SET rows = NULL");
    let ended = place.run(&report).expect(0);
    let told = ended.stdout.lines().last().unwrap().to_owned();
    assert_snapshot!(told, @"  the stage is not finished; not in the file: 1 row that may have been sent, and an unknown number that was not read");
    let ended = state(&place, "forget ana@example.com").expect(3);
    assert_snapshot!(ended.stderr.replace(&run, "RUN"), @"error: run RUN is open, and its requests under way may hold the key; load its job again until it ends, then forget");
}

#[test]
fn the_state_moves_to_another_folder_and_not_over_what_is_there() {
    let place = loaded();
    let run = first_run(&place);
    let ended = state(&place, "export moved.sqlite").expect(0);
    assert_snapshot!(ended.stdout, @"exported 1 run to moved.sqlite; it holds keys: keep it to yourself");
    let ended = state(&place, "export moved.sqlite").expect(3);
    assert_snapshot!(ended.stderr, @"error: moved.sqlite exists already; name another file");
    let ended = place
        .run("state import moved.sqlite --state-dir there")
        .expect(0);
    assert_snapshot!(ended.stdout, @"imported 1 run into there");
    let reported = place.run(&format!(
        "report {run} --results there.csv --state-dir there"
    ));
    reported.expect(0);
    assert_eq!(place.results("there.csv"), place.results("out.csv"));
    let ended = place
        .run("state import moved.sqlite --state-dir there")
        .expect(3);
    assert_snapshot!(ended.stderr, @"error: the state folder there holds runs or loaded content already; import into an empty one: choose it with --state-dir");
    let listed = place.run("runs --state-dir there").expect(0).stdout;
    assert!(listed.starts_with(&run), "{listed}");
    let ended = place
        .run("state import people.csv --state-dir fresh")
        .expect(3);
    assert_snapshot!(ended.stderr, @"error: people.csv is not an export of csm-loader's state");
    assert!(!place.has("fresh"));
}

#[test]
fn a_forgotten_key_is_in_no_file_of_the_ledger_any_more() {
    let place = loaded();
    let run = first_run(&place);
    // the sandbox keeps what it was sent, in a folder of its own
    let ledger = place.path("state");
    assert!(held(&ledger, "bo@example.com"));
    let ended = state(&place, "forget bo@example.com --entity customer").expect(0);
    assert_snapshot!(ended.stdout, @"erased from the ledger: the key of 1 row, and what was remembered of 1 record; results files and the site are not touched");
    assert!(!held(&ledger, "bo@example.com"));
    assert!(held(&ledger, "ANA@example.com"));
    place
        .run(&format!("report {run} --results r.csv --state-dir state"))
        .expect(0);
    let written = place.results("r.csv");
    assert_eq!(
        written.column("key"),
        ["ana@example.com", "", "not an address", "ANA@example.com"]
    );
    assert_eq!(
        written.column("status"),
        place.results("out.csv").column("status")
    );
}

#[test]
fn pruning_removes_the_oldest_runs() {
    let place = loaded();
    let first = first_run(&place);
    place.load_people("people.csv").expect(4);
    let ended = state(&place, "prune").expect(0);
    assert_snapshot!(ended.stdout, @"nothing to remove");
    let ended = state(&place, "prune --keep-runs 1").expect(0);
    assert_eq!(ended.stdout, format!("removed run {first}\n"));
    assert_ne!(first_run(&place), first);
    let ended = place
        .run(&format!("report {first} --state-dir state"))
        .expect(3);
    assert!(ended.stderr.contains("no run"), "{}", ended.stderr);
}

#[test]
fn commands_that_write_wait_their_turn_and_those_that_read_do_not() {
    let place = loaded();
    let run = first_run(&place);
    // as a load under way holds it
    let lock = fs::OpenOptions::new()
        .write(true)
        .open(place.path("state/lock"))
        .unwrap();
    lock.lock().unwrap();
    for command in ["export x.sqlite", "forget x", "prune", "import x.sqlite"] {
        let ended = state(&place, command).expect(3);
        insta::allow_duplicates! {
            assert_snapshot!(ended.stderr, @"error: the state folder state is in use by another csm-loader; wait for it to end, or give this run a folder of its own with --state-dir");
        }
    }
    place.run("runs --state-dir state").expect(0);
    place
        .run(&format!("report {run} --state-dir state"))
        .expect(0);
}

#[test]
fn a_damaged_ledger_stops_a_load_before_anything_is_sent() {
    let place = Place::with_people(ROWS);
    place.write(
        "state/ledger.sqlite",
        "not a database, far from it\n".repeat(200),
    );
    for ended in [
        place.load_people("people.csv"),
        place.run("runs --state-dir state"),
    ] {
        let ended = ended.expect(3);
        insta::allow_duplicates! {
            let first = ended.stderr.split(": file is not").next().unwrap();
            assert_snapshot!(first, @"error: the ledger state/ledger.sqlite is damaged; move it away (everything is then simply sent) or restore it from a copy");
        }
    }
    fs::rename(place.path("state/ledger.sqlite"), place.path("away.sqlite")).unwrap();
    place.load_people("people.csv").expect(4);
}

/// A limit on the size of files is as good as a full disk: the load ends, what it acknowledged stays, and it says why.
#[test]
fn a_full_disk_ends_the_load_and_what_was_written_can_be_read() {
    let place = Place::with_crowd(2_000);
    let load = format!(
        "ulimit -f 200; exec {} load --quiet --target sandbox --state-dir state --results out.csv \
         --mapping people.toml --input people.csv",
        env!("CARGO_BIN_EXE_csm-loader")
    );
    // the sandbox writes its site first, with room for it
    place.write("people-1.csv", "email,name\nana@example.com,Ana\n");
    place.load_people("people-1.csv").expect(0);
    let ended = Command::new("sh")
        .args(["-c", &load])
        .current_dir(place.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(5), "{stderr}");
    // what the system says behind it differs
    let said = stderr.split(": ").take(2).collect::<Vec<_>>().join(": ");
    assert_snapshot!(said, @"error: failed to write the ledger state/ledger.sqlite; free disk space or choose another --state-dir");
    let listed = place.run("runs --state-dir state").expect(0).stdout;
    assert!(
        listed.contains("open, under way or killed"),
        "{listed}\n{stderr}"
    );
}

#[test]
fn the_view_shows_what_the_results_file_does() {
    let place = loaded();
    let columns = [
        "run",
        "row",
        "source",
        "line",
        "entity",
        "key",
        "status",
        "operation",
        "remote_id",
        "route",
        "batch",
        "task_id",
        "trace_id",
        "attempts",
        "finished_at",
    ];
    let db = Connection::open(place.path("state/ledger.sqlite")).unwrap();
    let sql = format!("SELECT {} FROM results ORDER BY row", columns.join(", "));
    let mut query = db.prepare(&sql).unwrap();
    let rows = query.query_map([], |row| {
        let cells = (0..columns.len()).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => String::new(),
                ValueRef::Integer(number) => number.to_string(),
                other => other.as_str()?.to_owned(),
            })
        });
        cells.collect::<rusqlite::Result<Vec<_>>>()
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, place.results("out.csv").select(&columns).rows);
}

#[test]
fn help_of_the_commands_of_the_ledger() {
    let help = |command: &str| {
        let ended = Place::new().run(&format!("{command} --help")).expect(0);
        let lines: Vec<_> = ended.stdout.lines().map(str::trim_end).collect();
        lines.join("\n")
    };
    assert_snapshot!(help("runs"), @"
    List the runs that the state folder holds

    Usage: csm-loader runs [OPTIONS]

    Options:
          --state-dir <DIR>  Folder of the ledger [env: CSM_LOADER_STATE_DIR] [default: .csm-loader]
      -h, --help             Print help
    ");
    assert_snapshot!(help("report"), @"
    Write the results of a run again, from the ledger

    Usage: csm-loader report [OPTIONS] <RUN>

    Arguments:
      <RUN>  The run's id, or what it alone begins with

    Options:
          --results <FILE>   Results file: .csv, .parquet, .arrow or .jsonl; {run} expands, and several
                             stages put their entity behind the name [default:
                             <run>-<entity>-results.csv]
          --merged           Show the final state of all rows: what retries of the run made of them
                             counts
          --state-dir <DIR>  Folder of the ledger [env: CSM_LOADER_STATE_DIR] [default: .csm-loader]
      -h, --help             Print help
    ");
    assert_snapshot!(help("state"), @"
    Move, prune or erase what is remembered

    Usage: csm-loader state [OPTIONS] <COMMAND>

    Commands:
      export  Write all runs and what is remembered to a file, to take it to another machine
      import  Take over an export into an empty state folder
      forget  Erase a person or another record from the ledger, on disk too
      prune   Remove the oldest runs; what is remembered of the site stays
      help    Print this message or the help of the given subcommand(s)

    Options:
          --state-dir <DIR>  Folder of the ledger [env: CSM_LOADER_STATE_DIR] [default: .csm-loader]
      -h, --help             Print help
    ");
    assert_snapshot!(help("state forget"), @"
    Erase a person or another record from the ledger, on disk too

    Usage: csm-loader state forget [OPTIONS] <KEY>

    Arguments:
      <KEY>  The key as results show it, or the e-mail, name or id

    Options:
          --entity <ENTITY>  What it is: customer, organization or product [default: any]
          --state-dir <DIR>  Folder of the ledger [env: CSM_LOADER_STATE_DIR] [default: .csm-loader]
      -h, --help             Print help
    ");
    assert_snapshot!(help("state prune"), @"
    Remove the oldest runs; what is remembered of the site stays

    Usage: csm-loader state prune [OPTIONS]

    Options:
          --keep-runs <N>    Runs to keep; open ones stay in any case [default: 30]
          --state-dir <DIR>  Folder of the ledger [env: CSM_LOADER_STATE_DIR] [default: .csm-loader]
      -h, --help             Print help
    ");
}
