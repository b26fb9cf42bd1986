//! Phone numbers: what is accepted, and that the quick way gives the library's answers.

mod agreement;
mod automaton;
mod table;

use super::*;

#[test]
fn numbers_come_out_in_e164_whatever_their_notation() {
    let german = Phone::new(region("DE"));
    let any = Phone::new(None);
    for (text, with_region, without) in [
        ("030 123456", Some("+4930123456"), None),
        ("+49 (0)30 123456", Some("+4930123456"), Some("+4930123456")),
        (
            "+1 650-253-0000",
            Some("+16502530000"),
            Some("+16502530000"),
        ),
        ("0044 20 7946 0958", Some("+442079460958"), None),
        (
            "+44 20 7946 0958",
            Some("+442079460958"),
            Some("+442079460958"),
        ),
        ("+49 30 123456 ext. 7", None, None),
        ("12", None, None),
        ("", None, None),
        ("call me", None, None),
        ("+999 123456789", None, None),
    ] {
        for _ in 0..2 {
            assert_eq!(german.canonical(text).as_deref(), with_region, "{text}");
            assert_eq!(any.canonical(text).as_deref(), without, "{text}");
        }
    }
    assert_eq!(any.canonical(&"1".repeat(10_000)), None);
}

#[test]
fn only_countries_are_regions() {
    assert!(region("GB").is_some());
    for code in ["UK", "gb", "GBR", "", "é", "49"] {
        assert!(region(code).is_none(), "{code}");
    }
}
