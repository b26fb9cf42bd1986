//! `docs/answers.md`: every answer the API can give, what the loader does, what the results say. The tables are made
//! here from what `classify` and `retry` decide, so that the file cannot say anything else.

use crate::support::place::Place;
use crate::support::scripted::{Answer as Reply, CREDENTIALS, Scripted};
use csm_loader::api::classify::{Answer, Got, Headers, classify};
use csm_loader::api::contract::Endpoint;
use csm_loader::engine::retry::{ATTEMPTS, Decision, Tries};
use csm_loader::model::code::Code;
use csm_loader::model::reply::{ErrorClass, Throttle};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

const JSON: (&str, &str) = ("content-type", "application/json");
const HTML: (&str, &str) = ("content-type", "text/html");
/// 1970-01-01T00:00:30Z, for waits that are given as instants.
const NOW: i64 = 30_000;

/// Something that came back, or did not.
struct Case {
    shown: &'static str,
    got: What,
}

enum What {
    Unsendable,
    NoConnection,
    TimedOut,
    Dropped,
    Lacking,
    Answer(Answer),
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    Answer {
        status,
        headers: Headers::read(|name| {
            let found = headers.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        }),
        body: body.as_bytes().to_vec(),
        cut: None,
    }
}

fn in_json(shown: &'static str, status: u16, body: &str) -> Case {
    with(shown, status, &[JSON], body)
}

fn with(shown: &'static str, status: u16, headers: &[(&str, &str)], body: &str) -> Case {
    let got = What::Answer(answer(status, headers, body));
    Case { shown, got }
}

fn page(shown: &'static str, status: u16) -> Case {
    with(shown, status, &[HTML], "<title>Sorry</title>")
}

