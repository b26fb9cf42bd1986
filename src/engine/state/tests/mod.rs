//! What becomes of one batch when its answers contradict each other, or a stop comes between.

mod judging;

use super::Engine;
use crate::engine::batcher::BatchLimits;
use crate::engine::batcher::tests::{LIMITS, row};
use crate::engine::limits::{TaskSlots, Verify};
use crate::engine::message::{Command, Durable, Event, Now, StageConfig};
use crate::engine::route::Wish;
use crate::engine::seen::Seen;
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::outcome::{BatchSeq, Status};
use crate::model::reply::{ApiError, ErrorClass, Throttle};
use std::time::{Duration, Instant};
use uuid::Uuid;

const BATCH: BatchSeq = BatchSeq(1);

/// A stage of no more than these slots, whose rows can be found again.
pub(crate) fn config(batches: BatchLimits) -> StageConfig {
    StageConfig {
        stage: 0,
        batches,
        nonce: Uuid::nil(),
        key_lifetime: Duration::from_hours(24),
        slots: TaskSlots::Fixed(1),
        most_slots: 5,
        polls_per_second: 40.0,
        max_errors: None,
        details: Vec::new(),
        route: Wish::Bulk,
        requests_per_second: 50.0,
        points_an_hour: None,
        expected_rows: 100,
        calls: Box::new(|_| Some(1.0)),
        single_in_flight: 2,
        verify: Verify::Sample,
        findable: true,
        associates: Box::new(|_| false),
        resend: true,
        fold: str::to_lowercase,
        random: Box::new(|| 0.0),
    }
}

/// An engine whose one batch is on its way, and whose rows cannot be found again.
struct OneBatch {
    engine: Engine,
    now: Instant,
}

impl OneBatch {
    fn sending() -> Self {
        let engine = Engine::new(StageConfig {
            findable: false,
            ..config(LIMITS)
        });
        let mut one = Self {
            engine,
            now: Instant::now(),
        };
        let rows = (1..=4).map(|id| row(id, id, "{}")).collect();
        one.step(Event::Rows {
            rows,
            decided: Vec::new(),
        });
        let sent = one.step(Event::Durable(Durable::Intent(BATCH)));
        assert!(
            sent.iter()
                .any(|command| matches!(command, Command::Submit { .. })),
            "{sent:?}"
        );
        one
    }

    fn step(&mut self, event: Event) -> Vec<Command> {
        self.engine.handle(
            Now {
                at: self.now,
                unix: 0,
            },
            event,
        )
    }

    /// The batch's request is answered like this, and what was to be waited for has passed.
    fn answered(&mut self, class: ErrorClass) -> Vec<Command> {
        let error = ApiError {
            class,
            request: "POST".into(),
            status: Some(400),
            message: "no".into(),
            trace_id: None,
        };
        let mut commands = self.step(Event::Submitted(BATCH, Err(error)));
        let read = commands.iter().find_map(|command| match command {
            Command::ReadBack(_, rows) => Some(rows.len()),
            _ => None,
        });
        if let Some(rows) = read {
            let tried = "nothing names it".to_owned();
            let seen = vec![Seen::Unknown { tried }; rows];
            commands.extend(self.step(Event::ReadBack(BATCH, seen)));
        }
        self.now += Duration::from_hours(1);
        commands.extend(self.step(Event::Woken));
        commands
    }
}

/// How the batch's rows end in these commands.
fn ends(commands: &[Command]) -> Vec<(Status, String)> {
    let mut ends: Vec<_> = commands
        .iter()
        .flat_map(|command| match command {
            Command::Persist(records, _) => records.as_slice(),
            _ => &[],
        })
        .flat_map(|record| match record {
            Record::Settled { outcomes, .. } | Record::Suspended { outcomes, .. } => {
                outcomes.as_slice()
            }
            _ => &[],
        })
        .map(|outcome| (outcome.status, outcome.reasons[0].code.to_string()))
        .collect();
    ends.dedup();
    ends
}

#[test]
fn a_refusal_after_an_attempt_that_may_have_been_accepted_is_unconfirmed() {
    let mut one = OneBatch::sending();
    assert_eq!(ends(&one.answered(ErrorClass::MaybeApplied)), []);
    let last = one.answered(ErrorClass::Refused);
    assert_eq!(
        ends(&last),
        [(Status::Unconfirmed, Code::AnswerLost.to_string())]
    );
}

#[test]
fn after_a_stop_a_batch_that_was_turned_away_is_not_sent_again() {
    for class in [
        ErrorClass::NotSent,
        ErrorClass::Busy,
        ErrorClass::Throttled {
            after: None,
            scope: Throttle::Quota,
        },
    ] {
        let mut one = OneBatch::sending();
        assert_eq!(ends(&one.step(Event::Stop("interrupted".into()))), []);
        let last = one.answered(class);
        assert_eq!(
            ends(&last),
            [(Status::NotSent, Code::RunStopped.to_string())]
        );
        assert!(
            !last
                .iter()
                .any(|command| matches!(command, Command::Submit { .. }))
        );
    }
}

#[test]
fn a_drain_ends_on_a_site_that_has_no_room() {
    let mut one = OneBatch::sending();
    assert_eq!(ends(&one.answered(ErrorClass::MaybeApplied)), []);
    assert_eq!(ends(&one.step(Event::Stop("interrupted".into()))), []);
    let last = one.answered(ErrorClass::Busy);
    assert_eq!(
        ends(&last),
        [(Status::Unconfirmed, Code::AnswerLost.to_string())]
    );
}
