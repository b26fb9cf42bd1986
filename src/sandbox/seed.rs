//! Fills a site from a file, `site.toml`: detail fields, organizations, products and customers.
//!
//! ```toml
//! cloud_id = "6d1f7f4e-4f0c-4f57-9a3c-1c1f3b1f6a10"      # optional
//! [[customer_detail]]                                     # or [[organization_detail]], [[entitlement_detail]]
//! name = "Region"
//! type = "SELECT"
//! options = ["EMEA", "APAC"]                              # of SELECT and MULTISELECT
//! [[organization]]
//! name = "Acme Ltd"
//! details = { "Industry" = ["Retail"] }                  # as of [[customer]]
//! [[product]]
//! name = "Router X1"
//! [[customer]]
//! email = "ana@example.com"
//! display_name = "Ana Ito"
//! kind = "atlassian"                                      # an Atlassian account; left out, a Customer Account
//! ```
//!
//! What the site has already stays as it is, by folded name, so that a site can be seeded again and again.

use super::error::SandboxError;
use super::site::{CustomerKind, DetailChange, Entity, Failure, Field, FieldKind, Item, Site};
use crate::api::contract::MAX_DETAIL_FIELDS;
use crate::model::clock::UnixMillis;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use uuid::Uuid;

/// What seeding did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeedReport {
    /// Detail fields of customers, organizations and entitlements.
    pub detail_fields: Seeded,
    /// Organizations.
    pub organizations: Seeded,
    /// Products.
    pub products: Seeded,
    /// Customers.
    pub customers: Seeded,
}

/// What seeding did for one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seeded {
    /// How many were created.
    pub created: usize,
    /// How many were there before.
    pub kept: usize,
}

impl fmt::Display for SeedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("detail fields", self.detail_fields),
            ("organizations", self.organizations),
            ("products", self.products),
            ("customers", self.customers),
        ];
        for (index, (kind, seeded)) in kinds.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(
                f,
                "{comma}{kind}: {} made, {} kept",
                seeded.created, seeded.kept
            )?;
        }
        Ok(())
    }
}

