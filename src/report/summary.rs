//! The closing account of a run, for people.
//!
//! Duty: say how many rows ended how, why, where the results are, and what to do next. Guarantee: foreign text
//! (the site's words) stays on its line and steers no terminal. Must not know: where the text is shown.

use crate::model::entity::Entity;
use crate::model::event::{CodeCount, Gone, RunEvent, StageSummary, Travelled};
use crate::model::outcome::{Counts, Status};
use crate::report::figures::{count, counted, duration, one_line, per_second, rate, statuses};
use std::fmt;
use std::time::Duration;

/// How much of an example's message is shown, in characters.
const MESSAGE: usize = 120;

/// The summary of a run, collected from its events; its `Display` is the text.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    stages: Vec<StageSummary>,
    end: Option<End>,
}

/// What a check found.
#[derive(Debug, Clone, Copy)]
pub struct CheckSummary<'a> {
    /// What the rows are.
    pub entity: Entity,
    /// Rows read.
    pub rows: u64,
    /// Rows that would not be sent, by status.
    pub counts: &'a Counts,
    /// The most frequent codes.
    pub top_codes: &'a [CodeCount],
    /// Where those rows are listed.
    pub results: &'a str,
    /// How long it took.
    pub took: Duration,
}

#[derive(Debug, Clone)]
struct End {
    counts: Counts,
    stopped: Option<String>,
    took: Duration,
}

impl Summary {
    /// Takes note of an event; most do not matter here.
    pub fn record(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StageFinished { summary } => self.stages.push(summary.clone()),
            RunEvent::RunFinished {
                counts,
                stopped,
                took,
            } => {
                self.end = Some(End {
                    counts: *counts,
                    stopped: stopped.clone(),
                    took: *took,
                });
            }
            RunEvent::RunStarted { .. }
            | RunEvent::StageStarted { .. }
            | RunEvent::PhaseStarted { .. }
            | RunEvent::Progressed { .. }
            | RunEvent::BatchAccepted { .. }
            | RunEvent::BatchSettled { .. }
            | RunEvent::Notice { .. } => {}
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for stage in &self.stages {
            write_stage(f, stage)?;
            writeln!(f)?;
        }
        self.end.as_ref().map_or(Ok(()), |end| write_end(f, end))
    }
}

fn write_stage(f: &mut fmt::Formatter<'_>, stage: &StageSummary) -> fmt::Result {
    let rows = stage.counts.total();
    write!(
        f,
        "{}: {} in {}",
        stage.entity,
        counted(rows, "row"),
        duration(stage.took)
    )?;
    let handled = rows - stage.counts.of(Status::NotSent);
    if let Some(speed) = per_second(handled, stage.took).filter(|_| handled > 0) {
        write!(f, ", {} rows/s", rate(speed))?;
    }
    if stage.write_requests > 0 {
        write!(f, ", {}", counted(stage.write_requests, "write request"))?;
    }
    if stage.sent_again > 0 {
        let rows = counted(stage.sent_again, "row");
        write!(
            f,
            ", {rows} sent again after a reading that did not show them"
        )?;
    }
    writeln!(f)?;
    if stage.travelled.both() {
        let Travelled { bulk, single } = stage.travelled;
        writeln!(
            f,
            "  {} by bulk requests, {} by single calls",
            counted(bulk, "row"),
            count(single)
        )?;
    }
    let shown: Vec<_> = Status::ALL
        .into_iter()
        .map(|status| (status, stage.counts.of(status)))
        .filter(|&(status, rows)| status == Status::Loaded || rows > 0)
        .map(|(status, rows)| (status, count(rows)))
        .collect();
    let width = shown.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0);
    for (status, rows) in shown {
        writeln!(f, "  {status:<11}  {rows:>width$}")?;
    }
    write_codes(f, &stage.top_codes)?;
    if let Some(path) = &stage.results {
        writeln!(f, "  results: {path}")?;
    }
    stage
        .gone
        .as_ref()
        .map_or(Ok(()), |gone| write_gone(f, gone))
}

fn write_gone(f: &mut fmt::Formatter<'_>, gone: &Gone) -> fmt::Result {
    let records = counted(gone.records, "record");
    writeln!(
        f,
        "  loaded before and not in the input: {records}, listed in {}",
        gone.list
    )?;
    if gone.keyless > 0 {
        let rows = counted(gone.keyless, "rejected row");
        writeln!(
            f,
            "    whose records may be among them, as their keys cannot be told: {rows}"
        )?;
    }
    Ok(())
}

