//! What a crash, damage, or another process may do to a journal.

use super::*;
use crate::api::contract::Contract;
use crate::sandbox::policy::Policy;
use crate::sandbox::site::{Bulk, CustomerKind, Entity, Field, FieldKind, Item, Submission};
use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

const CLOUD: Uuid = Uuid::from_u128(0xc10d);

fn submit(site: &mut Site, now: i64, key: &str, email: &str) -> Value {
    let payload = format!("{{\n\"email\":\"{email}\"}}");
    let body =
        format!(r#"{{"customerProfiles":[{{"operationType":"UPSERT","payload":{payload}}}]}}"#);
    let contract = Contract::default();
    let bulk = Bulk::CustomerProfiles;
    let submission = Submission::read(&contract, bulk, key.to_owned(), body.as_bytes());
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

/// The same, with fields that come and go, entitlements, and records of each kind that were deleted.
fn lived_in(folder: &Path) -> Site {
    drop(filled(folder));
    let (mut journal, mut site) = Journal::open(folder, CLOUD).unwrap();
    let text = |name: &str| Field {
        name: name.to_owned(),
        kind: FieldKind::Text,
        options: Vec::new(),
    };
    for name in ["Tier", "Since"] {
        site.define(1, Entity::Customer, text(name)).unwrap();
        site.define(1, Entity::Entitlement, text(name)).unwrap();
    }
    let id = |site: &Site, kind, key| {
        site.list(kind, None, 9)["results"][0][key]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let ana = id(&site, Entity::Customer, "customerId");
    let router = id(&site, Entity::Product, "id");
    let values = vec!["x \"y\"\n".to_owned()];
    site.set_detail(2, Entity::Customer, &ana, "Tier", values.clone())
        .unwrap();
    site.remove_field(2, Entity::Customer, "Tier").unwrap();
    let contract = Contract::default();
    let mut given = Vec::new();
    for (owner, owner_id) in [(Entity::Customer, &*ana), (Entity::Organization, "1")] {
        let entitlement = site.give(3, &contract, owner, owner_id, &router).unwrap();
        given.push(entitlement["id"].as_str().unwrap().to_owned());
    }
    site.set_detail(4, Entity::Entitlement, &given[1], "Since", values)
        .unwrap();
    site.delete(4, Entity::Entitlement, &given[0]).unwrap();
    let switch = site.create_product(4, "Switch").unwrap();
    site.give(4, &contract, Entity::Organization, "1", &switch)
        .unwrap();
    site.delete(5, Entity::Product, &switch).unwrap();
    site.add_users(5, "1", std::slice::from_ref(&ana)).unwrap();
    let beta = site
        .put(5, Entity::Organization, &Item::create("Beta".to_owned()))
        .unwrap();
    site.delete(6, Entity::Organization, &beta).unwrap();
    let mut eve = Item::create("eve@example.com".to_owned());
    eve.kind = Some(CustomerKind::Atlassian);
    site.write(6, Entity::Customer, &eve).unwrap();
    site.delete_account(7, &ana).unwrap();
    journal.append(&site.take_changes()).unwrap();
    site
}

/// All that a site answered for.
fn everything(site: &Site) -> Vec<Value> {
    let lists = Entity::ALL.map(|entity| site.list(entity, None, 1000));
    let fields = Entity::ALL.map(|entity| site.detail_fields(entity));
    let mut all = [lists, fields].concat();
    all.extend([site.audit(0, 1000), site.counts()]);
    all
}

#[test]
fn a_site_comes_back_with_all_that_was_made_and_deleted() {
    let folder = TempDir::new().unwrap();
    let site = lived_in(folder.path());
    let (_journal, again) = Journal::open(folder.path(), CLOUD).unwrap();
    assert_eq!(everything(&again), everything(&site));
    assert_eq!(again.counts()["entitlements"], 1);
}

#[test]
fn a_journal_cut_anywhere_loses_whole_writes_from_its_end_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let site = lived_in(folder.path());
    let path = folder.path().join("site.jsonl");
    let whole = fs::read(&path).unwrap();
    let audit = site.audit(0, 1000);
    // the content of writes to a field that has been deleted since is not told any more
    let plain = |entries: &Value| -> Vec<Value> {
        let entries = entries["entries"].as_array().unwrap();
        let plain = entries.iter().cloned().map(|mut entry| {
            entry.as_object_mut().unwrap().remove("content");
            entry
        });
        plain.collect()
    };
    let all = plain(&audit);
    let lines: Vec<_> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    let mut last = 0;
    for end in lines {
        // after a line, inside the next, and with a torn end of rubbish
        for (length, torn) in [
            (end + 1, &b""[..]),
            ((end + 9).min(whole.len()), b""),
            (end + 1, b"\0\0{"),
        ] {
            let mut kept = whole[..length].to_vec();
            kept.extend(torn);
            fs::write(&path, kept).unwrap();
            let (_journal, again) = Journal::open(folder.path(), CLOUD).unwrap();
            let writes = plain(&again.audit(0, 1000));
            assert_eq!(writes[..], all[..writes.len()], "cut at {length}");
            assert!(writes.len() >= last, "cut at {length}");
            last = writes.len();
        }
    }
    assert_eq!(last, all.len());
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
    let header = r#"{"csm_loader_site":2,"cloud_id":"00000000-0000-0000-0000-00000000c10d"}"#;
    let line = |line: &str| error(&format!("{header}\n{line}\n"));
    assert_snapshot!(error("hello\n"), @"site.jsonl:1: damaged: expected value at line 1 column 1; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(error("{\"csm_loader_site\":1,\"cloud_id\":\"x\"}\n"), @"site.jsonl:1: damaged: the format is version 1, this program knows 2; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line("\0\0\0"), @"site.jsonl:2: damaged: expected value at line 1 column 1; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"wrote":[0,{"put":{"e":"product","n":1,"c":true,"name":"x"}}]}"#), @"site.jsonl:2: damaged: the write of product 1 does not fit; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"wrote":[0,{"put":{"e":"customer","n":0,"c":true,"name":"a@b","d":[[0,["x"]]]}}]}"#), @"site.jsonl:2: damaged: the write of customer 0 does not fit; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"finished":{"task":0}}"#), @"site.jsonl:2: damaged: task 0 was not running; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"accepted":{"task":1,"bulk":"customer-profiles","key":"k","digest":1,"at":0,"start":0,"end":1}}"#), @"site.jsonl:2: damaged: task 1 is out of order; restore the file, or remove it to begin with an empty site");
    assert_snapshot!(line(r#"{"accepted":{"task":0,"bulk":"customer-profiles","key":"k","digest":1,"at":0,"start":0,"end":1}}"#), @"site.jsonl:2: damaged: the items of task 0 are lost: EOF while parsing a value at line 1 column 0; restore the file, or remove it to begin with an empty site");
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
