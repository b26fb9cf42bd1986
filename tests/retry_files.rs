//! Results files on their way through a spreadsheet and back to rows that can be loaded again.

use crate::support::recalled::{Recalled, row};
use crate::support::spreadsheet::{Sheet, column, open_in_spreadsheet, save_as};
use csm_loader::model::clock::UnixMillis;
use csm_loader::model::code::Code;
use csm_loader::model::entity::{Entity, Operation};
use csm_loader::model::outcome::Status;
use csm_loader::model::row::{FileId, RowId};
use csm_loader::report::results::{ResultRow, ResultsHeader, ResultsWriter};
use csm_loader::retry::{Filter, Origin, Prepared, Request, RetryError, prepare};
use csm_loader::source::chunk::render;
use csm_loader::source::{ChunkRequest, Dataset, RowCells, SourceSpec};
use std::error::Error as _;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

mod formats;
mod types;

const NOON: UnixMillis = 1_795_348_800_123;
const RUN: &str = "20261122-080000-3f9a2c";

/// What a ledger is told about a row: its number, file, line, status and code.
type Told = (u64, u32, Option<u64>, Status, Option<Code>);

/// A folder with a source, and a ledger that knows how its rows ended.
struct Desk {
    folder: TempDir,
    spec: SourceSpec,
    ledger: Recalled,
}

impl Desk {
    /// A desk with these files, in order, of which the ledger knows these rows.
    fn new(files: &[(&str, &[u8])], rows: &[Told]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let spec = SourceSpec {
            inputs: files.iter().map(|(name, _)| (*name).to_owned()).collect(),
            base: folder.path().to_owned(),
            format: None,
            csv: csm_loader::source::CsvOptions::default(),
            spool: folder.path().join("spool"),
        };
        let rows = rows.iter().map(|(id, file, line, status, code)| {
            (RowId(*id), row(FileId(*file), *line, *status, *code))
        });
        let ledger = Recalled::new(RUN, Entity::Customer, &spec, rows.collect());
        Self {
            folder,
            spec,
            ledger,
        }
    }

