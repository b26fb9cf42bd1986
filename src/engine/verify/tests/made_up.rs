//! A made-up site in made-up time: what it shows, when, and what it refuses.

use crate::api::contract::Contract;
use crate::api::customers::Found;
use crate::api::fallback::{OrganizationPage, User};
use crate::api::fold;
use crate::api::lookup::Named;
use crate::api::read::Detail;
use crate::engine::verify::held::Held;
use crate::engine::verify::site::{SEARCH_PAGE, Site};
use crate::model::entity::{Entity, Owner};
use crate::model::reply::{ApiError, DetailField, ErrorClass};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A record from some time on.
pub(super) struct Shown {
    pub(super) from: Duration,
    pub(super) held: Held,
}

pub(super) struct MadeUp {
    pub(super) contract: Contract,
    /// What is shown, later forms of a record behind earlier ones.
    pub(super) records: Vec<Shown>,
    /// How much later than other reads the user search shows an account.
    pub(super) user_lag: Duration,
    /// Ids and names that no request for several may hold.
    pub(super) stumbles_over: Vec<String>,
    /// What every request is answered, if so.
    pub(super) error: Option<ApiError>,
    /// What searches are answered, if so.
    pub(super) closed: Option<ApiError>,
    /// Whether searches tell e-mails.
    pub(super) hides_emails: bool,
    pub(super) fields: Vec<DetailField>,
    /// When a stop is asked for.
    pub(super) stop: Option<Duration>,
    pub(super) log: Mutex<Vec<String>>,
    pub(super) begin: Instant,
    pub(super) passed: Mutex<Duration>,
}

impl MadeUp {
    pub(super) fn of(records: impl IntoIterator<Item = (u64, Held)>) -> Self {
        let shown = |(seconds, held)| Shown {
            from: Duration::from_secs(seconds),
            held,
        };
        Self {
            contract: Contract::default(),
            records: records.into_iter().map(shown).collect(),
            user_lag: Duration::ZERO,
            stumbles_over: Vec::new(),
            error: None,
            closed: None,
            hides_emails: false,
            fields: Vec::new(),
            stop: None,
            log: Mutex::default(),
            begin: Instant::now(),
            passed: Mutex::default(),
        }
    }

    pub(super) fn passed(&self) -> Duration {
        *self.passed.lock().unwrap()
    }

    pub(super) fn requests(&self) -> usize {
        self.log.lock().unwrap().len()
    }

    fn asked(&self, what: String) -> Result<(), ApiError> {
        self.log.lock().unwrap().push(what);
        self.error.clone().map_or(Ok(()), Err)
    }

    /// The records that are shown by reads that lag so much more.
    fn shown(&self, lag: Duration) -> Vec<&Held> {
        let mut seen: Vec<&Held> = Vec::new();
        for Shown { from, held } in &self.records {
            if *from + lag <= self.passed() {
                seen.retain(|other| other.id != held.id);
                seen.push(held);
            }
        }
        seen
    }

    fn email(&self, held: &Held) -> Option<String> {
        held.email.clone().filter(|_| !self.hides_emails)
    }

    fn stumble(&self, asked: &[String]) -> Result<(), ApiError> {
        let over = asked.iter().any(|one| self.stumbles_over.contains(one));
        if over { Err(refused(400)) } else { Ok(()) }
    }
}

impl Site for MadeUp {
    fn contract(&self) -> &Contract {
        &self.contract
    }

