//! Which fault a request meets: a function of the seed, of what is asked, and of how often it was asked before.
//!
//! What is asked is endpoint, path and body. Not the idempotency key: a loader draws its keys at random, so two runs
//! would not meet the same faults.

use crate::api::contract::{Endpoint, Kind};
use crate::sandbox::policy::{Dice, Policy, RequestFault, Share, ThrottleStyle};

/// A request, as far as its fate hangs on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// What it is sent to.
    pub(super) endpoint: Endpoint,
    /// Digest of path, query and body.
    pub(super) digest: u64,
    /// How often the same was asked before.
    pub(super) before: u32,
    /// Whether it has an idempotency key that was seen before.
    pub(super) known_key: bool,
}

/// The shares of all faults.
pub(super) struct Plan {
    dice: Dice,
    shares: Vec<(RequestFault, Share)>,
    style: ThrottleStyle,
}

impl Plan {
    /// That of a policy.
    pub(super) fn of(policy: &Policy) -> Self {
        let shares = policy.request_faults();
        Self {
            dice: policy.dice(),
            shares: shares.filter(|(_, share)| share.is_some()).collect(),
            style: policy.throttle_style,
        }
    }

    /// Whether there is any fault at all.
    pub(super) fn is_any(&self) -> bool {
        !self.shares.is_empty()
    }

    /// The fault that a request meets.
    pub(super) fn fault(&self, asked: Asked) -> Option<RequestFault> {
        let mut left = self.roll("request", asked);
        let mut among = self.shares.iter().filter(|(_, share)| {
            let share = f64::from(*share);
            let hit = (0.0..share).contains(&left);
            left -= share;
            hit
        });
        among
            .next()
            .map(|(fault, _)| *fault)
            .filter(|fault| fits(*fault, asked))
    }

    /// What a 429 says in answer to a request.
    pub(super) fn style(&self, asked: Asked) -> ThrottleStyle {
        const STYLES: [ThrottleStyle; 5] = [
            ThrottleStyle::Full,
            ThrottleStyle::NoRetryAfter,
            ThrottleStyle::ResetPast,
            ThrottleStyle::ResetMinutes,
            ThrottleStyle::Gateway,
        ];
        if self.style != ThrottleStyle::Mixed {
            return self.style;
        }
        let roll = self.roll("throttle_style", asked);
        let found = STYLES
            .into_iter()
            .zip(1_u8..)
            .find(|(_, n)| roll < f64::from(*n) / 5.0);
        found.map_or(ThrottleStyle::Full, |(style, _)| style)
    }

    fn roll(&self, about: &str, asked: Asked) -> f64 {
        let who = [asked.digest, u64::from(asked.before)].map(u64::to_le_bytes);
        let who = [who.as_flattened(), asked.endpoint.path().as_bytes()].concat();
        self.dice.roll(about, &who)
    }
}

/// Some faults are those of certain requests.
fn fits(fault: RequestFault, asked: Asked) -> bool {
    let (bulk, poll) = (
        asked.endpoint.kind() == Kind::Bulk,
        asked.endpoint == Endpoint::GetTask,
    );
    match fault {
        RequestFault::KeyConflict => bulk && asked.known_key,
        RequestFault::VanishedPoll => poll,
        RequestFault::Precondition => bulk || poll,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::policy::Preset;

    fn asked(endpoint: Endpoint, digest: u64, before: u32) -> Asked {
        Asked {
            endpoint,
            digest,
            before,
            known_key: before > 0,
        }
    }

    #[test]
    fn the_same_request_meets_the_same_fault_and_its_repetition_another() {
        let fates = |seed, before| -> Vec<_> {
            let policy = Policy {
                random_seed: seed,
                ..Preset::Hostile.policy()
            };
            let plan = Plan::of(&policy);
            let fate = |digest| plan.fault(asked(Endpoint::GetTask, digest, before));
            (0..1000).map(fate).collect()
        };
        let first = fates(1, 0);
        assert_eq!(first, fates(1, 0));
        assert_ne!(first, fates(1, 1));
        assert_ne!(first, fates(2, 0));
        let faults = first.iter().flatten().count();
        assert!((80..200).contains(&faults), "{faults} of 1000");
    }

    #[test]
    fn every_fault_comes_by_its_knob_alone_and_only_where_it_fits() {
        for fault in RequestFault::ALL {
            let mut table = toml::Table::try_from(Policy::default()).unwrap();
            table.insert(fault.name().to_owned(), 1.0.into());
            let plan = Plan::of(&table.try_into().unwrap());
            let met = |endpoint, before| plan.fault(asked(endpoint, 7, before)).is_some();
            let met = [
                met(Endpoint::BulkCustomerProfiles, 0),
                met(Endpoint::BulkCustomerProfiles, 1),
                met(Endpoint::GetTask, 0),
                met(Endpoint::CreateProduct, 1),
            ];
            let expected = match fault {
                RequestFault::KeyConflict => [false, true, false, false],
                RequestFault::VanishedPoll => [false, false, true, false],
                RequestFault::Precondition => [true, true, true, false],
                _ => [true; 4],
            };
            assert_eq!(met, expected, "{}", fault.name());
        }
        assert!(!Plan::of(&Policy::default()).is_any());
    }
}
