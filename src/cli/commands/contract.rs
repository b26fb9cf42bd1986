//! `csm-loader contract`: what the API is taken for, and how well each part of it is known.

use crate::api::contract::{
    self, Base, Contract, Endpoint, IdForm, MAX_BODY_BYTES, MAX_DETAIL_FIELDS, MAX_OPTIONS, Name,
};
use crate::cli::args::ContractArgs;
use crate::cli::contract::span;
use crate::cli::exit::{Exit, Failure};
use crate::cli::job::Job;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Prints the tables.
///
/// # Errors
/// When the job file cannot be read.
pub(in crate::cli) fn run(args: &ContractArgs) -> Result<Exit, Failure> {
    let contract = match &args.job {
        Some(path) => Job::read(path)?.contract.0,
        None => Contract::default(),
    };
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(tables(&contract).as_bytes());
    Ok(Exit::Done)
}

fn tables(contract: &Contract) -> String {
    let mut text = String::from(
        "What the API is taken for. Nothing was checked against a live site.\n\
         documented: read on a page of the vendor's; seen: in public code that ran against a site; guess: ours.\n\n\
         NAMES that are not documented; [contract] in a job file says them otherwise\n\n",
    );
    names(&mut text, contract);
    text.push_str("\nLIMITS AND SWITCHES of [contract]\n\n");
    settings(&mut text, contract);
    text.push_str("\nFIXED LIMITS\n\n");
    limits(&mut text);
    for (base, title) in [
        (Base::Csm, "ENDPOINTS of the CSM API, below"),
        (Base::Jira, "FALL-BACK ENDPOINTS, below"),
        (Base::Gateway, "ENDPOINTS of the gateway, below"),
        (
            Base::Login,
            "ENDPOINTS of the server that gives tokens, below",
        ),
        (Base::Host, "ENDPOINTS of the site's own host, as"),
    ] {
        let _ = writeln!(text, "\n{title} {}", address(base));
        for endpoint in Endpoint::ALL
            .iter()
            .filter(|endpoint| endpoint.base() == base)
        {
            describe(&mut text, *endpoint);
        }
    }
    text
}

fn address(base: Base) -> String {
    match base {
        Base::Csm => format!("{}{}", contract::ORIGIN, contract::CLOUD_PREFIX),
        Base::Jira => format!("{}{}", contract::ORIGIN, contract::JIRA_PREFIX),
        Base::Gateway => contract::ORIGIN.to_owned(),
        Base::Login => contract::LOGIN_ORIGIN.to_owned(),
        Base::Host => "https://acme.atlassian.net".to_owned(),
    }
}

fn names(text: &mut String, contract: &Contract) {
    let mut rows = vec![["key", "value", "default", "grade", "stands in"].map(str::to_owned)];
    rows.extend(Name::ALL.iter().map(|name| {
        [
            name.key(),
            contract.name(*name),
            name.default(),
            name.grade().name(),
            name.place(),
        ]
        .map(str::to_owned)
    }));
    columns(text, &rows);
}

fn settings(text: &mut String, contract: &Contract) {
    let usual = Contract::default();
    let row = |key: &str, show: &dyn Fn(&Contract) -> String, means: &str| {
        [
            key.to_owned(),
            show(contract),
            show(&usual),
            means.to_owned(),
        ]
    };
    let rows = [
        ["key", "value", "default", "means"].map(str::to_owned),
        row(
            "task_limit",
            &|c| c.task_limit.to_string(),
            "unfinished tasks a site allows; one page says 5, another 10",
        ),
        row(
            "organization_ids",
            &|c| ids(c.organization_ids).to_owned(),
            "how profiles write the ids of organizations",
        ),
        row(
            "key_lifetime",
            &|c| span(c.key_lifetime),
            "how long a site remembers an idempotency key; a guess",
        ),
        row(
            "read_patience",
            &|c| span(c.read_patience),
            "how long reads may lag behind writes; a guess",
        ),
        row(
            "user_search",
            &|c| c.user_search.to_string(),
            "whether customers may be looked up by e-mail through the Jira API",
        ),
        row(
            "organization_list",
            &|c| c.organization_list.to_string(),
            "whether organizations may be listed through the service desk API",
        ),
        row(
            "membership",
            &|c| c.membership.to_string(),
            "whether memberships may be made through the service desk API",
        ),
    ];
    columns(text, &rows);
}

fn ids(form: IdForm) -> &'static str {
    match form {
        IdForm::String => "string",
        IdForm::Number => "number",
    }
}

