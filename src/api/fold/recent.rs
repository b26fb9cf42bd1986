//! What was found out about texts of late, in bounded memory: most texts of a column come again soon.

use xxhash_rust::xxh3::xxh3_64;

/// Bytes of the longest text that is remembered: longer ones seldom come twice, and hashing them costs more.
const LONGEST: u8 = 128;

/// Answers by text. Each text has one place, which it shares with others: the last one that came has it.
#[derive(Debug)]
pub struct Recent<K, V> {
    places: Vec<Option<(Print, K, V)>>,
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
        let print = Print::of(text)?;
        let (known, key, value) = self.places[self.place(print)].as_ref()?;
        // a short text is its print, and reading it again from wherever it stands would cost more than all else here
        let same = *known == print && (print.is_text() || key.as_ref() == text);
        same.then_some(value)
    }

    /// Keeps the answer for a text, in place of an older one.
    pub fn keep(&mut self, text: K, value: V) {
        if let Some(print) = Print::of(text.as_ref()) {
            let place = self.place(print);
            self.places[place] = Some((print, text, value));
        }
    }

    fn place(&self, print: Print) -> usize {
        let mixed = print.first ^ print.last.rotate_left(29) ^ (u64::from(print.length) << 56);
        // the halves of the product together depend on all bits of what was multiplied
        let product = u128::from(mixed) * 0x9E37_79B9_7F4A_7C15;
        let place = (product ^ (product >> 64)) as usize;
        place & (self.places.len() - 1)
    }
}

/// What tells texts apart: all of a short one, else a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    first: u64,
    last: u64,
    length: u8,
}

impl Print {
    /// Bytes of the longest text whose print no other text has.
    const WHOLE: u8 = 16;

    /// `None` of texts that are not remembered.
    fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let length = u8::try_from(bytes.len()).ok().filter(|n| *n <= LONGEST)?;
        let small = |bytes: &[u8]| {
            let number = bytes.iter().rev();
            number.fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        // two parts that may overlap cover a text of up to twice their length
        let (first, last) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(_), _) if length > Self::WHOLE => (xxh3_64(bytes), 0),
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
                (Some(first), Some(last)) => (
                    u32::from_le_bytes(*first).into(),
                    u32::from_le_bytes(*last).into(),
                ),
                _ => (small(bytes), 0),
            },
        };
        Some(Self {
            first,
            last,
            length,
        })
    }

    /// Whether it is the text itself.
    const fn is_text(self) -> bool {
        self.length <= Self::WHOLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_texts_with_one_print_are_one_text(left in "[ab\\u{0}é]{0,17}", right in "[ab\\u{0}é]{0,17}") {
            let (Some(one), Some(other)) = (Print::of(&left), Print::of(&right)) else {
                panic!("short texts have prints");
            };
            prop_assert_eq!(one == other, left == right);
            // and each stays what it is among others in one place
            let mut recent = Recent::new(1);
            recent.keep(&left, 1);
            prop_assert_eq!(recent.get(&right).is_some(), left == right);
        }
    }

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
        recent.keep("a".repeat(usize::from(LONGEST)), 1);
        recent.keep("a".repeat(usize::from(LONGEST) + 1), 2);
        assert_eq!(recent.get(&"a".repeat(usize::from(LONGEST))), Some(&1));
        assert_eq!(recent.get(&"a".repeat(usize::from(LONGEST) + 1)), None);
    }
}