/// The closing account of a check: `results` lists the rows that would not be sent.
///
/// # Errors
/// When the formatter refuses.
pub fn write_check(f: &mut fmt::Formatter<'_>, check: &CheckSummary<'_>) -> fmt::Result {
    let CheckSummary {
        entity,
        rows,
        counts,
        top_codes,
        results,
        took,
    } = check;
    write!(
        f,
        "{entity}: {} checked in {}",
        counted(*rows, "row"),
        duration(*took)
    )?;
    if let Some(speed) = per_second(*rows, *took).filter(|_| *rows > 0) {
        write!(f, ", {} rows/s", rate(speed))?;
    }
    writeln!(f)?;
    let shown = [
        ("ready to load", rows.saturating_sub(counts.total())),
        ("rejected", counts.of(Status::Rejected)),
        ("duplicate", counts.of(Status::Duplicate)),
    ];
    let width = shown
        .iter()
        .map(|(_, rows)| count(*rows).len())
        .max()
        .unwrap_or(0);
    for (what, rows) in shown {
        writeln!(f, "  {what:<13}  {:>width$}", count(rows))?;
    }
    write_codes(f, top_codes)?;
    writeln!(f, "  rows that would not be sent: {results}")
}

fn write_codes(f: &mut fmt::Formatter<'_>, codes: &[CodeCount]) -> fmt::Result {
    if codes.is_empty() {
        return Ok(());
    }
    writeln!(f, "  most frequent codes, each with an example:")?;
    let rows = codes
        .iter()
        .map(|code| count(code.rows))
        .collect::<Vec<_>>();
    let width = rows.iter().map(String::len).max().unwrap_or(0);
    let names = codes
        .iter()
        .map(|code| code.code.name().chars().count())
        .max()
        .unwrap_or(0);
    for (code, rows) in codes.iter().zip(rows) {
        let message = one_line(&code.message, MESSAGE);
        writeln!(
            f,
            "    {rows:>width$}  {:<names$}  {}: {message}",
            code.code, code.example
        )?;
    }
    Ok(())
}

