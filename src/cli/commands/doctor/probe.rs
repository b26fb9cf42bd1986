//! `doctor --probe`: asks for leave, probes, and prints what to paste into the job.

use super::block::block;
use crate::api::client::Client;
use crate::api::contract::Contract;
use crate::cli::args::DoctorArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::signals::{self, Words};
use crate::engine::stop::Stop;
use crate::model::clock::Clock;
use crate::probe::{self, Finding, Outcome, QUESTIONS, Setup};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use tokio::sync::watch;
use uuid::Uuid;

/// What is said when interrupted.
const INTERRUPTED: Words = Words {
    first: "interrupted: deleting what the probe made; once more ends at once and leaves it behind",
    second: "interrupted again: ended at once; what the probe made stays on the site",
};

/// Probes.
///
/// # Errors
/// When nobody allows it, or something that it made could not be deleted.
pub(super) async fn run(
    args: &DoctorArgs,
    client: &Client,
    clock: &dyn Clock,
) -> Result<Exit, Failure> {
    let setup = Setup {
        domain: args.domain.clone(),
        marker: Uuid::new_v4(),
        patience: args.patience.0,
    };
    if !args.yes && !allowed(&setup)? {
        return Err(Failure::new(Exit::Stopped, "not probed: nobody said yes"));
    }
    let stop = Stop::default();
    signals::listen(stop.clone(), INTERRUPTED).map_err(|error| {
        Failure::new(
            Exit::Defect,
            format!("failed to listen for signals: {error}"),
        )
    })?;
    let (stopped, heard) = watch::channel(false);
    let asked = stop.clone();
    tokio::spawn(async move {
        asked.asked().await;
        // it may be over by then
        let _ = stopped.send(true);
        // the channel stays open for as long as somebody may look
        std::future::pending::<()>().await;
    });
    say(&format!(
        "\nprobing with records named {} and {}",
        setup.tag(),
        setup.email()
    ));
    let tell = |finding: &Finding| say(&finding.to_string());
    let outcome = probe::run(client, clock, &setup, heard, &tell).await;
    end(&outcome, client.contract(), args.all)
}

/// Asks the person at the terminal.
fn allowed(setup: &Setup) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let message = "--probe writes to the site, and nobody is there to ask: say --yes";
        return Err(Failure::new(Exit::Usage, message));
    }
    let question = format!(
        "The probe makes a customer ({}), organizations, a product and detail fields, all named {}…,\n\
         and deletes them again. Rules and integrations of the site may notice. Go on? [y/N] ",
        setup.email(),
        setup.tag()
    );
    let mut out = io::stderr();
    // who cannot read the question will not say yes
    let _ = out.write_all(question.as_bytes());
    let _ = out.flush();
    let mut answer = String::new();
    let _ = io::stdin().read_line(&mut answer);
    let answer = answer.trim();
    Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
}

fn end(outcome: &Outcome, before: &Contract, all: bool) -> Result<Exit, Failure> {
    if outcome.stopped {
        say("\nstopped early: the questions after the last answer were not asked");
    }
    say(&found(outcome, before, all));
    if outcome.left.is_empty() {
        say("\neverything that the probe made is deleted");
        return Ok(if outcome.stopped {
            Exit::Stopped
        } else {
            Exit::Done
        });
    }
    let mut message =
        String::from("not everything that the probe made is deleted; delete by hand:");
    for left in &outcome.left {
        // writing to a String cannot fail
        let _ = write!(message, "\n  {left}");
    }
    Err(Failure::new(Exit::RowsLeft, message))
}

/// What to paste, where there is something, and what stays open.
fn found(outcome: &Outcome, before: &Contract, all: bool) -> String {
    let open: Vec<_> = outcome.not_found_out().collect();
    let nothing = open.len() == QUESTIONS.len();
    let differs = outcome.contract != *before;
    let block = block(&outcome.contract, all).filter(|_| !nothing);
    let title = match &block {
        _ if nothing => "nothing was found out",
        Some(_) if differs => "to be pasted into the job file",
        None if differs => "the defaults are right",
        _ if open.is_empty() => "the API is as it was taken for",
        _ => "what was found out is as it was taken for",
    };
    let mut text = format!("\n# {title}");
    text.push_str(match &block {
        Some(_) if differs => "",
        Some(_) => "; as [contract] of a job file",
        None if differs && !nothing => "; take [contract] out of the job file",
        None => "; there is no [contract] to paste",
    });
    if let Some(block) = block {
        // writing to a String cannot fail
        let _ = write!(text, "\n{}", block.trim_end());
    }
    if !open.is_empty() {
        let _ = write!(text, "\n\nnot found out:\n  {}", open.join("\n  "));
    }
    text
}

fn say(text: &str) {
    // nobody needs to read it
    let _ = writeln!(io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract::Name;
    use crate::probe::Told;

    /// What is found where these questions were answered, and the API is as this job takes it.
    fn told(questions: &[&'static str], job: &Contract, found: Contract, all: bool) -> String {
        let seen = |about: &&'static str| Finding {
            about,
            told: Told::Seen {
                answer: String::new(),
                evidence: String::new(),
            },
        };
        let outcome = Outcome {
            findings: questions.iter().map(seen).collect(),
            contract: found,
            left: Vec::new(),
            stopped: false,
        };
        super::found(&outcome, job, all).trim_start().to_owned()
    }

    #[test]
    fn a_block_is_shown_where_something_was_found_out_and_has_a_place_in_it() {
        let usual = Contract::default();
        let other = usual.clone().with(Name::ProductIds, "ids");
        insta::assert_snapshot!(told(&QUESTIONS, &usual, usual.clone(), false), @"# the API is as it was taken for; there is no [contract] to paste");
        insta::assert_snapshot!(told(&QUESTIONS, &other, usual.clone(), false), @"# the defaults are right; take [contract] out of the job file");
        insta::assert_snapshot!(told(&QUESTIONS, &other, other.clone(), false), @r#"
        # the API is as it was taken for; as [contract] of a job file
        [contract]
        product_ids = "ids"
        "#);
        insta::assert_snapshot!(told(&QUESTIONS[1..], &usual, other.clone(), false), @r#"
        # to be pasted into the job file
        [contract]
        product_ids = "ids"

        not found out:
          how soon a new organization is read
        "#);
        insta::assert_snapshot!(told(&QUESTIONS[2..], &other, other.clone(), false), @r#"
        # what was found out is as it was taken for; as [contract] of a job file
        [contract]
        product_ids = "ids"

        not found out:
          how soon a new organization is read
          organization/fetch by names
        "#);
        // a site that answers nothing does not confirm what the job says
        for (found, all) in [(&usual, true), (&other, false), (&other, true)] {
            let text = told(&[], &other, found.clone(), all);
            assert!(
                text.starts_with(
                    "# nothing was found out; there is no [contract] to paste\n\nnot found out:\n"
                ),
                "{text}"
            );
            assert_eq!(text.lines().count(), 3 + QUESTIONS.len());
        }
    }
}