    fn now(&self) -> Instant {
        self.begin + self.passed()
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop <= self.passed())
    }

    async fn rest(&self, wait: Duration) {
        let now = self.passed();
        let woken = self.stop.map(|stop| stop.saturating_sub(now));
        let rest = woken.map_or(wait, |until| wait.min(until));
        *self.passed.lock().unwrap() += rest;
    }

    async fn profiles(&self, _: Entity, ids: &[String]) -> Result<Vec<Held>, ApiError> {
        self.asked(format!("profiles {}", ids.join(" ")))?;
        self.stumble(ids)?;
        let found = self.shown(Duration::ZERO).into_iter();
        Ok(found
            .filter(|held| ids.contains(&held.id))
            .cloned()
            .collect())
    }

    async fn profile(&self, _: Entity, id: &str) -> Result<Held, ApiError> {
        self.asked(format!("profile {id}"))?;
        let mut found = self.shown(Duration::ZERO).into_iter();
        found
            .find(|held| held.id == id)
            .cloned()
            .ok_or_else(|| refused(404))
    }

    async fn with_value(
        &self,
        field: &str,
        value: &str,
        page: usize,
    ) -> Result<Vec<Found>, ApiError> {
        self.asked(format!("search {field}={value} {page}"))?;
        self.closed.clone().map_or(Ok(()), Err)?;
        let has = |held: &&Held| {
            let mut details = held.details.iter().flatten();
            details.any(|detail| detail.name == field && detail.values.iter().any(|v| v == value))
        };
        let found = self.shown(Duration::ZERO).into_iter().filter(has);
        let found = found.skip(page * SEARCH_PAGE).take(SEARCH_PAGE);
        Ok(found
            .map(|held| Found {
                id: held.id.clone(),
                name: held.name.clone(),
                email: self.email(held),
            })
            .collect())
    }

    async fn users(&self, email: &str) -> Result<Vec<User>, ApiError> {
        self.asked(format!("users {email}"))?;
        self.closed.clone().map_or(Ok(()), Err)?;
        let like = |held: &&Held| {
            let known = held.email.as_deref().unwrap_or_default();
            known.to_lowercase().contains(&email.to_lowercase())
        };
        let found = self.shown(self.user_lag).into_iter().filter(like);
        Ok(found
            .map(|held| User {
                id: held.id.clone(),
                email: self.email(held),
                name: held.name.clone(),
            })
            .collect())
    }

    async fn organizations(&self, names: &[String]) -> Result<Vec<Named>, ApiError> {
        self.asked(format!("organizations {}", names.join(" ")))?;
        self.stumble(names)?;
        let found = self.shown(Duration::ZERO).into_iter();
        let found = found.filter(|held| {
            let name = held.name.as_deref().map(fold::name);
            names.iter().any(|other| name == Some(fold::name(other)))
        });
        Ok(found.map(named).collect())
    }

    async fn organization_page(&self, start: usize) -> Result<OrganizationPage, ApiError> {
        self.asked(format!("list from {start}"))?;
        let all = self.shown(Duration::ZERO);
        Ok(OrganizationPage {
            organizations: all.iter().skip(start).take(2).copied().map(named).collect(),
            is_last: start + 2 >= all.len(),
        })
    }

    async fn detail_fields(&self, _: Owner) -> Result<Vec<DetailField>, ApiError> {
        self.asked("fields".to_owned())?;
        Ok(self.fields.clone())
    }
}

fn named(held: &Held) -> Named {
    Named {
        id: held.id.clone(),
        name: held.name.clone().unwrap_or_default(),
    }
}

pub(super) fn refused(status: u16) -> ApiError {
    failed(ErrorClass::Refused, Some(status))
}

pub(super) fn failed(class: ErrorClass, status: Option<u16>) -> ApiError {
    ApiError {
        class,
        request: "POST /somewhere".to_owned(),
        status,
        message: "no".to_owned(),
        trace_id: None,
    }
}

/// A record without organizations and products.
pub(super) fn held(id: &str, email: Option<&str>, name: &str, details: &[(&str, &[&str])]) -> Held {
    let detail = |(field, values): &(&str, &[&str])| Detail {
        name: (*field).to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    Held {
        id: id.to_owned(),
        email: email.map(str::to_owned),
        name: Some(name.to_owned()),
        details: Some(details.iter().map(detail).collect()),
        organizations: Some(Vec::new()),
        entitlements: Some(Vec::new()),
    }
}
