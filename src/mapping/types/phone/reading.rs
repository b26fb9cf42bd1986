//! A number in one of the usual notations, read with the table: what `phonenumber::parse` and its check of validity make
//! of it, step by step, without its patterns.

use super::notation::{Notation, has_extension};
use super::table::{ASK, Region, TABLE};

/// The digits of the shortest text that may be a number.
const FEWEST: usize = 3;
/// The digits of the longest number, without its country code.
const LONGEST: usize = 17;
/// The library keeps a number in so many bits.
const BITS: u32 = 56;

/// What is known of a text without the library.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Valid(E164),
    Invalid,
    /// The library has to say.
    Unsure,
}

/// A number in E.164 form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct E164 {
    text: [u8; 1 + 3 + LONGEST],
    length: usize,
}

/// Reads a text of a region.
pub(super) fn read(region: Option<&Region>, text: &str) -> Reading {
    // a number has at least two digits of this kind, whatever else is in the text
    if text.bytes().filter(u8::is_ascii_digit).nth(1).is_none() {
        return Reading::Invalid;
    }
    let Some(notation) = Notation::read(text) else {
        // E.164 has no place for an extension
        return if has_extension(text) {
            Reading::Invalid
        } else {
            Reading::Unsure
        };
    };
    let Some((code, national)) = split(region, &notation) else {
        return Reading::Invalid;
    };
    let Some(numbers) = TABLE.numbers(code) else {
        return Reading::Invalid;
    };
    // the prefixes are the region's own, even before the number of another one
    let home = region.or_else(|| TABLE.owner(numbers, without_zeros(national)).0);
    let Some(national) = without_prefixes(home, national) else {
        return Reading::Unsure;
    };
    if fits(national) && TABLE.owner(numbers, national).1 {
        Reading::Valid(E164::new(code, national))
    } else {
        Reading::Invalid
    }
}

/// The country code and the digits after it, with prefixes that the country uses at home.
fn split<'a>(region: Option<&Region>, notation: &'a Notation) -> Option<(u16, &'a [u8])> {
    let digits = notation.digits();
    if let Some(count) = notation.code {
        let (code, national) = digits.split_at(count);
        return (national.len() >= FEWEST).then_some((number(code)?, national));
    }
    if digits.len() < FEWEST {
        return None;
    }
    let international = region.map_or(0, |region| TABLE.says(region.international, digits));
    let (prefix, rest) = digits.split_at(usize::from(international));
    // a country code has no zero in front, so that the prefix is none
    let prefix = !prefix.is_empty() && rest.first() != Some(&0);
    if notation.plus || prefix {
        let digits = if prefix { rest } else { digits };
        return with_code(digits);
    }
    let code = region?.code;
    let at_home = with_code(digits).filter(|(found, _)| *found == code);
    Some((code, at_home.map_or(digits, |(_, national)| national)))
}

/// The shortest country code in front, and what follows it.
fn with_code(digits: &[u8]) -> Option<(u16, &[u8])> {
    if digits.len() < FEWEST || digits[0] == 0 {
        return None;
    }
    (1..=3).find_map(|count| {
        let (code, national) = digits.split_at(count);
        let code = number(code)?;
        TABLE.numbers(code).map(|_| (code, national))
    })
}

/// The national number without the region's prefixes; `None` where the library puts others in their place.
fn without_prefixes<'a>(region: Option<&Region>, national: &'a [u8]) -> Option<&'a [u8]> {
    let Some(region) = region else {
        return Some(national);
    };
    let prefix = TABLE.says(region.national, national);
    if prefix == ASK {
        return None;
    }
    let national = &national[usize::from(prefix)..];
    // the library takes it away once more
    let trunk = TABLE.says(region.trunk, national);
    Some(&national[usize::from(trunk)..])
}

/// Whether the library has room for the number: it keeps how many zeros are in front, and the rest in some bits.
fn fits(national: &[u8]) -> bool {
    let value = |digits: &[u8]| {
        let digits = digits.iter().map(|digit| u64::from(*digit));
        digits.fold(0, |value, digit| value * 10 + digit)
    };
    (2..=LONGEST).contains(&national.len()) && (1..1 << BITS).contains(&value(national))
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    &digits[zeros..]
}

/// The digits as a country code.
fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |value, digit| {
        value.checked_mul(10)?.checked_add(u16::from(*digit))
    })
}

impl E164 {
    fn new(code: u16, national: &[u8]) -> Self {
        let mut made = Self {
            text: [b'+'; 1 + 3 + LONGEST],
            length: 1,
        };
        let code = [code / 100, code / 10 % 10, code % 10].map(|digit| digit.to_le_bytes()[0]);
        for digit in without_zeros(&code).iter().chain(national) {
            made.text[made.length] = b'0' + digit;
            made.length += 1;
        }
        made
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..self.length]).expect("a plus sign and digits")
    }
}
