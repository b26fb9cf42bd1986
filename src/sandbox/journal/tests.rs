//! What a crash, damage, or another process may do to a journal.

use super::*;
use crate::sandbox::policy::Policy;
use crate::sandbox::site::Entity;
use crate::sandbox::site::{Item, Submission};
use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

const CLOUD: Uuid = Uuid::from_u128(0xc10d);

fn submit(site: &mut Site, now: i64, key: &str, email: &str) -> Value {
    let payload = format!("{{\n\"email\":\"{email}\"}}");
    let body =
        format!(r#"{{"customerProfiles":[{{"operationType":"UPSERT","payload":{payload}}}]}}"#);
    let submission = Submission::read(Entity::Customer, key.to_owned(), body.into_bytes());
    site.submit(&Policy::default(), now, submission).unwrap()
}

/// A journal with single writes, a finished and an unfinished task.
fn filled(folder: &Path) -> Site {
    let (mut journal, mut site) = Journal::open(folder, CLOUD).unwrap();
    site.create_product(0, "Router").unwrap();
    let acme = Item::create("Acme Ltd".to_owned());
    site.write(0, Entity::Organization, &acme).unwrap();
    submit(&mut site, 0, "k1", "a@b");
    site.advance(&Policy::default(), 1000);
    submit(&mut site, 1000, "k2", "c@d");
    journal.append(&site.take_changes()).unwrap();
    site
}

#[test]
fn a_site_comes_back_with_its_unfinished_tasks() {
    let folder = TempDir::new().unwrap();
    let site = filled(folder.path());
    // the site's own id wins over the one for new sites
    let (_journal, mut again) = Journal::open(folder.path(), Uuid::nil()).unwrap();
    assert_eq!(again.counts(), site.counts());
    assert_eq!(again.audit(0, 10), site.audit(0, 10));
    let known = submit(&mut again, 1000, "k2", "c@d");
    again.advance(&Policy::default(), 2000);
    let task = again.task(2000, known["id"].as_str().unwrap()).unwrap();
    assert_eq!(task["status"], "FINISHED");
    assert_eq!(again.counts()["customers"], 2);
}

#[cfg(unix)]
#[test]
fn folder_and_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let temp = TempDir::new().unwrap();
    let folder = temp.path().join("deep").join("state");
    filled(&folder);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["site.jsonl", "site.lock"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_journal_cut_anywhere_opens_as_it_was_after_its_last_whole_line() {
    let folder = TempDir::new().unwrap();
    filled(folder.path());
    let path = folder.path().join("site.jsonl");
    let whole = fs::read(&path).unwrap();
    let mut writes_before = 0;
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (mut journal, mut site) = Journal::open(folder.path(), CLOUD).unwrap();
        let writes = site.counts()["writes"].as_u64().unwrap();
        assert!(writes >= writes_before, "cut at {length}");
        writes_before = writes;
        // and it can be written on
        site.create_product(0, "New").unwrap();
        journal.append(&site.take_changes()).unwrap();
        drop(journal);
        let (_journal, again) = Journal::open(folder.path(), CLOUD).unwrap();
        assert_eq!(again.counts(), site.counts(), "cut at {length}");
    }
    assert_eq!(writes_before, 3);
}

#[test]
fn other_damage_is_named_with_its_line() {
    let error = |lines: &str| {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("site.jsonl"), lines).unwrap();
        let error = Journal::open(folder.path(), CLOUD)
            .err()
            .unwrap()
            .to_string();
        error.replace(&format!("{}/", folder.path().display()), "")
    };
    let header = r#"{"csm_loader_site":1,"cloud_id":"00000000-0000-0000-0000-00000000c10d"}"#;
    let line = |line: &str| error(&format!("{header}\n{line}\n"));
    assert_snapshot!(error("hello\n"), @"site.jsonl:1: damaged: expected value at line 1 column 1; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(error("{\"csm_loader_site\":2,\"cloud_id\":\"x\"}\n"), @"site.jsonl:1: damaged: the format is version 2, this program knows 1; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line("\0\0\0"), @"site.jsonl:2: damaged: expected value at line 1 column 1; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"wrote":[0,{"e":"product","n":1,"c":true,"name":"x"}]}"#), @"site.jsonl:2: damaged: the write of product 1 does not fit; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"wrote":[0,{"e":"customer","n":0,"c":true,"name":"a@b","d":[[0,["x"]]]}]}"#), @"site.jsonl:2: damaged: the write of customer 0 does not fit; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"finished":{"task":0}}"#), @"site.jsonl:2: damaged: task 0 was not running; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"accepted":{"task":1,"entity":"customer","key":"k","digest":1,"at":0,"start":0,"end":1}}"#), @"site.jsonl:2: damaged: task 1 is out of order; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"accepted":{"task":0,"entity":"customer","key":"k","digest":1,"at":0,"start":0,"end":1}}"#), @"site.jsonl:2: damaged: the items of task 0 are lost: Invalid request body: EOF while parsing a value at line 1 column 0; restore the file, or remove it to begin with an empty site");
}

#[test]
fn a_second_process_is_told_so() {
    let folder = TempDir::new().unwrap();
    let _held = Journal::open(folder.path(), CLOUD).unwrap();
    let error = Journal::open(folder.path(), CLOUD)
        .err()
        .unwrap()
        .to_string();
    let error = error.replace(&*folder.path().to_string_lossy(), "FOLDER");
    assert_snapshot!(error, @"another process uses the sandbox in FOLDER; stop it, or choose another folder");
}

#[test]
fn bodies_of_finished_tasks_are_left_out_when_they_are_much() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("site.jsonl");
    let (mut journal, mut site) = Journal::open(folder.path(), CLOUD).unwrap();
    let long = "x".repeat(1 << 19);
    for n in 0..3 {
        // refused addresses: the bodies are long, what is written is not
        submit(&mut site, n * 1000, &n.to_string(), &format!("{n}{long}"));
        site.advance(&Policy::default(), n * 1000 + 900);
    }
    submit(&mut site, 9000, "open", "a@b");
    journal.append(&site.take_changes()).unwrap();
    drop(journal);
    let before = fs::metadata(&path).unwrap().len();
    let (mut journal, mut again) = Journal::open(folder.path(), CLOUD).unwrap();
    let after = fs::metadata(&path).unwrap().len();
    assert!(after + 3 * (1 << 19) <= before, "{before} → {after}");
    again.advance(&Policy::default(), 10_000);
    journal.append(&again.take_changes()).unwrap();
    drop(journal);
    let (_journal, again) = Journal::open(folder.path(), CLOUD).unwrap();
    assert_eq!(again.counts()["customers"], 1);
    assert_eq!(again.counts()["tasks"], 4);
}
