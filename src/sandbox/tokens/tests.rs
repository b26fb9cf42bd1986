use super::*;

const MINUTE: i64 = 60_000;
const PRODUCT: &str = "read:product:jira-service-management";

fn policy() -> TokenPolicy {
    TokenPolicy {
        clients: vec![Client {
            id: "app".to_owned(),
            secret: "s".to_owned(),
        }],
        basic: vec![Account {
            email: "ana@example.com".to_owned(),
            token: "t0ken".to_owned(),
            scopes: Some(vec![PRODUCT.to_owned()]),
        }],
        ..TokenPolicy::default()
    }
}

struct Server {
    tokens: Tokens,
    made: u32,
}

impl Server {
    fn new(policy: TokenPolicy) -> Self {
        Self {
            tokens: Tokens::new(policy),
            made: 0,
        }
    }

    fn ask(
        &mut self,
        now: i64,
        kind: &str,
        more: &Value,
    ) -> Result<(String, String), &'static str> {
        let mut body = json!({ "client_id": "app", "client_secret": "s", "grant_type": kind });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        let made = &mut self.made;
        let fresh = || {
            *made += 1;
            format!("t{made}")
        };
        let given = self
            .tokens
            .exchange(now, &body, fresh)
            .map_err(|not| not.error)?;
        let text = |key: &str| given[key].as_str().unwrap_or_default().to_owned();
        Ok((text("access_token"), text("refresh_token")))
    }

    fn refresh(&mut self, now: i64, token: &str) -> Result<(String, String), &'static str> {
        self.ask(now, "refresh_token", &json!({ "refresh_token": token }))
    }

    fn consent(&mut self, now: i64, more: &[(&str, &str)]) -> String {
        let scope = format!("{PRODUCT} offline_access");
        let query = [
            ("client_id", "app"),
            ("redirect_uri", "http://localhost/x"),
            ("state", "st&te"),
            ("response_type", "code"),
            ("scope", &scope),
        ];
        let query = query.iter().chain(more);
        let query = query.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.tokens
            .authorize(now, &query.collect(), "c0de")
            .unwrap()
    }

    fn redeem(&mut self, now: i64, more: &Value) -> Result<(String, String), &'static str> {
        let mut body = json!({ "code": "c0de", "redirect_uri": "http://localhost/x" });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.ask(now, "authorization_code", &body)
    }

    fn check(&self, now: i64, authorization: &str) -> Result<(), NotLetIn> {
        self.tokens
            .check(now, authorization, Some(Endpoint::ListProducts))
    }
}

#[test]
fn a_code_is_good_once_for_the_address_it_was_made_for() {
    let mut server = Server::new(policy());
    assert_eq!(
        server.consent(0, &[]),
        "http://localhost/x?state=st%26te&code=c0de"
    );
    assert_eq!(
        server.redeem(0, &json!({ "redirect_uri": "http://else" })),
        Err("invalid_grant")
    );
    assert_eq!(server.redeem(0, &json!({})), Err("invalid_grant"));
    server.consent(0, &[]);
    assert_eq!(
        server.redeem(CODE_LIFE + 1, &json!({})),
        Err("invalid_grant")
    );
    server.consent(0, &[]);
    let (access, refresh) = server.redeem(0, &json!({})).unwrap();
    assert_eq!(server.check(0, &format!("Bearer {access}")), Ok(()));
    assert!(!refresh.is_empty());
    server.consent(0, &[("scope", PRODUCT)]);
    assert_eq!(server.redeem(0, &json!({})).unwrap().1, "");
}

#[test]
fn a_code_with_a_challenge_needs_its_verifier() {
    let mut server = Server::new(policy());
    let challenge = [(
        "code_challenge",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    )];
    server.consent(0, &challenge);
    assert_eq!(
        server.redeem(0, &json!({ "code_verifier": "x" })),
        Err("invalid_grant")
    );
    server.consent(0, &challenge);
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert!(
        server
            .redeem(0, &json!({ "code_verifier": verifier }))
            .is_ok()
    );
}

