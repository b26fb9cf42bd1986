//! Reading several records by one request, such that one that the site stumbles over does not hide the others.

use super::held::Held;
use super::site::Site;
use crate::api::contract::{
    MAX_FETCH_CUSTOMERS, MAX_FETCH_ORGANIZATION_PROFILES, MAX_FETCH_ORGANIZATIONS,
};
use crate::api::fold;
use crate::api::lookup::Named;
use crate::model::entity::Entity;
use crate::model::reply::{ApiError, ErrorClass};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The site does not let us in, so that no read can succeed.
#[derive(Debug)]
pub(super) struct Halt(pub(super) ApiError);

impl Halt {
    /// Passes on what only concerns one kind of read: an account may do the others without a permission for this one.
    pub(super) fn unless_expired(error: ApiError) -> Result<ApiError, Self> {
        match error.class {
            ErrorClass::AuthExpired => Err(Self(error)),
            _ => Ok(error),
        }
    }

    /// Passes on what only concerns one read.
    pub(super) fn unless_let_in(error: ApiError) -> Result<ApiError, Self> {
        match error.class {
            ErrorClass::AuthExpired | ErrorClass::AuthWrong => Err(Self(error)),
            _ => Ok(error),
        }
    }
}

/// What came of asking for some records. What is in neither map is not there.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// What was read, by id.
    pub held: HashMap<String, Held>,
    /// What could not be read, and the error.
    pub failed: HashMap<String, String>,
}

/// Customers or organizations by id.
///
/// # Errors
/// When the site does not let us in.
pub(super) async fn profiles<S: Site>(
    site: &S,
    entity: Entity,
    ids: impl IntoIterator<Item = String>,
) -> Result<Fetched, Halt> {
    let most = match entity {
        Entity::Customer => MAX_FETCH_CUSTOMERS,
        _ => MAX_FETCH_ORGANIZATION_PROFILES,
    };
    let ids = distinct(ids);
    let mut fetched = Fetched::default();
    let mut waiting: Vec<&[String]> = ids.chunks(most).rev().collect();
    while let Some(part) = waiting.pop() {
        let error = match site.profiles(entity, part).await {
            Ok(found) => {
                let found = found.into_iter().map(|held| (held.id.clone(), held));
                fetched.held.extend(found);
                continue;
            }
            Err(error) => Halt::unless_let_in(error)?,
        };
        match (error.class == ErrorClass::Refused, part) {
            (true, [id]) => one(site, entity, id, &mut fetched).await?,
            (true, _) => waiting.extend(halves(part)),
            // the site is not well, and was asked often enough: the others would fare no better
            (false, _) => {
                let rest = waiting.drain(..).chain([part]).flatten();
                let error = error.to_string();
                fetched
                    .failed
                    .extend(rest.map(|id| (id.clone(), error.clone())));
            }
        }
    }
    Ok(fetched)
}

/// A record that the site does not give among others, asked for by itself.
async fn one<S: Site>(
    site: &S,
    entity: Entity,
    id: &str,
    fetched: &mut Fetched,
) -> Result<(), Halt> {
    match site.profile(entity, id).await {
        Ok(held) => {
            fetched.held.insert(id.to_owned(), held);
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => {
            let error = Halt::unless_let_in(error)?;
            fetched.failed.insert(id.to_owned(), error.to_string());
        }
    }
    Ok(())
}

/// What came of asking for organizations by name.
#[derive(Debug, Default)]
pub(super) struct ByName {
    /// Those that were found, each once.
    pub found: Vec<Named>,
    /// Names that the site gives no answer for, and its error.
    pub failed: HashMap<String, String>,
}

/// Organizations by name: by `organization/fetch`, and where that gives no answer and the job allows it, from the list
/// of all.
///
/// # Errors
/// When the site does not let us in.
pub(super) async fn organizations<S: Site>(
    site: &S,
    names: impl IntoIterator<Item = String>,
) -> Result<ByName, Halt> {
    let names = distinct(names);
    let mut by_name = ByName::default();
    let mut waiting: Vec<&[String]> = names.chunks(MAX_FETCH_ORGANIZATIONS).rev().collect();
    while let Some(part) = waiting.pop() {
        let error = match site.organizations(part).await {
            Ok(found) => {
                by_name.found.extend(found);
                continue;
            }
            Err(error) => Halt::unless_let_in(error)?,
        };
        if error.class == ErrorClass::Refused && part.len() > 1 && error.status != Some(404) {
            waiting.extend(halves(part));
            continue;
        }
        let failed = part.iter().map(|name| (name.clone(), error.to_string()));
        by_name.failed.extend(failed);
    }
    if !by_name.failed.is_empty() && site.contract().organization_list {
        list(site, &mut by_name).await?;
    }
    by_name.found.sort_by(|left, right| left.id.cmp(&right.id));
    by_name.found.dedup_by(|left, right| left.id == right.id);
    Ok(by_name)
}

/// Lists all organizations, for names that could not be asked for.
async fn list<S: Site>(site: &S, by_name: &mut ByName) -> Result<(), Halt> {
    let names = by_name
        .failed
        .keys()
        .map(|name| fold::name(name).into_owned());
    let wanted: HashSet<_> = names.collect();
    let mut start = 0;
    loop {
        let page = match site.organization_page(start).await {
            Ok(page) => page,
            Err(error) => {
                let error = Halt::unless_let_in(error)?.to_string();
                for failed in by_name.failed.values_mut() {
                    *failed = format!("{failed}; {error}");
                }
                return Ok(());
            }
        };
        start += page.organizations.len();
        let found = page.organizations.into_iter();
        by_name
            .found
            .extend(found.filter(|other| wanted.contains(&*fold::name(&other.name))));
        if page.is_last {
            by_name.failed.clear();
            return Ok(());
        }
    }
}

/// Both halves, the first one last: it is the next to be taken.
fn halves(part: &[String]) -> [&[String]; 2] {
    let (first, second) = part.split_at(part.len() / 2);
    [second, first]
}

fn distinct(all: impl IntoIterator<Item = String>) -> Vec<String> {
    all.into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
