//! How natural keys are compared: part of the contract, and a guess as long as no live site has shown its rules.

pub mod recent;

use crate::model::entity::Entity;
use crate::model::row::KeyHash;
use recent::Recent;
use std::borrow::Cow;
use std::cell::RefCell;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// International domains that each thread remembers folded: far fewer domains come up than addresses.
const DOMAINS: usize = 512;

thread_local! {
    static FOLDED_DOMAINS: RefCell<Recent<Box<str>, Box<str>>> = RefCell::new(Recent::new(DOMAINS));
}

/// A name (organization, product, detail field) folded for comparison: trimmed, NFC, Unicode lower case.
#[must_use]
pub fn name(text: &str) -> Cow<'_, str> {
    folded(text.trim())
}

/// NFC and lower case.
fn folded(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_uppercase())
    {
        return Cow::Borrowed(text);
    }
    // composition knows no ASCII character, and most names hold no other
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let lower: String = text.nfc().collect::<String>().to_lowercase();
    // lower-casing can leave NFC (İ becomes i + combining dot), so compose once more
    match is_nfc_quick(lower.chars()) {
        IsNormalized::Yes => Cow::Owned(lower),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(lower.nfc().collect()),
    }
}

/// An e-mail address folded for comparison: as a name, with the domain in A-labels (`xn--…`).
///
/// A domain that has no A-label form is kept as it is: validation decides about addresses, folding never fails.
#[must_use]
pub fn email(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    // what stands on either side of an @ never composes with it, nor decides about the case of the other side
    match text.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() => {
            let mut address = String::with_capacity(text.len() + 16);
            address.push_str(&folded(local));
            address.push('@');
            push_domain(&mut address, domain);
            Cow::Owned(address)
        }
        _ => folded(text),
    }
}

/// Appends the folded form of a domain that is not ASCII.
fn push_domain(address: &mut String, domain: &str) {
    FOLDED_DOMAINS.with_borrow_mut(|known| {
        if let Some(known) = known.get(domain) {
            address.push_str(known);
            return;
        }
        let unicode = folded(domain);
        let ascii = (!unicode.is_ascii()).then(|| idna::domain_to_ascii(&unicode).ok());
        let form = ascii.flatten().unwrap_or_else(|| unicode.into_owned());
        address.push_str(&form);
        known.keep(domain.into(), form.into());
    });
}

/// Hash of a folded natural key. Keys of different entities never meet.
#[must_use]
pub fn hash(entity: Entity, folded: &str) -> KeyHash {
    KeyHash(xxh3_128_with_seed(folded.as_bytes(), entity as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An address folded as a whole: what [`email`] does in parts.
    fn whole(text: &str) -> String {
        let folded = name(text).into_owned();
        match folded.rsplit_once('@') {
            Some((local, domain)) if !domain.is_ascii() => match idna::domain_to_ascii(domain) {
                Ok(ascii) => format!("{local}@{ascii}"),
                Err(_) => folded,
            },
            _ => folded,
        }
    }

    proptest! {
        #[test]
        fn an_address_folds_in_parts_as_it_does_whole(
            text in "[ a-cA-C.@\u{301}\u{338}\u{307}İΣσıßＫK\u{2003}ü＠-]{0,12}|\\PC{0,10}@\\PC{0,10}",
        ) {
            prop_assert_eq!(email(&text), whole(&text));
            // and so it does from memory
            prop_assert_eq!(email(&text), whole(&text));
        }
    }

    #[test]
    fn names_that_people_take_for_the_same_fold_to_the_same() {
        for (left, right) in [
            ("  Acme Ltd ", "acme ltd"),
            ("MÜLLER GmbH", "müller gmbh"),
            ("Cafe\u{301}", "CAFÉ"),
            ("İstanbul", "i\u{307}stanbul"),
            ("株式会社", "株式会社"),
        ] {
            assert_eq!(name(left), name(right));
        }
        assert_ne!(name("Acme"), name("Acme."));
    }

    #[test]
    fn the_short_way_of_ascii_leads_to_the_same() {
        let ascii: String = (0..128_u8).map(char::from).collect();
        let long: String = ascii.trim().nfc().collect::<String>().to_lowercase();
        assert_eq!(name(&ascii), long);
    }

    #[test]
    fn addresses_fold_their_domain_to_a_labels() {
        assert_eq!(email(" Ana@Example.COM"), "ana@example.com");
        assert_eq!(
            email("jürgen@BÜCHER.example"),
            "jürgen@xn--bcher-kva.example"
        );
        assert_eq!(
            email("ana@xn--bcher-kva.example"),
            email("ana@bücher.example")
        );
        assert_eq!(email("not an address"), "not an address");
    }

    #[test]
    fn folding_twice_changes_nothing_and_entities_do_not_share_hashes() {
        for text in ["İI", "ΑΣ", "ß", "ana@Straße.example", "A\u{30a}"] {
            assert_eq!(name(&name(text)), name(text));
            assert_eq!(email(&email(text)), email(text));
        }
        assert_ne!(hash(Entity::Customer, "a"), hash(Entity::Product, "a"));
    }
}
