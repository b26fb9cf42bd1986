//! What befalls a task besides its work: it may tell an untruth about its end, or vanish.
//!
//! A mood hangs on the seed, the digest of the request's body, and on how many tasks had that body before. Not on the
//! idempotency key: a loader draws its keys at random, so two runs would not meet the same moods. The count lets rows
//! that are sent again under a new key meet another fate; rows that are cut into other batches do as well.

use super::change::Accepted;
use super::failure::Failure;
use super::tasks::{Outcome, deadline};
use crate::model::clock::UnixMillis;
use crate::sandbox::policy::{FailuresShown, Policy, TimedOut};
use serde::{Deserialize, Serialize};

/// What befalls one task. Kept with it: another policy later does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::sandbox) struct Mood {
    /// It ends FAILED after so many thousandths of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<u16>,
    /// It shows FAILED from then on if it has not ended, and goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fails_at: Option<UnixMillis>,
    /// It cannot be seen from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone_at: Option<UnixMillis>,
}

impl Mood {
    /// The mood of a task accepted now, whose body so many tasks had before.
    pub(super) fn of(policy: &Policy, now: UnixMillis, digest: u64, before: u32) -> Self {
        let who = [digest, u64::from(before)].map(u64::to_le_bytes);
        let (dice, who) = (policy.dice(), who.as_flattened());
        let mut left = dice.roll("failed", who);
        let mut among = |share| {
            let share = f64::from(share);
            let hit = (0.0..share).contains(&left);
            left -= share;
            hit
        };
        let failed = if among(policy.failed_applied) {
            Some(1000)
        } else if among(policy.failed_nothing) {
            Some(0)
        } else if among(policy.failed_partly) {
            let part = dice.number("failed_partly", who) % 800 + 100;
            u16::try_from(part).ok()
        } else {
            None
        };
        let gone = policy
            .vanished_tasks
            .holds(dice.roll("vanished_tasks", who));
        Self {
            failed,
            fails_at: (policy.timed_out == TimedOut::FailedGoesOn)
                .then(|| now.saturating_add(policy.task_timeout_ms)),
            gone_at: gone.then(|| now.saturating_add(policy.vanish_after_ms)),
        }
    }

    /// Whether nothing befalls it.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it cannot be seen any more.
    pub(super) fn gone(&self, now: UnixMillis) -> bool {
        self.gone_at.is_some_and(|gone| gone <= now)
    }

    /// When it showed FAILED although it ends only later.
    pub(super) fn gave_up(&self, now: UnixMillis, end: UnixMillis) -> Option<UnixMillis> {
        self.fails_at.filter(|fails| *fails <= now && *fails < end)
    }
}

/// How far a task comes, in the order in which its items are worked.
pub(super) struct Course {
    /// Places of the items that are worked, in order.
    pub(super) worked: Vec<usize>,
    /// Whether it ends FAILED.
    failed: bool,
}

impl Course {
    /// The course of a task of so many items.
    pub(super) fn of(policy: &Policy, accepted: &Accepted, items: usize) -> Self {
        let cut = cut_off(policy, accepted, items);
        let (failed, per_mille) = match (accepted.mood.failed, cut) {
            (None, None) => (false, 1000),
            (Some(part), None) | (None, Some(part)) => (true, part),
            (Some(part), Some(cut)) => (true, part.min(cut)),
        };
        let mut worked: Vec<usize> = (0..items).collect();
        if policy.shuffle_items {
            let dice = policy.dice();
            let place = |index: &usize| {
                let index = u64::try_from(*index).unwrap_or(u64::MAX);
                let who = [accepted.digest, index].map(u64::to_le_bytes);
                dice.number("shuffle_items", who.as_flattened())
            };
            worked.sort_by_cached_key(place);
        }
        worked.truncate(part_of(items, per_mille));
        Self { worked, failed }
    }

    /// What the task says at its end, given what could not be done.
    pub(super) fn tell(&self, policy: &Policy, mut failures: Vec<Failure>) -> Outcome {
        let shown = if self.failed {
            policy.failed_shows
        } else {
            policy.finished_shows
        };
        failures.truncate(match shown {
            FailuresShown::None => 0,
            FailuresShown::Some => failures.len().div_ceil(2),
            FailuresShown::All => failures.len(),
        });
        Outcome {
            failed: self.failed,
            failures,
        }
    }
}

/// So many thousandths of the items: some but not all of them, if that is possible.
fn part_of(items: usize, per_mille: u16) -> usize {
    match per_mille {
        0 => 0,
        1..1000 => (items * usize::from(per_mille) / 1000).max(usize::from(items > 1)),
        1000.. => items,
    }
}

