//! Phone numbers: any notation in, E.164 out.

use phonenumber::Mode;
use phonenumber::country::Id;
use phonenumber::metadata::DATABASE;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes beyond which a text is no phone number; the same bound as Google's library has.
const MAX_TEXT: usize = 250;
/// Numbers remembered in each of two generations: parsing one takes as long as mapping a row.
const REMEMBERED: usize = 16_384;
/// Compiled patterns that the library keeps. A country has about ten, and compiling one again takes as long as checking a
/// hundred numbers.
const PATTERNS: usize = 1_024;

/// The country whose notation numbers without a country code are in, by its two letters.
pub(in crate::mapping) fn region(code: &str) -> Option<Id> {
    let upper = code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    upper.then(|| code.parse().ok()).flatten()
}

/// Checks phone numbers of one field, and remembers what it found.
#[derive(Debug)]
pub(in crate::mapping) struct Phone {
    region: Option<Id>,
    memory: Mutex<Memory>,
}

/// What is known of a text: its number, or that it is none.
type Answer = Option<Box<str>>;

/// The last some thousand answers, by text. When `young` is full it becomes `old`, and `old` is dropped.
#[derive(Debug, Default)]
struct Memory {
    young: Answers,
    old: Answers,
}

/// Answers by text.
type Answers = HashMap<Box<str>, Answer, BuildHasherDefault<TextHasher>>;

/// Hashes one text: the maps are small, and asked for each row.
#[derive(Debug, Default)]
struct TextHasher(u64);

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    // what ends a text tells nothing about it
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Phone {
    /// A check for numbers that are written as people of `region` write them, or with their country code.
    pub(in crate::mapping) fn new(region: Option<Id>) -> Self {
        // a poisoned cache is as good as another: it holds what was compiled
        let patterns = DATABASE.cache();
        let mut patterns = patterns.lock().unwrap_or_else(PoisonError::into_inner);
        patterns.set_capacity(PATTERNS);
        Self {
            region,
            memory: Mutex::default(),
        }
    }

    /// The number in E.164 form.
    pub(in crate::mapping) fn canonical(&self, text: &str) -> Option<String> {
        // what a panicking thread left behind is whole: entries are inserted by one call
        let memory = || self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory().get(text) {
            return known.as_deref().map(str::to_owned);
        }
        let number = self.parse(text);
        memory().insert(text.into(), number.as_deref().map(Into::into));
        number
    }

    fn parse(&self, text: &str) -> Option<String> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let number = phonenumber::parse(self.region, text).ok()?;
        // E.164 has no place for an extension, and dropping it would send another number
        (number.extension().is_none() && number.is_valid())
            .then(|| number.format().mode(Mode::E164).to_string())
    }
}

impl Memory {
    fn get(&mut self, text: &str) -> Option<&Answer> {
        if !self.young.contains_key(text) {
            let (key, number) = self.old.remove_entry(text)?;
            self.insert(key, number);
        }
        self.young.get(text)
    }

    fn insert(&mut self, key: Box<str>, number: Answer) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_in_e164_whatever_their_notation() {
        let german = Phone::new(region("DE"));
        let any = Phone::new(None);
        for (text, with_region, without) in [
            ("030 123456", Some("+4930123456"), None),
            ("+49 (0)30 123456", Some("+4930123456"), Some("+4930123456")),
            (
                "+1 650-253-0000",
                Some("+16502530000"),
                Some("+16502530000"),
            ),
            ("0044 20 7946 0958", Some("+442079460958"), None),
            (
                "+44 20 7946 0958",
                Some("+442079460958"),
                Some("+442079460958"),
            ),
            ("+49 30 123456 ext. 7", None, None),
            ("12", None, None),
            ("", None, None),
            ("call me", None, None),
            ("+999 123456789", None, None),
        ] {
            for _ in 0..2 {
                assert_eq!(german.canonical(text).as_deref(), with_region, "{text}");
                assert_eq!(any.canonical(text).as_deref(), without, "{text}");
            }
        }
        assert_eq!(any.canonical(&"1".repeat(10_000)), None);
    }

    #[test]
    fn only_countries_are_regions() {
        assert!(region("GB").is_some());
        for code in ["UK", "gb", "GBR", "", "é", "49"] {
            assert!(region(code).is_none(), "{code}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_used_stays() {
        let mut memory = Memory::default();
        memory.insert("used".into(), Some("+1".into()));
        for n in 0..REMEMBERED * 3 {
            memory.insert(n.to_string().into(), None);
            if n % 1_000 == 0 {
                assert_eq!(memory.get("used"), Some(&Some("+1".into())));
            }
        }
        assert_eq!(memory.get("0"), None);
        assert!(memory.young.len() + memory.old.len() <= REMEMBERED * 2);
    }
}
