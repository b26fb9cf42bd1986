//! Customers: by the id that the row sends or that is remembered, by the mapping's key in a detail field, by the user
//! search. A record that was found by what it says must have the row's e-mail: another one may carry the same key.

use super::fetch::{self, Fetched, Halt};
use super::held::Held;
use super::site::{SEARCH_PAGE, Site};
use super::sought::{Found, Known, Sought};
use crate::api::contract::CUSTOMER_ACCOUNT_ID;
use crate::api::fold;
use crate::model::entity::Entity;
use crate::model::reply::{ApiError, ErrorClass};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use std::sync::OnceLock;

/// Rows of a batch that are searched for at a time: one whose request is repeated does not hold up all others.
const AT_ONCE: usize = 16;
/// Pages of a search that are read: a key that more records carry than these hold says nothing.
const SEARCH_PAGES: usize = 4;

/// One look for each row.
///
/// # Errors
/// When the site does not let us in.
pub(super) async fn find<S: Site>(
    site: &S,
    key_detail: Option<&str>,
    rows: &mut [&mut Sought],
) -> Result<Vec<Found>, Halt> {
    let ids = rows.iter().filter_map(|row| row.known.id().cloned());
    let fetched = fetch::profiles(site, Entity::Customer, ids).await?;
    let closed = Closed::default();
    let mut looks = Vec::with_capacity(rows.len());
    let mut waiting = rows.iter().enumerate();
    let mut searches = FuturesUnordered::new();
    loop {
        while searches.len() < AT_ONCE
            && let Some((index, row)) = waiting.next()
        {
            let look = look(site, key_detail, row, &fetched, &closed);
            searches.push(look.map(move |look| (index, look)));
        }
        match searches.next().await {
            Some((index, look)) => looks.push((index, look?)),
            None => break,
        }
    }
    drop(searches);
    looks.sort_unstable_by_key(|(index, _)| *index);
    let looks: Vec<_> = looks.into_iter().map(|(_, look)| look).collect();
    let candidates = looks.iter().flat_map(|look| match look {
        Look::Among(candidates, _) => candidates.as_slice(),
        Look::Found(_) => &[],
    });
    let ids: Vec<_> = candidates.map(|candidate| candidate.id.clone()).collect();
    let fetched = fetch::profiles(site, Entity::Customer, ids).await?;
    let pairs = rows.iter_mut().zip(looks);
    Ok(pairs
        .map(|(row, look)| match look {
            Look::Found(found) => found,
            Look::Among(candidates, late) => choose(row, &candidates, late, &fetched),
        })
        .collect())
}

/// Where a row's record is.
enum Look {
    /// Decided.
    Found(Found),
    /// One of these may be it; whether they come from where new records appear late.
    Among(Vec<Candidate>, bool),
}

/// A record that may be a row's.
struct Candidate {
    id: String,
    /// The e-mail as the search told it.
    email: Option<String>,
}

/// Why a row's record cannot be read by its id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unnamed {
    /// No id is known.
    Never,
    /// The record with the remembered one is not there, at least not yet.
    Gone,
    /// It is another's.
    Another,
}

impl Unnamed {
    const fn why(self) -> &'static str {
        match self {
            Self::Never => "the site's id of the record is not known",
            Self::Gone => "the record whose id is remembered is not there",
            Self::Another => "the record whose id is remembered has another e-mail now",
        }
    }
}

/// By its id, where that is known and still the row's.
fn by_id(row: &Sought, fetched: &Fetched) -> Result<Found, Unnamed> {
    let id = row.known.id().ok_or(Unnamed::Never)?;
    if let Some(error) = fetched.failed.get(id) {
        return Ok(Found::Unsure(format!("reading the record failed: {error}")));
    }
    match (fetched.held.get(id), &row.known) {
        (Some(held), Known::Named(_)) => Ok(Found::Here(Box::new(held.clone()))),
        (None, Known::Named(_)) => Ok(Found::Nowhere { late: false }),
        // where the site hides e-mails, it is the id that it told for this one
        (Some(held), _) if has_email(row, held.email.as_deref()).unwrap_or(true) => {
            Ok(Found::Here(Box::new(held.clone())))
        }
        (Some(_), _) => Err(Unnamed::Another),
        (None, _) => Err(Unnamed::Gone),
    }
}

/// Whether an e-mail is the row's; `None` where it is not told.
fn has_email(row: &Sought, email: Option<&str>) -> Option<bool> {
    let wanted = row.sent.email.as_deref()?;
    Some(fold::email(email?) == fold::email(wanted))
}

/// Why a way to find a record leads nowhere.
struct Vain {
    why: String,
    /// Whether it may lead somewhere later.
    passing: bool,
}

impl Vain {
    fn never(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            passing: false,
        }
    }
}

/// Ways that this account may not go, and the site's words.
#[derive(Default)]
struct Closed {
    key: OnceLock<String>,
    users: OnceLock<String>,
}

/// Looks for a row's record by its id, else by what the row says of it.
async fn look<S: Site>(
    site: &S,
    key_detail: Option<&str>,
    row: &Sought,
    fetched: &Fetched,
    closed: &Closed,
) -> Result<Look, Halt> {
    match by_id(row, fetched) {
        Ok(found) => Ok(Look::Found(found)),
        Err(unnamed) => search(site, key_detail, row, unnamed, closed).await,
    }
}