/// After which part of its items a task was broken off because its time was over.
fn cut_off(policy: &Policy, accepted: &Accepted, items: usize) -> Option<u16> {
    let work = policy.work_micros(items);
    let worked = accepted.end - accepted.start;
    let cut = deadline(policy, accepted.at) == Some(accepted.end) && worked < work;
    cut.then(|| u16::try_from(worked.saturating_mul(1000) / work).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::{Bulk, Change, Contract, Site, Submission};
    use super::*;
    use crate::sandbox::policy::{Preset, Share};
    use serde_json::{Value, json};
    use uuid::Uuid;

    /// Ten customers, the last four with a detail field that the site does not have. A task takes a second.
    fn body(first: usize) -> Vec<u8> {
        let item = |n: usize| {
            let mut payload = json!({ "email": format!("c{}@x.example", first + n) });
            if n >= 6 {
                payload["details"] = json!([{ "name": "Colour", "values": [] }]);
            }
            json!({ "operationType": "UPSERT", "payload": payload })
        };
        let items: Vec<Value> = (0..10).map(item).collect();
        json!({ "customerProfiles": items })
            .to_string()
            .into_bytes()
    }

    fn slow() -> Policy {
        Policy {
            workers: 1,
            task_micros: 0,
            item_micros: 100_000,
            ..Policy::default()
        }
    }

    fn submit(
        site: &mut Site,
        policy: &Policy,
        now: UnixMillis,
        key: &str,
        first: usize,
    ) -> String {
        let (contract, bulk) = (Contract::default(), Bulk::CustomerProfiles);
        let submission = Submission::read(&contract, bulk, key.to_owned(), &body(first));
        let answer = site.submit(policy, now, submission).unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }

    /// What a look at a task shows, and how much is written.
    fn look(site: &mut Site, policy: &Policy, now: UnixMillis, id: &str) -> String {
        site.advance(policy, now);
        let told = match site.task(now, id) {
            Ok(task) => {
                let failures = task["failures"].as_array().unwrap().len();
                format!("{} {failures}", task["status"].as_str().unwrap())
            }
            Err(refusal) => refusal.status.to_string(),
        };
        format!("{told}, {} written", site.audit.len())
    }

    /// One task under a policy, looked at when it has ended.
    fn end(policy: &Policy) -> String {
        let mut site = Site::new(Uuid::nil());
        let id = submit(&mut site, policy, 0, "k", 0);
        look(&mut site, policy, 1000, &id)
    }

    #[test]
    fn a_task_may_end_failed_with_all_some_or_nothing_written() {
        let usual = slow();
        assert_eq!(end(&usual), "FINISHED 4, 6 written");
        let silent = Policy {
            finished_shows: FailuresShown::None,
            ..slow()
        };
        assert_eq!(end(&silent), "FINISHED 0, 6 written");
        let applied = Policy {
            failed_applied: Share::ALL,
            ..slow()
        };
        assert_eq!(end(&applied), "FAILED 0, 6 written");
        for (failed_shows, expected) in [
            (FailuresShown::Some, "FAILED 2, 6 written"),
            (FailuresShown::All, "FAILED 4, 6 written"),
        ] {
            let policy = Policy {
                failed_shows,
                ..applied.clone()
            };
            assert_eq!(end(&policy), expected);
        }
        let nothing = Policy {
            failed_nothing: Share::ALL,
            ..slow()
        };
        assert_eq!(end(&nothing), "FAILED 0, 0 written");
        let parts: std::collections::BTreeSet<_> = (0..50)
            .map(|random_seed| {
                let partly = Policy {
                    failed_partly: Share::ALL,
                    random_seed,
                    ..slow()
                };
                end(&partly)
            })
            .collect();
        assert!(parts.len() > 4, "{parts:?}");
        assert!(!parts.contains("FAILED 0, 0 written"), "{parts:?}");
        let vanished = Policy {
            vanished_tasks: Share::ALL,
            ..slow()
        };
        assert_eq!(end(&vanished), "404, 6 written");
    }

    #[test]
    fn a_task_that_is_not_done_in_time_ends_as_the_policy_says() {
        let told = |timed_out| {
            let policy = Policy {
                timed_out,
                task_timeout_ms: 500,
                ..slow()
            };
            let mut site = Site::new(Uuid::nil());
            let (first, second) = (
                submit(&mut site, &policy, 0, "1", 0),
                submit(&mut site, &policy, 0, "2", 10),
            );
            [
                (499, &first),
                (500, &first),
                (1000, &first),
                (2000, &second),
            ]
            .map(|(now, id)| look(&mut site, &policy, now, id))
        };
        assert_eq!(
            told(TimedOut::GoesOn),
            [
                "IN_PROGRESS 0, 0 written",
                "IN_PROGRESS 0, 0 written",
                "FINISHED 4, 6 written",
                "FINISHED 4, 12 written"
            ]
        );
        assert_eq!(
            told(TimedOut::FailedGoesOn),
            [
                "IN_PROGRESS 0, 0 written",
                "FAILED 0, 0 written",
                "FAILED 0, 6 written",
                "FAILED 0, 12 written"
            ]
        );
        // half of the first was worked, and nothing of the second
        assert_eq!(
            told(TimedOut::FailedStops),
            [
                "IN_PROGRESS 0, 0 written",
                "FAILED 0, 5 written",
                "FAILED 0, 5 written",
                "FAILED 0, 5 written"
            ]
        );
    }

    #[test]
    fn a_vanishing_task_is_there_until_its_time_comes_and_its_key_stays_known() {
        let policy = Policy {
            vanished_tasks: Share::ALL,
            vanish_after_ms: 300,
            ..slow()
        };
        let mut site = Site::new(Uuid::nil());
        let id = submit(&mut site, &policy, 0, "k", 0);
        assert_eq!(
            look(&mut site, &policy, 299, &id),
            "IN_PROGRESS 0, 0 written"
        );
        assert_eq!(look(&mut site, &policy, 300, &id), "404, 0 written");
        assert_eq!(submit(&mut site, &policy, 300, "k", 0), id);
        assert_eq!(look(&mut site, &policy, 1000, &id), "404, 6 written");
    }

    #[test]
    fn the_same_seed_gives_the_same_moods_in_any_order_and_the_same_body_again_another() {
        let hostile = |random_seed| Policy {
            random_seed,
            ..Preset::Hostile.policy()
        };
        let moods = |seed: u32, bodies: &[u64]| -> Vec<Mood> {
            let policy = hostile(seed);
            bodies.iter().map(|n| Mood::of(&policy, 0, *n, 0)).collect()
        };
        let bodies: Vec<u64> = (0..1000).collect();
        let backwards: Vec<u64> = (0..1000).rev().collect();
        let first = moods(1, &bodies);
        let mut again = moods(1, &backwards);
        again.reverse();
        assert_eq!(first, again);
        assert_ne!(first, moods(2, &bodies));
        let failed = first.iter().filter(|mood| mood.failed.is_some()).count();
        assert!((70..150).contains(&failed), "{failed}");
        let repeated = |n| Mood::of(&hostile(1), 0, 5, n);
        assert!((1..100).any(|n| repeated(n) != repeated(0)));
    }

    #[test]
    fn items_are_worked_in_another_order_and_all_of_them() {
        let order = |shuffle_items| {
            let policy = Policy {
                shuffle_items,
                ..slow()
            };
            let mut site = Site::new(Uuid::nil());
            submit(&mut site, &policy, 0, "k", 0);
            site.advance(&policy, 1000);
            let audit = site.audit(0, 100);
            let entries = audit["entries"].as_array().unwrap().iter();
            entries
                .map(|entry| entry["key"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let (sent, mut shuffled) = (order(false), order(true));
        assert_ne!(sent, shuffled);
        shuffled.sort();
        assert_eq!(sent, shuffled);
    }

    #[test]
    fn a_site_read_back_from_its_changes_tells_the_same() {
        for random_seed in 0..20 {
            let policy = Policy {
                random_seed,
                max_tasks: 20,
                item_micros: 100_000,
                ..Preset::Hostile.policy()
            };
            let mut site = Site::new(Uuid::nil());
            let tasks: Vec<_> = (0..12)
                .map(|n| submit(&mut site, &policy, 100, &n.to_string(), n * 10))
                .collect();
            site.advance(&policy, 2000);
            let changes = site.take_changes();
            assert!(
                changes
                    .iter()
                    .any(|change| matches!(change, Change::Moved(_)))
            );
            let mut again = Site::new(Uuid::nil());
            for change in changes {
                let line = serde_json::to_string(&change).unwrap();
                again.repeat(serde_json::from_str(&line).unwrap()).unwrap();
            }
            again.ready().unwrap();
            for now in [2000, 9000] {
                for id in &tasks {
                    let told = look(&mut site, &policy, now, id);
                    assert_eq!(look(&mut again, &policy, now, id), told);
                }
            }
            assert_eq!(again.audit(0, 1000), site.audit(0, 1000));
        }
    }
}