#[test]
fn a_used_refresh_token_works_for_ten_minutes_and_then_ends_everything() {
    let mut server = Server::new(policy());
    server.consent(0, &[]);
    let (a0, r0) = server.redeem(0, &json!({})).unwrap();
    let (a1, r1) = server.refresh(MINUTE, &r0).unwrap();
    assert_ne!((&a0, &r0), (&a1, &r1));
    assert!(server.refresh(10 * MINUTE, &r0).is_ok());
    // its companion lives as long
    assert_eq!(server.check(10 * MINUTE, &format!("Bearer {a0}")), Ok(()));
    assert_eq!(
        server.check(12 * MINUTE, &format!("Bearer {a0}")),
        Err(NotLetIn::Unauthorized)
    );
    assert_eq!(server.refresh(12 * MINUTE, &r0), Err("invalid_grant"));
    assert_eq!(server.refresh(12 * MINUTE, &r1), Err("invalid_grant"));
    assert_eq!(
        server.check(12 * MINUTE, &format!("Bearer {a1}")),
        Err(NotLetIn::Unauthorized)
    );
    assert_eq!(
        server.tokens.counts(),
        json!({ "granted": 3, "refused": 2 })
    );
}

#[test]
fn without_rotation_a_refresh_token_stays() {
    let mut server = Server::new(TokenPolicy {
        rotate: false,
        ..policy()
    });
    server.consent(0, &[]);
    let (_, refresh) = server.redeem(0, &json!({})).unwrap();
    for minutes in [1, 30, 90] {
        assert_eq!(
            server.refresh(minutes * MINUTE, &refresh).unwrap().1,
            refresh
        );
    }
}

#[test]
fn apps_show_their_secret_and_service_accounts_need_nothing_else() {
    let mut server = Server::new(policy());
    let wrong = json!({ "client_secret": "other" });
    assert_eq!(
        server.ask(0, "client_credentials", &wrong),
        Err("access_denied")
    );
    assert_eq!(
        server.ask(0, "password", &json!({})),
        Err("unsupported_grant_type")
    );
    let (access, refresh) = server.ask(0, "client_credentials", &json!({})).unwrap();
    assert_eq!(refresh, "");
    let bearer = format!("Bearer {access}");
    assert_eq!(server.check(60 * MINUTE - 1, &bearer), Ok(()));
    assert_eq!(
        server.check(60 * MINUTE, &bearer),
        Err(NotLetIn::Unauthorized)
    );
    let (access, _) = server.ask(0, "client_credentials", &json!({})).unwrap();
    server.tokens.expire(5);
    assert_eq!(
        server.check(5, &format!("Bearer {access}")),
        Err(NotLetIn::Unauthorized)
    );
}

#[test]
fn who_is_not_let_in_learns_why_as_far_as_the_platform_says() {
    let server = Server::new(policy());
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for (authorization, expected) in [
        (basic("ana@example.com:t0ken"), Ok(())),
        ("bearer t0ken".to_owned(), Ok(())),
        (basic("bo@example.com:t0ken"), Err(NotLetIn::Mismatch)),
        (basic("ana@example.com:other"), Err(NotLetIn::Rejected)),
        ("Basic §".to_owned(), Err(NotLetIn::Rejected)),
        ("Bearer other".to_owned(), Err(NotLetIn::Unauthorized)),
        (String::new(), Err(NotLetIn::Unauthorized)),
    ] {
        assert_eq!(server.check(0, &authorization), expected, "{authorization}");
    }
    let scope = server
        .tokens
        .check(0, "Bearer t0ken", Some(Endpoint::CreateProduct));
    assert_eq!(scope, Err(NotLetIn::Scope));
    assert_eq!(server.tokens.check(0, "Bearer t0ken", None), Ok(()));
}

#[test]
fn requests_find_their_endpoint() {
    for (method, path, expected) in [
        ("GET", "/api/v1/product", Some(Endpoint::ListProducts)),
        ("GET", "/api/v1/product/1", Some(Endpoint::GetProduct)),
        (
            "GET",
            "/api/v1/customer/details",
            Some(Endpoint::ListCustomerDetailFields),
        ),
        ("GET", "/api/v1/customer/qm:1", Some(Endpoint::GetCustomer)),
        (
            "PUT",
            "/api/v1/customer/qm:1/details",
            Some(Endpoint::SetCustomerDetail),
        ),
        ("GET", "/api/v1/customer/", None),
        ("PUT", "/api/v1/product", None),
    ] {
        assert_eq!(endpoint(method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_policy_is_a_short_file() {
    let policy: TokenPolicy = toml::from_str(
        "access_seconds = 2\nscopes = [\"read:task:jira-service-management\"]\n[[client]]\nid = \"app\"\nsecret = \"s\"\n",
    )
    .unwrap();
    assert_eq!(policy.access_seconds, 2);
    assert!(policy.rotate && policy.reuse_seconds == 600);
    assert!(toml::from_str::<TokenPolicy>("rotated = true").is_err());
}
