//! Reading and mapping beside each other: one thread reads, a few map, and what they make comes out in reading order.
//!
//! Chunks are dealt to the mappers in turn and taken from them in turn, so order needs no sorting. Every queue is
//! bounded: at most three chunks a mapper are alive at once, and one that is being read.

use super::settled::Board;
use super::stop::Stop;
use crate::mapping::{Draft, Emit, Plan};
use crate::model::row::{Mapped, RowId};
use crate::source::chunk::RowChunk;
use crate::source::{ChunkRequest, Dataset, SourceError};
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle, available_parallelism};

/// The thread that reads and decodes.
pub const READER_THREAD: &str = "source";
/// Mappers; more would outrun any reader.
const MOST_MAPPERS: usize = 4;

/// What mappers make of the chunks of a dataset, in reading order. Dropping it ends the threads.
#[derive(Debug)]
pub struct Lanes<T> {
    made: Vec<Receiver<Result<T, SourceError>>>,
    next: usize,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Send + 'static> Lanes<T> {
    /// Starts reading the columns of a plan from the first row; each mapper has a `make` of its own.
    ///
    /// # Errors
    /// When the system has no threads to give.
    pub fn over(
        dataset: &Dataset,
        plan: &Plan,
        make: impl Fn(RowChunk) -> T + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let request = ChunkRequest {
            columns: Some(plan.columns().to_vec()),
            ..ChunkRequest::default()
        };
        let mappers = available_parallelism()
            .map_or(1, usize::from)
            .min(MOST_MAPPERS);
        let (mut dealt, mut lanes, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..mappers {
            let (to_map, chunks) = sync_channel::<Result<RowChunk, SourceError>>(1);
            let (to_take, lane) = sync_channel(1);
            let make = make.clone();
            let thread = thread::Builder::new().name("mapping".into());
            threads.push(thread.spawn(move || {
                for chunk in chunks {
                    if to_take.send(chunk.map(&make)).is_err() {
                        break;
                    }
                }
            })?);
            dealt.push(to_map);
            lanes.push(lane);
        }
        let chunks = dataset.chunks(&request);
        let reader = thread::Builder::new().name(READER_THREAD.into());
        threads.push(reader.spawn(move || {
            for (chunk, lane) in chunks.zip((0..mappers).cycle()) {
                // nobody takes what dropped lanes would have given
                if dealt[lane].send(chunk).is_err() {
                    break;
                }
            }
        })?);
        Ok(Self {
            made: lanes,
            next: 0,
            threads,
        })
    }
}

impl<T> Iterator for Lanes<T> {
    type Item = Result<T, SourceError>;

    /// # Panics
    /// When one of the threads did: rows would be missing, and nobody would know.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(Ok(made)) = self.made.get(self.next).map(Receiver::recv) {
            self.next = (self.next + 1) % self.made.len();
            return Some(made);
        }
        // the others may wait to hand something over: without takers they end
        self.made.clear();
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
        None
    }
}

/// A chunk and what the plan made of it.
#[derive(Debug)]
pub struct Drafted {
    /// The rows as they were read.
    pub chunk: RowChunk,
    /// The same rows mapped; `None` once a stop was asked for.
    pub draft: Option<Draft>,
}

/// The drafts of a dataset, in reading order.
pub type Drafts = Lanes<Drafted>;

impl Drafts {
    /// Starts reading and mapping from the first row.
    ///
    /// # Errors
    /// When the system has no threads to give.
    pub fn start(dataset: &Dataset, plan: &Arc<Plan>, stop: &Stop) -> io::Result<Self> {
        let (mapping, stop) = (Arc::clone(plan), stop.clone());
        Self::over(dataset, plan, move |chunk| {
            let draft = stop.why().is_none().then(|| mapping.draft(&chunk));
            Drafted { chunk, draft }
        })
    }
}

/// What became of a chunk. Rows with their payloads need it no more: its memory is given back before they wait.
#[derive(Debug)]
pub enum Made {
    /// All that is to be known of the names is known.
    Rows(Mapped),
    /// To be finished once names were asked for. With the chunk, should that come to nothing.
    Draft(Box<Draft>, RowChunk),
    /// Read once a stop was asked for.
    Unmapped(RowChunk),
}

/// A chunk and its payloads.
#[derive(Debug)]
pub struct Prepared {
    /// How many records it had.
    pub records: u64,
    /// Its last row.
    pub last: Option<RowId>,
    /// Its rows.
    pub made: Made,
}

/// The payloads of a dataset, in reading order.
pub type Payloads = Lanes<Prepared>;

impl Payloads {
    /// Starts reading and mapping from the first row, by what `board` tells of names.
    ///
    /// # Errors
    /// When the system has no threads to give.
    pub fn prepare(
        dataset: &Dataset,
        plan: &Arc<Plan>,
        stop: &Stop,
        board: &Board,
    ) -> io::Result<Self> {
        let (mapping, stop, board) = (Arc::clone(plan), stop.clone(), board.clone());
        Self::over(dataset, plan, move |chunk| {
            let (records, last) = (chunk.records() as u64, chunk.ids.last().copied());
            let made = if stop.why().is_some() {
                Made::Unmapped(chunk)
            } else {
                let draft = mapping.draft(&chunk);
                match board.covering(&draft) {
                    Some(known) => Made::Rows(draft.finish(known.references(), Emit::Payloads)),
                    None => Made::Draft(Box::new(draft), chunk),
                }
            };
            Prepared {
                records,
                last,
                made,
            }
        })
    }
}
