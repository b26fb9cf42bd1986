//! What leaves, when, and what becomes of it after a stop.

use super::Engine;
use crate::engine::batcher::Batch;
use crate::engine::flight::{End, Flight, Phase};
use crate::engine::message::{Command, Now};
use crate::engine::outcome::{not_sent, sent_row, stop_reason};
use crate::ledger::record::Record;
use crate::model::outcome::Status;
use crate::model::row::PreparedRow;
use std::sync::Arc;
use uuid::Uuid;

impl Engine {
    /// A batch that is about to be sent, and what is written down before.
    pub(super) fn intent(&self, now: Now, batch: Batch) -> (Flight, Record) {
        let seq = batch.seq();
        let name = format!("{}/{}/0", self.config.stage, seq.0);
        let key = Uuid::new_v5(&self.config.nonce, name.as_bytes()).to_string();
        let body = Arc::new(batch.body());
        let record = Record::Sending {
            stage: self.config.stage,
            batch: seq,
            key: key.clone(),
            body: Arc::clone(&body),
            rows: batch.rows().iter().map(sent_row).collect(),
            at: now.unix,
        };
        (Flight::new(batch, key, body), record)
    }

    /// Whether rows that were sent ahead have no answer yet: until they have one, no request that holds more leaves.
    pub(super) fn is_scouting(&self) -> bool {
        let alone = |flight: &Flight| flight.batch.rows().len() == 1;
        self.refusals.is_scouting()
            && self.flights.values().any(|flight| match &flight.phase {
                Phase::Preparing | Phase::Queued | Phase::Sending | Phase::Backoff { .. } => {
                    alone(flight)
                }
                Phase::Settling { left, .. } => left.flights.iter().any(alone),
                Phase::Waiting(_)
                | Phase::Identifying { .. }
                | Phase::Judging(_)
                | Phase::Calling(_) => false,
            })
    }

    pub(super) fn send_due(&mut self, now: Now, mut active: usize, commands: &mut Vec<Command>) {
        // a row that was left of a refused request tells most, and takes least
        let mut order: Vec<_> = self.flights.keys().copied().collect();
        order.sort_by_key(|seq| self.flights[seq].batch.rows().len() > 1);
        let scouting = self.is_scouting();
        for seq in order {
            let Some(flight) = self.flights.get_mut(&seq) else {
                continue;
            };
            let due = match flight.phase {
                Phase::Queued if scouting && flight.batch.rows().len() > 1 => false,
                Phase::Queued => self.gate.open(now.at, active),
                Phase::Backoff { until } => until <= now.at,
                _ => false,
            };
            if !due {
                continue;
            }
            if !flight.holds_slot() {
                active += 1;
            }
            flight.phase = Phase::Sending;
            flight.attempts += 1;
            flight.last_sent = Some(now.at);
            flight.first_sent.get_or_insert(now.at);
            commands.push(Command::Submit {
                batch: seq,
                key: flight.key.clone(),
                body: Arc::clone(&flight.body),
            });
        }
    }

    pub(super) fn poll_due(&mut self, now: Now, commands: &mut Vec<Command>) {
        for (seq, flight) in &mut self.flights {
            if let Phase::Waiting(wait) = &mut flight.phase
                && wait.asked.is_none()
                && wait.next_poll <= now.at
            {
                wait.asked = Some(now.at);
                commands.push(Command::Poll(*seq, wait.task.clone()));
            }
        }
    }

    /// After a stop: what was never sent is written down as not sent.
    pub(super) fn abandon(&mut self, now: Now, commands: &mut Vec<Command>) {
        let why = self.stopped.clone().unwrap_or_default();
        let mut rows: Vec<PreparedRow> = self
            .held
            .drain(..)
            .flat_map(|batch| batch.rows().to_vec())
            .collect();
        rows.extend(self.batcher.abandon());
        if !rows.is_empty() {
            let outcomes = rows
                .into_iter()
                .map(|row| not_sent(row.row, &why, now.unix))
                .collect();
            self.write_decided(outcomes, commands);
        }
        // a batch that never left, never got a slot or was turned away was not sent either
        let unsent: Vec<_> = self
            .flights
            .iter()
            .filter(|(_, flight)| {
                matches!(flight.phase, Phase::Queued | Phase::Backoff { .. })
                    && !flight.maybe_applied
            })
            .map(|(seq, _)| *seq)
            .collect();
        for seq in unsent {
            let Some(flight) = self.flights.get(&seq) else {
                continue;
            };
            let end = End::new(Status::NotSent, vec![stop_reason(&why)]);
            let ends = vec![end; flight.batch.rows().len()];
            self.settle(now, seq, ends, None, commands);
        }
        self.abandon_calls(now, &why, commands);
        self.abandon_joins(now, commands);
    }
}
