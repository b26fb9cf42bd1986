//! The writer's thread: one transaction for all that waits.

use super::apply::{Parts, Writing};
use super::body::Packer;
use super::error::{LedgerError, failed};
use super::pending::Pending;
use super::record::Record;
use super::remember::{self, Remember};
use super::store::Waiting;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

/// What the writer's thread works with.
pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) run: i64,
    pub(super) file: PathBuf,
    /// Stages that have begun: their parts.
    pub(super) parts: Parts,
    pub(super) packer: Packer,
    pub(super) remember: Remember,
    pub(super) pending: Arc<Mutex<Pending>>,
}

impl Writer {
    /// The writer's thread: takes all that waits, commits it as one transaction, tells everyone.
    pub(super) fn work(mut self, inbox: &Receiver<Waiting>) {
        let failed = failed("write", &self.file);
        let mut broken = false;
        while let Ok(first) = inbox.recv() {
            let mut waiting = vec![first];
            waiting.extend(inbox.try_iter().take(255));
            let mut result = if broken {
                Err(LedgerError::Stopped)
            } else {
                self.commit(waiting.iter().flat_map(|waiting| &waiting.records))
                    .map_err(&failed)
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
        // what is not merged now is merged when the ledger is opened next
        if !broken {
            let _ = remember::fold(&mut self.db, &self.pending);
        }
    }

    fn commit<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Record> + Clone,
    ) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        for record in records.clone() {
            let mut writing = Writing {
                db: &transaction,
                run: self.run,
                parts: &mut self.parts,
                packer: &mut self.packer,
                remember: &mut self.remember,
                pending: &self.pending,
            };
            writing.record(record)?;
        }
        records.clone().for_each(|record| record.step().before());
        transaction.commit()?;
        records.for_each(|record| record.step().after());
        self.remember.durable(&self.pending);
        let full = self
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_full();
        if full {
            remember::fold(&mut self.db, &self.pending)?;
        }
        Ok(())
    }
}
