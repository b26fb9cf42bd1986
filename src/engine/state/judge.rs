//! From a batch's end to a ruling on each of its rows: what is in doubt is looked for on the site.

use super::Engine;
use crate::engine::batcher::Batch;
use crate::engine::flight::{Flight, Phase};
use crate::engine::judging::{Doubt, Judging, Ruling};
use crate::engine::limits::Verify;
use crate::engine::message::{Command, Now};
use crate::engine::seen::{Called, Seen};
use crate::model::outcome::{BatchSeq, Route, Status};
use crate::model::row::PreparedRow;
use std::cmp::Reverse;

/// Rows that name organizations or products and are all read back, before a sample of the others is enough: a site that ignores
/// associations ignores those of the first rows too.
const FIRST_ASSOCIATIONS: usize = 100;

impl Engine {
    /// Finds out what became of a batch's rows. It holds no slot meanwhile.
    pub(super) fn judge(
        &mut self,
        now: Now,
        seq: BatchSeq,
        mut judging: Judging,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        judging.unseen = flight.unseen;
        let rows = 0..flight.batch.rows().len();
        let mut wanted: Vec<_> = rows.filter(|index| judging.in_doubt(*index)).collect();
        // its rows were seen to be missing once: that they can be read is known
        if flight.unseen {
            wanted.extend(judging.unread());
        } else if self.config.findable {
            wanted.extend(self.sample(flight, &judging));
        }
        wanted.sort_unstable();
        let rows = flight.batch.rows();
        let associating = wanted
            .iter()
            .filter(|index| (self.config.associates)(&rows[**index]))
            .count();
        judging.first = associating > 0 && self.associations_read < FIRST_ASSOCIATIONS;
        self.associations_read += associating;
        self.judge_on(now, seq, judging, wanted, commands);
    }

    /// Rows that an interrupted run may have sent are looked for before anything is sent for them.
    pub(super) fn look_before(&mut self, now: Now, batch: Batch, commands: &mut Vec<Command>) {
        let (seq, rows) = (batch.seq(), batch.rows().len());
        let flight = Flight {
            begun: true,
            // how often is not known
            attempts: 1,
            ..Flight::of_calls(batch)
        };
        self.flights.insert(seq, flight);
        self.judge(now, seq, Judging::of_all(Doubt::Begun, rows), commands);
    }

    /// Of the rows that the site says to have written, those that are looked at all the same.
    fn sample(&self, flight: &Flight, judging: &Judging) -> Vec<usize> {
        let rows = flight.batch.rows();
        let associates = |index: &usize| (self.config.associates)(&rows[*index]);
        let mut clean: Vec<_> = judging.unread().collect();
        match self.config.verify {
            Verify::All => clean,
            Verify::Failed | Verify::Sample if self.check_associations => {
                clean.retain(associates);
                clean
            }
            Verify::Failed => Vec::new(),
            Verify::Sample => {
                // one in a hundred, by chance; those that say most about the site first
                let most = clean.len().div_ceil(100);
                let first = FIRST_ASSOCIATIONS.saturating_sub(self.associations_read);
                let first = first.min(clean.iter().filter(|index| associates(index)).count());
                clean.sort_by_cached_key(|index| (Reverse(associates(index)), rows[*index].hash));
                clean.truncate(most.max(first));
                clean
            }
        }
    }

    /// What the site holds of the rows that were asked for.
    pub(super) fn read_back(
        &mut self,
        now: Now,
        seq: BatchSeq,
        found: Vec<Seen>,
        commands: &mut Vec<Command>,
    ) {
        let Some((mut judging, rows)) = self.take_judging(seq) else {
            return;
        };
        let distrust = judging.read(found);
        if distrust.associations && !self.check_associations {
            commands.push(self.notice(
                "organizations or products of a row did not arrive, though its task finished: from here on all rows \
                 that name any are read back"
                    .to_owned(),
            ));
        }
        self.check_associations |= distrust.associations;
        let more = if distrust.rows {
            judging.unread().collect()
        } else {
            self.unread_associations(&judging, &rows)
        };
        self.judge_on(now, seq, judging, more, commands);
        self.release(now, seq, commands);
    }

    /// Rows that are to be read because associations were found missing, on whichever batch's reading.
    fn unread_associations(&self, judging: &Judging, rows: &[PreparedRow]) -> Vec<usize> {
        if !(self.check_associations && self.config.findable) {
            return Vec::new();
        }
        let unread = judging.unread();
        unread
            .filter(|index| (self.config.associates)(&rows[*index]))
            .collect()
    }

