//! One bulk request of definitions: its intent durable before it leaves, its task waited for, its rows brought to
//! their end or passed on.

use super::decide::{Fate, fates, resolve};
use super::{Asked, Definitions, Travelled, counted};
use crate::api::contract::BulkEndpoint;
use crate::api::fold;
use crate::engine::batcher::Batch;
use crate::engine::context::{Tries, random};
use crate::engine::driver::{self, DriveError};
use crate::engine::outcome::sent_row;
use crate::engine::poll::{self, Polling};
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::event::RunEvent;
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome};
use crate::model::reply::{ApiError, ErrorClass, TaskId, TaskView};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A bulk request.
pub(super) struct Request {
    pub(super) key: String,
    pub(super) body: Arc<Vec<u8>>,
    /// Its task, if the site is known to have accepted it.
    pub(super) task: Option<TaskId>,
    /// It may have reached the site.
    pub(super) maybe_applied: bool,
}

/// What became of a request.
struct Answered {
    /// Of each row, in their order.
    fates: Vec<Fate>,
    attempts: u32,
    trace_id: Option<String>,
    /// Why nothing more can be sent.
    hopeless: Option<ApiError>,
}

/// A batch whose rows have their outcomes, or travel on.
struct Settled {
    batch: BatchSeq,
    counts: Counts,
    took: Duration,
}