    /// Five customers of one CSV file, of whom three did not load.
    fn with_customers() -> Self {
        let customers = "id,phone,name\n\
                         007,00420123,\"Ana \"\"Ace\"\" Lee\"\n\
                         008,,\"Bo; Cy, & Co\"\n\
                         009,0151,\"two\nlines\"\n\
                         010,0,=1+1\n\
                         011,1,Eve\n";
        Self::new(
            &[("customers.csv", customers.as_bytes())],
            &[
                (1, 0, Some(2), Status::Failed, Some(Code::SiteRejected)),
                (2, 0, Some(3), Status::Rejected, Some(Code::EmailInvalid)),
                (3, 0, Some(4), Status::NotSent, None),
                (4, 0, Some(6), Status::Loaded, None),
                (5, 0, Some(7), Status::Duplicate, Some(Code::DuplicateKey)),
            ],
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Writes the results of the run as the program does.
    fn publish(&self, name: &str, with_source: bool) {
        let dataset = Dataset::open(&self.spec).unwrap();
        let columns = dataset.schema().columns().iter().filter(|_| with_source);
        let header = ResultsHeader {
            run: RUN.into(),
            entity: Entity::Customer,
            operation: Operation::Upsert.into(),
            source_columns: columns.map(|(name, _)| name.clone()).collect(),
        };
        let mut cells = RowCells::new(&dataset);
        let mut writer = ResultsWriter::create(&self.path(name), &header).unwrap();
        for (id, known) in self.ledger.rows() {
            let cells = if with_source {
                cells.of(id.0)
            } else {
                Vec::new()
            };
            let result = ResultRow {
                row: id.0,
                source: &dataset.files()[known.file.0 as usize].name,
                line: known.line,
                key: "",
                status: known.status,
                reasons: &[],
                remote_id: None,
                route: None,
                batch: None,
                task_id: None,
                trace_id: None,
                attempts: 0,
                finished_at: NOON,
                cells: &cells,
            };
            writer.write(&result).unwrap();
        }
        writer.finish().unwrap();
    }

    fn retry(&mut self, name: &str) -> Result<Prepared, RetryError> {
        self.retry_with(name, |_| {})
    }

    fn retry_with(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Request<'_>),
    ) -> Result<Prepared, RetryError> {
        let (file, spool) = (self.path(name), self.path("spool"));
        fs::create_dir_all(&spool).unwrap();
        let mut request = Request {
            file: &file,
            encoding: None,
            filter: Filter::default(),
            mapping: None,
            results: None,
            spool: &spool,
        };
        change(&mut request);
        prepare(&request, &mut self.ledger)
    }

    /// What is said about a file that cannot be retried, with this folder as `…`.
    fn refusal(&mut self, name: &str) -> String {
        let error = self.retry(name).unwrap_err();
        self.words(&error)
    }

    fn words(&self, error: &RetryError) -> String {
        let mut text = error.to_string();
        if let Some(cause) = error.source() {
            text = format!("{text}: {cause}");
        }
        text.replace(&self.folder.path().display().to_string(), "…")
    }
}

/// All rows of what was prepared: `row file:line: cell | cell`, or `row file:line! CODE message`.
fn rows(prepared: &Prepared) -> String {
    let mut all = Vec::new();
    for chunk in prepared.dataset.chunks(&ChunkRequest::default()) {
        let chunk = chunk.unwrap();
        let file = &prepared.dataset.files()[chunk.file.0 as usize].name;
        let columns: Vec<_> = chunk.frame.columns().iter().map(render).collect();
        let first = chunk
            .ids
            .first()
            .into_iter()
            .chain(chunk.bad.first().map(|bad| &bad.row))
            .min();
        assert!(
            all.last().map(|(id, _)| id) < first,
            "chunks stand in their order"
        );
        for (index, id) in chunk.ids.iter().enumerate() {
            let line = chunk
                .line(index)
                .map_or(String::new(), |line| format!(":{line}"));
            let cells = columns
                .iter()
                .map(|column| column.get(index).unwrap_or("∅"));
            let cells = cells.collect::<Vec<_>>().join(" | ");
            all.push((*id, format!("{} {file}{line}: {cells}", id.0)));
        }
        for bad in &chunk.bad {
            let line = bad.line.map_or(String::new(), |line| format!(":{line}"));
            let text = format!(
                "{} {file}{line}! {} {}",
                bad.row.0,
                bad.code.name(),
                bad.message
            );
            all.push((bad.row, text));
        }
    }
    // within a chunk, records that are no rows stand apart
    all.sort_by_key(|(id, _)| *id);
    let texts: Vec<_> = all
        .into_iter()
        .map(|(_, text)| text.replace('\n', "⏎"))
        .collect();
    texts.join("\n")
}

/// What a person does: sorts the sheet the other way round, turns the order of the columns, adds a column of notes, fixes
/// one row, and leaves blank rows at the end.
fn edit(mut sheet: Sheet) -> Sheet {
    let (row, phone) = (column(&sheet, "row"), column(&sheet, "src.phone"));
    sheet[1..].sort_by(|left, right| right[row].cmp(&left[row]));
    for record in &mut sheet[1..] {
        if record[row] == "2" {
            "0042".clone_into(&mut record[phone]);
        }
    }
    for (index, record) in sheet.iter_mut().enumerate() {
        record.insert(
            3,
            if index == 0 {
                "notes".into()
            } else {
                format!("note {index}")
            },
        );
        record.reverse();
    }
    let width = sheet[0].len();
    sheet.push(vec![String::new(); width]);
    sheet
}

#[test]
fn a_sheet_comes_back_from_a_spreadsheet_with_its_rows_and_nothing_else() {
    let mut desk = Desk::with_customers();
    desk.publish("out.csv", true);
    let sheet = edit(open_in_spreadsheet(
        &fs::read_to_string(desk.path("out.csv")).unwrap(),
    ));
    let (comma, semicolon, tab) = (
        save_as(&sheet, ','),
        save_as(&sheet, ';'),
        save_as(&sheet, '\t'),
    );
    let utf16: Vec<u8> = format!("\u{feff}{tab}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (what, bytes) in [
        ("commas", comma.clone().into_bytes()),
        ("a byte-order mark", format!("\u{feff}{comma}").into_bytes()),
        ("semicolons", format!("\u{feff}{semicolon}").into_bytes()),
        ("tabs", tab.into_bytes()),
        ("UTF-16", utf16),
        (
            "blank rows",
            format!("{semicolon};;;;\r\n;;\r\n\r\n").into_bytes(),
        ),
    ] {
        desk.write("edited.csv", bytes);
        let prepared = desk
            .retry("edited.csv")
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(prepared.origin, Origin::ResultsFile, "{what}");
        assert_eq!(
            (prepared.rows, prepared.entity),
            (3, Entity::Customer),
            "{what}"
        );
        assert_eq!(prepared.run, RUN);
        insta::allow_duplicates! {
            insta::assert_snapshot!(rows(&prepared), @r#"
            1 customers.csv:2: 007 | 00420123 | Ana "Ace" Lee
            2 customers.csv:3: 008 | 0042 | Bo; Cy, & Co
            3 customers.csv:4: 009 | 0151 | two⏎lines
            "#);
            insta::assert_snapshot!(prepared.told.sentences().join("\n"), @"
            3 rows are loaded again (1 rejected, 1 failed, 1 not_sent)
            2 rows are left out (1 loaded, 1 duplicate)
            columns ignored, as this program did not write them: notes
            ");
        }
        assert_eq!(
            rows(&prepared),
            rows(&prepared),
            "two readings see the same"
        );
        let spool: Vec<_> = fs::read_dir(desk.path("spool")).unwrap().collect();
        assert_eq!(
            spool.len(),
            1,
            "{what}: the rows alone are in the state folder"
        );
        drop(prepared);
        assert_eq!(
            fs::read_dir(desk.path("spool")).unwrap().count(),
            0,
            "{what}: they go with their dataset"
        );
    }
}

#[test]
fn the_ledger_and_not_the_sheet_says_what_loaded() {
    let mut desk = Desk::with_customers();
    desk.publish("out.csv", true);
    let text = fs::read_to_string(desk.path("out.csv")).unwrap();
    desk.write(
        "out.csv",
        text.replace(",loaded,", ",failed,")
            .replace(",not_sent,", ",loaded,"),
    );
    let prepared = desk.retry("out.csv").unwrap();
    assert_eq!(prepared.rows, 3);
    insta::assert_snapshot!(prepared.told.sentences().join("\n"), @"
    3 rows are loaded again (1 rejected, 1 failed, 1 not_sent)
    1 row is not loaded again, because the ledger knows that it loaded: line 6
    1 row is left out (1 duplicate)
    ");
}

#[test]
fn statuses_and_codes_choose_rows() {
    let mut desk = Desk::with_customers();
    desk.publish("out.csv", true);
    for (statuses, codes, rows) in [
        (&[Status::Failed][..], &[][..], &[1_u64][..]),
        (&[Status::Duplicate, Status::NotSent], &[], &[3, 5]),
        (&[], &["email_invalid", "SITE_REJECTED"], &[1, 2]),
        (&[Status::Failed], &["SITE_REJECTED"], &[1]),
    ] {
        let prepared = desk.retry_with("out.csv", |request| {
            request.filter.statuses = statuses.to_vec();
            request.filter.codes = codes.iter().map(ToString::to_string).collect();
        });
        let chunks = prepared.unwrap().dataset.chunks(&ChunkRequest::default());
        let ids: Vec<_> = chunks
            .flat_map(|chunk| chunk.unwrap().ids)
            .map(|id| id.0)
            .collect();
        assert_eq!(ids, rows, "{statuses:?} {codes:?}");
    }
    let error = desk
        .retry_with("out.csv", |request| {
            request.filter.codes = vec!["TOO_LONG".into()];
        })
        .unwrap_err();
    insta::assert_snapshot!(desk.words(&error), @"…/out.csv: no row has the code TOO_LONG; the column code shows those that rows have, and csm-loader codes lists all");
}

#[test]
fn rows_that_cannot_be_told_are_named_all_at_once() {
    let mut desk = Desk::with_customers();
    desk.write(
        "out.csv",
        format!(
            "run,row,entity,src.id\n{RUN},17.0,customer,a\n{RUN},1,customer,b\n{RUN},99,customer,c\n{RUN},1,customer,d\n\
             ,2,customer,e\n{RUN},,customer,f\n,,,g\n20260101-000000-abcdef,3,customer,h\n{RUN},3,product,i\n\
             {RUN},ana@example.com,customer,j\n{RUN},4,customer,k,l\n{RUN},\"1,234\",customer,m\n"
        ),
    );
    insta::assert_snapshot!(desk.refusal("out.csv"), @r#"
    …/out.csv, line 2, column row: "17.0" is not a row number; restore it as it was in the results file
    …/out.csv, line 4, column row: run 20261122-080000-3f9a2c has no row 99 of this kind; restore it as it was in the results file
    …/out.csv, line 5, column row: row 1 stands on line 3 already; keep one of them
    …/out.csv, line 6, column run: the cell is empty; restore it as it was in the results file
    …/out.csv, line 7, column row: the cell is empty; restore it as it was in the results file
    …/out.csv, line 8: this row has neither run nor row; load new rows with csm-loader load
    …/out.csv, line 9, column run: the first row is of run 20261122-080000-3f9a2c, and this one is not; retry the results of one run at a time
    …/out.csv, line 10, column entity: the first row is a customer, and this one is not; retry the results file of one stage at a time
    …/out.csv, line 11, column row: this is not a row number; restore it as it was in the results file
    …/out.csv, line 12: 5 fields; the header has 4; restore the record, or take it out
    …/out.csv, line 13, column row: "1,234" is not a row number; restore it as it was in the results file
    "#);
}

#[test]
fn many_faults_are_counted() {
    let mut desk = Desk::with_customers();
    let again = format!("{RUN},1\n").repeat(40);
    desk.write("out.csv", format!("run,row\n{again}{RUN},77\n{RUN},78\n"));
    let words = desk.refusal("out.csv");
    let lines: Vec<_> = words.lines().collect();
    assert_eq!(lines.len(), 4, "{words}");
    insta::assert_snapshot!(lines[0], @"…/out.csv, line 3, column row: row 1 stands on line 2 already; keep one of them (and 19 more rows)");
    insta::assert_snapshot!(lines[3], @"…/out.csv: 19 more faults like these");
}

#[test]
fn files_that_are_no_results_are_refused() {
    let mut desk = Desk::with_customers();
    desk.write("a.csv", "run;id\n1;2\n");
    insta::assert_snapshot!(desk.refusal("a.csv"), @r#"…/a.csv: it has no column "row"; retry needs it: restore it, or name a results file of csm-loader"#);
    desk.write("a.csv", "run,row\n\n , \n");
    insta::assert_snapshot!(desk.refusal("a.csv"), @"…/a.csv: it has no rows; name a results file with rows that did not load");
    desk.write("a.csv", "run,row\n20260101-000000-abcdef,1\nx,2\n");
    insta::assert_snapshot!(desk.refusal("a.csv"), @r#"…/a.csv, line 2, column run: the ledger has no run "20260101-000000-abcdef"; name the state folder of that run with --state-dir"#);
    desk.write("a.csv", b"run,row,src.name\nx,1,Jos\xe9\n");
    insta::assert_snapshot!(desk.refusal("a.csv"), @"…/a.csv, line 2: not valid UTF-8 at byte 8 of the record; restore the record, or take it out");
    desk.ledger.unfinished = Some(RUN.into());
    desk.write("a.csv", format!("run,row\n{RUN},1\n"));
    insta::assert_snapshot!(desk.refusal("a.csv"), @"run 20261122-080000-3f9a2c has not ended: continue it first, with csm-loader resume 20261122-080000-3f9a2c, and retry what does not load then");
}

#[test]
fn a_sheet_that_changes_while_it_is_read_is_refused() {
    for (name, expected) in [
        (
            "out.jsonl",
            "…/out.jsonl: the file has changed while it was read; start again, and let nothing write to it meanwhile",
        ),
        (
            "out.csv",
            "…/out.csv: the file has changed since it was opened; start again, and let nothing write to it meanwhile",
        ),
    ] {
        let mut desk = Desk::with_customers();
        desk.publish(name, true);
        let path = desk.path(name);
        desk.ledger.meanwhile = Some(Box::new(move || {
            let text = fs::read_to_string(&path).unwrap();
            let kept: Vec<_> = text.lines().take(1).collect();
            fs::write(&path, kept.join("\n")).unwrap();
        }));
        assert_eq!(desk.refusal(name), expected);
    }
}

#[test]
fn new_results_overwrite_neither_the_sheet_nor_an_input() {
    let mut desk = Desk::with_customers();
    desk.publish("out.csv", false);
    let input = desk.path("customers.csv");
    let (sheet, link) = (desk.path("out.csv"), desk.path("link.csv"));
    std::os::unix::fs::symlink(&sheet, &link).unwrap();
    let dotted = desk.path("spool/../out.csv");
    let mut refusal = |results: PathBuf| {
        let error = desk.retry_with("out.csv", |request| request.results = Some(results));
        desk.words(&error.unwrap_err())
    };
    insta::assert_snapshot!(refusal(sheet), @"the results file …/out.csv is the file that is retried; name another with --results");
    insta::assert_snapshot!(refusal(link), @"the results file …/link.csv is the file that is retried; name another with --results");
    insta::assert_snapshot!(refusal(dotted), @"the results file …/spool/../out.csv is the file that is retried; name another with --results");
    insta::assert_snapshot!(refusal(input), @"the results file …/customers.csv is an input (customers.csv); name another with --results");

    // rows of a file with src. columns do not come from the input, and it is still none to be written over
    desk.publish("full.csv", true);
    let input = desk.path("customers.csv");
    let error = desk.retry_with("full.csv", |request| request.results = Some(input));
    let error = desk.words(&error.unwrap_err());
    insta::assert_snapshot!(error, @"the results file …/customers.csv is an input (customers.csv); name another with --results");

    let prepared = desk.retry("out.csv").unwrap();
    assert_eq!(prepared.results, desk.path("out-retry.csv"));
    desk.write("out-retry.csv", "");
    assert_eq!(
        desk.retry("out.csv").unwrap().results,
        desk.path("out-retry-2.csv")
    );
}

#[test]
fn the_mapping_is_the_recorded_one_unless_another_is_named() {
    let mut desk = Desk::with_customers();
    desk.publish("out.csv", true);
    assert_eq!(
        desk.retry("out.csv").unwrap().mapping,
        PathBuf::from("people.toml")
    );
    let other = PathBuf::from("other.toml");
    let named = desk.retry_with("out.csv", |request| request.mapping = Some(other.clone()));
    assert_eq!(named.unwrap().mapping, other);
    desk.ledger.stage.mapping = None;
    insta::assert_snapshot!(desk.refusal("out.csv"), @"the ledger does not know the mapping of run 20261122-080000-3f9a2c; name it with --mapping");
}
