//! A sliding window over a byte stream: what is buffered, what was consumed, where the next line ends.

use std::io::{self, Read};

/// Bytes asked from the stream at a time, and the window's first size.
const PIECE: usize = 128 << 10;

/// The unconsumed bytes of a stream. Grows only as far as its user looks ahead.
pub(super) struct Window {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    position: u64,
    ended: bool,
}

impl Window {
    /// A window at the start of a stream.
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            position: 0,
            ended: false,
        }
    }

    /// The buffered, unconsumed bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.filled]
    }

    /// The `len` bytes that were consumed last. They stay until the next [`Window::fill`].
    pub(super) fn consumed(&self, len: usize) -> &[u8] {
        &self.buffer[self.start - len..self.start]
    }

    /// How many bytes were consumed so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the stream has ended, so that [`Window::bytes`] is all that is left.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Moves the window's start past its first `len` bytes.
    pub(super) fn consume(&mut self, len: usize) {
        debug_assert!(
            self.start + len <= self.filled,
            "consumed more than is there"
        );
        self.start += len;
        self.position += len as u64;
    }

    /// Buffers more bytes behind the present ones; `false` at the end of the stream.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.buffer.len() - self.filled < PIECE / 2 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
            // doubling keeps the copying of a long record linear in its length
            if self.buffer.len() - self.filled < PIECE / 2 {
                self.buffer.resize(PIECE.max(2 * self.buffer.len()), 0);
            }
        }
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(false);
                }
                Ok(read) => {
                    self.filled += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Buffers at least `len` bytes, or all there are, and returns what is buffered.
    pub(super) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        while self.bytes().len() < len && self.fill()? {}
        Ok(self.bytes())
    }
}

/// The index of the first `\n` or `\r`.
pub(super) fn line_break(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let is_break = |byte: &u8| *byte == b'\n' || *byte == b'\r';
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    // a fold without early exit over a fixed size: the compiler makes vector instructions of it
    let skipped = blocks
        .iter()
        .take_while(|block| {
            !block
                .iter()
                .fold(false, |found, byte| found | is_break(byte))
        })
        .count()
        * BLOCK;
    bytes[skipped..]
        .iter()
        .position(is_break)
        .map(|index| skipped + index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn line_breaks_are_found_wherever_they_are(bytes in prop::collection::vec(prop_oneof![9 => Just(b'x'), 1 => Just(b'\n'), 1 => Just(b'\r')], 0..100), pad in 0_usize..80) {
            let bytes = [vec![b'y'; pad], bytes].concat();
            prop_assert_eq!(line_break(&bytes), bytes.iter().position(|b| b"\r\n".contains(b)));
        }
    }

    #[test]
    fn a_window_slides_and_grows_without_losing_bytes() {
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 253) as u8).collect();
        let mut window = Window::new(Box::new(io::Cursor::new(bytes.clone())));
        let mut seen = Vec::new();
        for take in (1..).map(|n| n * 1000) {
            let there = window.peek(take).unwrap().len().min(take);
            if there == 0 {
                break;
            }
            seen.extend_from_slice(&window.bytes()[..there]);
            window.consume(there);
            assert_eq!(window.consumed(there), &seen[seen.len() - there..]);
        }
        assert_eq!(
            (seen == bytes, window.position(), window.ended()),
            (true, 1_000_000, true)
        );
    }
}