/// Looks for a row's record by what the row says of it.
async fn search<S: Site>(
    site: &S,
    key_detail: Option<&str>,
    row: &Sought,
    unnamed: Unnamed,
    closed: &Closed,
) -> Result<Look, Halt> {
    let key = match by_key(site, row, key_detail, closed).await? {
        Ok(found) if !found.is_empty() => return Ok(Look::Among(found, false)),
        Ok(_) => None,
        Err(vain) => Some(vain),
    };
    let late = key.is_some();
    let users = match by_user(site, row, closed).await? {
        Ok(found) if !found.is_empty() => return Ok(Look::Among(found, late)),
        Ok(_) => return Ok(Look::Found(Found::Nowhere { late })),
        Err(users) => users,
    };
    // its key alone tells that it is not there
    let Some(key) = key else {
        return Ok(Look::Found(Found::Nowhere { late: false }));
    };
    let why = format!("{}; {}; {}", unnamed.why(), key.why, users.why);
    // a remembered record may only not be seen yet
    let passing = key.passing || users.passing || unnamed != Unnamed::Never;
    Ok(Look::Found(if passing {
        Found::Unsure(why)
    } else {
        Found::NoWay(why)
    }))
}

/// Customers that have the row's key in its detail field, and may have the row's e-mail.
async fn by_key<S: Site>(
    site: &S,
    row: &Sought,
    key_detail: Option<&str>,
    closed: &Closed,
) -> Result<Result<Vec<Candidate>, Vain>, Halt> {
    let Some(field) = key_detail else {
        return Ok(Err(Vain::never("the mapping has no key_detail")));
    };
    let Some(value) = row.sent.value_of(field) else {
        let why = format!("the row has no value for its key_detail \"{field}\"");
        return Ok(Err(Vain::never(why)));
    };
    if let Some(why) = closed.key.get() {
        return Ok(Err(Vain::never(why.as_str())));
    }
    let mut candidates = Vec::new();
    for page in 0..SEARCH_PAGES {
        let found = match site.with_value(field, value, page).await {
            Ok(found) => found,
            Err(error) => {
                let what = format!("searching for its \"{field}\"");
                return failed(&what, error, &closed.key).map(Err);
            }
        };
        let is_last = found.len() < SEARCH_PAGE;
        let found = found.into_iter().map(|found| Candidate {
            id: found.id,
            email: found.email,
        });
        candidates.extend(found.filter(|found| may_be(row, found)));
        if is_last || candidates.iter().any(|found| found.email.is_some()) {
            return Ok(Ok(candidates));
        }
    }
    let most = SEARCH_PAGE * SEARCH_PAGES;
    let why = format!("at least {most} customers have its \"{field}\"");
    Ok(Err(Vain::never(why)))
}

/// Users that have, or may have, the row's e-mail.
async fn by_user<S: Site>(
    site: &S,
    row: &Sought,
    closed: &Closed,
) -> Result<Result<Vec<Candidate>, Vain>, Halt> {
    let Some(email) = row.sent.email.as_deref() else {
        return Ok(Err(Vain::never("the row sends no e-mail")));
    };
    if !site.contract().user_search {
        return Ok(Err(Vain::never("[contract] user_search is off")));
    }
    if let Some(why) = closed.users.get() {
        return Ok(Err(Vain::never(why.as_str())));
    }
    let users = match site.users(email).await {
        Ok(users) => users,
        Err(error) => return failed("the user search", error, &closed.users).map(Err),
    };
    let users = users.into_iter().map(|user| Candidate {
        id: user.id,
        email: user.email,
    });
    Ok(Ok(users.filter(|user| may_be(row, user)).collect()))
}

/// A way that failed; one that this account may not go is closed for the other rows too.
fn failed(what: &str, error: ApiError, closed: &OnceLock<String>) -> Result<Vain, Halt> {
    let error = Halt::unless_expired(error)?;
    let why = format!("{what} failed: {error}");
    let passing = error.class != ErrorClass::AuthWrong;
    if !passing {
        // another row may have found the same
        let _ = closed.set(why.clone());
    }
    Ok(Vain { why, passing })
}

fn may_be(row: &Sought, candidate: &Candidate) -> bool {
    has_email(row, candidate.email.as_deref()).unwrap_or(true)
}

/// The record among candidates that is the row's.
fn choose(row: &mut Sought, candidates: &[Candidate], late: bool, fetched: &Fetched) -> Found {
    let mut hidden = false;
    let mut failed = None;
    let mut own: Vec<&Held> = Vec::new();
    for candidate in candidates {
        if let Some(error) = fetched.failed.get(&candidate.id) {
            failed = Some(error);
        }
        let Some(held) = fetched.held.get(&candidate.id) else {
            continue;
        };
        let email = held.email.as_deref().or(candidate.email.as_deref());
        match has_email(row, email) {
            Some(true) => own.push(held),
            Some(false) => {}
            None => hidden = true,
        }
    }
    // a row that names an e-mail means the Customer Account that has it
    let is_account = |held: &&Held| held.id.starts_with(CUSTOMER_ACCOUNT_ID);
    let accounts: Vec<_> = own.iter().copied().filter(is_account).collect();
    match (accounts.as_slice(), own.as_slice()) {
        ([held], _) => {
            row.known = Known::Remembered(held.id.clone());
            Found::Here(Box::new((*held).clone()))
        }
        ([], [held]) => Found::Here(Box::new((*held).clone())),
        ([], []) if failed.is_some() => {
            let error = failed.map(String::as_str).unwrap_or_default();
            Found::Unsure(format!("reading the record failed: {error}"))
        }
        ([], []) if hidden => Found::Unsure(
            "records were found that may be the row's, and the site does not tell their e-mails"
                .to_owned(),
        ),
        ([], []) => Found::Nowhere { late },
        _ => Found::Unsure("several records of the site have the row's e-mail".to_owned()),
    }
}
