//! The quick way against the library, text by text.

use super::*;
use phonenumber::Metadata;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Whether the quick way knows an answer; it is the library's.
fn known(region: Option<Id>, text: &str) -> bool {
    let table = region.map(|id| TABLE.region(id.as_ref()).expect("every country is known"));
    let quick = match reading::read(table, text) {
        Reading::Unsure => return false,
        Reading::Valid(number) => Some(number.as_str().to_owned()),
        Reading::Invalid => None,
    };
    assert_eq!(quick, parse(region, text), "{text:?} in {region:?}");
    true
}

fn regions() -> Vec<Id> {
    let mut ids: Vec<Id> = DATABASE.iter().filter_map(|m| region(m.id())).collect();
    ids.sort_by_key(|id| id.as_ref().to_owned());
    assert!(ids.len() > 240, "{} countries", ids.len());
    ids
}

/// Every country and country code.
fn metas() -> Vec<&'static Metadata> {
    let mut codes: Vec<_> = (1..1_000_u16)
        .filter_map(|c| DATABASE.by_code(&c))
        .collect();
    codes.iter_mut().flat_map(std::mem::take).collect()
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(9_033),
        ..Config::default()
    })
}

fn sample<T>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

/// National numbers of every type, by the patterns.
fn numbers(runner: &mut TestRunner, meta: &Metadata) -> Vec<String> {
    let all = meta.descriptors();
    let types = [
        Some(all.general()),
        all.fixed_line(),
        all.mobile(),
        all.toll_free(),
        all.premium_rate(),
        all.shared_cost(),
        all.personal_number(),
        all.voip(),
        all.pager(),
        all.uan(),
        all.voicemail(),
        all.no_international(),
    ];
    let mut found = Vec::new();
    for one in types.into_iter().flatten() {
        let pattern = one.national_number().as_str().replace("\\d", "[0-9]");
        let pattern: String = pattern.split_whitespace().collect();
        let numbers = string_regex(&pattern).unwrap();
        found.push(sample(runner, &numbers));
    }
    found
}

/// A number that is a digit away.
fn neighbour(runner: &mut TestRunner, number: &str) -> String {
    let (at, digit) = sample(runner, &(0..number.len(), 0..10_u8));
    let [mut changed, mut shorter, longer] = [(); 3].map(|()| number.to_owned());
    changed.replace_range(at..=at, &digit.to_string());
    shorter.remove(at);
    let all = [changed, shorter, format!("{longer}{digit}")];
    sample(runner, &prop::sample::select(all.to_vec()))
}

/// The number with separators in it.
fn spaced(number: &str, every: usize, separator: char) -> String {
    let mut spaced = String::new();
    for (at, digit) in number.char_indices() {
        if at > 0 && at % every == 0 {
            spaced.push(separator);
        }
        spaced.push(digit);
    }
    spaced
}

/// Ways of writing a number at home and abroad.
fn notations(meta: &Metadata, n: &str) -> Vec<String> {
    let code = meta.country_code();
    let trunk = meta.national_prefix().unwrap_or("0");
    let by_twos = spaced(n, 2, ' ');
    let dashed = spaced(n, 3, '-');
    vec![
        format!("+{code}{n}"),
        format!("+{code} {by_twos}"),
        format!("+{code}-{dashed}"),
        format!("+{code}{dashed}"),
        format!("tel:+{code}-{dashed}"),
        format!("+{code} ({trunk}) {by_twos}"),
        format!("+{code}({trunk}){n}"),
        format!("+{code}/{}", spaced(n, 4, '/')),
        format!("+{code}/{dashed}"),
        format!("+/{code}-{n}"),
        format!("(+{code}) {}", spaced(n, 3, '.')),
        format!("00{code}{n}"),
        format!("011 {code} {n}"),
        format!("810 {code} {by_twos}"),
        format!("{code}{n}"),
        n.to_owned(),
        format!("{trunk}{n}"),
        format!("({trunk}{}", spaced(n, 3, ')')),
        format!(" {trunk}{}", spaced(n, 4, '/')),
        format!("{trunk}{trunk}{n}"),
        format!("+{code}\u{a0}{}", spaced(n, 3, '\u{2011}')),
        format!("+{code} {dashed} ext. {}", &n[..n.len().min(4)]),
    ]
}

#[test]
fn numbers_of_every_country_are_read_as_the_library_reads_them() {
    let mut runner = runner();
    let regions = prop::option::of(prop::sample::select(regions()));
    let (mut texts, mut unsure) = (0, 0);
    for meta in metas() {
        for number in numbers(&mut runner, meta) {
            for number in [neighbour(&mut runner, &number), number] {
                for text in notations(meta, &number) {
                    let other = sample(&mut runner, &regions);
                    for region in [region(meta.id()), other] {
                        texts += 1;
                        unsure += usize::from(!known(region, &text));
                    }
                }
            }
        }
    }
    println!("{unsure} of {texts} texts were left to the library");
    assert!(unsure * 100 < texts, "{unsure} of {texts} texts");
}

#[test]
fn the_shortest_texts_are_no_numbers_anywhere() {
    let digits = (0..10).map(|n| n.to_string());
    let texts: Vec<_> = digits.chain((0..100).map(|n| format!("{n:02}"))).collect();
    for region in regions() {
        for text in &texts {
            assert!(known(Some(region), text));
            assert!(known(Some(region), &format!("+{text}")));
        }
    }
}

#[test]
fn the_usual_notations_need_no_library() {
    for (country, text) in [
        ("GB", "07710 000000"),
        ("US", "(202) 220-0000"),
        ("US", "202.220.0000"),
        ("US", "1-202-220-0000"),
        ("DE", "0151/12345678"),
        ("DE", "0049 30 123456"),
        ("FR", "+33 6 12 34 56 78"),
        ("IT", "+39 06 1234 5678"),
        ("AU", "+61 (0)2 9374 4000"),
        ("AR", "+54 11 1234-5678"),
        ("BR", "(011) 91234-5678"),
        ("MX", "+52 55 1234 5678"),
        ("US", "n/a"),
        ("US", "call me"),
        ("US", "-"),
        ("US", "unknown 1"),
        ("US", "+1 (202) 220-0000 x17"),
        ("US", "(202) 220-0000 Ext. 17"),
        ("US", "202-220-0000 #17"),
        ("GB", "020\u{a0}7946\u{a0}0958"),
        ("GB", "+44 20 7946\u{2013}0958"),
        ("GB", "tel:+44-20-7946-0958"),
    ] {
        assert!(known(region(country), text), "{text}");
        assert!(known(None, text), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8_192))]

    #[test]
    fn any_text_is_read_as_the_library_reads_it(
        text in "([tT]el:)?[+]?[0-9() ./-]{0,22}\
            |[+]?[0-9\\[\\](/\u{a0}\u{2010}-\u{2015} .-]{0,16}\
            |[+0-9()xX#~,;*\\[\\] ./-]{0,24}\
            |[+]?[0-9 ./-]{0,14}([eE]?[xX][tT]([nN]|ension)?|x|X|#|,|int)[ .:-]{0,2}[0-9]{0,8}\
            |[+]{0,2}0{0,4}[0-9]{0,50}\
            |\\PC{0,20}",
        region in prop::option::of(prop::sample::select(regions())),
    ) {
        known(region, &text);
    }
}
