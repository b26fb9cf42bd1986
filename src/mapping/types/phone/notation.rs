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
        let text = without_scheme(text);
        let mut found = Self {
            digits: [0; MOST],
            count: 0,
            code: None,
            plus: false,
        };
        // the library tries RFC 3966 first, which has no spaces and nothing before the plus sign
        let mut rfc3966 = text.starts_with('+');
        for (at, c) in text.char_indices() {
            match c {
                '0'..='9' => {
                    *found.digits.get_mut(found.count)? = c as u8 - b'0';
                    found.count += 1;
                }
                '+' if !found.plus && found.count == 0 => found.plus = true,
                '-' | '.' | '(' | ')' => {
                    rfc3966 &= at != 1;
                    found.code = found.code.or(Some(found.count));
                }
                ' ' => rfc3966 = false,
                // before the first separator it takes everything for a code
                '/' | '[' | ']' | '\u{a0}' | '\u{2010}'..='\u{2015}' => {
                    rfc3966 &= found.code.is_none();
                }
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

/// The text without the scheme of a link, which says nothing about the number.
fn without_scheme(text: &str) -> &str {
    match text.split_at_checked(4) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel:") => rest,
        _ => text,
    }
}

/// Whether the library finds an extension in the text, without a doubt.
pub(super) fn has_extension(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_digit());
    // spaces keep the text from being one of RFC 3966
    if !text.contains(' ') || !(1..=7).contains(&(text.len() - number.len())) {
        return false;
    }
    let number = number.trim_end_matches([' ', '-']);
    let number = number.strip_suffix(['.', ':']).unwrap_or(number);
    let Some(number) = ["extension", "extn", "ext", "x", "#"]
        .into_iter()
        .find_map(|word| without_word(number, word))
    else {
        return false;
    };
    let usual = |c: char| c.is_ascii_digit() || "+-.() ".contains(c);
    number.contains(|c: char| c.is_ascii_digit()) && number.chars().all(usual)
}

/// The text before a word at its end, in any case.
fn without_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (before, end) = text.split_at_checked(text.len().checked_sub(word.len())?)?;
    end.eq_ignore_ascii_case(word).then_some(before)
}
