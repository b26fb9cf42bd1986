//! Organizations: by the id that the row sends or that is remembered, by their names.

use super::fetch::{self, Fetched, Halt};
use super::held::Held;
use super::site::Site;
use super::sought::{Found, Known, Sought};
use crate::api::fold;
use crate::api::lookup::Named;
use crate::model::entity::Entity;

/// One look for each row.
///
/// # Errors
/// When the site does not let us in.
pub(super) async fn find<S: Site>(site: &S, rows: &mut [&mut Sought]) -> Result<Vec<Found>, Halt> {
    let ids = rows.iter().filter_map(|row| row.known.id().cloned());
    let mut fetched = fetch::profiles(site, Entity::Organization, ids).await?;
    let mut names = Vec::new();
    for row in rows.iter_mut() {
        if is_another(row, &fetched) {
            row.known = Known::Unnamed;
        }
        if row.known.id().is_none() {
            names.extend(row.sent.name.clone());
        }
    }
    let found = fetch::organizations(site, names).await?;
    let mut looks = Vec::with_capacity(rows.len());
    let mut ids = Vec::new();
    for row in rows.iter() {
        let look = match row.known.id() {
            Some(id) => Look::ById(id.clone()),
            None => by_name(row, &found),
        };
        if let (Look::ById(id), None) = (&look, row.known.id()) {
            ids.push(id.clone());
        }
        looks.push(look);
    }
    let more = fetch::profiles(site, Entity::Organization, ids).await?;
    fetched.held.extend(more.held);
    fetched.failed.extend(more.failed);
    let pairs = rows.iter_mut().zip(looks);
    Ok(pairs
        .map(|(row, look)| match look {
            Look::ById(id) => by_id(row, id, &mut fetched),
            Look::Found(found) => found,
        })
        .collect())
}

/// Where a row's record is.
enum Look {
    /// Among the profiles, under this id.
    ById(String),
    /// Decided.
    Found(Found),
}

/// Whether the record whose id is remembered is not there, or has another name now.
fn is_another(row: &Sought, fetched: &Fetched) -> bool {
    let Known::Remembered(id) = &row.known else {
        return false;
    };
    let name = |held: &Held| held.name.clone().or_else(|| row.sent.name.clone());
    match fetched.held.get(id).map(name) {
        Some(name) => !is_same(name.as_deref(), row),
        None => !fetched.failed.contains_key(id),
    }
}

fn is_same(name: Option<&str>, row: &Sought) -> bool {
    let folded = |name: &str| fold::name(name).into_owned();
    name.map(folded) == row.sent.name.as_deref().map(folded)
}

fn by_name(row: &Sought, named: &fetch::ByName) -> Look {
    let Some(name) = &row.sent.name else {
        let why = "the row sends neither id nor name".to_owned();
        return Look::Found(Found::NoWay(why));
    };
    let same: Vec<&Named> = named
        .found
        .iter()
        .filter(|other| is_same(Some(&other.name), row))
        .collect();
    match (same.as_slice(), named.failed.get(name)) {
        // a row of a name alone needs no more than that
        ([one], _) if row.sent.details.is_empty() && row.sent.products.is_empty() => {
            Look::Found(Found::Here(Box::new(Held::from((*one).clone()))))
        }
        ([one], _) => Look::ById(one.id.clone()),
        ([], Some(error)) => {
            let why = format!("looking its name up failed: {error}");
            Look::Found(Found::Unsure(why))
        }
        ([], None) => Look::Found(Found::Nowhere { late: false }),
        (several, _) => {
            let why = format!("{} organizations of the site have its name", several.len());
            Look::Found(Found::Unsure(why))
        }
    }
}

fn by_id(row: &mut Sought, id: String, fetched: &mut Fetched) -> Found {
    if let Some(error) = fetched.failed.get(&id) {
        return Found::Unsure(format!("reading the record failed: {error}"));
    }
    match fetched.held.get(&id) {
        Some(held) => {
            let held = Box::new(held.clone());
            if row.known.id().is_none() {
                row.known = Known::Remembered(id);
            }
            Found::Here(held)
        }
        None => Found::Nowhere { late: false },
    }
}
