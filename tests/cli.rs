//! The command line: help, usage, inputs of every kind, results that cannot be written, a state folder in use.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn help_lists_the_commands_and_exit_codes() {
    let ended = Place::new().run("--help").expect(0);
    assert_snapshot!(ended.stdout, @"
    Loads customers, organizations and products from CSV, Parquet or Arrow files into Atlassian Customer
    Service Management, and writes one result for every row it read

    Usage: csm-loader <COMMAND>

    Commands:
      load     Load rows into a site and write a results file
      check    Read, map and validate without a site; write the rows that would not load
      sandbox  Serve a local CSM site to try things on
      codes    List every result code with its cause and cure
      help     Print this message or the help of the given subcommand(s)

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

    Usage: csm-loader load [OPTIONS] [JOB.toml]

    Arguments:
      [JOB.toml]
              Job file that names site, limits and stages

    Options:
          --entity <ENTITY>
              What to load: customer, organization or product [default: the mapping's entity]

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

      -h, --help
              Print help (see a summary with '-h')
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
    Loads customers, organizations and products from CSV, Parquet or Arrow files into Atlassian Customer
    Service Management, and writes one result for every row it read

    Usage: csm-loader <COMMAND>

    Commands:
      load     Load rows into a site and write a results file
      check    Read, map and validate without a site; write the rows that would not load
      sandbox  Serve a local CSM site to try things on
      codes    List every result code with its cause and cure
      help     Print this message or the help of the given subcommand(s)

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
      --mapping <FILE>
      --input <PATH>...

    Usage: csm-loader load --mapping <FILE> --input <PATH>... [JOB.toml]

    For more information, try '--help'.
    ");
    assert_snapshot!(usage("load --mapping people.toml"), @"
    error: the following required arguments were not provided:
      --input <PATH>...

    Usage: csm-loader load --mapping <FILE> --input <PATH>... [JOB.toml]

    For more information, try '--help'.
    ");
    assert_snapshot!(usage("load job.toml --input people.csv"), @"
    error: the argument '[JOB.toml]' cannot be used with '--input <PATH>...'

    Usage: csm-loader load <JOB.toml>

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
    error: invalid value 'person' for '--entity <ENTITY>': unknown entity "person"; use product, organization or customer

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

/// Row, source, line, key and status of each row.
fn told(place: &Place) -> String {
    let table = place
        .results("out.csv")
        .select(&["row", "source", "line", "key", "status"]);
    let rows: Vec<_> = table.rows.iter().map(|row| row.join(" | ")).collect();
    rows.join("\n")
}

#[test]
fn standard_input_is_an_input() {
    let place = Place::with_people("");
    let load = "load --quiet --target sandbox --state-dir state --results out.csv --mapping people.toml --input -";
    place
        .run_fed(load, b"email,name\na@example.com,Ana\nb@example.com\n")
        .expect(4);
    assert_snapshot!(told(&place), @"
    1 | - | 2 | a@example.com | loaded
    2 | - | 3 |  | rejected
    ");
    let spool: Vec<_> = std::fs::read_dir(place.path("state/spool"))
        .unwrap()
        .collect();
    assert!(spool.is_empty(), "{spool:?}");
    let ended = place.run_fed(load, b"").expect(3);
    assert_snapshot!(ended.stderr, @"error: -: the file is empty: it has no header; export it again, take it out of the inputs, or give the columns' names");
}

#[test]
fn several_files_globs_and_compressed_files_are_one_dataset_in_the_order_given() {
    let place = Place::with_people("");
    place.write(
        "z.csv",
        "email,name\nz1@example.com,Z\n\nz2@example.com,Z\n",
    );
    place.write("part-b.csv", "email,name\nb@example.com,B\n");
    place.write("part-a.csv", "name,email\nA,a@example.com\n");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"email,name\ng1@example.com,G\n").unwrap();
    let mut bytes = gzip.finish().unwrap();
    // a second member, as `cat a.gz b.gz` makes it
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"g2@example.com,G\n").unwrap();
    bytes.extend(gzip.finish().unwrap());
    place.write("c.csv.gz", bytes);
    let zstandard = zstd::encode_all(&b"email,name\ns@example.com,S\n"[..], 0).unwrap();
    place.write("d.csv.zst", zstandard);
    place
        .load_people("z.csv part-*.csv c.csv.gz d.csv.zst")
        .expect(0);
    assert_snapshot!(told(&place), @"
    1 | z.csv | 2 | z1@example.com | loaded
    2 | z.csv | 4 | z2@example.com | loaded
    3 | part-a.csv | 2 | a@example.com | loaded
    4 | part-b.csv | 2 | b@example.com | loaded
    5 | c.csv.gz | 2 | g1@example.com | loaded
    6 | c.csv.gz | 3 | g2@example.com | loaded
    7 | d.csv.zst | 2 | s@example.com | loaded
    ");
}

#[test]
fn a_folder_of_partitions_gives_its_keys_as_columns() {
    let place = Place::with_people("");
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\ndisplay_name = \"region\"\n",
    );
    place.write(
        "export/region=eu/day=2026-01-31/a.csv",
        "email\na@example.com\n",
    );
    place.write(
        "export/region=us%20west/day=2026-01-31/b.csv",
        "email\nb@example.com\n",
    );
    place.load_people("export --with-source").expect(0);
    assert_snapshot!(told(&place), @"
    1 | export/region=eu/day=2026-01-31/a.csv | 2 | a@example.com | loaded
    2 | export/region=us%20west/day=2026-01-31/b.csv | 2 | b@example.com | loaded
    ");
    let source = place
        .results("out.csv")
        .select(&["src.email", "src.region", "src.day"]);
    assert_eq!(
        source.rows,
        [
            ["a@example.com", "eu", "2026-01-31"],
            ["b@example.com", "us west", "2026-01-31"]
        ]
    );
    let site = Sandbox::serve(&place, "--state-dir state");
    assert_eq!(
        site.records("customers")["b@example.com"]["displayName"],
        "us west"
    );
}

#[test]
fn other_encodings_delimiters_and_files_without_header_are_read_as_told() {
    let place = Place::with_people("");
    place.write(
        "export.txt",
        b"a@example.com\tJos\xe9 \x80\r\nb@example.com\tO\x92Neill\r\n",
    );
    place
        .load_people("export.txt --format csv --csv-encoding windows-1252 --csv-delimiter tab --csv-columns email,name")
        .expect(0);
    assert_snapshot!(told(&place), @"
    1 | export.txt | 1 | a@example.com | loaded
    2 | export.txt | 2 | b@example.com | loaded
    ");
    let site = Sandbox::serve(&place, "--state-dir state");
    let customers = site.records("customers");
    assert_eq!(customers["a@example.com"]["displayName"], "José €");
    assert_eq!(customers["b@example.com"]["displayName"], "O’Neill");
}

#[test]
fn an_encoding_or_delimiter_that_does_not_exist_is_refused() {
    let place = Place::with_people("a@example.com,Ana\n");
    assert_snapshot!(place.load_people("people.csv --csv-encoding latin-99").expect(3).stderr, @r#"error: no encoding is called "latin-99"; use a label of the Encoding Standard, such as utf-8, utf-16le or windows-1252"#);
    assert_snapshot!(place.load_people("people.csv --csv-delimiter ab").expect(3).stderr, @r#"error: the CSV delimiter "ab" is not one ASCII character; write it as in ";" or "tab""#);
    assert_snapshot!(place.load_people("people.csv --csv-columns email,email").expect(3).stderr, @r#"error: the given header names "email" twice: columns 1 and 2; rename or remove all but one"#);
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
    unknown field `task_slotz`, expected one of `task_slots`, `requests_per_second`, `max_errors`
    ");
    assert_snapshot!(refused("[site]\ntarget = \"sandbox\"\n"), @"error: the job file job.toml has no [[stage]]; add one for each entity to load");
    assert_snapshot!(refused(&format!("[site]\ntarget = \"sandbox\"\n{stage}{stage}")), @"error: two stages would write people-results.csv; give each its own results");
    assert_snapshot!(refused(&format!("[site]\ntarget = \"sandbox\"\ncloud_id = \"c\"\n{stage}")), @"error: [site] names more than one of target, site and cloud_id; keep one");
    assert_snapshot!(refused(&format!("[site]\ncloud_id = \"c\"\nbase_url = \"http://example.com\"\n{stage}")), @r#"error: "http://example.com" cannot be used as the site's address: the token would travel unencrypted; use https"#);
    assert_snapshot!(place.run("load none.toml").expect(3).stderr, @"error: failed to read the job file none.toml: No such file or directory (os error 2)");
    assert!(!place.path(".csm-loader/sandbox/site.jsonl").exists());
}

/// Five rows, three of one key, which is written in several ways.
const REPEATED: &str = "ana@example.com,First\nbob@example.com,Bob\n ANA@Example.com,Second\nana@example.com,Third\neve@example.com,Eve\n";

/// Loads them by a policy: what each row's result says, the name that the site holds, and how often it was written.
fn repeated(policy: &str, code: i32) -> String {
    let place = Place::with_people(REPEATED);
    place
        .load_people(&format!("people.csv --duplicates {policy}"))
        .expect(code);
    let site = Sandbox::serve(&place, "--state-dir state");
    let name = site
        .records("customers")
        .get("ana@example.com")
        .map(|ana| ana["displayName"].to_string());
    let writes = site
        .audit()
        .iter()
        .filter(|write| write.key == "ana@example.com")
        .count();
    format!(
        "{}written {writes} times: {}\n",
        place.results("out.csv").told(),
        name.unwrap_or_default()
    )
}

#[test]
fn each_policy_decides_which_row_of_a_key_is_sent() {
    assert_snapshot!(repeated("last", 0), @r#"
    1 | 2 | ana@example.com | duplicate | DUPLICATE_KEY |  | row 4 has the same natural key and was sent instead
    2 | 3 | bob@example.com | loaded
    3 | 4 |  ANA@Example.com | duplicate | DUPLICATE_KEY |  | row 4 has the same natural key and was sent instead
    4 | 5 | ana@example.com | loaded
    5 | 6 | eve@example.com | loaded
    written 1 times: "Third"
    "#);
    assert_snapshot!(repeated("first", 0), @r#"
    1 | 2 | ana@example.com | loaded
    2 | 3 | bob@example.com | loaded
    3 | 4 |  ANA@Example.com | duplicate | DUPLICATE_KEY |  | row 1 has the same natural key and was sent instead
    4 | 5 | ana@example.com | duplicate | DUPLICATE_KEY |  | row 1 has the same natural key and was sent instead
    5 | 6 | eve@example.com | loaded
    written 1 times: "First"
    "#);
    assert_snapshot!(repeated("all-in-order", 0), @r#"
    1 | 2 | ana@example.com | loaded
    2 | 3 | bob@example.com | loaded
    3 | 4 |  ANA@Example.com | loaded
    4 | 5 | ana@example.com | loaded
    5 | 6 | eve@example.com | loaded
    written 3 times: "Third"
    "#);
    assert_snapshot!(repeated("reject", 4), @"
    1 | 2 | ana@example.com | rejected | DUPLICATE_REJECTED |  | 3 rows share this natural key; the first is row 1
    2 | 3 | bob@example.com | loaded
    3 | 4 |  ANA@Example.com | rejected | DUPLICATE_REJECTED |  | 3 rows share this natural key; the first is row 1
    4 | 5 | ana@example.com | rejected | DUPLICATE_REJECTED |  | 3 rows share this natural key; the first is row 1
    5 | 6 | eve@example.com | loaded
    written 0 times:
    ");
}

#[test]
fn a_row_that_is_rejected_does_not_compete_for_its_key() {
    let place =
        Place::with_people("ana@example.com,First\nana@example.com,too,many\nana@example.com,\n");
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n\
         display_name = { column = \"name\", required = true }\n",
    );
    place.load_people("people.csv").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | ana@example.com | loaded
    2 | 3 |  | rejected | CSV_TOO_MANY_FIELDS |  | 3 fields; the header has 2
    3 | 4 | ana@example.com | rejected | REQUIRED_MISSING | display_name | no value; the field is required
    ");
}

#[test]
fn too_many_errors_stop_the_run_with_every_row_accounted_for() {
    let lines = (0..1_200).map(|row| {
        let at = if row % 10 == 0 { "" } else { "@example.com" };
        format!("p{row}{at},Person")
    });
    let place = Place::with_people(&lines.collect::<Vec<_>>().join("\n"));
    let ended = place.load_people("people.csv --max-errors 5%").expect(5);
    assert_snapshot!(ended.steady(), @"
    customer: 1,200 rows in …
      loaded           0
      not_sent     1,200
      most frequent codes, each with an example:
        1,200  RUN_STOPPED  people.csv line 2: 120 of 1200 rows were rejected, more than --max-errors 5% allows; nothing of this stage was sent
      results: out.csv

    1,200 rows in …: 1,200 not_sent
    stopped early: 120 of 1200 rows were rejected, more than --max-errors 5% allows; nothing of this stage was sent
    what each code means and what to do: csm-loader codes
    ");
    let results = place.results("out.csv");
    results.expect_rows(1_200);
    let counts = results.counts();
    let loaded = counts.get("loaded").copied().unwrap_or_default();
    assert_eq!(counts.values().sum::<usize>(), 1_200);
    let site = Sandbox::serve(&place, "--state-dir state");
    assert_eq!(site.count("customers"), loaded as u64);
    drop(site);
    // as many as there are, are borne
    place.load_people("people.csv --max-errors 119").expect(5);
    place.load_people("people.csv --max-errors 120").expect(4);
    place.load_people("people.csv --max-errors 10%").expect(4);
    assert_eq!(
        place.results("out.csv").counts(),
        [("loaded".to_owned(), 1_080), ("rejected".to_owned(), 120)].into()
    );
}

#[test]
fn too_many_failures_on_the_site_stop_the_run_too() {
    let place = Place::with_crowd(2_000);
    // the site has no such field, and refuses each row
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n[details]\n\"Region\" = \"name\"\n",
    );
    place.write(
        "site.toml",
        "[[customer_detail]]\nname = \"Other\"\ntype = \"TEXT\"\n",
    );
    for most in ["50", "5%"] {
        place
            .load_people(&format!(
                "people.csv --max-errors {most} --sandbox-seed site.toml"
            ))
            .expect(5);
        let results = place.results("out.csv");
        results.expect_rows(2_000);
        let counts = results.counts();
        assert!((100..2_000).contains(&counts["failed"]), "{counts:?}");
        assert_eq!(counts["failed"] + counts["not_sent"], 2_000);
    }
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
    customer: 1 row in …, 1 request
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
