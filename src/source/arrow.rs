//! Arrow IPC, file and stream: footer or messages → columns → batches.

use super::columnar::{self, Batches, FileColumn, Input};
use super::error::{SourceError, SourceErrorKind};
use super::stretch::Limits;
use ::arrow::error::ArrowError;
use ::arrow::ipc::reader::{FileReader, StreamReader, read_footer_length};
use ::arrow::ipc::{Block, root_as_footer, root_as_message};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// The order of an Arrow IPC file's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// With a footer that says where each batch is.
    File,
    /// One message after the other.
    Stream,
}

/// What an Arrow IPC file's schema says.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    shape: Shape,
    columns: Vec<FileColumn>,
}

impl Layout {
    /// Reads the schema and checks that every batch lies within the file; the faults lack the file's name.
    pub(super) fn inspect(file: &File, shape: Shape) -> Result<Self, Vec<SourceError>> {
        let schema = columnar::guarded(|| match shape {
            Shape::File => {
                check_footer(file)?;
                Ok(FileReader::try_new(reader(file)?, None)?.schema())
            }
            Shape::Stream => {
                check_messages(file)?;
                Ok(StreamReader::try_new(reader(file)?, None)?.schema())
            }
        })
        .map_err(|error| vec![damaged(shape, error)])?;
        let columns = columnar::columns(schema.fields().iter().map(AsRef::as_ref))?;
        Ok(Self { shape, columns })
    }

    /// The columns.
    pub(super) fn columns(&self) -> &[FileColumn] {
        &self.columns
    }

    /// The rows of the file, with the columns at these positions; `name` is the file's for messages.
    pub(super) fn rows(
        &self,
        file: &File,
        name: &str,
        wanted: &[usize],
        limits: Limits,
    ) -> Result<Batches, SourceError> {
        let mut projection = wanted.to_vec();
        projection.sort_unstable();
        let open = || -> Result<Input, ArrowError> {
            let reader = reader(file)?;
            Ok(match self.shape {
                Shape::File => Box::new(FileReader::try_new(reader, Some(projection))?),
                Shape::Stream => Box::new(StreamReader::try_new(reader, Some(projection))?),
            })
        };
        let input =
            columnar::guarded(open).map_err(|error| damaged(self.shape, error).in_file(name))?;
        Ok(Batches::new(input, name, &self.columns, wanted, limits))
    }
}

/// A reader of its own at the start of the file.
fn reader(file: &File) -> Result<BufReader<File>, ArrowError> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(BufReader::new(file))
}

fn broken(what: &str) -> ArrowError {
    ArrowError::IpcError(what.to_owned())
}

/// Checks that the footer's blocks lie within the file: the reader takes their sizes on trust.
fn check_footer(file: &File) -> Result<(), ArrowError> {
    let mut reader = reader(file)?;
    let size = file.metadata()?.len();
    let mut tail = [0; 10];
    let end = size
        .checked_sub(10)
        .ok_or_else(|| broken("the footer is missing"))?;
    reader.seek(SeekFrom::Start(end))?;
    reader.read_exact(&mut tail)?;
    let len = read_footer_length(tail)? as u64;
    let start = end
        .checked_sub(len)
        .ok_or_else(|| broken("the footer is larger than the file"))?;
    reader.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    reader.take(len).read_to_end(&mut footer)?;
    let footer = root_as_footer(&footer).map_err(|error| broken(&error.to_string()))?;
    let inside = |block: &Block| {
        let part = |value: i64| u64::try_from(value).ok();
        let (offset, body) = (part(block.offset())?, part(block.bodyLength())?);
        let end = offset
            .checked_add(part(block.metaDataLength().into())?)?
            .checked_add(body)?;
        (end <= start).then_some(())
    };
    let batches = footer.recordBatches().into_iter().flatten();
    for block in batches.chain(footer.dictionaries().into_iter().flatten()) {
        inside(block).ok_or_else(|| broken("a record batch reaches beyond the file's end"))?;
    }
    Ok(())
}

/// Checks that each message of a stream is there in full, reading the messages' headers alone.
fn check_messages(file: &File) -> Result<(), ArrowError> {
    let mut reader = reader(file)?;
    let size = file.metadata()?.len();
    let truncated = || broken("the stream ends within a message");
    let mut position = 0_u64;
    let mut header = Vec::new();
    loop {
        let mut word = [0; 4];
        // a stream may end without a mark
        if position == size {
            return Ok(());
        }
        reader.read_exact(&mut word)?;
        position += 4;
        if word == [0xFF; 4] {
            reader.read_exact(&mut word)?;
            position += 4;
        }
        let len = u64::try_from(i32::from_le_bytes(word)).map_err(|_| truncated())?;
        if len == 0 {
            return Ok(());
        }
        header.clear();
        reader.by_ref().take(len).read_to_end(&mut header)?;
        if (header.len() as u64) < len {
            return Err(truncated());
        }
        let message = root_as_message(&header).map_err(|error| broken(&error.to_string()))?;
        let body = u64::try_from(message.bodyLength()).map_err(|_| truncated())?;
        position = position
            .checked_add(len)
            .and_then(|end| end.checked_add(body))
            .filter(|end| *end <= size)
            .ok_or_else(truncated)?;
        let body = i64::try_from(body).map_err(|_| truncated())?;
        reader.seek_relative(body)?;
    }
}

fn damaged(shape: Shape, error: ArrowError) -> SourceError {
    let what = match shape {
        Shape::File => "the Arrow IPC footer cannot be read",
        Shape::Stream => "the Arrow IPC stream cannot be read",
    };
    let cure = "the file is truncated or damaged: copy or export it again";
    SourceError::new(SourceErrorKind::Format, what, cure).caused_by(error)
}
