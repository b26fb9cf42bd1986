//! Names → ids: organizations and products that rows refer to, looked up on the site before rows go out.

use super::asking::Asking;
use super::lately::Lately;
use super::once::{self, Sent};
use super::patience::Patience;
use super::settled::Settled;
use super::survey::{SurveyError, each_once};
use crate::api::contract::MAX_FETCH_ORGANIZATIONS;
use crate::api::fold;
use crate::api::lookup::Named;
use crate::mapping::{Draft, Known, OnMissing, Plan, RefKind, References};
use crate::model::reply::{ApiError, ErrorClass};
use crate::model::row::RowId;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// What a stage knows of the names that its rows refer to. Grows with the distinct names, not with the rows.
#[derive(Debug)]
pub struct Resolver {
    on_missing: [Option<OnMissing>; 2],
    known: References,
    /// Names, folded, that were asked for and that the site does not have.
    missing: HashSet<(RefKind, String)>,
    /// Names, folded, that the site refused to create.
    refused: HashSet<(RefKind, String)>,
    products_listed: bool,
    /// How many names were created, or refused.
    decided: u64,
    /// What was loaded lately, and when this stage began: after that.
    lately: Option<(Lately, Instant)>,
}

impl Resolver {
    /// A resolver for the references of a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            on_missing: RefKind::ALL.map(|kind| plan.on_missing(kind)),
            known: References {
                organizations: Known::Resolved(HashMap::new()),
                products: Known::Resolved(HashMap::new()),
            },
            missing: HashSet::new(),
            refused: HashSet::new(),
            products_listed: false,
            decided: 0,
            lately: None,
        }
    }

    /// Waits, from `began` on, for names that were loaded or made lately and that the site does not show.
    pub(super) fn after(mut self, lately: Lately, began: Instant) -> Self {
        self.lately = Some((lately, began));
        self
    }

    /// Names of this kind that the site does not have count as known: they are made before rows go out.
    pub fn expect(&mut self, kind: RefKind) {
        if let Some(on_missing) = &mut self.on_missing[kind as usize] {
            *on_missing = OnMissing::Create;
        }
    }

    /// What is known so far.
    #[must_use]
    pub fn references(&self) -> &References {
        &self.known
    }

    /// A copy of it for other threads. With `created`, names that are to be created count once they have an id.
    #[must_use]
    pub fn settled(&self, created: bool) -> Settled {
        // one that was loaded lately may come to be shown
        let complete = [false, self.products_listed && self.lately.is_none()];
        let missing = RefKind::ALL.map(|kind| {
            let of_kind = self.missing.iter().filter(|(of, _)| *of == kind);
            of_kind.map(|(_, name)| name.clone()).collect()
        });
        Settled::new(
            self.known.clone(),
            missing,
            complete,
            self.on_missing,
            created,
        )
    }

    /// Rises whenever more is known.
    #[must_use]
    pub fn learned(&self) -> u64 {
        let ids = |known: &Known| match known {
            Known::Unchecked => 0,
            Known::Resolved(ids) => ids.len(),
        };
        let names = ids(&self.known.organizations) + ids(&self.known.products) + self.missing.len();
        names as u64 + u64::from(self.products_listed) + 2 * self.decided
    }

    /// Whether the plan refers to anything.
    #[must_use]
    pub fn wanted(&self, kind: RefKind) -> bool {
        self.on_missing[kind as usize].is_some()
    }

    /// As [`Resolver::ensure`], for all names of a draft; `sent` tells for which rows names may be created, if any may.
    ///
    /// # Errors
    /// When the site does not answer, or the ledger cannot be read.
    pub async fn ensure_all(
        &mut self,
        asking: Asking<'_>,
        stage: u32,
        draft: &Draft,
        sent: Option<&dyn Fn(RowId) -> bool>,
    ) -> Result<(), SurveyError> {
        for kind in RefKind::ALL {
            if self.wanted(kind) {
                let names = each_once(draft.names(kind));
                let create = sent.map(|sent| each_once(draft.names_of_sound_rows(kind, sent)));
                self.ensure(asking, stage, kind, names, create).await?;
            }
        }
        Ok(())
    }

    /// Looks up the names that were not asked for yet. Where the mapping wants missing ones created, `create` names
    /// those to create now; without it all count as known, since they will be.
    ///
    /// # Errors
    /// When the site does not answer, or the ledger cannot be read.
    pub async fn ensure(
        &mut self,
        asking: Asking<'_>,
        stage: u32,
        kind: RefKind,
        names: Vec<String>,
        create: Option<Vec<String>>,
    ) -> Result<(), SurveyError> {
        let news = self.news(kind, &names);
        if !news.is_empty() {
            self.look_up(asking, stage, kind, news).await?;
        }
        if self.on_missing[kind as usize] != Some(OnMissing::Create) {
            return Ok(());
        }
        match create {
            None => {
                for name in names {
                    let folded = fold::name(&name).into_owned();
                    if !self.refused.contains(&(kind, folded.clone())) {
                        self.ids(kind).entry(folded).or_default();
                    }
                }
            }
            Some(create) => {
                for name in create {
                    let folded = fold::name(&name).into_owned();
                    if self.ids(kind).get(&folded).is_some_and(|id| !id.is_empty())
                        || self.refused.contains(&(kind, folded.clone()))
                    {
                        continue;
                    }
                    match self.create(asking, stage, kind, &name).await {
                        Ok(id) => {
                            self.decided += 1;
                            if let Some((lately, _)) = &self.lately {
                                lately.made(kind, folded.clone(), id.clone());
                            }
                            self.ids(kind).insert(folded, id);
                        }
                        // a name the site does not take is a fault of its rows, not of the run
                        Err(error) if of_the_names(&error) => {
                            let what = "the site refuses to create a name that rows refer to";
                            asking.audience.notice(stage, format!("{what}: {error}"));
                            self.decided += 1;
                            self.ids(kind).remove(&folded);
                            self.refused.insert((kind, folded));
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok(())
    }

    fn ids(&mut self, kind: RefKind) -> &mut HashMap<String, String> {
        let known = match kind {
            RefKind::Organization => &mut self.known.organizations,
            RefKind::Product => &mut self.known.products,
        };
        match known {
            Known::Resolved(ids) => ids,
            Known::Unchecked => unreachable!("a resolver's names are resolved from the start"),
        }
    }

    /// Names that were never asked for: folded → as written.
    fn news(&mut self, kind: RefKind, names: &[String]) -> HashMap<String, String> {
        let mut news = HashMap::new();
        for name in names {
            let folded = fold::name(name).into_owned();
            if !self.ids(kind).contains_key(&folded)
                && !self.missing.contains(&(kind, folded.clone()))
            {
                news.insert(folded, name.clone());
            }
        }
        news
    }

    /// Looks up names that were never asked for. What was loaded or made lately is taken as remembered, or waited for.
    async fn look_up(
        &mut self,
        asking: Asking<'_>,
        stage: u32,
        kind: RefKind,
        mut news: HashMap<String, String>,
    ) -> Result<(), SurveyError> {
        if kind == RefKind::Organization || !self.products_listed {
            self.ask(asking, stage, kind, &mut news).await?;
        }
        if let Some((lately, began)) = &self.lately
            && !news.is_empty()
        {
            let folded: Vec<_> = news.keys().map(String::as_str).collect();
            let lately = lately.names(kind, &folded)?.into_iter();
            let lately: Vec<_> = lately
                .map(|(name, late)| (name.to_owned(), late.id))
                .collect();
            let passed = asking.clock.instant().saturating_duration_since(*began);
            let mut waiting = HashMap::new();
            for (folded, id) in lately {
                let name = news.remove(&folded).unwrap_or_default();
                if let Some(id) = id {
                    self.ids(kind).insert(folded, id);
                } else {
                    waiting.insert(folded, name);
                }
            }
            let left = asking
                .client
                .contract()
                .read_patience
                .saturating_sub(passed);
            self.wait(asking, stage, kind, Patience::of(left), &mut waiting)
                .await?;
            news.extend(waiting);
        }
        let missing = news.into_keys().map(|folded| (kind, folded));
        self.missing.extend(missing);
        Ok(())
    }

    /// Asks until the site shows all names or patience ends; leaves the names that it does not show.
    async fn wait(
        &mut self,
        asking: Asking<'_>,
        stage: u32,
        kind: RefKind,
        mut patience: Patience,
        names: &mut HashMap<String, String>,
    ) -> Result<(), SurveyError> {
        if names.is_empty() {
            return Ok(());
        }
        let message = format!(
            "waiting for {} names that were loaded and that the site does not show yet",
            names.len()
        );
        asking.audience.notice(stage, message);
        while !names.is_empty() && patience.waits(asking.stop).await {
            self.ask(asking, stage, kind, names).await?;
        }
        match asking.stop.why() {
            // nothing is known of them
            Some(why) if !names.is_empty() => Err(SurveyError::Stopped(why.to_owned())),
            _ => Ok(()),
        }
    }

    /// Asks the site once; leaves the names that it does not show.
    async fn ask(
        &mut self,
        asking: Asking<'_>,
        stage: u32,
        kind: RefKind,
        names: &mut HashMap<String, String>,
    ) -> Result<(), ApiError> {
        match kind {
            RefKind::Organization => {
                let asked: Vec<_> = names.values().cloned().collect();
                self.look_up_organizations(asking, stage, &asked).await?;
            }
            RefKind::Product => {
                for (folded, product) in products(asking, stage).await? {
                    self.ids(RefKind::Product).insert(folded, product.id);
                }
                self.products_listed = true;
            }
        }
        names.retain(|folded, _| !self.ids(kind).contains_key(folded));
        Ok(())
    }

    async fn look_up_organizations(
        &mut self,
        asking: Asking<'_>,
        stage: u32,
        names: &[String],
    ) -> Result<(), ApiError> {
        for asked in names.chunks(MAX_FETCH_ORGANIZATIONS) {
            let found = match organizations(asking, stage, asked).await {
                Err(error) if of_the_names(&error) => {
                    // one odd name must not hide the others
                    let mut found = Vec::new();
                    for name in asked {
                        match organizations(asking, stage, std::slice::from_ref(name)).await {
                            Err(error) if of_the_names(&error) => {}
                            one => found.extend(one?),
                        }
                    }
                    found
                }
                found => found?,
            };
            for organization in found {
                let folded = fold::name(&organization.name).into_owned();
                self.ids(RefKind::Organization)
                    .insert(folded, organization.id);
            }
        }
        Ok(())
    }

    /// Creates by a single call, unless the site has it by now: the first reading may be hours ago.
    async fn create(
        &mut self,
        asking: Asking<'_>,
        stage: u32,
        kind: RefKind,
        name: &str,
    ) -> Result<String, ApiError> {
        let folded = fold::name(name).into_owned();
        let look = async || match kind {
            RefKind::Organization => {
                let found = organizations(asking, stage, &[name.to_owned()]).await?;
                let mut found = found.into_iter();
                Ok(found.find(|other| fold::name(&other.name) == folded))
            }
            RefKind::Product => Ok(products(asking, stage).await?.remove(&folded)),
        };
        if let Some(found) = look().await? {
            return Ok(found.id);
        }
        let post = async || match kind {
            RefKind::Organization => asking.client.create_organization(name).await,
            RefKind::Product => asking.client.create_product(name).await,
        };
        let created = once::create(asking, stage, &mut Sent::default(), look, post).await?;
        Ok(created.id)
    }
}

/// Whether the site refused a request because of what stands in it.
fn of_the_names(error: &ApiError) -> bool {
    error.class == ErrorClass::Refused && matches!(error.status, Some(400 | 409 | 413 | 422))
}

async fn organizations(
    asking: Asking<'_>,
    stage: u32,
    names: &[String],
) -> Result<Vec<Named>, ApiError> {
    asking
        .repeat(stage, async || {
            asking.client.organizations_by_name(names).await
        })
        .await
}

/// All products of the site by folded name. Of several with one name the first listed counts.
///
/// # Errors
/// When the site does not answer.
pub async fn products(asking: Asking<'_>, stage: u32) -> Result<HashMap<String, Named>, ApiError> {
    let mut products = HashMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = asking
            .repeat(stage, async || {
                asking.client.products(cursor.as_deref()).await
            })
            .await?;
        for product in page.products {
            products
                .entry(fold::name(&product.name).into_owned())
                .or_insert(product);
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(products),
        }
    }
}