fn limits(text: &mut String) {
    let rows = [
        ["limit", "value", "grade"].map(str::to_owned),
        [
            "detail fields of one kind of record".to_owned(),
            MAX_DETAIL_FIELDS.to_string(),
            "documented".to_owned(),
        ],
        [
            "options of a detail field".to_owned(),
            MAX_OPTIONS.to_string(),
            "documented".to_owned(),
        ],
        [
            "bytes of a request's body".to_owned(),
            MAX_BODY_BYTES.to_string(),
            "guess".to_owned(),
        ],
    ];
    columns(text, &rows);
}

fn describe(text: &mut String, endpoint: Endpoint) {
    // writing to a string cannot fail
    let _ = writeln!(text, "\n{} ({})", endpoint.name(), endpoint.grade().name());
    let _ = writeln!(text, "  does        {}", endpoint.about().trim());
    let scopes: Vec<_> = endpoint
        .scopes()
        .map(|(scope, grade)| format!("{scope} ({})", grade.name()))
        .collect();
    let scopes = match &*scopes {
        [] => "not known".to_owned(),
        scopes => scopes.join(", "),
    };
    let _ = writeln!(text, "  scope       {scopes}");
    let _ = writeln!(text, "  permission  {}", endpoint.permission());
    if let Some(cap) = endpoint.cap() {
        let _ = writeln!(text, "  at most     {} {}", cap.most, cap.of);
    }
}

/// Columns as wide as their widest cell; the last one is not padded.
fn columns<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..N).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::contract::OTHERS;

    #[test]
    fn names_stand_with_their_values_and_grades() {
        let contract = Contract::default().with(Name::ProductIds, "products");
        let text = tables(&contract);
        let head: Vec<_> = text.lines().take(15).collect();
        insta::assert_snapshot!(head.join("\n"), @r"
        What the API is taken for. Nothing was checked against a live site.
        documented: read on a page of the vendor's; seen: in public code that ran against a site; guess: ours.

        NAMES that are not documented; [contract] in a job file says them otherwise

        key                             value                   default                 grade  stands in
        customer_accounts               customerAccounts        customerAccounts        seen   POST customer/bulk: the list
        customer_profiles               customerProfiles        customerProfiles        seen   POST customer/profile/bulk: the list
        organizations                   organizations           organizations           guess  POST organization/bulk: the list
        organization_details            organizations           organizations           guess  POST organization/details/bulk: the list
        organization_details_id         organizationId          organizationId          guess  POST organization/details/bulk: the id of an item
        associate_organizations         associateOrganizations  associateOrganizations  seen   customer profiles: the object that names organizations
        associate_products              associateProducts       associateProducts       guess  customer and organization profiles: the object that names products
        product_ids                     products                productIds              guess  customer and organization profiles: the list of product ids
        fetch_organization_ids          organizationIds         organizationIds         guess  POST organization/fetch: ids asked for
        ");
    }

    #[test]
    fn an_endpoint_stands_with_its_scope_permission_and_cap() {
        let text = tables(&Contract::default());
        let from = text.find("LIMITS AND").expect("a title");
        let lines: Vec<_> = text[from..].lines().take(28).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        LIMITS AND SWITCHES of [contract]

        key                value   default  means
        task_limit         5       5        unfinished tasks a site allows; one page says 5, another 10
        organization_ids   string  string   how profiles write the ids of organizations
        key_lifetime       24h     24h      how long a site remembers an idempotency key; a guess
        read_patience      90s     90s      how long reads may lag behind writes; a guess
        user_search        false   false    whether customers may be looked up by e-mail through the Jira API
        organization_list  false   false    whether organizations may be listed through the service desk API
        membership         false   false    whether memberships may be made through the service desk API

        FIXED LIMITS

        limit                                value    grade
        detail fields of one kind of record  50       documented
        options of a detail field            2000     documented
        bytes of a request's body            4194304  guess

        ENDPOINTS of the CSM API, below https://api.atlassian.com/jsm/csm/cloudid/{cloudId}

        POST /api/v1/customer/bulk (seen)
          does        Create or update up to 50 customer accounts.
          scope       write:customer:jira-service-management (documented)
          permission  Administer Jira
          at most     50 accounts

        POST /api/v1/customer/profile/bulk (seen)
          does        Create, update or upsert up to 100 customer profiles.
        ");
    }

    #[test]
    fn every_name_and_every_endpoint_appears() {
        let text = tables(&Contract::default());
        let lines: Vec<_> = text.lines().collect();
        let starts = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
        for name in Name::ALL {
            assert_eq!(starts(&format!("{} ", name.key())), 1, "{}", name.key());
        }
        for key in OTHERS {
            assert_eq!(starts(&format!("{key} ")), 1, "{key}");
        }
        for endpoint in Endpoint::ALL {
            assert_eq!(
                starts(&format!("{} (", endpoint.name())),
                1,
                "{}",
                endpoint.name()
            );
        }
        assert!(lines.iter().all(|line| line.trim_end() == *line));
    }
}
