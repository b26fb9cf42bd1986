//! Arrow IPC, file and stream: footer or messages → columns → batches.

use super::columnar::{self, Batches, FileColumn, Input};
use super::error::{SourceError, SourceErrorKind};
use super::stretch::Limits;
use ::arrow::error::ArrowError;
use ::arrow::ipc::reader::{FileReader, StreamReader, read_footer_length};
use ::arrow::ipc::{CompressionType, root_as_footer, root_as_message};
use std::fs::File;
use std::io::{BufReader, Read, Seek};

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
    /// Reads the schema and checks that every batch is in the file; the faults lack the file's name.
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

/// Reads parts of a file in rising order, mostly.
struct Parts {
    reader: BufReader<File>,
    size: u64,
    position: u64,
}

impl Parts {
    fn new(file: &File) -> Result<Self, ArrowError> {
        Ok(Self {
            reader: reader(file)?,
            size: file.metadata()?.len(),
            position: 0,
        })
    }

    /// The bytes at `start..start + len`, which must be in the file.
    fn read(&mut self, start: u64, len: u64) -> Result<Vec<u8>, ArrowError> {
        self.end(start, len)?;
        let way = i128::from(start) - i128::from(self.position);
        self.reader
            .seek_relative(i64::try_from(way).map_err(|_| beyond())?)?;
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| beyond())?];
        self.reader.read_exact(&mut bytes)?;
        self.position = start + len;
        Ok(bytes)
    }

    /// Where a part ends, which must be in the file.
    fn end(&self, start: u64, len: u64) -> Result<u64, ArrowError> {
        start
            .checked_add(len)
            .filter(|end| *end <= self.size)
            .ok_or_else(beyond)
    }
}

fn beyond() -> ArrowError {
    broken("a part of it lies beyond the end of the file")
}

/// A length or an offset as files write it.
fn unsigned(value: impl Into<i64>) -> Result<u64, ArrowError> {
    u64::try_from(value.into()).map_err(|_| broken("a length or an offset is negative"))
}

/// Checks what the reader would take on trust: that each batch that the footer names is in the file.
fn check_footer(file: &File) -> Result<(), ArrowError> {
    let mut parts = Parts::new(file)?;
    let missing = || broken("the footer is missing");
    let end = parts.size.checked_sub(10).ok_or_else(missing)?;
    let mut tail = [0; 10];
    tail.copy_from_slice(&parts.read(end, 10)?);
    let len = read_footer_length(tail)? as u64;
    let footer = parts.read(end.checked_sub(len).ok_or_else(missing)?, len)?;
    let footer = root_as_footer(&footer).map_err(|error| broken(&error.to_string()))?;
    let batches = footer.recordBatches().into_iter().flatten();
    for block in batches.chain(footer.dictionaries().into_iter().flatten()) {
        let (start, len) = (unsigned(block.offset())?, unsigned(block.metaDataLength())?);
        let header = parts.read(start, len)?;
        // a mark and a length, or in old files a length alone, stand before the header itself
        let before = if header.starts_with(&[0xFF; 4]) { 8 } else { 4 };
        let header = header.get(before..).unwrap_or_default();
        check_body(
            &mut parts,
            header,
            start + len,
            unsigned(block.bodyLength())?,
        )?;
    }
    Ok(())
}

/// Checks that each message of a stream is in the file in full, reading little but the messages' headers.
fn check_messages(file: &File) -> Result<(), ArrowError> {
    let mut parts = Parts::new(file)?;
    let mut position = 0;
    // a stream may end without a mark
    while position < parts.size {
        let mut word = parts.read(position, 4)?;
        position += 4;
        if word == [0xFF; 4] {
            word = parts.read(position, 4)?;
            position += 4;
        }
        let len = word
            .try_into()
            .map(i32::from_le_bytes)
            .map_err(|_| beyond())?;
        if len == 0 {
            break;
        }
        let header = parts.read(position, unsigned(len)?)?;
        position += unsigned(len)?;
        let message = root_as_message(&header).map_err(|error| broken(&error.to_string()))?;
        let body = unsigned(message.bodyLength())?;
        check_body(&mut parts, &header, position, body)?;
        position += body;
    }
    Ok(())
}

/// Checks that the body behind a message's header is in the file, and that its buffers lie within it and do not claim to
/// unpack to more than their compression can pack: that much memory would be asked for at once.
fn check_body(parts: &mut Parts, header: &[u8], start: u64, len: u64) -> Result<(), ArrowError> {
    parts.end(start, len)?;
    let message = root_as_message(header).map_err(|error| broken(&error.to_string()))?;
    let batch = message.header_as_record_batch().or_else(|| {
        message
            .header_as_dictionary_batch()
            .and_then(|dictionary| dictionary.data())
    });
    let Some(batch) = batch else {
        return Ok(());
    };
    // the most bytes that a packed byte can stand for
    let ratio = batch
        .compression()
        .map(|compression| match compression.codec() {
            CompressionType::LZ4_FRAME => 255,
            _ => 32 << 10,
        });
    for buffer in batch.buffers().into_iter().flatten() {
        let (offset, packed) = (unsigned(buffer.offset())?, unsigned(buffer.length())?);
        offset
            .checked_add(packed)
            .filter(|end| *end <= len)
            .ok_or_else(beyond)?;
        if let Some(ratio) = ratio
            && packed >= 8
        {
            let prefix = parts.read(start + offset, 8)?;
            let unpacked = prefix
                .try_into()
                .map(i64::from_le_bytes)
                .map_err(|_| beyond())?;
            // -1: stored as it is
            if unpacked != -1 && unsigned(unpacked)? > packed.saturating_mul(ratio) {
                return Err(broken("a compressed buffer claims an impossible size"));
            }
        }
    }
    Ok(())
}

fn damaged(shape: Shape, error: ArrowError) -> SourceError {
    let what = match shape {
        Shape::File => "the Arrow IPC footer cannot be read",
        Shape::Stream => "the Arrow IPC stream cannot be read",
    };
    let cure = "the file is truncated or damaged: copy or export it again";
    SourceError::new(SourceErrorKind::Format, what, cure).caused_by(error)
}
