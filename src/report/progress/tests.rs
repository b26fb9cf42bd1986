//! One run as each view shows it, with a clock of its own and a terminal in memory.

use super::*;
use crate::model::clock::{Clock, UnixMillis};
use crate::model::code::Code;
use crate::model::entity::Entity;
use crate::model::event::{CodeCount, Phase, Progress, StageSummary, Travelled};
use crate::model::outcome::{BatchSeq, Counts, Status};
use crate::model::reply::TaskId;
use indicatif::{InMemoryTerm, ProgressDrawTarget, TermLike as _};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A clock that stands still until it is told to go on.
struct FakeClock {
    start: Instant,
    passed: Mutex<Duration>,
}

impl FakeClock {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            passed: Mutex::default(),
        })
    }

    fn pass(&self, seconds: u64) {
        *self.passed.lock().unwrap() += Duration::from_secs(seconds);
    }
}

impl Clock for FakeClock {
    fn instant(&self) -> Instant {
        self.start + *self.passed.lock().unwrap()
    }

    fn unix_millis(&self) -> UnixMillis {
        let passed = self.passed.lock().unwrap().as_millis();
        1_795_327_200_000 + i64::try_from(passed).unwrap()
    }
}

/// A writer whose text can be read while it is in use.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A writer whose reader has gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn counts(loaded: u64, rejected: u64, failed: u64) -> Counts {
    let mut counts = Counts::default();
    counts.add(Status::Loaded, loaded);
    counts.add(Status::Rejected, rejected);
    counts.add(Status::Failed, failed);
    counts
}

fn progressed(stage: u32, read: u64, rows: Option<u64>, counts: Counts, slots: usize) -> RunEvent {
    let progress = Progress {
        read,
        rows,
        counts,
        slots_used: slots,
        slots: 5,
    };
    RunEvent::Progressed { stage, progress }
}

fn started(stage: u32, entity: Entity, files: usize) -> RunEvent {
    RunEvent::StageStarted {
        stage,
        entity,
        files,
    }
}

const fn phase(stage: u32, phase: Phase) -> RunEvent {
    RunEvent::PhaseStarted { stage, phase }
}

fn notice(stage: Option<u32>, message: &str) -> RunEvent {
    RunEvent::Notice {
        stage,
        message: message.into(),
    }
}

fn organizations() -> StageSummary {
    StageSummary {
        stage: 0,
        entity: Entity::Organization,
        counts: counts(150, 0, 0),
        top_codes: Vec::new(),
        results: Some("out/organizations-results.csv".into()),
        write_requests: 2,
        travelled: Travelled::default(),
        sent_again: 0,
        gone: None,
        took: Duration::from_secs(3),
    }
}

fn customers() -> StageSummary {
    StageSummary {
        stage: 1,
        entity: Entity::Customer,
        counts: counts(4_987, 12, 1),
        top_codes: vec![CodeCount {
            code: Code::SiteRejected.into(),
            status: Status::Failed,
            rows: 1,
            example: "customers.csv line 17".into(),
            message: "Ana Ortiz is not welcome".into(),
        }],
        results: Some("out/customers-results.csv".into()),
        write_requests: 50,
        travelled: Travelled {
            bulk: 4_900,
            single: 88,
        },
        sent_again: 0,
        gone: None,
        took: Duration::from_secs(75),
    }
}

