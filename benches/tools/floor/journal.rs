//! A journal of lines. One thread writes all lines that wait, syncs once, and tells everybody whose line is durable.

use crate::Fault;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// A line, and whom to tell.
pub(crate) struct Entry {
    line: String,
    durable: SyncSender<()>,
}

pub(crate) struct Journal {
    entries: Option<SyncSender<Entry>>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> Result<Self, Fault> {
        let file = File::create(path)?;
        let (entries, waiting) = sync_channel(1_024);
        Ok(Self {
            entries: Some(entries),
            thread: thread::spawn(move || keep(file, &waiting)),
        })
    }

    /// # Panics
    /// Once it is finished, which consumes it.
    pub(crate) fn sender(&mut self) -> SyncSender<Entry> {
        self.entries.clone().expect("open until finished")
    }

    /// Waits for the thread, and says what stopped it.
    pub(crate) fn finish(mut self) -> Result<(), Fault> {
        self.entries = None;
        Ok(self.thread.join().map_err(|_| "the journal panicked")??)
    }
}

/// Returns once the line is durable.
pub(crate) fn note(journal: &SyncSender<Entry>, line: String) -> Result<(), Fault> {
    let (durable, told) = sync_channel(1);
    journal.send(Entry { line, durable })?;
    Ok(told.recv()?)
}

fn keep(mut file: File, waiting: &Receiver<Entry>) -> std::io::Result<()> {
    let (mut group, mut text) = (Vec::new(), String::new());
    while let Ok(first) = waiting.recv() {
        group.push(first);
        group.extend(waiting.try_iter());
        for entry in &group {
            text.push_str(&entry.line);
            text.push('\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        text.clear();
        for entry in group.drain(..) {
            // who does not wait any more needs no answer
            let _ = entry.durable.send(());
        }
    }
    Ok(())
}
