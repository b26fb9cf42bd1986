//! Progress on a terminal: one bar for each stage.

use super::Reporter;
use super::stage::Stage;
use crate::model::clock::Clock;
use crate::model::event::{RunEvent, StageSummary};
use crate::model::outcome::Status;
use crate::report::figures::{count, counted, duration, one_line, statuses};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The entity, the bar, and whatever of the text fits into the line.
const TEMPLATE: &str = "{prefix:12} {bar:16.cyan/dim} {wide_msg}";

/// Draws a bar for each stage and prints notices above them.
pub struct Bars {
    screen: MultiProgress,
    clock: Arc<dyn Clock>,
    /// Finished ones too: a bar that is dropped takes its line with it.
    stages: BTreeMap<u32, (Stage, ProgressBar)>,
}

impl Bars {
    /// Bars on standard error; nothing is drawn where that is not a terminal.
    #[must_use]
    pub fn on_stderr(clock: Arc<dyn Clock>) -> Self {
        Self::new(ProgressDrawTarget::stderr(), clock)
    }

    pub(super) fn new(target: ProgressDrawTarget, clock: Arc<dyn Clock>) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(target),
            clock,
            stages: BTreeMap::new(),
        }
    }

    fn add(&mut self, number: u32, stage: Stage) {
        let style = ProgressStyle::with_template(TEMPLATE)
            .expect("the template is a constant that every test of bars draws")
            .progress_chars("━╸─");
        let bar = ProgressBar::no_length()
            .with_style(style)
            .with_prefix(stage.entity.name());
        let bar = self.screen.add(bar);
        bar.set_message("starting");
        self.stages.insert(number, (stage, bar));
    }

    fn print(&self, text: &str) {
        // a terminal that is gone takes its lines with it
        let _ = self.screen.println(one_line(text, 1_000));
    }
}

impl Reporter for Bars {
    fn event(&mut self, event: &RunEvent) {
        let now = self.clock.instant();
        match event {
            RunEvent::RunStarted { run, site } => self.print(&format!("run {run} on {site}")),
            RunEvent::StageStarted {
                stage,
                entity,
                files: _,
            } => {
                self.add(*stage, Stage::new(*entity, now));
            }
            RunEvent::PhaseStarted { stage, phase } => {
                if let Some((state, bar)) = self.stages.get_mut(stage) {
                    state.begin(*phase, now);
                    draw(state, bar);
                }
            }
            RunEvent::Progressed { stage, progress } => {
                if let Some((state, bar)) = self.stages.get_mut(stage) {
                    state.update(*progress, now);
                    draw(state, bar);
                }
            }
            RunEvent::Notice { stage, message } => {
                match stage.and_then(|stage| self.stages.get(&stage)) {
                    Some((state, _)) => self.print(&format!("{}: {message}", state.entity)),
                    None => self.print(message),
                }
            }
            RunEvent::StageFinished { summary } => {
                if let Some((_, bar)) = self.stages.get(&summary.stage) {
                    close(summary, bar);
                }
            }
            RunEvent::BatchAccepted { .. }
            | RunEvent::BatchSettled { .. }
            | RunEvent::RunFinished { .. } => {}
        }
    }

    /// Leaves the bars of unfinished stages as they stand.
    fn finish(&mut self) {
        for (_, bar) in self.stages.values().filter(|(_, bar)| !bar.is_finished()) {
            bar.abandon();
        }
    }
}

fn draw(stage: &Stage, bar: &ProgressBar) {
    match stage.total() {
        Some(total) => bar.set_length(total),
        None => bar.unset_length(),
    }
    bar.set_position(stage.done());
    bar.set_message(text(stage));
}

/// The text beside a bar, what matters most first: a narrow terminal cuts its end.
fn text(stage: &Stage) -> String {
    let phase = stage.phase.map_or("starting", |(phase, _)| phase.name());
    let done = match stage.total() {
        Some(total) => format!("{phase} {}/{}", count(stage.done()), count(total)),
        None => format!("{phase} {}", counted(stage.done(), "row")),
    };
    let parts = [
        Some(done),
        stage.rate().map(|rate| format!("{rate} rows/s")),
        stage.left().map(|left| format!("{left} left")),
        stage.troubles(),
        stage.slots().map(|slots| format!("slots {slots}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Leaves a stage's last account in its place.
fn close(summary: &StageSummary, bar: &ProgressBar) {
    let rows = summary.counts.total();
    bar.set_length(rows);
    bar.set_position(rows - summary.counts.of(Status::NotSent));
    let mut text = format!("{} in {}", counted(rows, "row"), duration(summary.took));
    if let Some(statuses) = statuses(&summary.counts, |_| true) {
        text = format!("{text}: {statuses}");
    }
    bar.abandon_with_message(text);
}
