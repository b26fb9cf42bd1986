//! What was found out about texts of late, in bounded memory: most texts of a column come again soon.

use xxhash_rust::xxh3::xxh3_64;

/// Bytes of the longest text that is remembered: longer ones seldom come twice, and hashing them costs more.
const LONGEST: usize = 128;

/// Answers by text. Each text has one place, which it shares with others: the last one that came has it.
#[derive(Debug)]
pub struct Recent<K, V> {
    places: Vec<Option<(K, V)>>,
}

impl<K: AsRef<str>, V> Recent<K, V> {
    /// Room for some `texts`, rounded up to a power of two.
    #[must_use]
    pub fn new(texts: usize) -> Self {
        let mut places = Vec::new();
        places.resize_with(texts.next_power_of_two(), || None);
        Self { places }
    }

    /// The answer that was kept for exactly this text.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<&V> {
        let (known, value) = self.places[self.place(text)?].as_ref()?;
        (known.as_ref() == text).then_some(value)
    }

    /// Keeps the answer for a text, in place of an older one.
    pub fn keep(&mut self, text: K, value: V) {
        if let Some(place) = self.place(text.as_ref()) {
            self.places[place] = Some((text, value));
        }
    }

    fn place(&self, text: &str) -> Option<usize> {
        if text.len() > LONGEST {
            return None;
        }
        // the low bits are as good as any, and there are no more places than a pointer tells apart
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low bits of a hash are a hash"
        )]
        let hash = xxh3_64(text.as_bytes()) as usize;
        Some(hash & (self.places.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_that_of_its_own_text_or_none() {
        let mut recent = Recent::new(8);
        assert_eq!(recent.get(""), None);
        for number in 0..1_000 {
            recent.keep(number.to_string(), number);
            assert_eq!(recent.get(&number.to_string()), Some(&number));
        }
        let kept = (0..1_000).filter(|number| recent.get(&number.to_string()).is_some());
        assert!(kept.count() <= 8);
    }

    #[test]
    fn long_texts_are_not_kept() {
        let mut recent = Recent::new(8);
        recent.keep("a".repeat(LONGEST), 1);
        recent.keep("a".repeat(LONGEST + 1), 2);
        assert_eq!(recent.get(&"a".repeat(LONGEST)), Some(&1));
        assert_eq!(recent.get(&"a".repeat(LONGEST + 1)), None);
    }
}