fn write_end(f: &mut fmt::Formatter<'_>, end: &End) -> fmt::Result {
    let outcome = statuses(&end.counts, |_| true).unwrap_or_else(|| "nothing to do".into());
    writeln!(
        f,
        "{} in {}: {outcome}",
        counted(end.counts.total(), "row"),
        duration(end.took)
    )?;
    if let Some(why) = &end.stopped {
        writeln!(f, "stopped early: {}", one_line(why, 4 * MESSAGE))?;
    }
    if end.counts.any_not_loaded() {
        writeln!(f, "what each code means and what to do: csm-loader codes")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::code::{Code, ReasonCode};
    use crate::model::entity::Entity;

    fn counts(pairs: &[(Status, u64)]) -> Counts {
        let mut counts = Counts::default();
        for &(status, rows) in pairs {
            counts.add(status, rows);
        }
        counts
    }

    fn text(events: &[RunEvent]) -> String {
        let mut summary = Summary::default();
        for event in events {
            summary.record(event);
        }
        summary.to_string()
    }

    fn organizations() -> StageSummary {
        StageSummary {
            stage: 0,
            entity: Entity::Organization,
            counts: counts(&[(Status::Loaded, 150)]),
            top_codes: Vec::new(),
            results: Some("out/organizations-results.csv".into()),
            write_requests: 2,
            travelled: Travelled::default(),
            sent_again: 0,
            gone: None,
            took: Duration::from_millis(4_200),
        }
    }

    #[test]
    fn a_run_with_refused_rows_says_how_many_why_and_where() {
        let customers = StageSummary {
            stage: 1,
            entity: Entity::Customer,
            counts: counts(&[
                (Status::Loaded, 1_234_567),
                (Status::Rejected, 1_090),
                (Status::Failed, 7),
                (Status::Duplicate, 10),
            ]),
            top_codes: vec![
                CodeCount {
                    code: Code::RequiredMissing.into(),
                    status: Status::Rejected,
                    rows: 1_060,
                    example: "customers.csv line 17".into(),
                    message: "no value; the field is required".into(),
                },
                CodeCount {
                    code: ReasonCode::Rule("CONTRACT_ENDED".into()),
                    status: Status::Rejected,
                    rows: 30,
                    example: "customers.csv line 4,211".into(),
                    message: "breaks the rule: a > b".into(),
                },
                CodeCount {
                    code: Code::SiteRejected.into(),
                    status: Status::Failed,
                    rows: 7,
                    example: "customers.csv line 9".into(),
                    message: format!("<html>\n\u{1b}[31m{}", "oops ".repeat(60)),
                },
            ],
            results: Some("out/customers-results.csv".into()),
            write_requests: 12_346,
            travelled: Travelled {
                bulk: 1_234_567,
                single: 7,
            },
            sent_again: 240,
            gone: Some(Gone {
                records: 1_042,
                keyless: 3,
                list: "out/customers-results-gone.csv".into(),
            }),
            took: Duration::from_mins(125),
        };
        let all = counts(&[
            (Status::Loaded, 1_234_717),
            (Status::Rejected, 1_090),
            (Status::Failed, 7),
            (Status::Duplicate, 10),
        ]);
        insta::assert_snapshot!(text(&[
            RunEvent::StageFinished { summary: organizations() },
            RunEvent::StageFinished { summary: customers },
            RunEvent::RunFinished { counts: all, stopped: None, took: Duration::from_secs(7_505) },
        ]), @r"
        organization: 150 rows in 4.2 s, 36 rows/s, 2 write requests
          loaded       150
          results: out/organizations-results.csv

        customer: 1,235,674 rows in 2 h 05 m, 165 rows/s, 12,346 write requests, 240 rows sent again after a reading that did not show them
          1,234,567 rows by bulk requests, 7 by single calls
          loaded       1,234,567
          rejected         1,090
          failed               7
          duplicate           10
          most frequent codes, each with an example:
            1,060  REQUIRED_MISSING  customers.csv line 17: no value; the field is required
               30  CONTRACT_ENDED    customers.csv line 4,211: breaks the rule: a > b
                7  SITE_REJECTED     customers.csv line 9: <html> [31moops oops oops oops oops oops oops oops oops oops oops oops oops oops oops oops oops oops oops oops oops oops…
          results: out/customers-results.csv
          loaded before and not in the input: 1,042 records, listed in out/customers-results-gone.csv
            whose records may be among them, as their keys cannot be told: 3 rejected rows

        1,235,824 rows in 2 h 05 m: 1,234,717 loaded, 1,090 rejected, 7 failed, 10 duplicate
        what each code means and what to do: csm-loader codes
        ");
    }

    #[test]
    fn a_run_in_which_all_is_well_gives_no_advice() {
        let summary = organizations();
        insta::assert_snapshot!(text(&[
            RunEvent::RunFinished { counts: summary.counts, stopped: None, took: summary.took },
            RunEvent::StageFinished { summary },
        ]), @r"
        organization: 150 rows in 4.2 s, 36 rows/s, 2 write requests
          loaded       150
          results: out/organizations-results.csv

        150 rows in 4.2 s: 150 loaded
        ");
    }

    #[test]
    fn a_run_that_stopped_early_says_why() {
        let summary = StageSummary {
            counts: counts(&[(Status::Unconfirmed, 1), (Status::NotSent, 149)]),
            write_requests: 1,
            travelled: Travelled::default(),
            sent_again: 0,
            results: None,
            ..organizations()
        };
        let stopped = Some("the site refused the credentials (401)".to_owned());
        insta::assert_snapshot!(text(&[
            RunEvent::RunFinished { counts: summary.counts, stopped, took: summary.took },
            RunEvent::StageFinished { summary },
        ]), @r"
        organization: 150 rows in 4.2 s, 0.2 rows/s, 1 write request
          loaded         0
          unconfirmed    1
          not_sent     149

        150 rows in 4.2 s: 1 unconfirmed, 149 not_sent
        stopped early: the site refused the credentials (401)
        what each code means and what to do: csm-loader codes
        ");
    }

    #[test]
    fn an_empty_input_and_a_run_without_an_end_are_shown_too() {
        let summary = StageSummary {
            counts: Counts::default(),
            write_requests: 0,
            travelled: Travelled::default(),
            sent_again: 0,
            took: Duration::ZERO,
            ..organizations()
        };
        let unfinished = text(&[RunEvent::StageFinished {
            summary: summary.clone(),
        }]);
        insta::assert_snapshot!(unfinished, @r"
        organization: 0 rows in 0.0 s
          loaded       0
          results: out/organizations-results.csv
        ");
        let end = RunEvent::RunFinished {
            counts: summary.counts,
            stopped: None,
            took: summary.took,
        };
        insta::assert_snapshot!(text(&[end]), @"0 rows in 0.0 s: nothing to do");
    }
}
