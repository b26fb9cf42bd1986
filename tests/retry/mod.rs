//! Results files edited and loaded again: exactly the rows that did not load, and what the ledger says of all of them then.

mod interrupted;
mod refused;

use crate::support::place::Place;
use crate::support::process::Ended;
use crate::support::sandbox::{Sandbox, Write};
use crate::support::scripted::CREDENTIALS;
use crate::support::spreadsheet::{Sheet, column, open_in_spreadsheet, save_as};
use crate::support::table::Table;
use insta::assert_snapshot;

const STAGE: &str =
    "[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n";

/// A served site with one detail field of choices, a job that loads into it, and faults of ours and of the site's.
struct Desk {
    place: Place,
    site: Sandbox,
}

impl Desk {
    /// Six people: two load, two are refused by us, two by the site.
    fn with_people() -> Self {
        Self::with(
            "id,email,name,tier\n\
             007,ana@example.com,Ana,Free\n\
             008,bo at example.com,Bo,Free\n\
             009,cy@example.com,\"Cy; \"\"C\"\" Lee\",Gold\n\
             010,dee@example.com,Dee,Premium\n\
             011,,Eve,Free\n\
             012,fay@example.com,Fay,Silver\n",
        )
    }

    fn with(people: &str) -> Self {
        let place = Place::new();
        place.write(
            "people.toml",
            "entity = \"customer\"\nkey = \"id\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n\
             [details]\n\"External ID\" = \"id\"\nTier = \"tier\"\n",
        );
        place.write("people.csv", people);
        place.write(
            "site.toml",
            "[[customer_detail]]\nname = \"External ID\"\ntype = \"TEXT\"\n\
             [[customer_detail]]\nname = \"Tier\"\ntype = \"SELECT\"\noptions = [\"Free\", \"Premium\"]\n",
        );
        let site = Sandbox::serve(&place, "--state-dir site --seed site.toml");
        let job = format!("{}[state]\ndir = \"state\"\n{STAGE}", site.site_table());
        place.write("job.toml", job);
        Self { place, site }
    }

    fn run(&self, args: &str) -> Ended {
        let mut ended = self.place.run_with(args, &CREDENTIALS);
        ended.stderr = ended.stderr.replace(&self.site.cloud_id, "CLOUD");
        ended
    }

    fn load(&self, flags: &str) -> Ended {
        self.run(&format!("load job.toml {flags}"))
    }

    fn retry(&self, args: &str) -> Ended {
        self.run(&format!("retry --job job.toml {args}"))
    }

    /// A results file as a person sees it in a spreadsheet.
    fn sheet(&self, name: &str) -> Sheet {
        open_in_spreadsheet(&self.place.read(name))
    }

    /// Fixes what is wrong with Bo's e-mail and Cy's tier, and saves `out.csv` as `fixed.csv`.
    fn fix_two(&self) -> Sheet {
        let mut sheet = self.sheet("out.csv");
        set(&mut sheet, "2", "src.email", "bo@example.com");
        set(&mut sheet, "3", "src.tier", "Premium");
        self.place.write("fixed.csv", save_as(&sheet, ','));
        sheet
    }

    /// Whom the site was told to write, in alphabetical order.
    fn written(&self) -> Vec<String> {
        let customers = self.site.audit().into_iter();
        let customers = customers.filter(|write: &Write| write.entity == "customer");
        let mut keys: Vec<_> = customers.map(|write| write.key).collect();
        keys.sort_unstable();
        keys
    }

    fn run_of(&self, results: &str) -> String {
        self.place.results(results).column("run")[0].to_owned()
    }

    /// Row and status of everything that is known of a run.
    fn merged(&self, run: &str) -> String {
        self.run(&format!(
            "report {run} --merged --results merged.csv --state-dir state"
        ))
        .expect(0);
        statuses(&self.place.results("merged.csv"))
    }
}

/// `1 loaded, 2 rejected`
fn statuses(results: &Table) -> String {
    let rows = results
        .column("row")
        .into_iter()
        .zip(results.column("status"));
    let each: Vec<_> = rows
        .map(|(row, status)| format!("{row} {status}"))
        .collect();
    each.join(", ")
}

fn set(sheet: &mut Sheet, row: &str, name: &str, cell: &str) {
    let (number, at) = (column(sheet, "row"), column(sheet, name));
    let mut records = sheet.iter_mut().skip(1);
    let record = records.find(|record| record[number] == row).unwrap();
    cell.clone_into(&mut record[at]);
}

/// What was told, without times and with this run as `RUN`.
fn told(ended: &Ended, run: &str) -> String {
    let lines = ended.stderr.lines().map(|line| {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        if first.ends_with('Z') { rest } else { line }
    });
    let lines = lines.filter(|line| {
        !["reading", "sending", "writing"]
            .iter()
            .any(|phase| line.starts_with(&format!("customer: {phase}")))
    });
    lines.collect::<Vec<_>>().join("\n").replace(run, "RUN")
}