/// A run of two stages; seconds to pass before each event.
fn run() -> Vec<(u64, RunEvent)> {
    let all = counts(5_137, 12, 1);
    vec![
        (
            0,
            RunEvent::RunStarted {
                run: "r-7".into(),
                site: "sandbox".into(),
            },
        ),
        (0, started(0, Entity::Organization, 1)),
        (0, phase(0, Phase::Reading)),
        (
            3,
            RunEvent::StageFinished {
                summary: organizations(),
            },
        ),
        (0, started(1, Entity::Customer, 2)),
        (0, phase(1, Phase::Reading)),
        (5, progressed(1, 2_000, None, counts(0, 5, 0), 0)),
        (5, progressed(1, 4_000, None, counts(0, 10, 0), 0)),
        (2, progressed(1, 5_000, None, counts(0, 12, 0), 0)),
        (0, phase(1, Phase::Sending)),
        (
            1,
            RunEvent::BatchAccepted {
                stage: 1,
                batch: BatchSeq(1),
                rows: 100,
                task: TaskId("t-1".into()),
            },
        ),
        (
            9,
            progressed(1, 1_500, Some(5_000), counts(1_000, 12, 0), 3),
        ),
        (
            4,
            progressed(1, 1_900, Some(5_000), counts(1_400, 12, 0), 5),
        ),
        (0, notice(Some(1), "the site asks to wait\n30 s")),
        (
            1,
            RunEvent::BatchSettled {
                stage: 1,
                batch: BatchSeq(1),
                counts: counts(99, 0, 1),
                took: Duration::from_millis(14_250),
            },
        ),
        (
            5,
            progressed(1, 2_500, Some(5_000), counts(1_999, 12, 1), 4),
        ),
        (40, phase(1, Phase::Writing)),
        (
            3,
            RunEvent::StageFinished {
                summary: customers(),
            },
        ),
        (0, notice(None, "draining")),
        (
            0,
            RunEvent::RunFinished {
                counts: all,
                stopped: None,
                took: Duration::from_secs(78),
            },
        ),
    ]
}

fn play(reporter: &mut dyn Reporter, clock: &FakeClock, events: &[(u64, RunEvent)]) {
    for (seconds, event) in events {
        clock.pass(*seconds);
        reporter.event(event);
    }
}

