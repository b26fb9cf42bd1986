//! Phone numbers: any notation in, E.164 out. `phonenumber` decides which texts are numbers, at ten microseconds each and
//! eighty milliseconds for the first; the usual notations are read without it, with the same answers.

mod memory;
mod notation;
mod reading;
mod table;
#[cfg(test)]
mod tests;

use memory::Memory;
use phonenumber::Mode;
use phonenumber::country::Id;
use phonenumber::metadata::DATABASE;
use reading::Reading;
use std::borrow::Cow;
use std::sync::{LazyLock, Mutex, PoisonError};
use table::{Region, TABLE};

/// Bytes beyond which a text is no phone number; the same bound as Google's library has.
const MAX_TEXT: usize = 250;
/// Compiled patterns that the library keeps. A country has about ten, and compiling one again takes as long as checking a
/// hundred numbers.
const PATTERNS: usize = 1_024;

/// The library, which is made ready when the first text needs it.
static LIBRARY: LazyLock<()> = LazyLock::new(|| {
    // a poisoned cache is as good as another: it holds what was compiled
    let patterns = DATABASE.cache();
    let mut patterns = patterns.lock().unwrap_or_else(PoisonError::into_inner);
    patterns.set_capacity(PATTERNS);
});

/// The country whose notation numbers without a country code are in, by its two letters.
pub(in crate::mapping) fn region(code: &str) -> Option<Id> {
    let upper = code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    upper.then(|| code.parse().ok()).flatten()
}

/// Checks phone numbers of one field, and remembers what the library said.
#[derive(Debug)]
pub(in crate::mapping) struct Phone {
    region: Option<Id>,
    known: Option<&'static Region>,
    memory: Mutex<Memory>,
}

impl Phone {
    /// A check for numbers that are written as people of `region` write them, or with their country code.
    pub(in crate::mapping) fn new(region: Option<Id>) -> Self {
        Self {
            region,
            known: region.and_then(|id| TABLE.region(id.as_ref())),
            memory: Mutex::default(),
        }
    }

    /// The number in E.164 form.
    pub(in crate::mapping) fn canonical<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        if text.len() > MAX_TEXT {
            return None;
        }
        match reading::read(self.known, text) {
            Reading::Valid(number) if number.as_str() == text => Some(Cow::Borrowed(text)),
            Reading::Valid(number) => Some(Cow::Owned(number.as_str().to_owned())),
            Reading::Invalid => None,
            Reading::Unsure => self.remembered(text).map(Cow::Owned),
        }
    }

    fn remembered(&self, text: &str) -> Option<String> {
        // what a panicking thread left behind is whole: entries are inserted by one call
        let memory = || self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory().get(text) {
            return known.as_deref().map(str::to_owned);
        }
        let number = parse(self.region, text);
        memory().insert(text.into(), number.as_deref().map(Into::into));
        number
    }
}

/// What the library says.
fn parse(region: Option<Id>, text: &str) -> Option<String> {
    LazyLock::force(&LIBRARY);
    let number = phonenumber::parse(region, text).ok()?;
    // E.164 has no place for an extension, and dropping it would send another number
    (number.extension().is_none() && number.is_valid())
        .then(|| number.format().mode(Mode::E164).to_string())
}
