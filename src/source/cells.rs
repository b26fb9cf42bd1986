//! The source's cells as text, read again beside the outcomes.

use super::chunk::{self, RowChunk};
use super::{ChunkRequest, Chunks, Dataset};
use polars::prelude::StringChunked;
use std::borrow::Cow;

/// The rows of a dataset as text, read from the start, for rows that are asked for in order.
pub struct RowCells {
    chunks: Chunks,
    ids: Vec<u64>,
    columns: Vec<StringChunked>,
    done: bool,
}

impl RowCells {
    /// Starts at the first row.
    #[must_use]
    pub fn new(dataset: &Dataset) -> Self {
        let chunks = dataset.chunks(&ChunkRequest::default());
        Self {
            chunks,
            ids: Vec::new(),
            columns: Vec::new(),
            done: false,
        }
    }

    /// The cells of a row; none when its record could not be read. Rows must be asked for in order.
    pub fn of(&mut self, row: u64) -> Vec<Option<Cow<'static, str>>> {
        while !self.done && self.ids.last().is_none_or(|last| *last < row) {
            match self.chunks.next() {
                Some(Ok(chunk)) => self.take(&chunk),
                // the first reading met the same damage: no row lies behind it
                Some(Err(_)) | None => self.done = true,
            }
        }
        let Ok(index) = self.ids.binary_search(&row) else {
            return Vec::new();
        };
        self.columns
            .iter()
            .map(|column| column.get(index).map(|cell| cell.to_owned().into()))
            .collect()
    }

    fn take(&mut self, chunk: &RowChunk) {
        self.ids = chunk.ids.iter().map(|id| id.0).collect();
        self.columns = chunk.frame.columns().iter().map(chunk::render).collect();
    }
}
