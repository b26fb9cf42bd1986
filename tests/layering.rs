//! Who may import whom. The rules are those of ARCHITECTURE.md; a new arrow is drawn there first.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Decisions without I/O, clock or await.
const PURE_ENGINE: &[&str] = &[
    "engine::attribute",
    "engine::batcher",
    "engine::definitions::decide",
    "engine::entitlements::decide",
    "engine::entitlements::queue",
    "engine::estimate",
    "engine::flight",
    "engine::hierarchy::order",
    "engine::hierarchy::tree",
    "engine::judging",
    "engine::limits",
    "engine::message",
    "engine::outcome",
    "engine::poll",
    "engine::quiet",
    "engine::retry",
    "engine::seen",
    "engine::single::row",
    "engine::single::steps",
    "engine::single::told",
    "engine::route",
    "engine::slots",
    "engine::state",
    "engine::why",
];

/// What a place may import of this crate: the first rule whose place is a prefix of the file's module counts.
fn rules() -> Vec<(&'static str, Vec<&'static str>)> {
    let pure: Vec<_> = ["model", "ledger::record"]
        .into_iter()
        .chain(PURE_ENGINE.iter().copied())
        .collect();
    let mut rules = vec![
        ("model", vec!["model"]),
        ("api::contract", vec!["model"]),
        ("api::fold", vec!["model"]),
        ("api", vec!["api", "model"]),
        ("source::chunk", vec!["model"]),
        ("source", vec!["source", "model"]),
        (
            "mapping",
            vec![
                "mapping",
                "source::chunk",
                "api::contract",
                "api::fold",
                "model",
            ],
        ),
        ("dedupe", vec!["dedupe", "model"]),
        ("ledger", vec!["ledger", "model"]),
        ("probe", vec!["probe", "api", "model"]),
        ("report", vec!["report", "model"]),
        ("retry", vec!["retry", "source", "report::results", "model"]),
        (
            "sandbox",
            vec!["sandbox", "api::contract", "api::fold", "model"],
        ),
    ];
    rules.extend(PURE_ENGINE.iter().map(|place| (*place, pure.clone())));
    rules.extend([
        (
            "engine",
            vec![
                "engine", "source", "mapping", "dedupe", "api", "ledger", "report", "model",
            ],
        ),
        (
            "cli",
            vec![
                "cli", "engine", "source", "mapping", "dedupe", "api", "ledger", "probe", "report",
                "retry", "sandbox", "model",
            ],
        ),
    ]);
    rules
}