#[test]
fn fixed_rows_of_a_sheet_that_a_spreadsheet_saved_are_loaded_and_no_others_are_sent() {
    let desk = Desk::with_people();
    desk.load("--quiet --with-source").expect(4);
    let first = desk.place.results("out.csv");
    assert_eq!(
        statuses(&first),
        "1 loaded, 2 rejected, 3 failed, 4 loaded, 5 rejected, 6 failed"
    );
    assert_eq!(desk.written(), ["ana@example.com", "dee@example.com"]);

    // the other way round, its columns too, with notes, semicolons, a byte-order mark and CRLF
    let mut sheet = desk.fix_two();
    sheet[1..].reverse();
    for (index, record) in sheet.iter_mut().enumerate() {
        let note = if index == 0 { "notes" } else { "done, I think" };
        record.insert(2, note.into());
        record.reverse();
    }
    let edited = format!("\u{feff}{}", save_as(&sheet, ';'));
    desk.place.write("edited.csv", &edited);
    let ended = desk.retry("edited.csv --log lines").expect(4);
    let run = desk.run_of("out.csv");
    let said = told(&ended, &run);
    let (before, _) = said.split_once("\nrun ").unwrap();
    assert_snapshot!(before, @"
    4 rows are loaded again (2 rejected, 2 failed)
    2 rows are left out (2 loaded)
    columns ignored, as this program did not write them: notes
    1 row of these will be rejected; the others are sent:
    edited.csv, line 3, column src.email: email: no value; the field is required (REQUIRED_MISSING)
    ");
    assert_eq!(desk.place.read("edited.csv"), edited);

    // the new run has these rows alone, as they were numbered and placed
    let again = desk.place.results("edited-retry.csv");
    assert_eq!(statuses(&again), "2 loaded, 3 loaded, 5 rejected, 6 failed");
    let places = |results: &Table| {
        results
            .select(&["row", "source", "line", "key", "src.id"])
            .rows
    };
    let old: Vec<_> = places(&first)
        .into_iter()
        .filter(|row| ["2", "3", "5", "6"].contains(&&*row[0]))
        .collect();
    assert_eq!(places(&again), old);
    assert_eq!(
        again.column("src.tier"),
        ["Free", "Premium", "Free", "Silver"]
    );
    assert_ne!(again.column("run")[0], run);

    // two writes more, and their leading zeros arrived
    assert_eq!(
        desk.written(),
        [
            "ana@example.com",
            "bo@example.com",
            "cy@example.com",
            "dee@example.com"
        ]
    );
    let site = desk.site.records("customers");
    let id = |email: &str| site[email]["details"].to_string();
    assert!(
        id("bo@example.com").contains("\"008\""),
        "{}",
        id("bo@example.com")
    );
    assert!(
        site["cy@example.com"]
            .to_string()
            .contains(r#"Cy; \"C\" Lee"#)
    );

    // either run leads to the final state of all
    for run in [&*run, again.column("run")[0]] {
        assert_eq!(
            desk.merged(run),
            "1 loaded, 2 loaded, 3 loaded, 4 loaded, 5 rejected, 6 failed"
        );
    }
}

#[test]
fn rows_are_taken_from_the_source_when_it_is_what_it_was() {
    let desk = Desk::with_people();
    desk.load("--quiet").expect(4);
    // the mapping is fixed, and not the rows
    let mapping = desk.place.read("people.toml");
    let mapping = mapping.replace(
        "\"tier\"",
        "{ column = \"tier\", map = { Free = \"Free\", Gold = \"Premium\", Silver = \"Silver\" } }",
    );
    desk.place.write("people.toml", mapping);
    let ended = desk
        .retry("out.csv --code SITE_REJECTED --log lines")
        .expect(4);
    let said = told(&ended, &desk.run_of("out.csv"));
    let (before, _) = said.split_once("\nrun ").unwrap();
    assert_snapshot!(before, @"
    2 rows are loaded again (2 failed)
    4 rows are left out (2 loaded, 2 rejected)
    ");
    assert_snapshot!(desk.place.results("out-retry.csv").told(), @"
    3 | 4 | 009 | loaded
    6 | 7 | 012 | failed | SITE_REJECTED | Tier | Invalid detail field value
    ");
    assert_eq!(
        desk.written(),
        ["ana@example.com", "cy@example.com", "dee@example.com"]
    );
    desk.retry("out.csv --status rejected --quiet").expect(4);
    assert_eq!(
        statuses(&desk.place.results("out-retry-2.csv")),
        "2 rejected, 5 rejected"
    );
    assert_eq!(desk.written().len(), 3);
}

#[test]
fn a_retry_is_retried_from_its_own_results() {
    let desk = Desk::with_people();
    desk.load("--quiet --with-source").expect(4);
    desk.fix_two();
    desk.retry("fixed.csv --quiet").expect(4);
    let mut sheet = desk.sheet("fixed-retry.csv");
    // what was edited is in no source: without its columns the sheet is refused, and not loaded as it once was
    let bare: Vec<_> = sheet.iter().map(|record| record[..8].to_vec()).collect();
    desk.place.write("bare.csv", save_as(&bare, ','));
    let ended = desk.retry("bare.csv --quiet").expect(3);
    assert_snapshot!(ended.stderr, @"error: bare.csv: it has no src. columns to load from, and its rows came from the src. columns of another results file, and not from their source; load the source again with csm-loader load, and use --with-source so that its results can be edited and retried by themselves");
    set(&mut sheet, "5", "src.email", "eve@example.com");
    set(&mut sheet, "6", "src.tier", "");
    desk.place.write("again.csv", save_as(&sheet, ','));
    let ended = desk.retry("again.csv --log lines").expect(0);
    let second = desk.run_of("fixed-retry.csv");
    let said = told(&ended, &second);
    let (before, _) = said.split_once("\nrun ").unwrap();
    assert_snapshot!(before, @"
    2 rows are loaded again (1 rejected, 1 failed)
    2 rows are left out (2 loaded)
    ");
    assert_eq!(
        statuses(&desk.place.results("again-retry.csv")),
        "5 loaded, 6 loaded"
    );
    assert_eq!(
        desk.merged(&desk.run_of("out.csv")),
        "1 loaded, 2 loaded, 3 loaded, 4 loaded, 5 loaded, 6 loaded"
    );
    assert_eq!(desk.written().len(), 6);

    let listed = desk.run("runs --state-dir state").expect(0);
    let retries: Vec<_> = listed
        .stdout
        .lines()
        .filter(|line| line.starts_with("  retries"))
        .collect();
    assert_eq!(
        retries,
        [desk.run_of("out.csv"), second].map(|run| format!("  retries       {run}"))
    );
    // whichever file one starts from, nothing is left
    let ended = desk.retry("out.csv --quiet").expect(3);
    assert_snapshot!(ended.stderr, @"error: out.csv: no row is left to load again (6 loaded); name other rows with --status or --code, or load them with csm-loader load");
}

/// Row 1 has no e-mail yet; row 2 has the one that row 1 is given later, and loads.
fn desk_of_twins() -> (Desk, String) {
    let desk = Desk::with("id,email,name,tier\n1,,Old,Free\n2,X@example.com,New,Premium\n");
    desk.load("--quiet --with-source").expect(4);
    let mut sheet = desk.sheet("out.csv");
    set(&mut sheet, "1", "src.email", "x@example.com");
    desk.place.write("fixed.csv", save_as(&sheet, ','));
    let run = desk.run_of("out.csv");
    (desk, run)
}

#[test]
fn a_repaired_row_does_not_go_over_a_newer_one_of_its_key() {
    let (desk, run) = desk_of_twins();
    desk.retry("fixed.csv --quiet").expect(0);
    assert_snapshot!(desk.place.results("fixed-retry.csv").told(), @"1 | 2 | 1 | duplicate | DUPLICATE_KEY |  | row 2 has the same natural key and stands for it");
    assert_eq!(desk.merged(&run), "1 duplicate, 2 loaded");
    let customer = |desk: &Desk| desk.site.records("customers")["x@example.com"].to_string();
    assert!(customer(&desk).contains("New"), "{}", customer(&desk));

    // a later load finds the newer row unchanged, which stands as well
    desk.load("--quiet --with-source").expect(4);
    assert_eq!(
        statuses(&desk.place.results("out.csv")),
        "1 rejected, 2 unchanged"
    );
    let mut sheet = desk.sheet("out.csv");
    set(&mut sheet, "1", "src.email", "x@example.com");
    desk.place.write("fixed.csv", save_as(&sheet, ','));
    desk.retry("fixed.csv --quiet").expect(0);
    assert_eq!(
        statuses(&desk.place.results("fixed-retry-2.csv")),
        "1 duplicate"
    );

    // whoever wants the row of all the same says so
    desk.retry("fixed.csv --status duplicate --duplicates all-in-order --quiet")
        .expect(0);
    assert_eq!(
        statuses(&desk.place.results("fixed-retry-3.csv")),
        "1 loaded"
    );
    assert!(customer(&desk).contains("Old"), "{}", customer(&desk));
}

#[test]
fn under_first_a_repaired_row_goes_before_later_ones_and_not_before_earlier_ones() {
    let (desk, _) = desk_of_twins();
    desk.retry("fixed.csv --duplicates first --quiet").expect(0);
    assert_eq!(statuses(&desk.place.results("fixed-retry.csv")), "1 loaded");

    let desk = Desk::with("id,email,name,tier\n1,x@example.com,Old,Free\n2,,New,Free\n");
    desk.load("--quiet --with-source --duplicates first")
        .expect(4);
    let mut sheet = desk.sheet("out.csv");
    set(&mut sheet, "2", "src.email", "X@example.com");
    desk.place.write("fixed.csv", save_as(&sheet, ','));
    desk.retry("fixed.csv --quiet").expect(0);
    assert_snapshot!(desk.place.results("fixed-retry.csv").told(), @"2 | 3 | 2 | duplicate | DUPLICATE_KEY |  | row 1 has the same natural key and stands for it");
}