fn cut(shown: &'static str, status: u16) -> Case {
    let mut answer = answer(status, &[JSON], r#"{"errorMess"#);
    answer.cut = Some("connection reset".to_owned());
    let got = What::Answer(answer);
    Case { shown, got }
}

fn cases() -> Vec<Case> {
    let mut cases = none();
    cases.extend(successes());
    cases.extend(refusals());
    cases.extend(credentials());
    cases.extend(throttles());
    cases.extend(failures());
    cases
}

fn none() -> Vec<Case> {
    let case = |shown, got| Case { shown, got };
    vec![
        case("none: the request cannot be built", What::Unsendable),
        case(
            "none: no connection (name, address, TLS)",
            What::NoConnection,
        ),
        case("none within a minute", What::TimedOut),
        case("none: the connection broke", What::Dropped),
    ]
}

fn successes() -> Vec<Case> {
    vec![
        Case {
            shown: "2xx in JSON without what it must hold",
            got: What::Lacking,
        },
        cut("2xx that breaks off", 200),
        in_json("2xx in JSON that is cut short", 200, r#"{"id":"#),
        page("2xx as an HTML page (a login form)", 200),
        with(
            "3xx",
            302,
            &[("location", "https://id.example.com/login")],
            "",
        ),
    ]
}

fn refusals() -> Vec<Case> {
    let busy = r#"{"errorMessage":"Maximum number of tasks reached","errors":["BAD_REQUEST"],"statusCode":400}"#;
    let reused = r#"{"errorMessage":"A key can only be retried with the same request data","statusCode":409}"#;
    let bad = r#"{"errorMessage":"Invalid detail field value","errors":["BAD_REQUEST"],"statusCode":400}"#;
    vec![
        in_json("400, 409, 422 `Maximum number of tasks reached`", 400, busy),
        in_json(
            "400, 409, 422 `… can only be retried with the same request data`",
            409,
            reused,
        ),
        in_json(
            "400, 409, 410, 414, 422, 431 in the API's, the gateway's or Jira's words",
            400,
            bad,
        ),
        with("the same without a body", 400, &[], ""),
        page("the same as an HTML page (a gateway's filter)", 400),
        cut("the same, breaking off", 400),
        in_json("the same in JSON that is cut short", 400, r#"{"errorMess"#),
        in_json(
            "404",
            404,
            r#"{"errorMessage":"Customer not found","statusCode":404}"#,
        ),
        with(
            "404 to nobody (`X-AUsername: anonymous`)",
            404,
            &[JSON, ("x-ausername", "anonymous")],
            r#"{"errorMessages":["Not found"],"errors":{}}"#,
        ),
        page("404 as an HTML page", 404),
        in_json("405, 415 and the like", 405, "{}"),
        in_json(
            "412: the opt-in header did not arrive",
            412,
            r#"{"errorMessage":"Precondition failed"}"#,
        ),
        page("413: the body is too large", 413),
        with("421, 425", 421, &[], ""),
    ]
}

fn credentials() -> Vec<Case> {
    let plain = r#"{"code":401,"message":"Unauthorized"}"#;
    let scope = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
    let forbidden = r#"{"errorMessage":"Forbidden","errors":["FORBIDDEN"],"statusCode":403}"#;
    let ip = r#"{"errorMessages":["The IP address has been rejected because it is not on the allowed list. See your admin for more information."],"errors":{}}"#;
    vec![
        in_json("401: the access token may have expired", 401, plain),
        in_json("401 `scope does not match`", 401, scope),
        with(
            "401 with `FAILURE_CLIENT_AUTH_MISMATCH`",
            401,
            &[JSON, ("x-failure-category", "FAILURE_CLIENT_AUTH_MISMATCH")],
            plain,
        ),
        with(
            "401 with `AUTHENTICATED_FAILED`: rejected or revoked",
            401,
            &[JSON, ("x-seraph-loginreason", "AUTHENTICATED_FAILED")],
            plain,
        ),
        in_json("403: a permission is missing", 403, forbidden),
        in_json("403: the IP address is not on the allowed list", 403, ip),
        page("403 as an HTML page", 403),
        with("407", 407, &[], ""),
    ]
}

fn throttles() -> Vec<Case> {
    let limited =
        r#"{"errorMessages":["The request has been rate-limited."],"errors":{},"status":429}"#;
    let gateway = ("x-failure-category", "FAILURE CLIENT RATE LIMITED");
    vec![
        with(
            "429 of a quota with `Retry-After`",
            429,
            &[
                JSON,
                ("retry-after", "12"),
                ("ratelimit-reason", "jira-quota-global-based"),
            ],
            limited,
        ),
        with(
            "429 of a burst with `Retry-After`",
            429,
            &[
                JSON,
                ("retry-after", "1"),
                ("ratelimit-reason", "jira-burst-based"),
            ],
            limited,
        ),
        with(
            "429 of a burst without any wait",
            429,
            &[JSON, ("ratelimit-reason", "jira-burst-based")],
            limited,
        ),
        with(
            "429 of a gateway, with `X-RateLimit-Reset` alone (without seconds, too)",
            429,
            &[gateway, ("x-ratelimit-reset", "1970-01-01T00:01Z")],
            "",
        ),
        with(
            "429 whose reset has passed, or without any wait",
            429,
            &[gateway, ("x-ratelimit-reset", "1970-01-01T00:00Z")],
            "",
        ),
        with("503 with `Retry-After`", 503, &[("retry-after", "12")], ""),
    ]
}

fn failures() -> Vec<Case> {
    vec![
        in_json(
            "408, 500, 503, 504",
            500,
            r#"{"errorMessage":"Internal error","statusCode":500}"#,
        ),
        page("502, or any 5xx as an HTML page", 502),
    ]
}

/// One request of each kind.
const KINDS: [(&str, Endpoint); 3] = [
    ("bulk", Endpoint::BulkCustomerProfiles),
    ("single", Endpoint::CreateProduct),
    ("read", Endpoint::GetTask),
];

fn class(case: &Case, endpoint: Endpoint) -> ErrorClass {
    let empty = answer(200, &[JSON], "{}");
    let reason = || "as the transport says".to_owned();
    let got = match &case.got {
        What::Unsendable => Got::Unsendable(reason()),
        What::NoConnection => Got::NoConnection("acme.example:443".to_owned(), reason()),
        What::TimedOut => Got::TimedOut(Duration::from_mins(1)),
        What::Dropped => Got::Dropped(reason()),
        What::Lacking => Got::Lacking(&empty, "the id"),
        What::Answer(answer) => Got::Answer(answer),
    };
    classify(&endpoint.name(), endpoint, got, NOW).class
}

fn name(class: &ErrorClass) -> String {
    match class {
        ErrorClass::Throttled { after, scope } => match after {
            Some(after) => format!("`Throttled` {scope:?}, {} s", after.as_secs()),
            None => format!("`Throttled` {scope:?}"),
        },
        other => format!("`{other:?}`"),
    }
}

/// What the loader does after the first attempt.
fn deed(to: &str, class: &ErrorClass) -> &'static str {
    match Tries::default().decide(class, 0.0) {
        Decision::Again(_) => match (class, to) {
            (ErrorClass::NotSent, _) | (_, "read") => "repeats it",
            (_, "bulk") => "repeats it with the same key and bytes",
            _ => "repeats it: bulk with the same key and bytes, single after a look-up",
        },
        Decision::Pause(_) => match class {
            ErrorClass::Throttled {
                scope: Throttle::Burst,
                after,
            } => match after {
                Some(_) => "requests to this endpoint wait as told, and a little longer",
                None => "requests to this endpoint wait, longer each time",
            },
            ErrorClass::Throttled { after: None, .. } => "every request waits, longer each time",
            _ => "every request waits as told, and a little longer",
        },
        Decision::AwaitSlot => "waits for a task slot",
        Decision::Refused => "goes on without it",
        Decision::Stop => match class {
            ErrorClass::AuthExpired => {
                "renews the credentials once, where they can be; else stops the run"
            }
            _ => "stops the run",
        },
        Decision::GiveUp => panic!("given up at the first attempt: {class:?}"),
    }
}

/// What the results say of the rows if it stays at that: after the last attempt.
fn results(to: &str, class: &ErrorClass) -> String {
    let mut tries = Tries::default();
    for _ in 1..ATTEMPTS {
        tries.decide(class, 0.0);
    }
    match tries.decide(class, 0.0) {
        Decision::Again(_) => panic!("no end of attempts: {class:?}"),
        Decision::Pause(_) | Decision::AwaitSlot => "nothing: it is no attempt".to_owned(),
        _ if to == "read" => "see Tasks".to_owned(),
        Decision::Refused => match to {
            "bulk" => says(Code::RequestRejected),
            "single" | "single, read" => says(Code::SiteRejected),
            _ => format!(
                "{}, single `{}`",
                says(Code::RequestRejected),
                Code::SiteRejected
            ),
        },
        Decision::Stop => says(Code::RunStopped),
        Decision::GiveUp => match class {
            ErrorClass::NotSent => says(Code::SiteUnreachable),
            _ => says(Code::AnswerLost),
        },
    }
}

fn says(code: Code) -> String {
    format!("`{}` `{code}`", code.status())
}

/// What reading back leaves of a doubt.
fn found_else(code: Code) -> String {
    format!(
        "as the site holds it; where that cannot be told, {}",
        says(code)
    )
}

/// The first table: one row for each meaning that an answer has, with the kinds of requests that it has it for.
fn requests() -> String {
    let mut table = String::from(
        "| answer | to | means | the loader | the results |\n| --- | --- | --- | --- | --- |\n",
    );
    for case in cases() {
        let mut meanings: Vec<(ErrorClass, Vec<&str>)> = Vec::new();
        for (kind, endpoint) in KINDS {
            let class = class(&case, endpoint);
            match meanings.iter_mut().find(|(other, _)| *other == class) {
                Some((_, kinds)) => kinds.push(kind),
                None => meanings.push((class, vec![kind])),
            }
        }
        for (class, kinds) in meanings {
            let to = match kinds.len() {
                3 => "any".to_owned(),
                _ => kinds.join(", "),
            };
            let _ = writeln!(
                table,
                "| {} | {to} | {} | {} | {} |",
                case.shown,
                name(&class),
                deed(&to, &class),
                results(&to, &class)
            );
        }
    }
    table
}

/// The second table: what tasks say, which is no error of a request.
fn tasks() -> String {
    let rows = [
        (
            "not started, in progress, or a word that is not known",
            "asks again, at growing intervals",
            "nothing".to_owned(),
        ),
        (
            "FINISHED, no failure that may be the row's",
            "reads one in a hundred back (`verify`)",
            "`loaded`".to_owned(),
        ),
        (
            "FINISHED, with a failure of the row",
            "",
            says(Code::SiteRejected),
        ),
        (
            "FINISHED, with a failure that fits several rows",
            "reads them back; of those that are not there, sends by single calls what no failure must mean",
            found_else(Code::FailureAmbiguous),
        ),
        (
            "FAILED, with failures or without",
            "reads its rows back, and sends again what is not there",
            found_else(Code::TaskFailed),
        ),
        (
            "404, 410: the site knows no such task",
            "asks once more where it was accepted just now; then as FAILED",
            found_else(Code::TaskGone),
        ),
        (
            "no end within the deadline",
            "as FAILED",
            found_else(Code::TaskTimeout),
        ),
        (
            "looks that are refused or make no sense, one after the other",
            "gives up after as many as a request has attempts; then as FAILED",
            found_else(Code::AnswerLost),
        ),
        (
            "no answer to be had until the deadline",
            "as FAILED",
            found_else(Code::AnswerLost),
        ),
        (
            "the credentials suffice no more",
            "stops; the next process goes on with the task",
            format!("{} until then", says(Code::AnswerLost)),
        ),
        (
            "interrupted runs: the acceptance is not known",
            "sends it again with the same key and bytes, while the site remembers the key; later as FAILED",
            format!("as above, later {}", found_else(Code::AnswerLost)),
        ),
        (
            "interrupted runs: the task is known",
            "asks for it, with a deadline of its own",
            "as above".to_owned(),
        ),
    ];
    let mut table = String::from("| the task | the loader | the results |\n| --- | --- | --- |\n");
    for (task, deed, results) in rows {
        let _ = writeln!(table, "| {task} | {deed} | {results} |");
    }
    table
}

fn rendered() -> String {
    format!(
        "# What the API can answer, and what follows

Made from what the program decides: `tests/answers.rs` compares this file with `api::classify` and `engine::retry`.

*bulk* is a request with an idempotency key, *single* a write of one record, *read* changes nothing. A request is sent at most
{ATTEMPTS} times; the last column is what holds after the last attempt. Where an earlier attempt of the same request may have been
applied, a refusal that comes last has the rows [read back](#reading-back); anything else leaves them {lost}, until a later
load goes on with the request. The site's own words stand in `message`, and the answer's trace id
(`Atl-Traceid`, else `Atl-Request-Id`, else `X-ARequestId`) in `trace_id`: of an accepted batch that of its acceptance, of a refused one
that of the refusal.

A bulk request that is refused wrote nothing, and one bad row is enough for that: its halves are sent by themselves, each under a key of
its own, down to the row that is refused alone. One bad row of a hundred costs at most 15 requests more. While the site has taken nothing,
rows from different requests are sent ahead alone; where five of them are refused with the same words, the run stops, and what was not
sent is {stopped}: a wrong name in `[contract]` costs a few dozen requests, not two a row.

A bulk request that is given up after its last attempt stops the run, as credentials do that do not suffice: what was not sent yet is
{stopped}, and a later load sends it. Once a run stops, nothing waits for the site any more: a request that is told to
wait then, or finds no slot, ends as one that was not sent.

{requests}
## Tasks

An accepted request is not loaded: its task is asked for until it ends. What a read that fails means for its rows stands here.

{tasks}
## Reading back

Rows in doubt hold no task slot. They are read from the site until they are there, or `read_patience` has passed, and compared with what
was sent, field by field. What is there is `loaded`. What is not was not applied, and is sent again: up to four rows by single calls;
more of them as a batch under a new key, twice; then in halves, and at last by single calls. Of a batch that is sent again all rows are read. A record that
lacks but organizations or products is made their member where `[contract] membership` allows it, is given the products by
calls of their own, and is read again; else it is `failed` {association}. What cannot be read is
`unconfirmed`, and its message says what was tried. Where another run takes a run's place nothing is sent again, and what is not there is
{applied}.

A look-up (organizations and products by name, the site's products) that fails for good stops the stage before anything of it is sent: its rows
are {stopped}.
",
        lost = says(Code::AnswerLost),
        requests = requests(),
        tasks = tasks(),
        stopped = says(Code::RunStopped),
        association = format_args!("`{}`", Code::AssociationMissing),
        applied = says(Code::NotApplied),
    )
}

#[test]
fn the_table_of_answers_is_what_the_program_does() {
    let rendered = rendered();
    let path = super::support::repository("docs/answers.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if written != rendered {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("answers.md");
        std::fs::write(&fresh, &rendered).unwrap();
        panic!(
            "docs/answers.md is not what the program does; {} is",
            fresh.display()
        );
    }
}

#[test]
fn every_class_of_errors_is_in_the_table() {
    let table = requests();
    for class in [
        ErrorClass::NotSent,
        ErrorClass::MaybeApplied,
        ErrorClass::Busy,
        ErrorClass::Refused,
        ErrorClass::AuthExpired,
        ErrorClass::AuthWrong,
        ErrorClass::Broken,
    ] {
        assert!(table.contains(&name(&class)), "{class:?}");
    }
    for scope in ["Burst", "Quota"] {
        assert!(table.contains(&format!("`Throttled` {scope}")), "{scope}");
    }
}

#[test]
fn an_accepted_batch_shows_the_trace_of_its_acceptance_and_a_refused_one_that_of_its_refusal() {
    let place = Place::with_crowd(101);
    let with_trace = |reply: Reply, trace: &str| match reply {
        Reply::Send(status, mut headers, body) => {
            headers.push(("Atl-Traceid", trace.to_owned()));
            Reply::Send(status, headers, body)
        }
        Reply::Drop => Reply::Drop,
    };
    let site = Scripted::serve(move |request| {
        if !request.is_bulk() {
            return with_trace(Reply::task("t-1", "FINISHED", &json!([])), "of-a-poll");
        }
        if request.emails().len() > 1 {
            return with_trace(
                Reply::json(202, &json!({ "id": "t-1" })),
                "of-the-acceptance",
            );
        }
        with_trace(
            Reply::error(400, "Invalid detail field value"),
            "of-the-refusal",
        )
    });
    place.write("job.toml", site.job(""));
    place
        .run_with("load --quiet job.toml", &CREDENTIALS)
        .expect(4);
    let results = place.results("out.csv");
    let shown = results.column("trace_id");
    assert_eq!(
        (shown.len(), shown[0], shown[99]),
        (101, "of-the-acceptance", "of-the-acceptance")
    );
    assert_eq!(shown[100], "of-the-refusal");
}
