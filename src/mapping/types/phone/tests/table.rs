//! The table is what the library's metadata say, and how it is made of them.

use super::automaton::Automaton;
use crate::mapping::types::phone::table::ASK;
use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use std::{env, fs};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/mapping/types/phone/table.bin"
);

#[test]
fn the_table_is_made_of_the_librarys_metadata() {
    let made = table();
    if env::var_os("UPDATE_PHONE_TABLE").is_some() {
        fs::write(FILE, &made).unwrap();
    }
    assert!(
        fs::read(FILE).unwrap() == made,
        "the metadata of phonenumber have changed: run this test with UPDATE_PHONE_TABLE=1"
    );
}

/// The table's bytes; `super::super::table` says what they mean.
fn table() -> Vec<u8> {
    let mut automata = vec![nothing()];
    let mut add = |automaton: Automaton| {
        automata.push(automaton);
        automata.len() - 1
    };
    let mut codes = vec![0; 1_000];
    let mut regions = Vec::new();
    for code in 1..1_000_u16 {
        let Some(metas) = metas(code) else { continue };
        let first = regions.len();
        for meta in &metas {
            regions.push(Region {
                id: letters(meta.id()),
                code,
                international: meta
                    .international_prefix()
                    .map_or(0, |pattern| add(literal(pattern.as_str()))),
                national: add(national(meta)),
                trunk: add(meta.national_prefix().map_or_else(nothing, literal)),
            });
        }
        codes[usize::from(code)] = add(numbers(&metas, first));
    }
    let (joined, roots) = Automaton::join(&automata);
    assert_eq!(roots[0], 0, "the first state says no to everything");

    let mut words = vec![regions.len()];
    words.extend(codes.iter().map(|automaton| roots[*automaton]));
    for region in &regions {
        words.extend([usize::from(region.id), usize::from(region.code)]);
        let automata = [region.international, region.national, region.trunk];
        words.extend(automata.map(|automaton| roots[automaton]));
    }
    for (output, next) in joined.outputs.iter().zip(&joined.next) {
        words.push(usize::from(*output));
        words.extend(next);
    }
    words
        .into_iter()
        .flat_map(|word| u16::try_from(word).unwrap().to_le_bytes())
        .collect()
}

/// A region, its automata by their number.
struct Region {
    id: u16,
    code: u16,
    international: usize,
    national: usize,
    trunk: usize,
}

/// The regions of a country code, in the order in which they are asked.
fn metas(code: u16) -> Option<Vec<&'static Metadata>> {
    let ids = DATABASE.region(&code)?;
    Some(if ids == ["001"] {
        DATABASE.by_code(&code).unwrap()
    } else {
        ids.iter().map(|id| DATABASE.by_id(*id).unwrap()).collect()
    })
}

fn letters(id: &str) -> u16 {
    // the one id that is no country belongs to several codes
    <[u8; 2]>::try_from(id.as_bytes()).map_or(0, u16::from_le_bytes)
}

/// No digits at all.
fn nothing() -> Automaton {
    Automaton::explore((), |(), _| (), |()| 0)
}

/// How many digits the pattern takes from the start.
fn literal(pattern: &str) -> Automaton {
    Automaton::match_at_start(pattern, |found| {
        assert_ne!(found, Some((0, false)), "{pattern}");
        found.map_or(0, |(end, _)| u16::try_from(end).unwrap())
    })
}

/// How many digits are left out before a number of the region, or that the library has to write others there.
fn national(meta: &Metadata) -> Automaton {
    let general = meta.descriptors().general();
    assert!(
        general.possible_length().is_empty(),
        "the library would keep prefixes of short numbers"
    );
    let Some(pattern) = meta.national_prefix_for_parsing() else {
        return meta.national_prefix().map_or_else(nothing, literal);
    };
    let rewrites = meta.national_prefix_transform_rule().is_some();
    Automaton::match_at_start(pattern.as_str(), |found| match found {
        Some((_, true)) if rewrites => ASK,
        Some((end, _)) => u16::try_from(end).unwrap(),
        None => 0,
    })
}

/// Which of the regions a number belongs to, and whether it is valid there: 0 for none, twice the region's place from 1
/// on, and 1 more when it is valid.
fn numbers(metas: &[&Metadata], first: usize) -> Automaton {
    let regions: Vec<_> = metas
        .iter()
        .map(|meta| {
            let leading = meta.leading_digits();
            let leading = leading.map(|pattern| Automaton::found_at_start(pattern.as_str()));
            let valid = valid(meta);
            // what has no leading digits has the numbers that are valid there
            (leading.unwrap_or_else(|| valid.clone()), valid)
        })
        .collect();
    Automaton::explore(
        vec![(0, 0); regions.len()],
        |states, digit| {
            let digit = usize::from(digit);
            let pairs = states.iter().zip(&regions);
            pairs
                .map(|((a, b), (leading, valid))| (leading.next[*a][digit], valid.next[*b][digit]))
                .collect()
        },
        |states| {
            let mut pairs = states.iter().zip(&regions);
            let mine = pairs.position(|((a, _), (leading, _))| {
                // what is alone in its code has every number
                regions.len() == 1 || leading.outputs[*a] == 1
            });
            mine.map_or(0, |mine| {
                let valid = regions[mine].1.outputs[states[mine].1];
                2 * u16::try_from(first + mine + 1).unwrap() + valid
            })
        },
    )
}

/// Whether a number is of some type in the region.
fn valid(meta: &Metadata) -> Automaton {
    let all = meta.descriptors();
    let types: Vec<(Automaton, &[u16])> = [
        Some(all.general()),
        all.premium_rate(),
        all.toll_free(),
        all.shared_cost(),
        all.voip(),
        all.personal_number(),
        all.pager(),
        all.uan(),
        all.voicemail(),
        all.fixed_line(),
        all.mobile(),
    ]
    .into_iter()
    .flatten()
    .map(described)
    .collect();
    let lengths = types.iter().flat_map(|(_, lengths)| lengths.iter());
    let longer = lengths.max().map_or(0, |length| length + 1);
    Automaton::explore(
        (0, vec![0; types.len()]),
        |(length, states), digit| {
            let pairs = states.iter().zip(&types);
            let next = pairs.map(|(state, (type_, _))| type_.next[*state][usize::from(digit)]);
            ((length + 1).min(longer), next.collect())
        },
        |(length, states)| {
            let mut matches = states.iter().zip(&types).map(|(state, (type_, lengths))| {
                type_.outputs[*state] == 1 && (lengths.is_empty() || lengths.contains(length))
            });
            let general = matches.next().unwrap();
            u16::from(general && matches.any(|matches| matches))
        },
    )
}

fn described(descriptor: &Descriptor) -> (Automaton, &[u16]) {
    let pattern = descriptor.national_number().as_str();
    (
        Automaton::found_at_start(pattern),
        descriptor.possible_length(),
    )
}
