//! What is known of the world's phone numbers, for reading digit by digit: the library's metadata with every pattern made
//! an automaton. tests/table.rs makes `table.bin` of them, and fails when the library comes with others.
//!
//! The file is a list of little-endian 16-bit words: the number of regions; where the numbers of each country code 0 to
//! 999 start (0: no such code); five words a region (two letters, country code, and where its international prefixes, its
//! national prefixes and its trunk prefix start); eleven words a state (what it says of the digits so far, and the state
//! after each digit). State 0 says 0 of everything.

use std::sync::LazyLock;

/// What a national prefix says when the library writes other digits in its place.
pub(super) const ASK: u16 = u16::MAX;

const CODES: usize = 1_000;
const WORDS_A_REGION: usize = 5;

/// The table, which is read when the first phone number is.
pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_bytes!("table.bin")));

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    codes: Vec<u16>,
    regions: Vec<Region>,
    states: Vec<State>,
}

/// A country, or a country code that belongs to none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    id: [u8; 2],
    /// The country code.
    pub(super) code: u16,
    /// How many digits are left out before a country code.
    pub(super) international: Digits,
    /// How many digits are left out before a national number, or [`ASK`].
    pub(super) national: Digits,
    /// How many digits are left out after that.
    pub(super) trunk: Digits,
}

/// What is said of digits, by where reading them starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits(u16);

#[derive(Debug)]
struct State {
    says: u16,
    next: [u16; 10],
}

impl Table {
    fn read(bytes: &[u8]) -> Self {
        let words: Vec<u16> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|word| u16::from_le_bytes(*word))
            .collect();
        let (count, words) = words.split_first().expect("a table has words");
        let (codes, words) = words.split_at(CODES);
        let (regions, states) = words.split_at(usize::from(*count) * WORDS_A_REGION);
        let (regions, _) = regions.as_chunks();
        let (states, _) = states.as_chunks();
        Self {
            codes: codes.to_vec(),
            regions: regions.iter().map(Region::read).collect(),
            states: states.iter().map(State::read).collect(),
        }
    }

    /// The country by its two letters.
    pub(super) fn region(&self, id: &str) -> Option<&Region> {
        let mut regions = self.regions.iter();
        regions.find(|region| region.id == id.as_bytes())
    }

    /// The numbers with a country code, when there is such a code.
    pub(super) fn numbers(&self, code: u16) -> Option<Digits> {
        let start = *self.codes.get(usize::from(code))?;
        (start != 0).then_some(Digits(start))
    }

    /// What is said of the digits, each 0 to 9.
    pub(super) fn says(&self, start: Digits, digits: &[u8]) -> u16 {
        let mut state = &self.states[usize::from(start.0)];
        for digit in digits {
            state = &self.states[usize::from(state.next[usize::from(*digit)])];
        }
        state.says
    }

    /// The region that a number belongs to, when it belongs to one, and whether it is valid there: the answer of
    /// [`numbers`](Self::numbers).
    pub(super) fn owner(&self, start: Digits, digits: &[u8]) -> (Option<&Region>, bool) {
        let said = self.says(start, digits);
        let place = usize::from(said / 2).checked_sub(1);
        (place.map(|place| &self.regions[place]), said % 2 == 1)
    }
}

impl Region {
    fn read(words: &[u16; WORDS_A_REGION]) -> Self {
        let [id, code, international, national, trunk] = *words;
        Self {
            id: id.to_le_bytes(),
            code,
            international: Digits(international),
            national: Digits(national),
            trunk: Digits(trunk),
        }
    }
}

impl State {
    fn read(words: &[u16; 11]) -> Self {
        let [says, next @ ..] = *words;
        Self { says, next }
    }
}