#[test]
fn bars_show_each_stage_and_leave_finished_ones_in_place() {
    let (clock, run) = (FakeClock::new(), run());
    let term = InMemoryTerm::new(12, 110);
    let mut bars = Bars::new(
        ProgressDrawTarget::term_like(Box::new(term.clone())),
        clock.clone(),
    );
    play(&mut bars, &clock, &run[..3]);
    insta::assert_snapshot!(term.contents(), @r"
    run r-7 on sandbox
    organization ──────────────── reading 0 rows
    ");
    play(&mut bars, &clock, &run[3..8]);
    insta::assert_snapshot!(term.contents(), @r"
    run r-7 on sandbox
    organization ━━━━━━━━━━━━━━━━ 150 rows in 3.0 s: 150 loaded
    customer     ──────────────── reading 4,000 rows · 400 rows/s · 10 rejected
    ");
    play(&mut bars, &clock, &run[8..14]);
    insta::assert_snapshot!(term.contents(), @r"
    run r-7 on sandbox
    customer: the site asks to wait 30 s
    organization ━━━━━━━━━━━━━━━━ 150 rows in 3.0 s: 150 loaded
    customer     ━━━━╸─────────── sending 1,412/5,000 · 100 rows/s · 36 s left · 12 rejected · slots 5/5
    ");
    play(&mut bars, &clock, &run[14..16]);
    insta::assert_snapshot!(term.contents(), @r"
    run r-7 on sandbox
    customer: the site asks to wait 30 s
    organization ━━━━━━━━━━━━━━━━ 150 rows in 3.0 s: 150 loaded
    customer     ━━━━━━╸───────── sending 2,012/5,000 · 100 rows/s · 30 s left · 12 rejected, 1 failed · slots 4/5
    ");
    play(&mut bars, &clock, &run[16..]);
    bars.finish();
    drop(bars);
    term.write_line("what follows").unwrap();
    insta::assert_snapshot!(term.contents(), @r"
    run r-7 on sandbox
    customer: the site asks to wait 30 s
    draining
    organization ━━━━━━━━━━━━━━━━ 150 rows in 3.0 s: 150 loaded
    customer     ━━━━━━━━━━━━━━━━ 5,000 rows in 1 m 15 s: 4,987 loaded, 12 rejected, 1 failed
    what follows
    ");
}

#[test]
fn a_narrow_terminal_cuts_what_matters_least() {
    let (clock, run) = (FakeClock::new(), run());
    let term = InMemoryTerm::new(12, 72);
    let mut bars = Bars::new(
        ProgressDrawTarget::term_like(Box::new(term.clone())),
        clock.clone(),
    );
    play(&mut bars, &clock, &run[..12]);
    insta::assert_snapshot!(term.contents(), @r"
    run r-7 on sandbox
    organization ━━━━━━━━━━━━━━━━ 150 rows in 3.0 s: 150 loaded
    customer     ━━━╸──────────── sending 1,012/5,000 · 100 rows/s · 40 s le
    ");
}

#[test]
fn bars_of_a_run_that_breaks_off_stay_as_they_stand() {
    let (clock, run) = (FakeClock::new(), run());
    let term = InMemoryTerm::new(12, 110);
    let mut bars = Bars::new(
        ProgressDrawTarget::term_like(Box::new(term.clone())),
        clock.clone(),
    );
    play(&mut bars, &clock, &run[..12]);
    let before = term.contents();
    bars.finish();
    drop(bars);
    assert_eq!(term.contents(), before);
}

#[test]
fn lines_tell_what_begins_and_ends_and_progress_every_ten_seconds() {
    let (clock, out) = (FakeClock::new(), Shared::default());
    let mut lines = Lines::new(Box::new(out.clone()), clock.clone());
    play(&mut lines, &clock, &run());
    lines.finish();
    insta::assert_snapshot!(out.text(), @r"
    2026-11-22T06:00:00.000Z run r-7 on sandbox
    2026-11-22T06:00:00.000Z organization: started, 1 file
    2026-11-22T06:00:00.000Z organization: reading
    2026-11-22T06:00:03.000Z organization: reading ended after 3.0 s
    2026-11-22T06:00:03.000Z organization: finished, 150 rows in 3.0 s: 150 loaded; results: out/organizations-results.csv
    2026-11-22T06:00:03.000Z customer: started, 2 files
    2026-11-22T06:00:03.000Z customer: reading
    2026-11-22T06:00:13.000Z customer: reading 4,000 rows, 400 rows/s, 10 rejected
    2026-11-22T06:00:15.000Z customer: reading ended after 12 s
    2026-11-22T06:00:15.000Z customer: sending
    2026-11-22T06:00:25.000Z customer: sending 1,012 of 5,000 rows (20 %), 100 rows/s, slots 3/5, 12 rejected, 40 s left
    2026-11-22T06:00:29.000Z customer: the site asks to wait 30 s
    2026-11-22T06:00:35.000Z customer: sending 2,012 of 5,000 rows (40 %), 100 rows/s, slots 4/5, 12 rejected, 1 failed, 30 s left
    2026-11-22T06:01:15.000Z customer: sending ended after 1 m 00 s
    2026-11-22T06:01:15.000Z customer: writing
    2026-11-22T06:01:18.000Z customer: writing ended after 3.0 s
    2026-11-22T06:01:18.000Z customer: finished, 5,000 rows in 1 m 15 s: 4,987 loaded, 12 rejected, 1 failed; results: out/customers-results.csv
    2026-11-22T06:01:18.000Z draining
    2026-11-22T06:01:18.000Z run finished, 5,150 rows in 1 m 18 s
    ");
}

#[test]
fn lines_say_why_a_run_stopped() {
    let (clock, out) = (FakeClock::new(), Shared::default());
    let mut lines = Lines::new(Box::new(out.clone()), clock.clone());
    let stopped = Some("interrupted".to_owned());
    lines.event(&RunEvent::RunFinished {
        counts: counts(1, 0, 0),
        stopped,
        took: Duration::from_secs(1),
    });
    insta::assert_snapshot!(out.text(), @"2026-11-22T06:00:00.000Z run stopped early, 1 row in 1.0 s: interrupted");
}

#[test]
fn many_progress_events_are_one_line_in_ten_seconds() {
    let clock = FakeClock::new();
    let (lines, log) = (Shared::default(), Shared::default());
    let mut reporters = Reporters::default();
    reporters.add(Lines::new(Box::new(lines.clone()), clock.clone()));
    reporters.add(JsonLog::new(Box::new(log.clone()), clock.clone()));
    play(&mut reporters, &clock, &run()[..3]);
    for read in 1..=60 {
        clock.pass(1);
        reporters.event(&progressed(0, read, None, Counts::default(), 0));
    }
    reporters.finish();
    let said = |text: &str, what| text.lines().filter(|line| line.contains(what)).count();
    assert_eq!(said(&lines.text(), "reading "), 6);
    assert_eq!(said(&log.text(), "progressed"), 6);
}

#[test]
fn the_log_has_an_object_for_each_event_and_no_words_about_rows() {
    let (clock, out) = (FakeClock::new(), Shared::default());
    let mut log = JsonLog::new(Box::new(out.clone()), clock.clone());
    play(&mut log, &clock, &run());
    log.finish();
    let text = out.text();
    for line in text.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            object["ts"].is_string() && object["event"].is_string(),
            "{line}"
        );
    }
    assert!(
        !text.contains("Ana Ortiz"),
        "a message of the site is in the log"
    );
    insta::assert_snapshot!(text, @r#"
    {"ts":"2026-11-22T06:00:00.000Z","event":"run_started","run":"r-7","site":"sandbox"}
    {"ts":"2026-11-22T06:00:00.000Z","event":"stage_started","stage":0,"entity":"organization","files":1}
    {"ts":"2026-11-22T06:00:00.000Z","event":"phase_started","stage":0,"phase":"reading"}
    {"ts":"2026-11-22T06:00:03.000Z","event":"stage_finished","stage":0,"entity":"organization","counts":{"loaded":150,"unchanged":0,"rejected":0,"failed":0,"duplicate":0,"unconfirmed":0,"not_sent":0},"codes":[],"results":"out/organizations-results.csv","requests":2,"took_ms":3000}
    {"ts":"2026-11-22T06:00:03.000Z","event":"stage_started","stage":1,"entity":"customer","files":2}
    {"ts":"2026-11-22T06:00:03.000Z","event":"phase_started","stage":1,"phase":"reading"}
    {"ts":"2026-11-22T06:00:08.000Z","event":"progressed","stage":1,"read":2000,"rows":null,"counts":{"loaded":0,"unchanged":0,"rejected":5,"failed":0,"duplicate":0,"unconfirmed":0,"not_sent":0},"slots_used":0,"slots":5}
    {"ts":"2026-11-22T06:00:15.000Z","event":"phase_started","stage":1,"phase":"sending"}
    {"ts":"2026-11-22T06:00:16.000Z","event":"batch_accepted","stage":1,"batch":1,"rows":100,"task":"t-1"}
    {"ts":"2026-11-22T06:00:25.000Z","event":"progressed","stage":1,"read":1500,"rows":5000,"counts":{"loaded":1000,"unchanged":0,"rejected":12,"failed":0,"duplicate":0,"unconfirmed":0,"not_sent":0},"slots_used":3,"slots":5}
    {"ts":"2026-11-22T06:00:29.000Z","event":"notice","stage":1,"message":"the site asks to wait\n30 s"}
    {"ts":"2026-11-22T06:00:30.000Z","event":"batch_settled","stage":1,"batch":1,"counts":{"loaded":99,"unchanged":0,"rejected":0,"failed":1,"duplicate":0,"unconfirmed":0,"not_sent":0},"took_ms":14250}
    {"ts":"2026-11-22T06:00:35.000Z","event":"progressed","stage":1,"read":2500,"rows":5000,"counts":{"loaded":1999,"unchanged":0,"rejected":12,"failed":1,"duplicate":0,"unconfirmed":0,"not_sent":0},"slots_used":4,"slots":5}
    {"ts":"2026-11-22T06:01:15.000Z","event":"phase_started","stage":1,"phase":"writing"}
    {"ts":"2026-11-22T06:01:18.000Z","event":"stage_finished","stage":1,"entity":"customer","counts":{"loaded":4987,"unchanged":0,"rejected":12,"failed":1,"duplicate":0,"unconfirmed":0,"not_sent":0},"codes":[{"code":"SITE_REJECTED","status":"failed","rows":1,"example":"customers.csv line 17"}],"results":"out/customers-results.csv","requests":50,"rows_by_bulk":4900,"rows_by_single":88,"took_ms":75000}
    {"ts":"2026-11-22T06:01:18.000Z","event":"notice","stage":null,"message":"draining"}
    {"ts":"2026-11-22T06:01:18.000Z","event":"run_finished","counts":{"loaded":5137,"unchanged":0,"rejected":12,"failed":1,"duplicate":0,"unconfirmed":0,"not_sent":0},"stopped":null,"took_ms":78000}
    "#);
}

#[test]
fn events_of_unknown_stages_are_passed_over() {
    let clock = FakeClock::new();
    let term = InMemoryTerm::new(5, 80);
    let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
    let mut reporters = Reporters::default();
    reporters.add(Bars::new(target, clock.clone()));
    reporters.add(Lines::new(Box::new(Shared::default()), clock.clone()));
    for (_, event) in run().into_iter().filter(|(_, event)| {
        matches!(
            event,
            RunEvent::PhaseStarted { .. } | RunEvent::Progressed { .. }
        )
    }) {
        reporters.event(&event);
    }
    assert_eq!(term.contents(), "");
}

#[test]
fn a_closed_output_fails_nothing() {
    let clock = FakeClock::new();
    let mut reporters = Reporters::default();
    reporters.add(Lines::new(Box::new(Closed), clock.clone()));
    reporters.add(JsonLog::new(Box::new(Closed), clock.clone()));
    let out = Shared::default();
    reporters.add(Lines::new(Box::new(out.clone()), clock.clone()));
    play(&mut reporters, &clock, &run());
    reporters.finish();
    assert!(out.text().contains("run finished"), "the others go on");
}

#[test]
fn a_background_shows_everything_before_it_ends() {
    let (clock, here, there) = (FakeClock::new(), Shared::default(), Shared::default());
    let events: Vec<_> = run().into_iter().map(|(_, event)| event).collect();
    let mut direct = Lines::new(Box::new(here.clone()), clock.clone());
    let lines = Lines::new(Box::new(there.clone()), clock.clone());
    let mut background = Background::start(lines).unwrap();
    for event in &events {
        direct.event(event);
        background.event(event);
    }
    background.finish();
    assert_eq!(there.text(), here.text());
    // after the end nothing is shown, and nothing fails
    background.event(&events[0]);
    background.finish();
}

/// Keeps what it is told, but only once the other end of its channel is gone.
struct Stuck(Receiver<()>, Arc<Mutex<Vec<RunEvent>>>);

impl Reporter for Stuck {
    fn event(&mut self, event: &RunEvent) {
        self.0.recv().unwrap_err();
        self.1.lock().unwrap().push(event.clone());
    }

    fn finish(&mut self) {}
}

#[test]
fn a_stuck_output_holds_nobody_up_and_loses_progress_alone() {
    let (gate, held) = channel();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut background = Background::start(Stuck(held, Arc::clone(&seen))).unwrap();
    let start = RunEvent::StageStarted {
        stage: 0,
        entity: Entity::Customer,
        files: 1,
    };
    let end = RunEvent::RunFinished {
        counts: counts(1, 0, 0),
        stopped: None,
        took: Duration::from_secs(1),
    };
    background.event(&start);
    for read in 0..5_000 {
        background.event(&progressed(0, read, None, Counts::default(), 0));
    }
    for _ in 0..2_000 {
        background.event(&notice(None, "waiting"));
    }
    background.event(&end);
    drop(gate);
    background.finish();
    let seen = seen.lock().unwrap();
    assert_eq!(
        seen.len(),
        1_024 + 2,
        "no more than may wait, the end, and what was left out"
    );
    assert_eq!(seen[0], start);
    assert!(seen.contains(&end));
    let RunEvent::Notice { message, .. } = &seen[1_025] else {
        panic!("no notice")
    };
    insta::assert_snapshot!(message, @"2000 events not shown: the output did not keep up");
}