/// The owners of crates from outside; a crate that is not named here belongs to nobody in particular.
const OWNERS: &[(&str, &[&str])] = &[
    ("annotate_snippets", &["mapping"]),
    ("arrow", &["source", "report::results"]),
    ("axum", &["sandbox"]),
    ("bytes", &["api"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("csv", &["source", "report::results"]),
    ("csv_core", &["source"]),
    ("email_address", &["mapping", "sandbox"]),
    ("encoding_rs", &["source"]),
    ("flate2", &["source"]),
    (
        "futures_util",
        &["engine::entitlements", "engine::preview", "engine::verify"],
    ),
    ("governor", &["engine::pace"]),
    ("http_body", &["sandbox"]),
    ("indicatif", &["report::progress"]),
    ("memchr", &["source"]),
    ("parquet", &["source", "report::results"]),
    ("phonenumber", &["mapping"]),
    ("polars", &["source", "mapping"]),
    ("reqwest", &["api::client"]),
    ("roaring", &["source"]),
    ("rusqlite", &["ledger"]),
    ("rustls", &["api::client"]),
    ("secrecy", &["api", "cli"]),
    ("simdutf8", &["source"]),
    ("sqlparser", &["mapping"]),
    ("zstd", &["ledger", "source"]),
];

/// A module, as `engine::state`, and its code without tests and comments.
struct Module {
    name: String,
    code: String,
}

fn modules() -> Vec<Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .iter()
        .filter_map(|file| {
            let path = file.strip_prefix(&root).unwrap().with_extension("");
            let mut parts: Vec<_> = path
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            parts.retain(|part| part != "mod");
            let name = parts.join("::");
            let of_tests = parts
                .iter()
                .any(|part| part == "tests" || part == "simulation" || part == "scripted");
            let whole = parts == ["lib"] || parts == ["main"];
            (!of_tests && !whole).then(|| Module {
                name,
                code: code_of(&fs::read_to_string(file).unwrap()),
            })
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The code before the inline tests, without comment lines.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code = code
        .split("#[cfg(test)]\npub(crate) mod tests {")
        .next()
        .unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The paths behind `root` (`crate::` or a crate's name), groups opened: `crate::a::{b, c}` gives `a::b` and `a::c`.
fn paths(code: &str, root: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(root) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        open(&code[at + root.len()..], String::new(), &mut found);
    }
    found
}

fn open(rest: &str, prefix: String, found: &mut BTreeSet<String>) {
    let name: String = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let path = if prefix.is_empty() {
        name.clone()
    } else {
        format!("{prefix}::{name}")
    };
    let after = &rest[name.len()..];
    if let Some(group) = rest.strip_prefix('{') {
        let mut depth = 0_usize;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                ',' if depth == 0 => open(std::mem::take(&mut item).trim(), prefix.clone(), found),
                c => {
                    depth = depth + usize::from(c == '{') - usize::from(c == '}');
                    item.push(c);
                }
            }
        }
        if !item.trim().is_empty() {
            open(item.trim(), prefix, found);
        }
    } else if let Some(deeper) = after.strip_prefix("::")
        && deeper.starts_with(|c: char| c.is_alphabetic() || c == '{' || c == '_')
    {
        open(deeper, path, found);
    } else if !name.is_empty() {
        found.insert(path);
    }
}

fn lies_in(path: &str, place: &str) -> bool {
    path == place
        || path
            .strip_prefix(place)
            .is_some_and(|rest| rest.starts_with("::"))
}

#[test]
fn groups_are_opened() {
    let code = "use crate::a::{b, c::{d, E}}; use crate::f; x(crate::g::h()); mycrate::no";
    let found: Vec<_> = paths(code, "crate::").into_iter().collect();
    assert_eq!(found, ["a::b", "a::c::E", "a::c::d", "f", "g::h"]);
}

#[test]
fn arrows_point_one_way() {
    let rules = rules();
    let mut wrong = Vec::new();
    let modules = modules();
    assert!(
        modules.len() > 60,
        "only {} modules were found",
        modules.len()
    );
    for module in &modules {
        let rule = rules.iter().find(|(place, _)| lies_in(&module.name, place));
        let Some((_, allowed)) = rule else {
            wrong.push(format!("{} has no rule", module.name));
            continue;
        };
        for path in paths(&module.code, "crate::") {
            if !allowed.iter().any(|place| lies_in(&path, place)) {
                wrong.push(format!("{} imports {path}", module.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_from_outside_stay_with_their_owners() {
    let mut wrong = Vec::new();
    for module in modules() {
        for (name, owners) in OWNERS {
            let used = !paths(&module.code, &format!("{name}::")).is_empty();
            if used && !owners.iter().any(|owner| lies_in(&module.name, owner)) {
                wrong.push(format!("{} uses {name}", module.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_engine_neither_waits_nor_reads_a_clock() {
    for module in modules()
        .iter()
        .filter(|module| PURE_ENGINE.iter().any(|place| lies_in(&module.name, place)))
    {
        for word in [
            ".await",
            "async ",
            "Instant::now",
            "SystemTime",
            "tokio::",
            "std::fs",
            "std::io",
        ] {
            assert!(
                !module.code.contains(word),
                "{} contains {word}",
                module.name
            );
        }
    }
}
