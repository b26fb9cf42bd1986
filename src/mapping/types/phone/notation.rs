//! The usual notations: what of a text are its digits, as far as that is beyond doubt.

/// More digits than any prefixes and a number have together.
const MOST: usize = 48;

/// A text's digits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notation {
    digits: [u8; MOST],
    count: usize,
    /// How many digits are between a leading `+` and the first separator, where these are the country code by RFC 3966.
    pub(super) code: Option<usize>,
    /// Whether a `+` is before the digits.
    pub(super) plus: bool,
}

impl Notation {
    /// The digits of a text that consists of them, separators and one `+` before them; `None` for another text, and for
    /// one whose digits the library would not read one after the other.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut found = Self {
            digits: [0; MOST],
            count: 0,
            code: None,
            plus: false,
        };
        // the library tries RFC 3966 first, which has no spaces and nothing before the plus sign
        let mut rfc3966 = text.starts_with('+');
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    *found.digits.get_mut(found.count)? = byte - b'0';
                    found.count += 1;
                }
                b'+' if !found.plus && found.count == 0 => found.plus = true,
                b'-' | b'.' | b'(' | b')' => {
                    rfc3966 &= at != 1;
                    found.code = found.code.or(Some(found.count));
                }
                b' ' => rfc3966 = false,
                // it takes what is before the first separator for a code whatever it is
                b'/' => rfc3966 &= found.code.is_none(),
                _ => return None,
            }
        }
        found.code = found.code.filter(|_| rfc3966);
        Some(found)
    }

    /// The digits, each 0 to 9.
    pub(super) fn digits(&self) -> &[u8] {
        &self.digits[..self.count]
    }
}
