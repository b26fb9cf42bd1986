//! The command line: help, usage, settings, logs, results that cannot be written, a state folder in use.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn help_lists_the_commands_and_exit_codes() {
    let ended = Place::new().run("--help").expect(0);
    assert_snapshot!(ended.stdout, @"
    Loads customers, organizations, products and entitlements from CSV, Parquet or Arrow files into
    Atlassian Customer Service Management, and writes one result for every row it read

    Usage: csm-loader <COMMAND>

    Commands:
      load         Load rows into a site and write a results file
      check        Read, map and validate without a site; write the rows that would not load
      plan         Say what a load would create, update and leave alone, and how long it would take;
                   nothing is sent
      auth         Get credentials from a site, and see what they are good for
      doctor       Look at a site from outside in, and say what is wrong and what to do; find out how it
                   behaves
      resume       Continue a run that was interrupted
      retry        Load the rows of a results file again that did not load
      runs         List the runs that the state folder holds
      report       Write the results of a run again, from the ledger
      state        Move, prune or erase what is remembered
      sandbox      Serve a local CSM site to try things on
      codes        List every result code with its cause and cure
      contract     List what the API is taken for: each name, endpoint and limit, and how well it is
                   known
      completions  Write a script that completes this program's commands and flags in a shell
      man          Write this program's manual pages: to a folder, one for each command, or all of them
                   to standard output
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes: 0 all rows loaded · 1 a defect · 2 wrong flags · 3 bad configuration, mapping,
    credentials or input · 4 some rows did not load · 5 stopped early
    ");
    assert_eq!(ended.stderr, "");
}

