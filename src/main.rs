//! The `csm-loader` binary: parse, call, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    csm_loader::cli::main(std::env::args_os())
}
