//! Progress for machines: one JSON object a line for each event.
//!
//! Every object has `ts` (RFC 3339, UTC) and `event`; the other members depend on the event and only ever grow in
//! number. Durations are in milliseconds. Words of the site about a row are left out: they may hold its values.

use super::{PROGRESS_EVERY, Reporter};
use crate::model::clock::Clock;
use crate::model::event::{CodeCount, Progress, RunEvent, StageSummary};
use crate::model::outcome::{Counts, Status};
use crate::report::figures::timestamp;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Writes an object for each event, but no more than one every ten seconds about how far a stage's phase is.
pub struct JsonLog {
    out: Box<dyn Write + Send>,
    clock: Arc<dyn Clock>,
    /// When each stage's progress was last told; absent at the start of a phase.
    told: BTreeMap<u32, Instant>,
}

impl JsonLog {
    /// A log to `out`. Whatever goes wrong there is ignored.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, clock: Arc<dyn Clock>) -> Self {
        Self {
            out,
            clock,
            told: BTreeMap::new(),
        }
    }

    /// Whether this is one progress event too many.
    fn too_soon(&mut self, event: &RunEvent) -> bool {
        match event {
            RunEvent::Progressed { stage, .. } => {
                let now = self.clock.instant();
                let told = self.told.get(stage);
                let soon =
                    told.is_some_and(|told| now.saturating_duration_since(*told) < PROGRESS_EVERY);
                if !soon {
                    self.told.insert(*stage, now);
                }
                soon
            }
            RunEvent::PhaseStarted { stage, .. } => {
                self.told.remove(stage);
                false
            }
            _ => false,
        }
    }
}

impl Reporter for JsonLog {
    fn event(&mut self, event: &RunEvent) {
        if self.too_soon(event) {
            return;
        }
        let ts = timestamp(self.clock.unix_millis());
        // numbers and text always have a JSON form; were it otherwise, the line would be missing, not the run
        let Ok(mut line) = serde_json::to_vec(&Record { ts, event }) else {
            return;
        };
        line.push(b'\n');
        // a closed or full output loses its lines; the run and its results do not depend on them
        let _ = self.out.write_all(&line).and_then(|()| self.out.flush());
    }

    fn finish(&mut self) {}
}

/// An event with its time, as an object.
struct Record<'a> {
    ts: String,
    event: &'a RunEvent,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("ts", &self.ts)?;
        object.serialize_entry("event", name(self.event))?;
        match self.event {
            RunEvent::RunStarted { run, site } => {
                object.serialize_entry("run", run)?;
                object.serialize_entry("site", site)?;
            }
            RunEvent::StageStarted {
                stage,
                entity,
                files,
            } => {
                object.serialize_entry("stage", stage)?;
                object.serialize_entry("entity", entity)?;
                object.serialize_entry("files", files)?;
            }
            RunEvent::PhaseStarted { stage, phase } => {
                object.serialize_entry("stage", stage)?;
                object.serialize_entry("phase", phase.name())?;
            }
            RunEvent::Progressed { stage, progress } => {
                let Progress {
                    read,
                    rows,
                    counts,
                    slots_used,
                    slots,
                } = progress;
                object.serialize_entry("stage", stage)?;
                object.serialize_entry("read", read)?;
                object.serialize_entry("rows", rows)?;
                object.serialize_entry("counts", &ByStatus(counts))?;
                object.serialize_entry("slots_used", slots_used)?;
                object.serialize_entry("slots", slots)?;
            }
            RunEvent::BatchAccepted {
                stage,
                batch,
                rows,
                task,
            } => {
                object.serialize_entry("stage", stage)?;
                object.serialize_entry("batch", batch)?;
                object.serialize_entry("rows", rows)?;
                object.serialize_entry("task", task)?;
            }
            RunEvent::BatchSettled {
                stage,
                batch,
                counts,
                took,
            } => {
                object.serialize_entry("stage", stage)?;
                object.serialize_entry("batch", batch)?;
                object.serialize_entry("counts", &ByStatus(counts))?;
                object.serialize_entry("took_ms", &millis(*took))?;
            }
            RunEvent::Notice { stage, message } => {
                object.serialize_entry("stage", stage)?;
                object.serialize_entry("message", message)?;
            }
            RunEvent::StageFinished { summary } => finished(summary, &mut object)?,
            RunEvent::RunFinished {
                counts,
                stopped,
                took,
            } => {
                object.serialize_entry("counts", &ByStatus(counts))?;
                object.serialize_entry("stopped", stopped)?;
                object.serialize_entry("took_ms", &millis(*took))?;
            }
        }
        object.end()
    }
}

fn finished<M: SerializeMap>(summary: &StageSummary, object: &mut M) -> Result<(), M::Error> {
    let StageSummary {
        stage,
        entity,
        counts,
        top_codes,
        results,
        write_requests,
        travelled,
        sent_again,
        gone,
        took,
    } = summary;
    object.serialize_entry("stage", stage)?;
    object.serialize_entry("entity", entity)?;
    object.serialize_entry("counts", &ByStatus(counts))?;
    object.serialize_entry("codes", &Codes(top_codes))?;
    object.serialize_entry("results", results)?;
    object.serialize_entry("requests", write_requests)?;
    if travelled.both() {
        object.serialize_entry("rows_by_bulk", &travelled.bulk)?;
        object.serialize_entry("rows_by_single", &travelled.single)?;
    }
    if *sent_again > 0 {
        object.serialize_entry("sent_again", sent_again)?;
    }
    if let Some(gone) = gone {
        object.serialize_entry("gone", &gone.records)?;
        object.serialize_entry("gone_keyless", &gone.keyless)?;
        object.serialize_entry("gone_list", &gone.list)?;
    }
    object.serialize_entry("took_ms", &millis(*took))?;
    Ok(())
}

const fn name(event: &RunEvent) -> &'static str {
    match event {
        RunEvent::RunStarted { .. } => "run_started",
        RunEvent::StageStarted { .. } => "stage_started",
        RunEvent::PhaseStarted { .. } => "phase_started",
        RunEvent::Progressed { .. } => "progressed",
        RunEvent::BatchAccepted { .. } => "batch_accepted",
        RunEvent::BatchSettled { .. } => "batch_settled",
        RunEvent::Notice { .. } => "notice",
        RunEvent::StageFinished { .. } => "stage_finished",
        RunEvent::RunFinished { .. } => "run_finished",
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// Counts as an object with a member for each status.
struct ByStatus<'a>(&'a Counts);

impl Serialize for ByStatus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Status::ALL.map(|status| (status.name(), self.0.of(status))))
    }
}

/// Codes without the examples' messages.
struct Codes<'a>(&'a [CodeCount]);

impl Serialize for Codes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct One<'a> {
            code: &'a str,
            status: Status,
            rows: u64,
            example: &'a str,
        }
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for CodeCount {
            code,
            status,
            rows,
            example,
            message: _,
        } in self.0
        {
            list.serialize_element(&One {
                code: code.name(),
                status: *status,
                rows: *rows,
                example,
            })?;
        }
        list.end()
    }
}
