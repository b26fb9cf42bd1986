//! E-mail addresses: what mail can reach from anywhere.

use crate::api::fold::recent::Recent;
use email_address::{EmailAddress, Options};
use std::cell::RefCell;

/// Bytes of the longest e-mail address that mail systems carry (RFC 5321).
const MAX_EMAIL: usize = 254;
/// Bytes of the longest local part.
const MAX_LOCAL: usize = 64;
/// Bytes of the longest label of a domain.
const MAX_LABEL: usize = 63;
/// International domains that each thread remembers: far fewer domains come up than addresses.
const DOMAINS: usize = 512;

thread_local! {
    /// Whether mail can reach addresses of the domain.
    static JUDGED_DOMAINS: RefCell<Recent<Box<str>, bool>> = RefCell::new(Recent::new(DOMAINS));
}

/// Whether the text is an address that mail can reach from anywhere: no display name, no domain literal, and a
/// domain of at least two labels that has an A-label form. Local parts and domains may be international.
pub(super) fn is_email(text: &str) -> bool {
    match text.rsplit_once('@') {
        _ if text.len() > MAX_EMAIL => false,
        Some((local, domain)) if is_plain_local(local) => {
            if domain.is_ascii() {
                is_plain_domain(domain) || is_reachable(text)
            } else {
                // no plain local part makes or mends a fault of its domain
                is_international(domain)
            }
        }
        _ => is_reachable(text),
    }
}

/// The rule itself; all else here are short ways to the same answer.
fn is_reachable(text: &str) -> bool {
    let options = Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    text.len() <= MAX_EMAIL
        && !text.chars().any(char::is_control)
        && EmailAddress::parse_with_options(text, options)
            .is_ok_and(|address| idna::domain_to_ascii(address.domain()).is_ok())
}

/// Whether a plain local part may stand before the domain.
fn is_international(domain: &str) -> bool {
    JUDGED_DOMAINS.with_borrow_mut(|judged| {
        if let Some(known) = judged.get(domain) {
            return *known;
        }
        // the address itself was found to be short enough
        let reachable = is_reachable(&format!("a@{domain}"));
        judged.keep(domain.into(), reachable);
        reachable
    })
}

/// Whether the local part is sound for sure: letters and digits of any script and the usual signs, with dots between.
fn is_plain_local(local: &str) -> bool {
    let is_atom = |atom: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+');
        !atom.is_empty()
            && (atom.bytes().all(plain)
                || atom
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '+')))
    };
    local.len() <= MAX_LOCAL && local.split('.').all(is_atom)
}

/// Whether the domain is sound for sure: at least two labels of ASCII letters, digits and hyphens, of which none claims
/// to be an A-label.
fn is_plain_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.len() <= MAX_LABEL
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && bytes.get(2..4) != Some(b"--")
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_024))]

        #[test]
        fn the_short_ways_lead_to_the_same_answer(
            local in "[a-zA-Z0-9._+\"é用\u{301}<> @'-]{0,6}|\\PC{0,5}|[a-z]{60,66}",
            domain in "[a-zA-Z0-9.@_üßK\u{338}\u{200d}例 -]{0,9}|(xn--)?[a-z-]{1,5}\\.(XN--|ab--)?[a-zü]{0,4}|[a-z]{60,65}\\.de",
        ) {
            let text = format!("{local}@{domain}");
            prop_assert_eq!(is_email(&text), is_reachable(&text), "{}", text);
            // and from memory
            prop_assert_eq!(is_email(&text), is_reachable(&text), "{}", text);
        }
    }

    #[test]
    fn addresses_need_a_domain_with_a_dot_and_nothing_around_them() {
        for good in [
            "ana@example.com",
            "ana.ito+news@mail.example.co.uk",
            "o'brien@example.com",
            "jürgen@bücher.example",
            "用户@例子.广告",
            "\"ana ito\"@example.com",
            "ANA@EXAMPLE.COM",
            "ana@xn--bcher-kva.example",
        ] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(300));
        for bad in [
            "",
            "ana",
            "ana@",
            "@example.com",
            "ana@localhost",
            "ana@@example.com",
            "ana@example..com",
            "ana@.example.com",
            "ana@-example.com",
            "ana @example.com",
            "Ana <ana@example.com>",
            "<ana@example.com>",
            "ana@[127.0.0.1]",
            "ana@example.com, bo@example.com",
            "ana@example.com;bo@example.com",
            "ana@example.com\n",
            "ana\u{0}@example.com",
            "mailto:ana@example.com",
            &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
