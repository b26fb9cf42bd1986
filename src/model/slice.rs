//! A piece of a chunk's buffer that keeps the buffer alive: how payloads travel without being copied.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Bytes `range` of a shared buffer. Cloning copies a pointer, not bytes.
#[derive(Clone)]
pub struct Slice {
    buffer: Arc<Vec<u8>>,
    start: u32,
    end: u32,
}

impl Slice {
    /// A view of `buffer[range]`.
    ///
    /// # Panics
    /// When the range does not lie inside the buffer, or the buffer is larger than 4 GiB: a defect of the caller.
    #[must_use]
    pub fn new(buffer: &Arc<Vec<u8>>, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= buffer.len(),
            "slice outside its buffer"
        );
        let bound =
            |n: usize| u32::try_from(n).unwrap_or_else(|_| panic!("chunk buffer over 4 GiB"));
        Self {
            buffer: Arc::clone(buffer),
            start: bound(range.start),
            end: bound(range.end),
        }
    }

    /// A slice with a buffer of its own.
    #[must_use]
    pub fn owned(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = Arc::new(bytes.into());
        let end = bytes.len();
        Self::new(&bytes, 0..end)
    }

    /// The bytes as text. Buffers are only ever filled with UTF-8; anything else reads as empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self).unwrap_or_default()
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start as usize..self.end as usize]
    }
}

impl fmt::Debug for Slice {
    /// Shows the length alone: payloads and keys are personal data and stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slice({} bytes)", self.len())
    }
}

impl PartialEq for Slice {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Slice {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_shows_its_part_of_the_buffer_and_never_its_content_in_debug() {
        let buffer = Arc::new(b"ana@example.com,bo@example.com".to_vec());
        let slice = Slice::new(&buffer, 16..30);
        assert_eq!(slice.as_str(), "bo@example.com");
        assert_eq!(format!("{slice:?}"), "Slice(14 bytes)");
        assert_eq!(slice, Slice::owned("bo@example.com"));
    }
}
