use super::*;
use crate::api::auth::login::App;
use crate::api::scripted::{AtOnce, Scripted, Step, answer};
use crate::model::clock::Clock;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicI64;
use std::time::Instant;
use tempfile::TempDir;

const MINUTE: i64 = 60_000;

/// A clock that stands still until it is set.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn unix_millis(&self) -> UnixMillis {
        self.0.load(Ordering::Relaxed)
    }
}

/// A login server that follows a script, and a file of tokens.
struct World {
    server: Scripted,
    clock: Arc<Hands>,
    folder: TempDir,
}

fn whose() -> Whose {
    Whose {
        client_id: "app".to_owned(),
        site: None,
        cloud_id: Some("c-1".to_owned()),
    }
}

/// Tokens that live an hour.
fn gives(access: &str, refresh: Option<&str>) -> Step {
    let mut body = json!({ "access_token": access, "expires_in": 3600 });
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    Step::Answer(answer(200, &[], body.to_string().as_bytes()))
}

fn refuses() -> Step {
    let body =
        r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#;
    Step::Answer(answer(403, &[], body.as_bytes()))
}

fn fails() -> Step {
    Step::Answer(answer(503, &[], b""))
}

impl World {
    fn new(steps: Vec<Step>) -> Self {
        Self {
            server: Scripted::start(steps),
            clock: Arc::new(Hands(AtomicI64::new(0))),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn at(&self, minutes: i64) {
        self.clock.0.store(minutes * MINUTE, Ordering::Relaxed);
    }

    fn login(&self) -> Login {
        let app = App {
            client_id: "app".to_owned(),
            client_secret: "s".into(),
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Login::new(
            &self.server.origin,
            app,
            "x",
            Duration::from_secs(10),
            clock,
        )
        .unwrap()
    }

    fn store(&self) -> Store {
        Store::new(self.folder.path().join("tokens.json"))
    }

    fn put(&self, tokens: &Tokens) {
        self.store().lock().unwrap().put(&whose(), tokens).unwrap();
    }

    fn kept(&self) -> Tokens {
        self.store().get(&whose()).unwrap().unwrap()
    }

    fn service(&self) -> Renewer {
        Renewer::new(self.login(), Source::ClientCredentials)
    }

    fn consent(&self, given: Option<&str>) -> Renewer {
        let consented = Consented {
            store: self.store(),
            whose: whose(),
            given: given.map(SecretString::from),
        };
        Renewer::new(self.login(), Source::Consent(consented))
    }

    /// The refresh tokens that were sent.
    fn sent(self) -> Vec<String> {
        let bodies = self.server.seen().into_iter().map(|seen| seen.body);
        let tokens = bodies.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
        tokens
            .map(|body| body["refresh_token"].as_str().unwrap_or("none").to_owned())
            .collect()
    }
}

async fn token(renewer: &Renewer, stale: Option<&str>) -> Result<String, ApiError> {
    let stale = stale.map(SecretString::from);
    let access = renewer.access(stale.as_ref(), &AtOnce).await?;
    Ok(access.token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_token_is_used_until_ten_minutes_before_its_end() {
    let world = World::new(vec![
        gives("a1", None),
        gives("a2", None),
        gives("a3", None),
    ]);
    let renewer = world.service();
    assert_eq!(token(&renewer, None).await.unwrap(), "a1");
    world.at(49);
    assert_eq!(token(&renewer, None).await.unwrap(), "a1");
    world.at(50);
    assert_eq!(token(&renewer, None).await.unwrap(), "a2");
    // the site knows better than the clock; who comes late with the old one gets what there is
    assert_eq!(token(&renewer, Some("a2")).await.unwrap(), "a3");
    assert_eq!(token(&renewer, Some("a2")).await.unwrap(), "a3");
    assert_eq!(world.sent().len(), 3);
}

#[tokio::test]
async fn callers_that_come_together_share_one_renewal_and_its_failure() {
    let world = World::new(vec![fails(), gives("a1", None)]);
    let renewer = Arc::new(world.service());
    for expected in [None, Some("a1")] {
        let (one, two, three) = tokio::join!(
            token(&renewer, None),
            token(&renewer, None),
            token(&renewer, None)
        );
        for token in [one, two, three] {
            match expected {
                None => assert_eq!(token.unwrap_err().class, ErrorClass::NotSent),
                Some(expected) => assert_eq!(token.unwrap(), expected),
            }
        }
    }
    assert_eq!(world.sent().len(), 2);
}

#[tokio::test]
async fn while_the_login_server_is_down_a_token_is_used_to_its_end() {
    let world = World::new(vec![gives("a1", None), fails(), fails(), fails()]);
    let renewer = world.service();
    token(&renewer, None).await.unwrap();
    world.at(50);
    // asks once, then not for half a minute
    assert_eq!(token(&renewer, None).await.unwrap(), "a1");
    assert_eq!(token(&renewer, None).await.unwrap(), "a1");
    world.at(51);
    assert_eq!(token(&renewer, None).await.unwrap(), "a1");
    world.at(60);
    let error = token(&renewer, None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NotSent);
    assert_eq!(world.sent().len(), 4);
}

#[tokio::test]
async fn a_rotated_refresh_token_is_in_the_file_before_the_access_token_is_used() {
    let world = World::new(vec![gives("a2", Some("r2")), gives("a3", None)]);
    world.put(&Tokens {
        consented_at: -5,
        ..Tokens::of_test()
    });
    let renewer = world.consent(None);
    // the file's own access token is good
    assert_eq!(token(&renewer, None).await.unwrap(), "access-1");
    assert_eq!(token(&renewer, Some("access-1")).await.unwrap(), "a2");
    let kept = world.kept();
    assert_eq!(kept.refresh.expose_secret(), "r2");
    assert_eq!(kept.access.token.expose_secret(), "a2");
    assert_eq!((kept.consented_at, kept.consent_is_older), (-5, false));
    assert_eq!(kept.scopes, ["read:product:jira-service-management"]);
    // an app without rotation keeps its refresh token
    assert_eq!(token(&renewer, Some("a2")).await.unwrap(), "a3");
    assert_eq!(world.kept().refresh.expose_secret(), "r2");
    assert_eq!(world.sent(), ["refresh-1", "r2"]);
}

#[tokio::test]
async fn what_another_process_has_renewed_is_taken() {
    let world = World::new(vec![]);
    world.put(&Tokens::of_test());
    let renewer = world.consent(None);
    token(&renewer, None).await.unwrap();
    world.put(&Tokens {
        access: Access {
            token: "theirs".into(),
            expires_at: 100 * MINUTE,
            life: Duration::from_hours(1),
        },
        ..Tokens::of_test()
    });
    world.at(55);
    assert_eq!(token(&renewer, None).await.unwrap(), "theirs");
    assert_eq!(world.sent(), [""; 0]);
}

#[tokio::test]
async fn a_token_of_the_settings_starts_a_chain_and_is_not_used_again() {
    let world = World::new(vec![
        gives("a1", Some("r1")),
        gives("a2", Some("r2")),
        gives("b1", Some("s1")),
    ]);
    assert_eq!(
        token(&world.consent(Some("given")), None).await.unwrap(),
        "a1"
    );
    assert!(world.kept().consent_is_older);
    // the next process, with the same settings
    world.at(55);
    assert_eq!(
        token(&world.consent(Some("given")), None).await.unwrap(),
        "a2"
    );
    // a new consent, put into the settings by hand
    assert_eq!(
        token(&world.consent(Some("new")), None).await.unwrap(),
        "b1"
    );
    // the first, still in the settings of another job: it would end everything
    assert_eq!(
        token(&world.consent(Some("given")), None).await.unwrap(),
        "b1"
    );
    assert_eq!(world.sent(), ["given", "r1", "new"]);
}

#[tokio::test]
async fn a_token_of_the_settings_that_has_ended_gives_way_to_the_file() {
    let world = World::new(vec![refuses(), gives("a2", Some("r2"))]);
    world.put(&Tokens::of_test());
    assert_eq!(
        token(&world.consent(Some("old")), None).await.unwrap(),
        "a2"
    );
    assert_eq!(world.sent(), ["old", "refresh-1"]);
}

#[tokio::test]
async fn a_consent_that_has_ended_is_final() {
    let world = World::new(vec![refuses()]);
    world.put(&Tokens::of_test());
    world.at(120);
    let renewer = world.consent(None);
    for _ in 0..3 {
        let error = token(&renewer, None).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::AuthWrong);
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"POST /oauth/token was answered 403: invalid_grant: Unknown or invalid refresh token; the refresh token has ended, was revoked, or was used elsewhere; run: csm-loader auth login");
        }
    }
    assert_eq!(world.sent(), ["refresh-1"]);
}

#[tokio::test]
async fn without_any_consent_the_message_says_how_to_give_one() {
    let world = World::new(vec![]);
    let error = token(&world.consent(None), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::AuthWrong);
    let message = error
        .message
        .replace(&world.folder.path().display().to_string(), "…");
    insta::assert_snapshot!(message, @"there are no tokens for this app and site in …/tokens.json; run: csm-loader auth login");
}

#[tokio::test]
async fn tokens_that_cannot_be_kept_are_not_used() {
    let world = World::new(vec![gives("a2", Some("r2"))]);
    world.put(&Tokens::of_test());
    // a folder in the way of the new file, which even root cannot replace
    std::fs::create_dir(world.folder.path().join("tokens.new")).unwrap();
    let error = token(&world.consent(None), Some("access-1"))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::AuthWrong);
    assert!(
        error
            .message
            .contains("the tokens were renewed and could not be kept"),
        "{error}"
    );
    assert!(!error.to_string().contains("a2"), "{error}");
    assert_eq!(world.kept().refresh.expose_secret(), "refresh-1");
}

#[tokio::test]
async fn a_file_that_others_can_read_is_not_used() {
    let world = World::new(vec![]);
    world.put(&Tokens::of_test());
    let everyone = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(world.store().path(), everyone).unwrap();
    let error = token(&world.consent(None), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::AuthWrong);
    assert!(error.message.contains("chmod 600"), "{error}");
}
