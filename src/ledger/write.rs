//! The writer's thread: one transaction for all that waits. What costs nothing when it is lost does not begin one.

use super::apply::{Parts, Writing};
use super::error::{LedgerError, failed};
use super::insert::unwritable;
use super::layers::Merge;
use super::pending::Pending;
use super::remember::{self, Remember};
use super::said::Said;
use super::space::give_back;
use super::store::Waiting;
use rusqlite::Connection;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long notes wait for something that must be durable, whose transaction they join.
const NOTES_WAIT: Duration = Duration::from_millis(20);
/// Hand-overs that are committed together at most: it bounds how long the first of them waits.
const TOGETHER: usize = 256;

/// What the writer's thread works with.
pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) run: i64,
    pub(super) file: PathBuf,
    /// Stages that have begun: their parts.
    pub(super) parts: Parts,
    pub(super) said: Said,
    pub(super) remember: Remember,
    pub(super) pending: Arc<Mutex<Pending>>,
}

impl Writer {
    /// The writer's thread: takes all that waits, commits it as one transaction, tells everyone.
    pub(super) fn work(mut self, inbox: &Receiver<Waiting>) {
        let failed = failed("write", &self.file);
        let mut broken = false;
        while let Some(waiting) = gather(inbox) {
            let mut result = if broken {
                Err(LedgerError::Stopped)
            } else {
                self.commit(&waiting).map_err(&failed)
            };
            broken = result.is_err();
            for Waiting { then, .. } in waiting {
                then(match &mut result {
                    Ok(()) => Ok(()),
                    // the first one is told what happened, the others that it did
                    failure => std::mem::replace(failure, Err(LedgerError::Stopped)),
                });
            }
        }
        // what is not written out now is written out when the ledger is opened next, and what is free stays free
        if !broken {
            let _ = remember::fold(
                &mut self.db,
                &self.pending,
                Merge::AFTER,
                Some(&mut self.remember),
            )
            .and_then(|()| give_back(&self.db));
        }
    }

    fn commit(&mut self, waiting: &[Waiting]) -> rusqlite::Result<()> {
        let records = || waiting.iter().flat_map(|waiting| &waiting.records);
        let transaction = self.db.transaction()?;
        for kept in waiting.iter().map(|waiting| &waiting.kept) {
            if let Err(error) = kept {
                return Err(unwritable(io::Error::new(error.kind(), error.to_string())));
            }
        }
        let kept = waiting.iter().flat_map(|waiting| &waiting.kept).flatten();
        for (record, kept) in records().zip(kept) {
            let mut one = Writing {
                db: &transaction,
                run: self.run,
                parts: &mut self.parts,
                said: &mut self.said,
                remember: &mut self.remember,
                pending: &self.pending,
            };
            one.record(record, kept)?;
        }
        records().for_each(|record| record.step().before());
        transaction.commit()?;
        records().for_each(|record| record.step().after());
        self.remember.durable(&self.pending);
        let full = self
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_full();
        if full {
            remember::fold(
                &mut self.db,
                &self.pending,
                Merge::Crowded,
                Some(&mut self.remember),
            )?;
        }
        Ok(())
    }
}

/// What is to be committed next, in the order in which it was handed over; `None` once all is.
fn gather(inbox: &Receiver<Waiting>) -> Option<Vec<Waiting>> {
    let mut waiting = vec![inbox.recv().ok()?];
    loop {
        let room = TOGETHER.saturating_sub(waiting.len());
        waiting.extend(inbox.try_iter().take(room));
        if waiting.len() >= TOGETHER || !waiting.iter().all(Waiting::is_note) {
            return Some(waiting);
        }
        match inbox.recv_timeout(NOTES_WAIT) {
            Ok(next) => waiting.push(next),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Some(waiting);
            }
        }
    }
}
