//! `csm-loader auth login`: a person lets the app in, and the tokens are kept.

use super::{block_on, callback, say};
use crate::api::auth::Auth;
use crate::api::auth::age::{consent_end, date};
use crate::api::auth::consent::{Question, origin};
use crate::api::auth::login::{Grant, Granted, Login};
use crate::api::auth::store::{Store, Tokens, Whose};
use crate::api::contract::oauth::{self, OFFLINE_ACCESS};
use crate::api::resources::{Resource, choose};
use crate::api::site::Site;
use crate::cli::access::{client, embedded, login, unusable};
use crate::cli::args::LoginArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::job::AuthMethod;
use crate::cli::secrets::{self, Credentials};
use crate::cli::settings::{AccessSettings, SiteSettings};
use crate::model::clock::{Clock, SystemClock};
use secrecy::SecretString;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use uuid::Uuid;

/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Logs in.
///
/// # Errors
/// When the settings cannot be used, the person does not consent, or the consent is not for the site.
pub(in crate::cli) fn run(args: &LoginArgs) -> Result<Exit, Failure> {
    let var = |name: &str| std::env::var(name).ok();
    let mut settings = AccessSettings::resolve(&args.access, var)?;
    let method = settings.auth.table.method.get_or_insert(AuthMethod::OAuth);
    let other = || {
        let message = "only method = \"oauth\" knows a login, and [auth] names another; change it, or say --method oauth";
        Failure::new(Exit::Input, message)
    };
    if *method != AuthMethod::OAuth {
        return Err(other());
    }
    let Credentials::OAuth { app, refresh_token } =
        secrets::find(&settings.auth.table, &settings.auth.base, var)?
    else {
        return Err(other());
    };
    if matches!(settings.site, SiteSettings::Sandbox { .. }) {
        return Err(embedded());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let login = login(&settings.auth, app, Arc::clone(&clock))?;
    let kept = block_on(async {
        let granted = consent(args, &login).await?;
        let site = find_site(&settings.site, &granted).await?;
        keep(
            &settings,
            &login,
            granted,
            &site,
            refresh_token.as_ref(),
            clock.unix_millis(),
        )
    })?;
    say(&kept);
    Ok(Exit::Done)
}

/// Asks a person, and exchanges what the browser brings.
async fn consent(args: &LoginArgs, login: &Login) -> Result<Granted, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await;
    let listener = listener.map_err(|error| {
        let port = args.port;
        let message = format!(
            "failed to wait for the browser on port {port}: {error}; choose another with --port, and add \
             http://localhost:PORT/callback to the app's callback addresses"
        );
        Failure::new(Exit::Input, message)
    })?;
    let port = listener
        .local_addr()
        .map_err(|error| unusable(&error))?
        .port();
    let random = || Uuid::new_v4().simple().to_string();
    let verifier = args.pkce.then(|| random() + &random());
    let question = Arc::new(Question::new(random() + &random(), verifier, port));
    let known = oauth::scopes(false);
    let scopes: Vec<&str> = if args.scope.is_empty() {
        known.iter().map(String::as_str).collect()
    } else {
        args.scope.iter().map(String::as_str).collect()
    };
    say(&format!(
        "open this address in a browser, as the person whose permissions the load is to have:\n\n{}\n\nwaiting for the \
         browser to come back to {} (the app must name this callback address) …",
        question.address(login.server(), login.client_id(), scopes),
        question.redirect_uri()
    ));
    let code = callback::wait(listener, &question, PATIENCE).await?;
    let grant = Grant::Code {
        code: &code,
        redirect_uri: question.redirect_uri(),
        verifier: question.verifier(),
    };
    let granted = login.ask(grant).await;
    granted.map_err(|not| unusable(&not.error))
}

/// The site that the consent is for.
async fn find_site(wanted: &SiteSettings, granted: &Granted) -> Result<Resource, Failure> {
    let (SiteSettings::Host { origin, .. } | SiteSettings::Cloud { origin, .. }) = wanted else {
        return Err(embedded());
    };
    let gateway = Site::server(origin).map_err(|error| unusable(&error))?;
    let token = granted.access.token.clone();
    let sites = client(gateway, Auth::Bearer { token })?
        .accessible_resources()
        .await;
    let sites = sites.map_err(|error| unusable(&error))?;
    let found = match wanted {
        SiteSettings::Cloud { cloud_id, .. } => {
            let found = sites.iter().find(|site| site.cloud_id == *cloud_id);
            // the message names the sites that there are
            found.map_or_else(|| choose(&sites, cloud_id), Ok)
        }
        SiteSettings::Host { host, .. } => choose(&sites, host),
        SiteSettings::Sandbox { .. } => return Err(embedded()),
    };
    let found = found.map_err(|message| Failure::new(Exit::Input, message))?;
    Ok(found.clone())
}

/// Keeps the tokens; gives what to tell the person.
fn keep(
    settings: &AccessSettings,
    login: &Login,
    granted: Granted,
    site: &Resource,
    given: Option<&SecretString>,
    now: i64,
) -> Result<String, Failure> {
    let refresh = granted.refresh.ok_or_else(|| {
        let message = format!(
            "the login server gave no refresh token, without which a load ends within an hour; the app needs the scope \
             {OFFLINE_ACCESS}"
        );
        Failure::new(Exit::Input, message)
    })?;
    let whose = Whose {
        client_id: login.client_id().to_owned(),
        site: origin(&site.url),
        cloud_id: Some(site.cloud_id.clone()),
    };
    let store = Store::new(settings.auth.tokens.clone());
    let locked = store.lock().map_err(|error| unusable(&error))?;
    let before = locked.get(&whose).map_err(|error| unusable(&error))?;
    let mut tokens = Tokens {
        access: granted.access,
        refresh,
        refreshed_at: now,
        consented_at: now,
        consent_is_older: false,
        scopes: granted.scopes,
        replaced: before.map(|before| before.replaced).unwrap_or_default(),
    };
    if let Some(given) = given {
        tokens.replace(given);
    }
    locked
        .put(&whose, &tokens)
        .map_err(|error| unusable(&error))?;
    Ok(format!(
        "logged in to {} (cloud id {}); the tokens are in {}\nthe consent ends on {}, or after 90 days without a load",
        site.url,
        site.cloud_id,
        store.path().display(),
        date(consent_end(&tokens))
    ))
}
