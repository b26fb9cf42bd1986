//! From this machine to the servers: names, connections, TLS, clocks.

use super::line::{Lines, Mark};
use crate::api::contract::LOGIN_ORIGIN;
use crate::api::reach::reach;
use crate::cli::access::{TIMEOUT, USER_AGENT};
use crate::cli::job::AuthMethod;
use crate::cli::settings::{AuthSettings, SiteSettings};
use crate::model::clock::{Clock, UnixMillis};
use url::Url;

/// Milliseconds that two clocks may differ: `Date` has whole seconds, and answers take their time.
const CLOSE: i64 = 60_000;

/// Looks at every server that a load talks to; whether they all answered.
pub(super) async fn look(
    site: &SiteSettings,
    auth: &AuthSettings,
    clock: &dyn Clock,
    lines: &mut Lines,
) -> bool {
    let mut all = true;
    for (number, origin) in servers(site, auth).iter().enumerate() {
        if !resolve(origin, lines).await {
            all = false;
            continue;
        }
        match reach(origin, USER_AGENT, TIMEOUT).await {
            Ok(reached) => {
                let how = if origin.starts_with("https") {
                    "answers over TLS"
                } else {
                    "answers"
                };
                lines.say(Mark::Ok, "connection", &format!("{origin} {how}"));
                // one clock to compare with will do
                if let (0, Some(date)) = (number, reached.date) {
                    let (mark, text) = skew(clock.unix_millis(), date);
                    lines.say(mark, "clock", &text);
                }
            }
            Err(error) => {
                all = false;
                let advice = "check the address, the proxy (HTTPS_PROXY) and the certificates that this machine trusts";
                let text = format!("{origin} does not answer: {}; {advice}", error.message);
                lines.say(Mark::Fail, "connection", &text);
            }
        }
    }
    all
}

/// The gateway, the site's own host where that is asked for its cloud id, the server that gives tokens.
fn servers(site: &SiteSettings, auth: &AuthSettings) -> Vec<String> {
    let mut servers = match site {
        SiteSettings::Sandbox { .. } => Vec::new(),
        SiteSettings::Cloud { origin, .. } => vec![origin.clone()],
        SiteSettings::Host { host, origin } => {
            let host = if host.contains("://") {
                host.clone()
            } else {
                format!("https://{host}")
            };
            vec![origin.clone(), host]
        }
    };
    let method = auth.table.method.unwrap_or_default();
    let asks = matches!(method, AuthMethod::OAuth | AuthMethod::ClientCredentials);
    if asks && (auth.login_origin != LOGIN_ORIGIN || !servers.is_empty()) {
        servers.push(auth.login_origin.clone());
    }
    servers.dedup();
    servers
}

/// Whether the name of a server has an address. Behind a proxy that is the proxy's business.
async fn resolve(origin: &str, lines: &mut Lines) -> bool {
    let url = Url::parse(origin).ok();
    let Some((host, port)) = url
        .as_ref()
        .and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)))
    else {
        let text = format!("{origin} is no address; write it as in https://api.atlassian.com");
        lines.say(Mark::Fail, "name", &text);
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = match tokio::net::lookup_host((bare, port)).await {
        Ok(mut addresses) => addresses.next().is_some(),
        Err(_) => false,
    };
    match (found, proxied()) {
        (true, _) => {
            lines.say(Mark::Ok, "name", &format!("{host} has an address"));
            true
        }
        (false, true) => {
            let text = format!("{host} has no address here; the proxy may know one");
            lines.say(Mark::Warn, "name", &text);
            true
        }
        (false, false) => {
            let text = format!(
                "{host} has no address; check its spelling and this machine's DNS, or set HTTPS_PROXY"
            );
            lines.say(Mark::Fail, "name", &text);
            false
        }
    }
}

fn proxied() -> bool {
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// How this machine's clock stands to another's.
fn skew(here: UnixMillis, there: UnixMillis) -> (Mark, String) {
    let ahead = here.saturating_sub(there);
    if ahead.abs() <= CLOSE {
        return (Mark::Ok, "within a minute of the site's".to_owned());
    }
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let minutes = (ahead.abs() + CLOSE / 2) / CLOSE;
    let plural = if minutes == 1 { "" } else { "s" };
    let text = format!(
        "about {minutes} minute{plural} {way} the site's: set it (NTP); the ages of tokens and of remembered rows count \
         by it"
    );
    (Mark::Warn, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_a_minute() {
        assert_eq!(skew(60_000, 0).0, Mark::Ok);
        assert_eq!(skew(0, 60_000).0, Mark::Ok);
        let (mark, text) = skew(0, 200_000);
        assert_eq!(mark, Mark::Warn);
        insta::assert_snapshot!(text, @"about 3 minutes behind the site's: set it (NTP); the ages of tokens and of remembered rows count by it");
        insta::assert_snapshot!(skew(61_000, 0).1, @"about 1 minute ahead of the site's: set it (NTP); the ages of tokens and of remembered rows count by it");
    }
}