    /// Whether a batch that is read like this relies on a first reading which is still under way.
    fn relies_on_first(&self, seq: BatchSeq, judging: &Judging, rows: &[PreparedRow]) -> bool {
        let is_first = |phase: &Phase| matches!(phase, Phase::Judging(other) if other.first && !other.reading.is_empty());
        let mut others = self.flights.iter().filter(|(other, _)| **other != seq);
        !self.check_associations
            && others.any(|(_, flight)| is_first(&flight.phase))
            && judging
                .unread()
                .any(|index| (self.config.associates)(&rows[index]))
    }

    /// After a reading: goes on with the batches that may have waited for what it says.
    fn release(&mut self, now: Now, read: BatchSeq, commands: &mut Vec<Command>) {
        let idle =
            |flight: &Flight| matches!(&flight.phase, Phase::Judging(judging) if judging.is_idle());
        let flights = self.flights.iter();
        let waiting: Vec<_> = flights
            .filter(|(seq, flight)| **seq != read && idle(flight))
            .map(|(seq, _)| *seq)
            .collect();
        for seq in waiting {
            if let Some((judging, rows)) = self.take_judging(seq) {
                let more = self.unread_associations(&judging, &rows);
                self.judge_on(now, seq, judging, more, commands);
            }
        }
    }

    /// The memberships and products of a row were repaired, or were not.
    pub(super) fn joined(
        &mut self,
        now: Now,
        seq: BatchSeq,
        index: usize,
        called: Called,
        commands: &mut Vec<Command>,
    ) {
        let Some((mut judging, _)) = self.take_judging(seq) else {
            return;
        };
        if let Called::NotSent { error } | Called::Lost { error, .. } = &called {
            self.stop_for(error);
        }
        judging.repaired(index, called);
        self.judge_on(now, seq, judging, Vec::new(), commands);
    }

    /// After a stop nothing is repaired any more.
    pub(super) fn abandon_joins(&mut self, now: Now, commands: &mut Vec<Command>) {
        let waiting = |flight: &Flight| matches!(&flight.phase, Phase::Judging(judging) if !judging.joins.is_empty());
        let flights = self.flights.iter();
        let waiting: Vec<_> = flights
            .filter(|(_, flight)| waiting(flight))
            .map(|(seq, _)| *seq)
            .collect();
        for seq in waiting {
            if let Some((mut judging, _)) = self.take_judging(seq) {
                judging.joins.clear();
                self.judge_on(now, seq, judging, Vec::new(), commands);
            }
        }
    }

    fn take_judging(&mut self, seq: BatchSeq) -> Option<(Judging, Vec<PreparedRow>)> {
        let flight = self.flights.get_mut(&seq)?;
        if !matches!(flight.phase, Phase::Judging(_)) {
            return None;
        }
        match std::mem::replace(&mut flight.phase, Phase::Preparing) {
            Phase::Judging(judging) => Some((*judging, flight.batch.rows().to_vec())),
            _ => None,
        }
    }

    /// Reads `wanted`; with nothing to be read or repaired any more, rules.
    fn judge_on(
        &mut self,
        now: Now,
        seq: BatchSeq,
        mut judging: Judging,
        mut wanted: Vec<usize>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let relies = self.relies_on_first(seq, &judging, flight.batch.rows());
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        if wanted.is_empty() && judging.is_idle() {
            // those that were repaired are read once more
            let repaired = judging.repaired.iter();
            wanted.extend(
                repaired
                    .filter(|(_, seen)| seen.is_none())
                    .map(|(index, _)| *index),
            );
            if wanted.is_empty() && !relies {
                return self.rule(now, seq, &judging, commands);
            }
        }
        if !wanted.is_empty() {
            let rows = wanted
                .iter()
                .map(|index| flight.batch.rows()[*index].clone());
            commands.push(Command::ReadBack(seq, rows.collect()));
            judging.reading = wanted;
        }
        flight.phase = Phase::Judging(Box::new(judging));
    }

    fn rule(&mut self, now: Now, seq: BatchSeq, judging: &Judging, commands: &mut Vec<Command>) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let rulings = judging.rule();
        let open = |ruling: &Ruling| match ruling {
            Ruling::Again => true,
            Ruling::End(end) => end.status == Status::Unconfirmed,
        };
        // a reading that a stop cut short: a later process looks again
        let cut_short = self.stopped.is_some() && self.config.findable;
        if cut_short && flight.route == Route::Bulk && rulings.iter().any(open) {
            let errors = judging.doubt.words();
            return self.suspend(now, seq, &errors, commands);
        }
        self.go_on(now, seq, judging, rulings, commands);
    }
}
