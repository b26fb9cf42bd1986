//! Arguments, settings, commands, exit codes: the only part that prints, reads flags and the environment, or ends
//! the process.
//!
//! Duty: turn what a person typed into checked settings, call the engine, say how it went. Must not know: how rows
//! are read, mapped or sent.

mod access;
mod args;
mod commands;
mod contract;
mod exit;
mod interrupted;
mod job;
mod loader;
mod open;
mod secrets;
mod settings;
mod signals;
mod toml_file;

pub use exit::Exit;

use crate::engine::drafts::READER_THREAD;
use args::{Args, AuthCommand, Command};
use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program on these arguments (the first is its name).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    quiet_readers();
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // help and version are answers, not errors; a closed pipe is nobody's fault
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    let ended = match args.command {
        Command::Load(args) => commands::load::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Plan(args) => commands::plan::run(&args),
        Command::Auth(AuthCommand::Login(args)) => commands::auth::login(&args),
        Command::Auth(AuthCommand::Status(args)) => commands::auth::status(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Resume(args) => commands::resume::run(&args),
        Command::Retry(args) => commands::retry::run(&args),
        Command::Runs(args) => commands::runs::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::State(args) => commands::state::run(&args),
        Command::Sandbox(args) => commands::sandbox::run(&args),
        Command::Codes => commands::codes::run(),
        Command::Contract(args) => commands::contract::run(&args),
        Command::Completions { shell } => Ok(commands::manual::completions(shell)),
        Command::Man { folder } => commands::manual::pages(folder.as_deref()),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            exit::say(&failure);
            failure.exit.into()
        }
    }
}

/// Decoders of damaged files may panic; the source turns that into an error with the file's name, and the
/// panic's own words would only confuse.
fn quiet_readers() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(READER_THREAD) {
            usual(panic);
        }
    }));
}