/// A seed file, read.
pub(super) struct Seed {
    path: PathBuf,
    text: String,
    file: SeedFile,
    /// The cloud id it asks for.
    pub(super) cloud_id: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedFile {
    cloud_id: Option<Spanned<String>>,
    #[serde(default)]
    customer_detail: Vec<SeedField>,
    #[serde(default)]
    organization_detail: Vec<SeedField>,
    #[serde(default)]
    entitlement_detail: Vec<SeedField>,
    #[serde(default)]
    organization: Vec<SeedOrganization>,
    #[serde(default)]
    product: Vec<SeedProduct>,
    #[serde(default)]
    customer: Vec<SeedCustomer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedField {
    name: Spanned<String>,
    r#type: FieldKind,
    #[serde(default)]
    options: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedOrganization {
    name: Spanned<String>,
    #[serde(default)]
    details: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedProduct {
    name: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedCustomer {
    email: Spanned<String>,
    display_name: Option<String>,
    #[serde(default)]
    kind: CustomerKind,
    #[serde(default)]
    details: BTreeMap<String, Vec<String>>,
}

impl Seed {
    /// Reads a seed file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or holds keys or values that are not those above.
    pub(super) fn read(path: &Path) -> Result<Self, SandboxError> {
        let text = fs::read_to_string(path).map_err(|source| SandboxError::File {
            doing: "read the seed",
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<Self, SandboxError> {
        let parsed: Result<SeedFile, _> = toml::from_str(&text);
        let file = match parsed {
            Ok(file) => file,
            Err(error) => {
                let span = error.span().unwrap_or_default();
                let message = error.message().to_owned();
                return Err(wrong(path, &text, &span, message));
            }
        };
        let cloud_id = file.cloud_id.as_ref().map(|id| {
            let not_uuid = |_| "cloud_id must be a UUID".to_owned();
            let parsed = Uuid::try_parse(id.as_ref()).map_err(not_uuid);
            parsed.map_err(|message| wrong(path, &text, &id.span(), message))
        });
        Ok(Self {
            path: path.to_owned(),
            cloud_id: cloud_id.transpose()?,
            text,
            file,
        })
    }

    /// Fills a site with what it does not have yet.
    ///
    /// # Errors
    /// When the site refuses something. The site is half filled then and must not be kept.
    pub(super) fn fill(
        &self,
        site: &mut Site,
        now: UnixMillis,
    ) -> Result<SeedReport, SandboxError> {
        let mut report = SeedReport::default();
        let fields = &mut report.detail_fields;
        for field in &self.file.customer_detail {
            self.field(site, Entity::Customer, field, fields)?;
        }
        for field in &self.file.organization_detail {
            self.field(site, Entity::Organization, field, fields)?;
        }
        for field in &self.file.entitlement_detail {
            self.field(site, Entity::Entitlement, field, fields)?;
        }
        for SeedOrganization { name, details } in &self.file.organization {
            let mut item = Item::create(name.as_ref().clone());
            item.details = changes(details);
            let seeded = &mut report.organizations;
            self.record(site, now, Entity::Organization, &item, &name.span(), seeded)?;
        }
        for SeedProduct { name } in &self.file.product {
            let item = Item::create(name.as_ref().clone());
            let seeded = &mut report.products;
            self.record(site, now, Entity::Product, &item, &name.span(), seeded)?;
        }
        for SeedCustomer {
            email,
            display_name,
            kind,
            details,
        } in &self.file.customer
        {
            let mut item = Item::create(email.as_ref().clone());
            item.kind = Some(*kind);
            item.display_name.clone_from(display_name);
            item.details = changes(details);
            let seeded = &mut report.customers;
            self.record(site, now, Entity::Customer, &item, &email.span(), seeded)?;
        }
        Ok(report)
    }

    fn field(
        &self,
        site: &mut Site,
        entity: Entity,
        field: &SeedField,
        seeded: &mut Seeded,
    ) -> Result<(), SandboxError> {
        let SeedField {
            name,
            r#type: kind,
            options,
        } = field;
        let refuse = |why: &str| {
            let message = format!("detail field \"{}\": {why}", name.as_ref());
            Err(wrong(&self.path, &self.text, &name.span(), message))
        };
        if name.as_ref().trim().is_empty() {
            return refuse("a name must not be blank");
        }
        if kind.has_options() == options.is_empty() {
            return refuse("SELECT and MULTISELECT need options, other types have none");
        }
        if site.has_field(entity, name.as_ref()) {
            seeded.kept += 1;
            return Ok(());
        }
        let field = Field {
            name: name.as_ref().trim().to_owned(),
            kind: *kind,
            options: options.clone(),
        };
        if !site.add_field(entity, field) {
            return refuse(&format!(
                "a site has at most {MAX_DETAIL_FIELDS} {entity} detail fields"
            ));
        }
        seeded.created += 1;
        Ok(())
    }

    fn record(
        &self,
        site: &mut Site,
        now: UnixMillis,
        entity: Entity,
        item: &Item,
        span: &Range<usize>,
        seeded: &mut Seeded,
    ) -> Result<(), SandboxError> {
        if site.has_record(entity, item) {
            seeded.kept += 1;
            return Ok(());
        }
        let written = site.write(now, entity, item);
        written.map_err(|failures| {
            let message = format!("the site refuses this {entity}: {}", reasons(&failures));
            wrong(&self.path, &self.text, span, message)
        })?;
        seeded.created += 1;
        Ok(())
    }
}

/// Detail values as a request would set them.
fn changes(details: &BTreeMap<String, Vec<String>>) -> Vec<DetailChange> {
    let details = details.iter();
    details
        .map(|(name, values)| DetailChange::update(name.clone(), values.clone()))
        .collect()
}

/// All reasons in one line, with the detail fields they concern.
fn reasons(failures: &[Failure]) -> String {
    let reason = |failure: &Failure| match failure.parts.first() {
        Some(part) => format!("{} \"{part}\"", failure.error),
        None => failure.error.clone().into_owned(),
    };
    let reasons: Vec<_> = failures.iter().map(reason).collect();
    reasons.join("; ")
}

fn wrong(path: &Path, text: &str, span: &Range<usize>, message: String) -> SandboxError {
    let before = text.get(..span.start).unwrap_or(text);
    SandboxError::Seed {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn fill(site: &mut Site, text: &str) -> Result<SeedReport, SandboxError> {
        Seed::parse(Path::new("site.toml"), text.to_owned())?.fill(site, 0)
    }

    fn error(text: &str) -> String {
        let mut site = Site::new(Uuid::nil());
        fill(&mut site, text).unwrap_err().to_string()
    }

    const SEED: &str = r#"
[[customer_detail]]
name = "Region"
type = "SELECT"
options = ["EMEA"]
[[organization_detail]]
name = "Industry"
type = "TEXT"
[[organization]]
name = "Acme Ltd"
details = { "industry" = ["Retail"] }
[[organization]]
name = " ACME ltd "
[[product]]
name = "Router X1"
[[customer]]
email = "ana@example.com"
display_name = "Ana"
"#;

    #[test]
    fn a_seed_creates_once_and_keeps_what_is_there() {
        let mut site = Site::new(Uuid::nil());
        let first = fill(&mut site, SEED).unwrap();
        let seeded = |created, kept| Seeded { created, kept };
        assert_eq!(
            first,
            SeedReport {
                detail_fields: seeded(2, 0),
                organizations: seeded(1, 1),
                products: seeded(1, 0),
                customers: seeded(1, 0),
            }
        );
        assert!(!site.take_changes().is_empty());
        let again = fill(&mut site, SEED).unwrap();
        assert_eq!(again.organizations, seeded(0, 2));
        assert!(site.take_changes().is_empty());
    }

    #[test]
    fn a_customer_of_the_second_kind_and_the_fields_of_entitlements_are_seeded() {
        let mut site = Site::new(Uuid::nil());
        let text = r#"
[[customer_detail]]
name = "Tier"
type = "TEXT"
[[entitlement_detail]]
name = "Since"
type = "DATE"
[[customer]]
email = "eve@example.com"
[[customer]]
email = "eve@example.com"
display_name = "Eve"
kind = "atlassian"
details = { Tier = ["Gold"] }
"#;
        let seeded = |created, kept| Seeded { created, kept };
        let report = fill(&mut site, text).unwrap();
        assert_eq!(report.customers, seeded(2, 0));
        assert_eq!(fill(&mut site, text).unwrap().customers, seeded(0, 2));
        let listed = site.list(Entity::Customer, None, 10);
        let kinds: Vec<_> = (0..2)
            .map(|n| {
                let customer = &listed["results"][n];
                let id = customer["customerId"].as_str().unwrap();
                (id.starts_with("qm:"), customer["details"].to_string())
            })
            .collect();
        let gold = r#"[{"name":"Tier","values":["Gold"]}]"#.to_owned();
        assert_eq!(kinds, [(true, "[]".to_owned()), (false, gold)]);
        assert_eq!(site.counts()["entitlementDetailFields"], 1);
    }

    #[test]
    fn each_mistake_in_a_seed_is_named_with_its_line() {
        assert_snapshot!(error("\ncloud = \"x\""), @"site.toml:2: unknown field `cloud`, expected one of `cloud_id`, `customer_detail`, `organization_detail`, `entitlement_detail`, `organization`, `product`, `customer`");
        assert_snapshot!(error("cloud_id = \"mine\""), @"site.toml:1: cloud_id must be a UUID");
        assert_snapshot!(error("[[product]]\nname = \"a\"\nprice = 3"), @"site.toml:3: unknown field `price`, expected `name`");
        assert_snapshot!(error("[[product]]\n"), @"site.toml:1: missing field `name`");
        assert_snapshot!(error("[[product]]\nname = 3"), @"site.toml:2: invalid type: integer `3`, expected a string");
        assert_snapshot!(error("[[product]]\nname = \"a"), @"site.toml:2: invalid basic string, expected `\"`");
        assert_snapshot!(error("[[product]]\nname = \" \""), @"site.toml:2: the site refuses this product: Invalid name");
        assert_snapshot!(error("[[customer]]\nemail = \"a@b\"\nkind = \"bot\""), @"site.toml:3: unknown variant `bot`, expected `account` or `atlassian`");
        assert_snapshot!(error("[[customer]]\nemail = \"ana\""), @"site.toml:2: the site refuses this customer: Invalid email");
        assert_snapshot!(error("[[customer_detail]]\nname = \"a\"\ntype = \"USER\""), @"site.toml:3: unknown variant `USER`, expected one of `TEXT`, `EMAIL`, `URL`, `DATE`, `NUMBER`, `BOOLEAN`, `PHONE`, `SELECT`, `MULTISELECT`");
        assert_snapshot!(error("[[customer_detail]]\nname = \"a\"\ntype = \"SELECT\""), @r#"site.toml:2: detail field "a": SELECT and MULTISELECT need options, other types have none"#);
        assert_snapshot!(error("[[customer_detail]]\nname = \"a\"\ntype = \"TEXT\"\noptions = [\"x\"]"), @r#"site.toml:2: detail field "a": SELECT and MULTISELECT need options, other types have none"#);
        assert_snapshot!(error("[[customer_detail]]\nname = \"\"\ntype = \"TEXT\""), @r#"site.toml:2: detail field "": a name must not be blank"#);
        assert_snapshot!(error("[[organization]]\nname = \"a\"\ndetails = { b = [\"c\"] }"), @r#"site.toml:2: the site refuses this organization: Invalid detail field "b""#);
        let field = |n| format!("[[customer_detail]]\nname = \"f{n}\"\ntype = \"TEXT\"\n");
        let many = (0..=MAX_DETAIL_FIELDS)
            .map(field)
            .collect::<Vec<_>>()
            .concat();
        assert_snapshot!(error(&many), @r#"site.toml:152: detail field "f50": a site has at most 50 customer detail fields"#);
    }
}
