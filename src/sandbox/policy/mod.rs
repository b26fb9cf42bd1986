//! How strict, how fast and how well-behaved the site is. Everything reads the policy; nothing changes it.
//!
//! Duty: name every knob once, with its meaning and its value in each preset; turn what a person wrote into a policy,
//! or say what is wrong with it; roll the dice. Must not know: the site, HTTP, the time.
//!
//! | module | duty |
//! | --- | --- |
//! | `knobs` | the table of knobs and presets |
//! | `words` | knobs that are chosen from a few words, and shares |
//! | `choice` | preset or file, with single knobs set otherwise → policy |
//! | `request_fault` | what may go wrong with one request |
//! | `listing` | all knobs as text |
//! | `dice` | chance as a function of a seed and an identity |

mod choice;
mod dice;
mod knobs;
mod listing;
mod request_fault;
mod words;

pub use choice::{PolicyChoice, PolicyError};
pub use knobs::{Policy, Preset};
pub use listing::listing;
pub use words::{
    Existing, FailureNames, FailuresShown, OneBadItem, Share, TaskOrder, ThrottleStyle, TimedOut,
};

pub(super) use dice::Dice;
pub(super) use request_fault::RequestFault;

impl Policy {
    /// The dice of this policy.
    pub(super) fn dice(&self) -> Dice {
        Dice::new(self.random_seed.into())
    }

    /// Microseconds of work for a task of so many items.
    pub(super) fn work_micros(&self, items: usize) -> i64 {
        let items = i64::try_from(items).unwrap_or(i64::MAX);
        let (task, item) = (self.task_micros, self.item_micros);
        let [task, item] = [task, item].map(|micros| i64::try_from(micros).unwrap_or(i64::MAX));
        task.saturating_add(item.saturating_mul(items))
    }
}

impl Default for Policy {
    /// As documented, but with quick tasks.
    fn default() -> Self {
        Preset::Documented.policy()
    }
}