#[test]
fn help_of_load_lists_every_flag() {
    let ended = Place::new().run("load --help").expect(0);
    let lines: Vec<_> = ended.stdout.lines().map(str::trim_end).collect();
    assert_snapshot!(lines.join("\n"), @"
    Load rows into a site and write a results file

    Usage: csm-loader load [OPTIONS] <JOB.toml|--mapping <FILE>>

    Arguments:
      [JOB.toml]
              Job file that names site, limits and stages

    Options:
          --entity <ENTITY>
              What to load: customer, organization, product, entitlement, detail-field [default: the
              mapping's]

          --mapping <FILE>
              Mapping file

          --input <PATH>...
              Files, globs, folders, or - for standard input

          --results <FILE>
              Results file: .csv, .parquet, .arrow or .jsonl; {date} and {run} expand [default:
              <input>-results.csv, for a check <input>-rejected.csv]

          --with-source
              Add the source's columns to the results as src.<name>

          --duplicates <POLICY>
              Which row of a natural key is sent: last, first, all-in-order or reject [default: last]

              [env: CSM_LOADER_DUPLICATES]

          --state-dir <DIR>
              Folder for the ledger and the sandbox's site [default: .csm-loader]

              [env: CSM_LOADER_STATE_DIR]

          --format <FORMAT>
              Format of the input: csv, parquet or arrow [default: by content and extension]

          --csv-delimiter <CHAR>
              What separates CSV cells: one character, or `tab` [default: detected]

          --csv-encoding <NAME>
              Encoding of CSV files, as in windows-1252 [default: UTF-8]

          --csv-columns <NAMES>
              Names of the columns of CSV files that have no header row

          --csv-max-record <SIZE>
              Largest CSV record, as in 16MiB [default: 16MiB]

          --log <LOG>
              How progress is told: auto (bars on a terminal, else lines), lines or json

              Possible values:
              - auto:  Bars on a terminal, else lines
              - lines: Plain lines
              - json:  One JSON object per event

              [env: CSM_LOADER_LOG]
              [default: auto]

      -q, --quiet
              Show only errors and the closing summary

          --target <sandbox>
              Where to load: `sandbox` is a site inside this program, kept in the state folder

              Also `CSM_LOADER_TARGET`

              Possible values:
              - sandbox: The site inside this program

          --site <HOST>
              The site's host, as in acme.atlassian.net

              Also `CSM_LOADER_SITE`

          --full
              Send rows too that have not changed since they were loaded

          --new
              Begin a new run, though one of this job was interrupted; what that one has under way is
              settled first

          --keep-runs <N>
              Runs that the ledger keeps when this one has ended; open ones stay in any case [default:
              30]

          --sandbox-seed <FILE>
              Fill the embedded sandbox from this file first (what is there stays)

          --task-slots <N>
              Task slots to hold on the site: a number, or `auto`

              [env: CSM_LOADER_TASK_SLOTS]

          --requests-per-second <N>
              Requests a second, over all endpoints [default: 50]

              [env: CSM_LOADER_REQUESTS_PER_SECOND]

          --max-errors <N|P%>
              Stop early when more rows than this did not load: a number, or a percentage of the rows
              read

              [env: CSM_LOADER_MAX_ERRORS]

          --route <ROUTE>
              Which way rows travel: bulk, single, or auto: whichever is faster [default: auto]

              [env: CSM_LOADER_ROUTE]

          --single-in-flight <N>
              Rows that may travel by single calls at a time [default: 8]

              [env: CSM_LOADER_SINGLE_IN_FLIGHT]

          --verify <ROWS>
              Of which rows it is read back what the site holds: failed (those in doubt), sample or all
              [default: sample]

              [env: CSM_LOADER_VERIFY]

          --gone <report>
              List customers and organizations that were loaded before and that the input, a full
              export, no longer has

              Possible values:
              - report: They are listed

          --max-changes <N|P%>
              Send nothing when more rows than this would create or change a record: a number, or a
              percentage of the rows read

              [env: CSM_LOADER_MAX_CHANGES]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_retry_lists_what_is_its_own() {
    let ended = Place::new().run("retry --help").expect(0);
    let lines: Vec<_> = ended.stdout.lines().map(str::trim_end).collect();
    let all = lines.join("\n");
    let (own, _) = all.split_once("      --log <LOG>").unwrap();
    assert_snapshot!(own.trim_end(), @"
    Load the rows of a results file again that did not load

    Usage: csm-loader retry [OPTIONS] <RESULTS>

    Arguments:
      <RESULTS>
              Results file whose rows are loaded again, perhaps edited: .csv, .parquet, .arrow or .jsonl

    Options:
          --status <STATUSES>
              Only rows with these statuses [default: those that did not load]

          --code <CODES>
              Only rows with one of these codes: `csm-loader codes` lists them

          --mapping <FILE>
              Mapping file [default: that of the run]

          --results <FILE>
              New results file, never the retried one; {date} and {run} expand [default: <RESULTS>-retry
              with its ending]

          --with-source
              Add the source's columns to the new results as src.<name> [default: when RESULTS has them]

          --duplicates <POLICY>
              Which row of a natural key is sent: last, first, all-in-order or reject [default: as in
              the run]

              [env: CSM_LOADER_DUPLICATES]

          --csv-encoding <NAME>
              Encoding of a CSV file that is not UTF-8, as in windows-1252

          --job <JOB.toml>
              Job file whose site, credentials, limits and state folder are used; its stages are not

          --state-dir <DIR>
              Folder for the ledger and the sandbox's site, that of the run [default: .csm-loader]

              [env: CSM_LOADER_STATE_DIR]
    ");
}

#[test]
fn codes_gives_cause_and_cure_of_each() {
    let ended = Place::new().run("codes").expect(0);
    let first: Vec<_> = ended.stdout.lines().take(12).collect();
    assert_snapshot!(first.join("\n"), @"
    CSV_TOO_FEW_FIELDS (rejected)
      cause  the CSV record has fewer fields than the header
      cure   add the missing fields on the named line; a line break inside a cell needs quotes around
             the cell

    CSV_TOO_MANY_FIELDS (rejected)
      cause  the CSV record has more fields than the header
      cure   quote the cell that contains the delimiter on the named line

    CSV_UNCLOSED_QUOTE (rejected)
      cause  a quoted cell starts in this record and is never closed
      cure   close the quote on the named line, or double a quote that belongs to the text
    ");
    for code in csm_loader::model::code::Code::ALL {
        assert!(ended.stdout.contains(code.name()), "{code}");
    }
}

#[test]
fn wrong_flags_end_with_2_and_say_what_is_right() {
    let place = Place::with_people("");
    let usage = |args: &str| {
        let ended = place.run(args).expect(2);
        assert_eq!(ended.stdout, "");
        ended.stderr
    };
    assert_snapshot!(usage(""), @"
    Loads customers, organizations, products and entitlements from CSV, Parquet or Arrow files into
    Atlassian Customer Service Management, and writes one result for every row it read

    Usage: csm-loader <COMMAND>

    Commands:
      load         Load rows into a site and write a results file
      check        Read, map and validate without a site; write the rows that would not load
      plan         Say what a load would create, update and leave alone, and how long it would take;
                   nothing is sent
      auth         Get credentials from a site, and see what they are good for
      doctor       Look at a site from outside in, and say what is wrong and what to do; find out how it
                   behaves
      resume       Continue a run that was interrupted
      retry        Load the rows of a results file again that did not load
      runs         List the runs that the state folder holds
      report       Write the results of a run again, from the ledger
      state        Move, prune or erase what is remembered
      sandbox      Serve a local CSM site to try things on
      codes        List every result code with its cause and cure
      contract     List what the API is taken for: each name, endpoint and limit, and how well it is
                   known
      completions  Write a script that completes this program's commands and flags in a shell
      man          Write this program's manual pages: to a folder, one for each command, or all of them
                   to standard output
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes: 0 all rows loaded · 1 a defect · 2 wrong flags · 3 bad configuration, mapping,
    credentials or input · 4 some rows did not load · 5 stopped early
    ");
    assert_snapshot!(usage("laod"), @"
    error: unrecognized subcommand 'laod'

      tip: a similar subcommand exists: 'load'

    Usage: csm-loader <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(usage("load"), @"
    error: the following required arguments were not provided:
      <JOB.toml|--mapping <FILE>>

    Usage: csm-loader load <JOB.toml|--mapping <FILE>>

    For more information, try '--help'.
    ");
    assert_snapshot!(usage("load --mapping people.toml"), @"
    error: the following required arguments were not provided:
      --input <PATH>...

    Usage: csm-loader load --input <PATH>... <JOB.toml|--mapping <FILE>>

    For more information, try '--help'.
    ");
    assert_snapshot!(usage("load job.toml --input people.csv"), @"
    error: the argument '[JOB.toml]' cannot be used with '--input <PATH>...'

    Usage: csm-loader load <JOB.toml|--mapping <FILE>>

    For more information, try '--help'.
    ");
    assert_snapshot!(usage("load --mapping people.toml --input people.csv --target nowhere"), @"
    error: invalid value 'nowhere' for '--target <sandbox>'
      [possible values: sandbox]

    For more information, try '--help'.
    ");
    assert_snapshot!(usage("load --mapping people.toml --input people.csv --duplicates some"), @r#"
    error: invalid value 'some' for '--duplicates <POLICY>': unknown policy "some"; use last, first, all-in-order or reject

    For more information, try '--help'.
    "#);
    assert_snapshot!(usage("load --mapping people.toml --input people.csv --max-errors few"), @r#"
    error: invalid value 'few' for '--max-errors <N|P%>': "few" is neither a number of rows (100) nor a percentage (5%)

    For more information, try '--help'.
    "#);
    assert_snapshot!(usage("load --mapping people.toml --input people.csv --task-slots 0"), @r#"
    error: invalid value '0' for '--task-slots <N>': "0" is neither "auto" nor a number from 1 to 100

    For more information, try '--help'.
    "#);
    assert_snapshot!(usage("load --mapping people.toml --input people.csv --entity person"), @r#"
    error: invalid value 'person' for '--entity <ENTITY>': unknown entity "person"; use detail-field, product, organization, customer or entitlement

    For more information, try '--help'.
    "#);
    assert_snapshot!(usage("sandbox --listen nowhere"), @"
    error: invalid value 'nowhere' for '--listen <ADDRESS>': invalid socket address syntax

    For more information, try '--help'.
    ");
}

#[test]
fn the_sandbox_serves_this_machine_alone() {
    let ended = Place::new()
        .run("sandbox --listen 0.0.0.0:0 --state-dir state")
        .expect(3);
    assert_snapshot!(ended.stderr, @"error: the sandbox listens on this machine alone, and 0.0.0.0:0 can be reached from others; use 127.0.0.1:0");
}

#[test]
fn a_load_without_a_site_says_how_to_name_one() {
    let place = Place::with_people("a@example.com,Ana\n");
    let ended = place
        .run("load --state-dir state --mapping people.toml --input people.csv")
        .expect(3);
    assert_snapshot!(ended.stderr, @"error: no site: name one with --site acme.atlassian.net, try things on the local one with --target sandbox, or write [site] into the job file");
}

#[test]
fn a_site_in_use_by_another_process_is_left_alone() {
    let place = Place::with_people("a@example.com,Ana\n");
    let site = Sandbox::serve(&place, "--state-dir state");
    let load = place.load_people("people.csv").expect(3);
    assert_snapshot!(load.stderr, @"error: the state folder state is in use by another csm-loader; wait for it to end, or give this run a folder of its own with --state-dir");
    let second = place
        .run("sandbox --listen 127.0.0.1:0 --state-dir state")
        .expect(3);
    assert_snapshot!(second.stderr, @"error: the state folder state is in use by another csm-loader; wait for it to end, or give this run a folder of its own with --state-dir");
    assert_eq!(site.count("writes"), 0);
    site.stop();
    place.load_people("people.csv").expect(0);
}

#[test]
fn a_results_file_that_is_an_input_is_refused() {
    let place = Place::with_people("a@example.com,Ana\n");
    let ended = place
        .run("load --target sandbox --state-dir state --mapping people.toml --input people.csv --results ./people.csv")
        .expect(3);
    assert_snapshot!(ended.stderr, @"error: the results file ./people.csv is an input (people.csv); name another with --results");
    assert_eq!(place.read("people.csv"), "email,name\na@example.com,Ana\n");
}

#[test]
fn results_that_cannot_be_written_are_known_before_anything_is_sent() {
    let place = Place::with_people("a@example.com,Ana\n");
    let load = |results: &str| {
        let ended = place.run(&format!(
            "load --quiet --target sandbox --state-dir state --mapping people.toml --input people.csv --results {results}"
        ));
        let ended = ended.expect(3);
        assert!(
            !place.path("state/sandbox/site.jsonl").exists(),
            "something was sent"
        );
        ended.stderr
    };
    assert_snapshot!(load("out.xlsx"), @"error: results file out.xlsx: its name must end in .csv, .jsonl, .ndjson, .parquet, .arrow, .ipc or .feather");
    assert_snapshot!(load("people.csv/out.csv"), @"error: results file people.csv/out.csv: failed to look at what is there: Not a directory (os error 20)");
    place.write("folder.csv/file", "");
    assert_snapshot!(load("folder.csv"), @"error: results file folder.csv: exists and is not a regular file; choose another name");
}

#[test]
fn results_appear_whole_private_and_under_the_name_asked_for() {
    let place = Place::with_people("a@example.com,Ana\n");
    place
        .run("load --quiet --target sandbox --state-dir state --mapping people.toml --input people.csv --results out/{run}-{date}.csv")
        .expect(0);
    let files: Vec<_> = std::fs::read_dir(place.path("out"))
        .unwrap()
        .map(|file| file.unwrap())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().into_string().unwrap();
    let results = place.results(&format!("out/{name}"));
    let run = results.column("run")[0].to_owned();
    let date = &results.column("finished_at")[0][..10];
    assert!(
        name.starts_with(&run) && name.len() == run.len() + 15,
        "{name} {run} {date}"
    );
    assert_eq!(
        files[0].metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    // without a name they stand in the current folder
    place.run("load --quiet --target sandbox --state-dir state --mapping people.toml --input people.csv").expect(0);
    place.results("people-results.csv").expect_rows(1);
}

#[test]
fn job_files_are_checked_whole_before_anything_happens() {
    let place = Place::with_people("a@example.com,Ana\n");
    let refused = |text: &str| {
        place.write("job.toml", text);
        place.run("load job.toml").expect(3).stderr
    };
    let stage = "[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n";
    assert_snapshot!(refused(&format!("[limits]\ntask_slotz = 3\n{stage}")), @"
    error: in the job file job.toml: TOML parse error at line 2, column 1
      |
    2 | task_slotz = 3
      | ^^^^^^^^^^
    unknown field `task_slotz`, expected one of `task_slots`, `requests_per_second`, `platform_limits`, `max_errors`, `route`, `single_in_flight`, `verify`, `max_changes`, `expect_task`, `expect_call`
    did you mean `task_slots`?
    ");
    assert_snapshot!(refused("[site]\ntarget = \"sandbox\"\n"), @"error: the job file job.toml has no [[stage]]; add one for each entity to load");
    assert_snapshot!(refused(&format!("[site]\ntarget = \"sandbox\"\n{stage}{stage}")), @"error: two stages would write people-results.csv; give each its own results");
    assert_snapshot!(refused(&format!("[site]\ntarget = \"sandbox\"\ncloud_id = \"c\"\n{stage}")), @"error: [site] names more than one of target, site and cloud_id; keep one");
    assert_snapshot!(refused(&format!("[site]\ncloud_id = \"c\"\nbase_url = \"http://example.com\"\n{stage}")), @r#"error: "http://example.com" cannot be used as the site's address: the token would travel unencrypted; use https"#);
    assert_snapshot!(place.run("load none.toml").expect(3).stderr, @"error: failed to read the job file none.toml: No such file or directory (os error 2)");
    assert!(!place.path(".csm-loader/sandbox/site.jsonl").exists());
}

#[test]
fn the_json_log_is_one_object_a_line_without_the_rows_values() {
    let place = Place::with_people(
        "ana.secret@example.com,Wilhelmina\nnot-an-address,Wilhelmina\nshort@example.com\n",
    );
    let ended = place
        .run("load --log json --target sandbox --state-dir state --results out.csv --mapping people.toml --input people.csv")
        .expect(4);
    let mut events = Vec::new();
    for line in ended.stderr.lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(object["ts"].is_string(), "{line}");
        events.push(object["event"].as_str().unwrap().to_owned());
    }
    assert_eq!(events.first().map(String::as_str), Some("run_started"));
    assert_eq!(events.last().map(String::as_str), Some("run_finished"));
    for value in ["ana.secret", "Wilhelmina", "not-an-address", "short@"] {
        assert!(!ended.stderr.contains(value), "{value} in {}", ended.stderr);
    }
}

#[test]
fn quiet_shows_the_summary_alone_and_lines_show_each_step() {
    let place = Place::with_people("a@example.com,Ana\n");
    let quiet = place.load_people("people.csv").expect(0);
    assert_eq!(quiet.stderr, "");
    assert_snapshot!(quiet.steady(), @"
    customer: 1 row in …, 1 write request
      loaded       1
      results: out.csv

    1 row in …: 1 loaded
    ");
    let lines = place
        .run("load --target sandbox --state-dir state --results out.csv --mapping people.toml --input people.csv")
        .expect(0);
    let steps: Vec<_> = lines
        .stderr
        .lines()
        .map(|line| line.split_once("Z ").unwrap().1)
        .collect();
    assert!(steps[0].starts_with("run 20"), "{steps:?}");
    assert!(steps.contains(&"customer: sending"), "{steps:?}");
}

#[test]
fn settings_come_from_flags_before_variables() {
    let place = Place::with_people("a@example.com,Ana\n");
    let env = [
        ("CSM_LOADER_STATE_DIR", "from-env"),
        ("CSM_LOADER_TARGET", "sandbox"),
        ("CSM_LOADER_LOG", "json"),
    ];
    place
        .run_with("load --mapping people.toml --input people.csv", &env)
        .expect(0);
    assert!(place.has("from-env/ledger.sqlite"));
    place
        .run_with(
            "load --mapping people.toml --input people.csv --state-dir flag",
            &env,
        )
        .expect(0);
    assert!(place.has("flag/ledger.sqlite"));
}

#[test]
fn state_is_private() {
    let place = Place::with_people("a@example.com,Ana\n");
    place.load_people("people.csv").expect(0);
    let mut folders = vec![place.path("state")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", folder.display());
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", entry.path().display());
            }
        }
    }
    assert!(files >= 2);
}
