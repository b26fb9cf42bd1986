//! Finds out what a site does where the API's documentation is silent, with records made for it.
//!
//! Duty: make marked records, ask every open question of [`contract`](crate::api::contract), say what came back, delete
//! what was made. Guarantee: only records and detail fields that it made itself are changed or deleted, and bulk
//! requests change such records alone, so that a task which ends late makes nothing new; the one exception, an
//! organization that should be refused, is looked for afterwards. Must not know: files, mappings, the engine.
//!
//! | file | asks |
//! | --- | --- |
//! | `organizations`, `customers`, `products` | the names of requests and answers, and whether they have an effect |
//! | `details` | what the verbs of detail values do |
//! | `tasks` | how failures name records, what one bad item does, what a reused key is told |
//! | `elsewhere` | the calls outside the CSM API |

mod customers;
mod details;
mod elsewhere;
mod finding;
mod made;
mod names;
mod organizations;
mod products;
mod session;
mod shown;
mod tasks;

pub use finding::{Finding, QUESTIONS, Told};
pub use made::Left;

use crate::api::client::Client;
use crate::api::contract::Contract;
use crate::model::clock::Clock;
use session::{Session, Stopped};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// What a probe needs to be told.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The domain of the test customer's address; mail to it should reach nobody.
    pub domain: String,
    /// What marks the records: random, so that they cannot be anybody's.
    pub marker: Uuid,
    /// How long to wait for a task, or for a record to be found.
    pub patience: Duration,
}

impl Setup {
    /// What every name that the probe gives begins with.
    #[must_use]
    pub fn tag(&self) -> String {
        let marker = self.marker.simple().to_string();
        format!("csm-loader-probe-{}", &marker[..12])
    }

    /// The address of the test customer.
    #[must_use]
    pub fn email(&self) -> String {
        format!("{}@{}", self.tag(), self.domain)
    }
}

/// What a probe found.
#[derive(Debug)]
pub struct Outcome {
    /// The answers, in the order of the questions.
    pub findings: Vec<Finding>,
    /// What the API is to be taken for: as before, but for what was seen otherwise.
    pub contract: Contract,
    /// What was made and could not be deleted.
    pub left: Vec<Left>,
    /// Whether it was asked to stop before its end.
    pub stopped: bool,
}

impl Outcome {
    /// The questions that the site did not answer, or was not asked.
    pub fn not_found_out(&self) -> impl Iterator<Item = &'static str> {
        QUESTIONS.into_iter().filter(|about| {
            let mut findings = self.findings.iter();
            !findings
                .any(|finding| finding.about == *about && matches!(finding.told, Told::Seen { .. }))
        })
    }
}

/// Asks everything, then deletes what was made, also when `stop` turns true. `tell` hears each answer when it is known.
pub async fn run(
    client: &Client,
    clock: &dyn Clock,
    setup: &Setup,
    stop: watch::Receiver<bool>,
    tell: &dyn Fn(&Finding),
) -> Outcome {
    let mut session = Session::new(client, clock, setup, stop, tell);
    let stopped = ask(&mut session).await.is_err();
    let left = session.delete_all().await;
    Outcome {
        findings: session.findings,
        contract: session.contract,
        left,
        stopped,
    }
}

/// In an order in which later questions can build on the answers to earlier ones.
async fn ask(session: &mut Session<'_>) -> Result<(), Stopped> {
    session.make_fields().await?;
    let organizations = session.organizations().await?;
    let customer = session.customer().await?;
    if let Some(customer) = &customer {
        session.customer_writes(customer).await?;
        session.memberships(customer, &organizations).await?;
        session.detail_verbs(customer).await?;
        session.search(customer).await?;
    }
    if let Some(organization) = organizations.first() {
        session.failures(organization).await?;
        session.reused_key(organization).await?;
    }
    let organization = organizations.first();
    session.products(customer.as_ref(), organization).await?;
    if let Some(customer) = &customer {
        session.user_search(customer).await?;
    }
    session.organization_list().await
}
