//! The last some thousand answers of the library, which takes as long for one as mapping a row does.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Numbers remembered in each of two generations.
const REMEMBERED: usize = 16_384;

/// What is known of a text: its number, or that it is none.
pub(super) type Answer = Option<Box<str>>;

/// The last some thousand answers, by text. When `young` is full it becomes `old`, and `old` is dropped.
#[derive(Debug, Default)]
pub(super) struct Memory {
    young: Answers,
    old: Answers,
}

/// Answers by text.
type Answers = HashMap<Box<str>, Answer, BuildHasherDefault<TextHasher>>;

/// Hashes one text: the maps are small, and asked often.
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

impl Memory {
    pub(super) fn get(&mut self, text: &str) -> Option<&Answer> {
        if !self.young.contains_key(text) {
            let (key, number) = self.old.remove_entry(text)?;
            self.insert(key, number);
        }
        self.young.get(text)
    }

    pub(super) fn insert(&mut self, key: Box<str>, number: Answer) {
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
