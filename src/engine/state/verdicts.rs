//! From a task's end to one outcome per row.

use super::Engine;
use crate::engine::attribute::{Verdict, attribute};
use crate::engine::flight::Phase;
use crate::engine::message::{Command, Durable, Now};
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome, Status};
use crate::model::reply::TaskFailure;
use crate::model::row::Reason;
use std::collections::HashMap;

impl Engine {
    /// Reads a finished task's failures; remote ids that match no row are looked up first.
    pub(super) fn finished_with(
        &mut self,
        now: Now,
        seq: BatchSeq,
        failures: Vec<TaskFailure>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let fold = self.config.fold;
        let mut unknown: Vec<String> =
            failures
                .iter()
                .filter_map(|failure| failure.entity_id.clone())
                .filter(|id| {
                    let folded = fold(id);
                    // the ids of organizations are digits, and so may be a name
                    id.bytes().all(|byte| byte.is_ascii_digit())
                        || !flight.batch.rows().iter().any(|row| {
                            row.identity.as_str() == folded || row.identity.as_str() == id
                        })
                })
                .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return self.judge(now, seq, &failures, &HashMap::new(), commands);
        }
        flight.phase = Phase::Identifying { failures };
        commands.push(Command::Identify(seq, unknown));
    }

    pub(super) fn identified(
        &mut self,
        now: Now,
        seq: BatchSeq,
        known: &HashMap<String, String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let Phase::Identifying { failures } = &mut flight.phase else {
            return;
        };
        let failures = std::mem::take(failures);
        self.judge(now, seq, &failures, known, commands);
    }

    pub(super) fn judge(
        &mut self,
        now: Now,
        seq: BatchSeq,
        failures: &[TaskFailure],
        known: &HashMap<String, String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let rows = flight.batch.rows();
        let ends = attribute(
            rows,
            failures,
            &self.config.details,
            known,
            self.config.fold,
        )
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Clean => (Status::Loaded, Vec::new()),
            Verdict::Refused(reasons) => (Status::Failed, reasons),
            Verdict::Ambiguous(errors) => (
                Status::Unconfirmed,
                vec![unconfirmed(Code::FailureAmbiguous, &errors)],
            ),
        })
        .collect();
        self.settle(now, seq, ends, None, commands);
    }

    pub(super) fn end_unconfirmed(
        &mut self,
        now: Now,
        seq: BatchSeq,
        code: Code,
        errors: &[String],
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let reason = unconfirmed(code, errors);
        let ends = flight
            .batch
            .rows()
            .iter()
            .map(|_| (Status::Unconfirmed, vec![reason.clone()]))
            .collect();
        self.settle(now, seq, ends, None, commands);
    }

    pub(super) fn settle(
        &mut self,
        now: Now,
        seq: BatchSeq,
        ends: Vec<(Status, Vec<Reason>)>,
        trace_id: Option<String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(outcomes) = self.outcomes(now, seq, ends) else {
            return;
        };
        let record = Record::Settled {
            stage: self.config.stage,
            batch: seq,
            trace_id,
            outcomes,
            at: now.unix,
        };
        commands.push(Command::Persist(vec![record], Durable::Settled(seq)));
    }

    /// Gives a batch up while its fate is open: a later process goes on with it.
    pub(super) fn suspend(
        &mut self,
        now: Now,
        seq: BatchSeq,
        errors: &[String],
        commands: &mut Vec<Command>,
    ) {
        let rows = self
            .flights
            .get(&seq)
            .map_or(0, |flight| flight.batch.rows().len());
        let end = (
            Status::Unconfirmed,
            vec![unconfirmed(Code::AnswerLost, errors)],
        );
        let Some(outcomes) = self.outcomes(now, seq, vec![end; rows]) else {
            return;
        };
        self.suspended = true;
        let record = Record::Suspended {
            stage: self.config.stage,
            batch: seq,
            outcomes,
        };
        commands.push(Command::Persist(vec![record], Durable::Settled(seq)));
    }

    /// The outcomes of a batch that is at its end.
    fn outcomes(
        &mut self,
        now: Now,
        seq: BatchSeq,
        ends: Vec<(Status, Vec<Reason>)>,
    ) -> Option<Vec<RowOutcome>> {
        let flight = self.flights.get_mut(&seq)?;
        let mut counts = Counts::default();
        let outcomes = flight
            .batch
            .rows()
            .iter()
            .zip(ends)
            .map(|(row, (status, reasons))| {
                counts.add(status, 1);
                self.batcher.decided(row, status);
                RowOutcome {
                    row: row.row.clone(),
                    status,
                    reasons,
                    remote_id: None,
                    route: Some(Route::Bulk)
                        .filter(|_| flight.attempts > 0 && status != Status::NotSent),
                    batch: Some(seq),
                    attempts: flight.attempts,
                    finished_at: now.unix,
                }
            })
            .collect();
        flight.phase = Phase::Settling { counts };
        Some(outcomes)
    }
}

/// Why a row is unconfirmed, with the first of what the site said.
pub(super) fn unconfirmed(code: Code, errors: &[String]) -> Reason {
    let mut message = code.cause().to_owned();
    if let Some(first) = errors.first() {
        message = format!("{message}; the site said: {first}");
    }
    Reason {
        code: code.into(),
        field: None,
        message,
    }
}
