//! `csm-loader auth status`: as whom requests go out, to which site, and what is missing.

use super::{block_on, say};
use crate::api::auth::Auth;
use crate::api::auth::age::{consent_end, date};
use crate::api::auth::renewer::Renewer;
use crate::api::client::Client;
use crate::api::contract::Endpoint;
use crate::api::contract::oauth::{self, FAMILIES};
use crate::cli::access::{Access, client, enter, unusable};
use crate::cli::args::AuthArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::{AccessSettings, SiteSettings};
use crate::model::clock::{Clock, SystemClock, UnixMillis};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// Reads that harm nothing, by which it is seen whether the site lets us in.
const PROBES: [Endpoint; 2] = [Endpoint::ListProducts, Endpoint::ListCustomerDetailFields];

/// Says how things stand; ends well if the site lets us in at one place at least.
///
/// # Errors
/// When credentials are missing or refused before the site is reached.
pub(in crate::cli) fn run(args: &AuthArgs) -> Result<Exit, Failure> {
    let settings = AccessSettings::resolve(args, |name| std::env::var(name).ok())?;
    if let SiteSettings::Sandbox { .. } = settings.site {
        say("the embedded sandbox lets everyone in: no credentials are needed");
        return Ok(Exit::Done);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    block_on(async {
        let access = enter(&settings.site, &settings.auth, Arc::clone(&clock)).await?;
        let Access {
            site,
            auth,
            name,
            warnings,
        } = access;
        let cloud_id = site.cloud_id().to_owned();
        let client = client(site, auth.clone())?;
        say(&format!("site: {name} (cloud id {cloud_id})"));
        match &auth {
            Auth::Basic { email, .. } => say(&format!("as: {email}, with an API token")),
            Auth::Bearer { .. } => say("as: an access token"),
            Auth::Renewed(renewer) => {
                say(&of_app(&client, renewer, &cloud_id, clock.unix_millis()).await?);
            }
        }
        if !matches!(auth, Auth::Renewed(_)) {
            say("scopes: a token of this kind cannot be asked for them");
        }
        for warning in warnings {
            say(&format!("warning: {warning}"));
        }
        let mut let_in = false;
        for endpoint in PROBES {
            match client.probe(endpoint).await {
                Ok(()) => {
                    let_in = true;
                    say(&format!("probe: {} works", endpoint.name()));
                }
                Err(error) => say(&format!("probe: {error}")),
            }
        }
        Ok(if let_in { Exit::Done } else { Exit::Input })
    })
}

/// What is said where no scope is missing.
pub(in crate::cli::commands) const ALL_SCOPES: &str = "all that a load needs";

/// What is known of an app's tokens.
///
/// # Errors
/// When they cannot be read, or a person's consent is of no use (any more).
pub(in crate::cli::commands) async fn of_app(
    client: &Client,
    renewer: &Renewer,
    cloud_id: &str,
    now: UnixMillis,
) -> Result<String, Failure> {
    let sites = client.accessible_resources().await;
    // after the tokens were used, and may have been renewed
    let kept = renewer.kept().map_err(|error| unusable(&error))?;
    let mut text = format!("as: the app {}", renewer.client_id());
    match &kept {
        Some(kept) => {
            let known = if kept.consent_is_older {
                "on or before"
            } else {
                "on"
            };
            let left = kept.access.expires_at.saturating_sub(now).max(0) / 60_000;
            // writing to a String cannot fail
            let _ = write!(
                text,
                ", by a person's consent\nconsent: given {known} {}; ends on {} at the latest\naccess token: good for \
                 {left} more minutes, then renewed",
                date(kept.consented_at),
                date(consent_end(kept))
            );
        }
        None => text.push_str(", a service account's credential"),
    }
    let sites = match sites {
        Ok(sites) => sites,
        // a consent that is of no use shows here; of a service account it is not known whether it may ask
        Err(error) if kept.is_some() => return Err(unusable(&error)),
        Err(error) => {
            let _ = write!(text, "\nscopes: not known: {error}");
            return Ok(text);
        }
    };
    let granted = sites.iter().find(|site| site.cloud_id == cloud_id);
    match granted {
        Some(site) => {
            let _ = write!(text, "\nscopes: {}", missing(&site.scopes));
        }
        None => text.push_str("\nscopes: none: the token may not use this site"),
    }
    Ok(text)
}

/// Which scopes are missing, by what needs them.
fn missing(granted: &[String]) -> String {
    let known = oauth::scopes(false);
    let mut text = String::new();
    for (family, endpoints) in FAMILIES {
        let needed = endpoints.iter().flat_map(|endpoint| endpoint.scopes());
        let lacking: BTreeSet<_> = needed
            .map(|(scope, _)| scope)
            .filter(|scope| !granted.contains(scope))
            .map(|scope| {
                if known.contains(&scope) {
                    scope
                } else {
                    format!("{scope} (its name is a guess)")
                }
            })
            .collect();
        if !lacking.is_empty() {
            let lacking: Vec<_> = lacking.into_iter().collect();
            // writing to a String cannot fail
            let _ = write!(text, "\n  for {family}: {}", lacking.join(", "));
        }
    }
    if text.is_empty() {
        ALL_SCOPES.to_owned()
    } else {
        format!("missing{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_scopes_are_named_by_what_needs_them() {
        let all: Vec<_> = [oauth::scopes(false), oauth::scopes(true)]
            .into_iter()
            .flatten()
            .collect();
        insta::assert_snapshot!(missing(&all), @"all that a load needs");
        let without = |words: &[&str]| {
            let kept = all
                .iter()
                .filter(|scope| !words.iter().any(|word| scope.contains(word)));
            missing(&kept.cloned().collect::<Vec<_>>())
        };
        insta::assert_snapshot!(without(&["write:product", "read:customer.profile"]), @"
        missing
          for customer profiles: read:customer.profile:jira-service-management (its name is a guess)
          for products: write:product:jira-service-management
        ");
    }
}
