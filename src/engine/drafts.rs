//! Reading and mapping beside each other: one thread reads, a few map, and the drafts come out in reading order.
//!
//! Chunks are dealt to the mappers in turn and taken from them in turn, so order needs no sorting. Every queue is
//! bounded: at most three chunks a mapper are alive at once, and one that is being read.

use super::stop::Stop;
use crate::mapping::{Draft, Plan};
use crate::source::chunk::RowChunk;
use crate::source::{ChunkRequest, Dataset, SourceError};
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle, available_parallelism};

/// The thread that reads and decodes.
pub const READER_THREAD: &str = "source";
/// Mappers; more would outrun any reader.
const MOST_MAPPERS: usize = 4;

/// A chunk and what the plan made of it.
#[derive(Debug)]
pub struct Drafted {
    /// The rows as they were read.
    pub chunk: RowChunk,
    /// The same rows mapped; `None` once a stop was asked for.
    pub draft: Option<Draft>,
}

/// The drafts of a dataset, in reading order. Dropping it ends the threads.
#[derive(Debug)]
pub struct Drafts {
    lanes: Vec<Receiver<Result<Drafted, SourceError>>>,
    next: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Drafts {
    /// Starts reading and mapping from the first row.
    ///
    /// # Errors
    /// When the system has no threads to give.
    pub fn start(dataset: &Dataset, plan: &Arc<Plan>, stop: &Stop) -> io::Result<Self> {
        let request = ChunkRequest {
            columns: Some(plan.columns().to_vec()),
            ..ChunkRequest::default()
        };
        let mappers = available_parallelism()
            .map_or(1, usize::from)
            .min(MOST_MAPPERS);
        let (mut dealt, mut lanes, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..mappers {
            let (to_map, chunks) = sync_channel(1);
            let (mapped, lane) = sync_channel(1);
            let (plan, stop) = (Arc::clone(plan), stop.clone());
            let thread = thread::Builder::new().name("mapping".into());
            threads.push(thread.spawn(move || map(&plan, &stop, &chunks, &mapped))?);
            dealt.push(to_map);
            lanes.push(lane);
        }
        let chunks = dataset.chunks(&request);
        let reader = thread::Builder::new().name(READER_THREAD.into());
        threads.push(reader.spawn(move || {
            for (chunk, lane) in chunks.zip((0..mappers).cycle()) {
                // nobody takes what a dropped `Drafts` would have given
                if dealt[lane].send(chunk).is_err() {
                    break;
                }
            }
        })?);
        Ok(Self {
            lanes,
            next: 0,
            threads,
        })
    }
}

impl Iterator for Drafts {
    type Item = Result<Drafted, SourceError>;

    /// # Panics
    /// When one of the threads did: rows would be missing, and nobody would know.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(Ok(drafted)) = self.lanes.get(self.next).map(Receiver::recv) {
            self.next = (self.next + 1) % self.lanes.len();
            return Some(drafted);
        }
        // the others may wait to hand something over: without takers they end
        self.lanes.clear();
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
        None
    }
}

fn map(
    plan: &Plan,
    stop: &Stop,
    chunks: &Receiver<Result<RowChunk, SourceError>>,
    mapped: &SyncSender<Result<Drafted, SourceError>>,
) {
    for chunk in chunks {
        let drafted = chunk.map(|chunk| {
            let draft = stop.why().is_none().then(|| plan.draft(&chunk));
            Drafted { chunk, draft }
        });
        if mapped.send(drafted).is_err() {
            break;
        }
    }
}
