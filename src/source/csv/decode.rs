//! From a file's bytes to UTF-8: unpacks, strips the byte-order mark, transcodes; always as a stream.

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Cursor, Read};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Packing {
    /// Not at all.
    Plain,
    /// One or more gzip members.
    Gzip,
    /// One or more zstd frames.
    Zstd,
}

/// Stands in the decoded bytes for a malformed sequence. Never a byte of UTF-8, so the check of each record finds it,
/// and a U+FFFD that really is in the text stays one.
const MALFORMED: u8 = 0xFF;

/// Opens a file's text as a stream of UTF-8, without its byte-order mark, and says its encoding: that of the mark,
/// else `encoding`. Bytes of a UTF-8 file pass unchecked.
pub(super) fn open(
    file: File,
    packing: Packing,
    encoding: &'static Encoding,
) -> io::Result<(Box<dyn Read + Send>, &'static Encoding)> {
    let mut unpacked: Box<dyn Read + Send> = match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
    };
    let mut head = Vec::with_capacity(3);
    unpacked.by_ref().take(3).read_to_end(&mut head)?;
    let (encoding, mark) = Encoding::for_bom(&head).unwrap_or((encoding, 0));
    head.drain(..mark);
    let bytes = Cursor::new(head).chain(unpacked);
    if encoding == UTF_8 {
        Ok((Box::new(bytes), encoding))
    } else {
        Ok((Box::new(Transcoder::new(bytes, encoding)), encoding))
    }
}

/// The place (from 1) of the byte behind `text` in the encoding that `text` was decoded from.
pub(super) fn byte_behind(text: &str, encoding: &'static Encoding) -> usize {
    let before = if encoding == UTF_8 {
        text.len()
    } else if encoding == UTF_16LE || encoding == UTF_16BE {
        2 * text.encode_utf16().count()
    } else {
        encoding.encode(text).0.len()
    };
    before + 1
}

/// Decodes a stream to UTF-8, with [`MALFORMED`] where that fails.
struct Transcoder<R> {
    input: R,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_start: usize,
    raw_end: usize,
    ended: bool,
    finished: bool,
    text: Vec<u8>,
    text_start: usize,
    text_end: usize,
}

impl<R: Read> Transcoder<R> {
    const PIECE: usize = 64 << 10;

    fn new(input: R, encoding: &'static Encoding) -> Self {
        Self {
            input,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: vec![0; Self::PIECE],
            raw_start: 0,
            raw_end: 0,
            ended: false,
            finished: false,
            text: vec![0; Self::PIECE],
            text_start: 0,
            text_end: 0,
        }
    }

    /// Decodes some text into the empty text buffer; leaves it empty only at the end of the stream.
    fn decode(&mut self) -> io::Result<()> {
        (self.text_start, self.text_end) = (0, 0);
        while self.text_end == 0 && !self.finished {
            if self.raw_start == self.raw_end && !self.ended {
                (self.raw_start, self.raw_end) = (0, self.input.read(&mut self.raw)?);
                self.ended = self.raw_end == 0;
            }
            loop {
                let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                    &self.raw[self.raw_start..self.raw_end],
                    // one byte less than there is: room for the mark
                    &mut self.text[self.text_end..Self::PIECE - 1],
                    self.ended,
                );
                self.raw_start += read;
                self.text_end += written;
                match result {
                    DecoderResult::Malformed(..) => {
                        self.text[self.text_end] = MALFORMED;
                        self.text_end += 1;
                        // the decoder wants room for a character, or would not move
                        if Self::PIECE - self.text_end < 16 {
                            break;
                        }
                    }
                    DecoderResult::InputEmpty => {
                        self.finished = self.ended;
                        break;
                    }
                    DecoderResult::OutputFull => break,
                }
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.text_start == self.text_end {
            self.decode()?;
        }
        let taken = out.len().min(self.text_end - self.text_start);
        out[..taken].copy_from_slice(&self.text[self.text_start..self.text_start + taken]);
        self.text_start += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{GB18030, WINDOWS_1252, WINDOWS_1253};
    use proptest::prelude::*;

    fn transcode(bytes: &[u8], encoding: &'static Encoding) -> Vec<u8> {
        let mut text = Vec::new();
        Transcoder::new(bytes, encoding)
            .read_to_end(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn malformed_bytes_become_bytes_that_are_not_utf8() {
        for (bytes, encoding, text) in [
            (&b"caf\xe9"[..], WINDOWS_1252, &b"caf\xc3\xa9"[..]),
            (b"a\xd2b", WINDOWS_1253, b"a\xffb"),
            (b"a\0b\0\xfd\xff", UTF_16LE, b"ab\xef\xbf\xbd"),
            (b"a\0\x00\xd8b\0", UTF_16LE, b"a\xffb"),
            (b"a\0b", UTF_16LE, b"a\xff"),
            (b"", UTF_16LE, b""),
        ] {
            assert_eq!(
                transcode(bytes, encoding),
                text,
                "{bytes:?} as {}",
                encoding.name()
            );
        }
    }

    #[test]
    fn long_runs_of_malformed_bytes_are_all_marked() {
        let bytes = vec![0xD2; 200_000];
        assert_eq!(transcode(&bytes, WINDOWS_1253), vec![MALFORMED; 200_000]);
    }

    #[test]
    fn a_byte_is_counted_in_the_encoding_of_the_file() {
        assert_eq!(byte_behind("né", UTF_8), 4);
        assert_eq!(byte_behind("né", WINDOWS_1252), 3);
        assert_eq!(byte_behind("n\u{1F600}", UTF_16BE), 7);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn text_survives_its_encoding(text in "\\PC{0,40}", times in 1_usize..1000) {
            let text = text.repeat(times);
            let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            prop_assert_eq!(transcode(&utf16, UTF_16BE), text.as_bytes());
            let (encoded, _, _) = GB18030.encode(&text);
            let decoded = GB18030.decode_without_bom_handling(&encoded).0;
            prop_assert_eq!(transcode(&encoded, GB18030), decoded.as_bytes());
        }
    }
}