impl Definitions<'_> {
    /// Sends a batch, and what the site turned away of it again as long as that may help: what others created
    /// meanwhile is dropped, and the rest goes out under a new key; what then is left goes one by one, so that a
    /// field that the site does not take fails alone.
    pub(super) async fn create_batch(
        &mut self,
        endpoint: BulkEndpoint,
        batch: Batch,
        rows: Vec<Asked>,
    ) -> Result<(), DriveError> {
        let (request, intent) = self.intend(&batch);
        self.write(vec![intent], None).await?;
        self.bring_to_end(endpoint, batch, rows, request).await
    }

    /// The same from where the intent of the first batch is durable.
    pub(super) async fn bring_to_end(
        &mut self,
        endpoint: BulkEndpoint,
        mut batch: Batch,
        mut rows: Vec<Asked>,
        mut request: Request,
    ) -> Result<(), DriveError> {
        loop {
            let began = self.context.clock.instant();
            let answered = self.send(endpoint, &batch, &rows, request).await?;
            let (outcomes, again) = self.judge(&batch, rows, &answered).await;
            let counts = counted(&outcomes);
            let dropped = !outcomes.is_empty();
            let mut records = vec![Record::Settled {
                stage: self.stage,
                batch: batch.seq(),
                trace_id: answered.trace_id,
                outcomes,
                at: self.context.clock.unix_millis(),
            }];
            let settled = Settled {
                batch: batch.seq(),
                counts,
                took: self.context.clock.instant().duration_since(began),
            };
            self.batcher.settled(&batch);
            if let Some(error) = answered.hopeless {
                self.context.stop.set(error.to_string());
            }
            // settled and sent again in one write, so that the rows are nowhere at no moment
            let clear = again.iter().all(|asked| asked.unclear.is_none());
            let may_help = dropped && clear && self.context.stop.why().is_none();
            if may_help && let Some(next) = self.cut(&again) {
                let (next_request, intent) = self.intend(&next);
                records.push(intent);
                self.write(records, Some(settled)).await?;
                (batch, rows, request) = (next, again, next_request);
                continue;
            }
            self.write(records, Some(settled)).await?;
            return self.create_each(again).await;
        }
    }

    /// A batch as it leaves, and what is written down before.
    fn intend(&self, batch: &Batch) -> (Request, Record) {
        let body = Arc::new(batch.body());
        let name = format!("{}/{}/0", self.stage, batch.seq().0);
        let key = Uuid::new_v5(&self.context.nonce, name.as_bytes()).to_string();
        let intent = Record::Sending {
            stage: self.stage,
            batch: batch.seq(),
            key: key.clone(),
            body: Arc::clone(&body),
            rows: batch.rows().iter().map(sent_row).collect(),
            at: self.context.clock.unix_millis(),
        };
        let request = Request {
            key,
            body,
            task: None,
            maybe_applied: false,
        };
        (request, intent)
    }

    /// Makes records durable; then counts and tells the batch that they settle.
    async fn write(
        &mut self,
        records: Vec<Record>,
        settled: Option<Settled>,
    ) -> Result<(), DriveError> {
        driver::write(self.context, records).await?;
        if let Some(settled) = settled {
            self.context.audience.tell(&RunEvent::BatchSettled {
                stage: self.stage,
                batch: settled.batch,
                counts: settled.counts,
                took: settled.took,
            });
            self.count(settled.counts);
        }
        Ok(())
    }

    /// A batch of rows that were in one before, and so fit into one.
    fn cut(&mut self, rows: &[Asked]) -> Option<Batch> {
        for asked in rows {
            let full = self.batcher.push(asked.row.clone());
            debug_assert!(full.is_none(), "fewer rows than before do not fill a batch");
        }
        self.batcher.flush()
    }

    /// The rows that are at their end, and those to send again.
    async fn judge(
        &mut self,
        batch: &Batch,
        rows: Vec<Asked>,
        answered: &Answered,
    ) -> (Vec<RowOutcome>, Vec<Asked>) {
        let travelled = Travelled {
            route: (answered.attempts > 0).then_some(Route::Bulk),
            batch: Some(batch.seq()),
            attempts: answered.attempts,
        };
        let open = |fate: &Fate| !matches!(fate, Fate::Created | Fate::Unsent(..));
        let mut listed = true;
        if answered.fates.iter().any(open)
            && let Some(first) = rows.first()
            && let Err(error) = self.list(first.wanted.owner).await
        {
            self.context.stop.set(error.to_string());
            listed = false;
        }
        let (mut outcomes, mut again) = (Vec::new(), Vec::new());
        for (mut asked, fate) in rows.into_iter().zip(&answered.fates) {
            let standing = listed.then(|| self.standing(&asked.wanted));
            let next = resolve(fate, standing.as_ref());
            if *fate == Fate::Created {
                self.created(&asked.wanted);
            }
            if let Some(outcome) = self.outcome(&asked, next, travelled) {
                outcomes.push(outcome);
            } else {
                if let Fate::Unclear(code) = fate {
                    asked.unclear = Some((*code, travelled));
                }
                again.push(asked);
            }
        }
        (outcomes, again)
    }

    /// Sends until the site takes it or does not, and waits for the task.
    async fn send(
        &mut self,
        endpoint: BulkEndpoint,
        batch: &Batch,
        rows: &[Asked],
        request: Request,
    ) -> Result<Answered, DriveError> {
        let context = self.context;
        let Request {
            key,
            body,
            task,
            mut maybe_applied,
        } = request;
        let mut tries = Tries::default();
        let mut attempts = u32::from(maybe_applied);
        if let Some(task) = task {
            let (fates, hopeless) = self.fates_of(&task, rows).await;
            return Ok(Answered {
                fates,
                attempts,
                trace_id: None,
                hopeless,
            });
        }
        loop {
            attempts += 1;
            let answer = context
                .client
                .submit(endpoint.endpoint, Arc::clone(&body), &key)
                .await;
            context.stop.note_write(&answer);
            let error = match answer {
                Ok(accepted) => {
                    context.audience.tell(&RunEvent::BatchAccepted {
                        stage: self.stage,
                        batch: batch.seq(),
                        rows: rows.len(),
                        task: accepted.task.clone(),
                    });
                    let record = Record::Accepted {
                        stage: self.stage,
                        batch: batch.seq(),
                        task: accepted.task.clone(),
                        trace_id: accepted.trace_id,
                    };
                    driver::write(context, vec![record]).await?;
                    let (fates, hopeless) = self.fates_of(&accepted.task, rows).await;
                    return Ok(Answered {
                        fates,
                        attempts,
                        trace_id: None,
                        hopeless,
                    });
                }
                Err(error) => error,
            };
            maybe_applied |= error.may_be_applied();
            if context.again(self.stage, &mut tries, &error).await {
                continue;
            }
            let (fate, hopeless) = match error.class {
                ErrorClass::Refused if maybe_applied => (Fate::Unclear(Code::AnswerLost), None),
                ErrorClass::Refused => (Fate::TurnedAway(error.message.clone()), None),
                _ if maybe_applied => (Fate::Lost(error.message.clone()), Some(error.clone())),
                _ => (unsent(&error), Some(error.clone())),
            };
            return Ok(Answered {
                fates: vec![fate; rows.len()],
                attempts,
                trace_id: error.trace_id,
                hopeless,
            });
        }
    }

    /// Waits for a task: what it says of each row, and the error if the site says nothing any more.
    async fn fates_of(&self, task: &TaskId, rows: &[Asked]) -> (Vec<Fate>, Option<ApiError>) {
        let names: Vec<_> = rows
            .iter()
            .map(|asked| asked.wanted.folded.as_str())
            .collect();
        let fold = |text: &str| fold::name(text).into_owned();
        match self.wait(task).await {
            Ok(view) => (fates(&view, &names, fold), None),
            Err(error) => {
                let lost = Fate::Lost(error.message.clone());
                (vec![lost; rows.len()], Some(error))
            }
        }
    }

    /// Waits until a task has ended, or for as long as the site may take; the last view is still running then.
    pub(super) async fn wait(&self, task: &TaskId) -> Result<TaskView, ApiError> {
        let context = self.context;
        let began = context.clock.instant();
        let age = || context.clock.instant().duration_since(began);
        let polling = Polling::new(context.polls_per_second);
        let mut due = polling.first(random());
        let mut tries = Tries::default();
        loop {
            let asked = age().max(due);
            tokio::time::sleep(due.saturating_sub(age())).await;
            match context.client.task(task).await {
                Ok(TaskView::Running) if asked < poll::DEADLINE => {
                    tries = Tries::default();
                    due = polling.next(asked, age());
                }
                Ok(view) => return Ok(view),
                Err(error) if context.again(self.stage, &mut tries, &error).await => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The fate of what never reached the site.
pub(super) fn unsent(error: &ApiError) -> Fate {
    let code = match error.class {
        ErrorClass::AuthExpired
        | ErrorClass::AuthWrong
        | ErrorClass::Busy
        | ErrorClass::Throttled { .. }
        | ErrorClass::Refused => Code::RunStopped,
        ErrorClass::NotSent | ErrorClass::MaybeApplied | ErrorClass::Broken => {
            Code::SiteUnreachable
        }
    };
    Fate::Unsent(code, error.message.clone())
}
