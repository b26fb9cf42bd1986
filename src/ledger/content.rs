//! What is remembered of a record that was loaded: its shown key, its remote id, and what each shape confirmed last.

use super::few::Few;
use super::pages::{Key, Value};
use super::record::ContentHash;
use crate::model::clock::UnixMillis;
use crate::model::row::KeyHash;
use xxhash_rust::xxh3::xxh3_64;

/// The first 72 bits of a natural key's hash, as the ledger keeps it: marks sort as their hashes do.
///
/// The odds that two of 10 million keys have the same mark are 1 in 10⁸; then both would be sent each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyMark(pub(super) Key);

impl KeyMark {
    /// The upper 64 bits of the natural key's hash.
    #[must_use]
    pub const fn upper(self) -> u64 {
        let Some((upper, _)) = self.0.split_first_chunk() else {
            return 0;
        };
        u64::from_be_bytes(*upper)
    }
}

impl From<KeyHash> for KeyMark {
    fn from(hash: KeyHash) -> Self {
        let mut mark = Key::default();
        mark.copy_from_slice(&hash.0.to_be_bytes()[..9]);
        Self(mark)
    }
}

/// What a shape confirmed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) shape: u32,
    pub(super) hash: ContentHash,
    pub(super) at: QuarterHour,
}

impl Content {
    /// Appends it.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_number(out, self.shape as usize);
        out.extend_from_slice(&self.hash.bytes());
        out.extend_from_slice(&self.at.0.to_le_bytes()[..3]);
    }

    /// Takes it off the front; `None` when that is damaged.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            shape: u32::try_from(number(bytes)?).ok()?,
            hash: ContentHash::stored(array(bytes)?),
            at: quarter(array(bytes)?),
        })
    }
}

/// When, in quarters of an hour since 1970: what is refreshed after days needs no more, and three bytes hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QuarterHour(pub(super) u32);

/// Milliseconds of a quarter of an hour.
const QUARTER: UnixMillis = 15 * 60 * 1000;

impl QuarterHour {
    /// The one that a moment lies in: never later than it.
    pub(super) fn of(at: UnixMillis) -> Self {
        let quarters = u32::try_from((at / QUARTER).max(0)).unwrap_or(u32::MAX);
        Self(quarters.min(0x00ff_ffff))
    }

    /// When it began.
    pub(super) fn start(self) -> UnixMillis {
        UnixMillis::from(self.0) * QUARTER
    }

    /// When it ended.
    pub(super) fn end(self) -> UnixMillis {
        self.start() + QUARTER
    }
}

/// A record that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) remote_id: Option<String>,
    pub(super) contents: Few<Content>,
}

impl Value for Entry {
    const KEY: usize = size_of::<Key>();

    fn encode(&self, out: &mut Vec<u8>) {
        let head = self.contents.len() << 1 | usize::from(self.remote_id.is_some());
        put_number(out, head);
        put_text(out, &self.key);
        if let Some(id) = &self.remote_id {
            put_text(out, id);
        }
        for content in self.contents.iter() {
            content.encode(out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let head = number(bytes)?;
        let key = text(bytes)?;
        let remote_id = if head & 1 == 1 {
            Some(text(bytes)?)
        } else {
            None
        };
        let contents = (0..head >> 1).map(|_| Content::decode(bytes));
        let contents = contents.collect::<Option<_>>()?;
        Some(Self {
            key,
            remote_id,
            contents,
        })
    }
}

fn quarter([low, middle, high]: [u8; 3]) -> QuarterHour {
    QuarterHour(u32::from_le_bytes([low, middle, high, 0]))
}

/// Seven bits a byte, low ones first; the eighth says that more follow.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

pub(super) fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn text(bytes: &mut &[u8]) -> Option<String> {
    let length = number(bytes)?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*array)
}

/// Where the natural keys of a shown key stand among the identities: four bytes of its hash, then four of each
/// mark. They may meet by chance; the shown key in the entry itself decides.
pub(super) fn identity(shown: &str, mark: Key) -> Key {
    let mut key = identities_of(shown);
    key[4..8].copy_from_slice(&mark[..4]);
    key
}

/// The first place where natural keys of a shown key may stand.
pub(super) fn identities_of(shown: &str) -> Key {
    let mut key = Key::default();
    key[..4].copy_from_slice(&xxh3_64(shown.as_bytes()).to_be_bytes()[..4]);
    key
}

/// The first mark that an identity may mean.
pub(super) fn first_mark(identity: Key) -> Key {
    let mut mark = Key::default();
    mark[..4].copy_from_slice(&identity[4..8]);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_come_back_as_they_were(
            key in ".{0,200}",
            remote_id in proptest::option::of(".{0,20}"),
            contents in proptest::collection::vec((any::<u32>(), any::<u64>(), 0..1_u32 << 24), 0..5),
            tail in proptest::collection::vec(any::<u8>(), 0..5),
        ) {
            let contents = contents.into_iter().map(|(shape, hash, at)| Content {
                shape,
                hash: ContentHash::of(hash.into()),
                at: QuarterHour(at),
            });
            let entry = Entry { key, remote_id, contents: contents.collect() };
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            let length = bytes.len();
            bytes.extend_from_slice(&tail);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(Entry::decode(&mut rest), Some(entry));
            prop_assert_eq!(rest, tail.as_slice());
            // cut anywhere, it is damaged and nothing worse
            for cut in 0..length {
                prop_assert_eq!(Entry::decode(&mut &bytes[..cut]), None);
            }
        }
    }

    #[test]
    fn times_are_kept_to_the_quarter_hour_and_never_made_later() {
        for (at, kept) in [
            (-5, 0),
            (0, 0),
            (1_700_000_000_000, 1_699_999_200_000),
            (1_699_999_200_000, 1_699_999_200_000),
            (i64::MAX, 0x00ff_ffff * QUARTER),
        ] {
            assert_eq!(QuarterHour::of(at).start(), kept);
        }
    }

    #[test]
    fn marks_sort_as_their_hashes_do() {
        let hashes = [0, 1_u128 << 48, u128::MAX >> 1, u128::MAX].map(KeyHash);
        let marks = hashes.map(KeyMark::from);
        assert!(marks.is_sorted());
        assert_eq!(marks[3].0, [0xff; 9]);
    }
}
