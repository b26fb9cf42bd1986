//! Progress where no terminal is: a line for what begins, ends or is worth knowing, and one every ten seconds.

use super::stage::Stage;
use super::{PROGRESS_EVERY, Reporter};
use crate::model::clock::Clock;
use crate::model::event::{RunEvent, StageSummary};
use crate::report::figures::{count, counted, duration, float, one_line, statuses, timestamp};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// Writes a line for each event that matters, each with its time.
pub struct Lines {
    out: Box<dyn Write + Send>,
    clock: Arc<dyn Clock>,
    stages: BTreeMap<u32, (Stage, Instant)>,
}

impl Lines {
    /// Lines to `out`. Whatever goes wrong there is ignored.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, clock: Arc<dyn Clock>) -> Self {
        Self {
            out,
            clock,
            stages: BTreeMap::new(),
        }
    }

    fn line(&mut self, text: &str) {
        let line = format!(
            "{} {}\n",
            timestamp(self.clock.unix_millis()),
            one_line(text, 1_000)
        );
        // a closed or full output loses its lines; the run and its results do not depend on them
        let _ = self
            .out
            .write_all(line.as_bytes())
            .and_then(|()| self.out.flush());
    }

    fn ended(&mut self, summary: &StageSummary) {
        let rows = counted(summary.counts.total(), "row");
        let mut text = format!(
            "{}: finished, {rows} in {}",
            summary.entity,
            duration(summary.took)
        );
        if let Some(statuses) = statuses(&summary.counts, |_| true) {
            text = format!("{text}: {statuses}");
        }
        if let Some(path) = &summary.results {
            text = format!("{text}; results: {path}");
        }
        self.line(&text);
    }
}

impl Reporter for Lines {
    fn event(&mut self, event: &RunEvent) {
        let now = self.clock.instant();
        match event {
            RunEvent::RunStarted { run, site } => self.line(&format!("run {run} on {site}")),
            RunEvent::StageStarted {
                stage,
                entity,
                files,
            } => {
                self.stages.insert(*stage, (Stage::new(*entity, now), now));
                self.line(&format!(
                    "{entity}: started, {}",
                    counted(*files as u64, "file")
                ));
            }
            RunEvent::PhaseStarted { stage, phase } => {
                let Some((state, told)) = self.stages.get_mut(stage) else {
                    return;
                };
                let ended = phase_ended(state, now);
                state.begin(*phase, now);
                *told = now;
                let begun = format!("{}: {}", state.entity, phase.name());
                if let Some(ended) = ended {
                    self.line(&ended);
                }
                self.line(&begun);
            }
            RunEvent::Progressed { stage, progress } => {
                let Some((state, told)) = self.stages.get_mut(stage) else {
                    return;
                };
                state.update(*progress, now);
                if now.saturating_duration_since(*told) >= PROGRESS_EVERY {
                    *told = now;
                    let text = text(state);
                    self.line(&text);
                }
            }
            RunEvent::Notice { stage, message } => {
                match stage.and_then(|stage| self.stages.get(&stage)) {
                    Some((state, _)) => self.line(&format!("{}: {message}", state.entity)),
                    None => self.line(message),
                }
            }
            RunEvent::StageFinished { summary } => {
                if let Some(ended) = self
                    .stages
                    .remove(&summary.stage)
                    .and_then(|(state, _)| phase_ended(&state, now))
                {
                    self.line(&ended);
                }
                self.ended(summary);
            }
            RunEvent::RunFinished {
                counts,
                stopped,
                took,
            } => {
                let rows = counted(counts.total(), "row");
                let text = match stopped {
                    None => format!("run finished, {rows} in {}", duration(*took)),
                    Some(why) => {
                        format!("run stopped early, {rows} in {}: {why}", duration(*took))
                    }
                };
                self.line(&text);
            }
            RunEvent::BatchAccepted { .. } | RunEvent::BatchSettled { .. } => {}
        }
    }

    fn finish(&mut self) {}
}

/// How the phase at hand, if any, ended.
fn phase_ended(stage: &Stage, now: Instant) -> Option<String> {
    let (phase, begun) = stage.phase?;
    let took = duration(now.saturating_duration_since(begun));
    Some(format!(
        "{}: {} ended after {took}",
        stage.entity,
        phase.name()
    ))
}

fn text(stage: &Stage) -> String {
    let phase = stage.phase.map_or("starting", |(phase, _)| phase.name());
    let done = match stage.total() {
        Some(total) => {
            let share = 100.0 * float(stage.done()) / float(total.max(1));
            format!(
                "{} of {} ({share:.0} %)",
                count(stage.done()),
                counted(total, "row")
            )
        }
        None => counted(stage.done(), "row"),
    };
    let parts = [
        Some(format!("{}: {phase} {done}", stage.entity)),
        stage.rate().map(|rate| format!("{rate} rows/s")),
        stage.slots().map(|slots| format!("slots {slots}")),
        stage.troubles(),
        stage.left().map(|left| format!("{left} left")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
