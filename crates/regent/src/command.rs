//! The commands, a file each.

mod bench;
mod bundle;
mod check;
mod eval;
pub(crate) mod explain;
mod library;
mod serve;
pub(crate) mod verify;

use crate::arguments::{Arguments, Command};
use crate::terminal;
use clap::CommandFactory;

/// Nothing to object to.
pub(crate) const CLEAN: u8 = 0;
/// An object is denied, or a case failed.
pub(crate) const DENIED: u8 = 1;
/// The tool could not do its work.
pub(crate) const FAILED: u8 = 2;

/// Runs what the command line asks for; gives the exit code.
pub(crate) fn run(arguments: Arguments) -> u8 {
    terminal::set_up(&arguments.output);
    let code = run_command(arguments.command);
    if terminal::lost() { FAILED } else { code }
}

fn run_command(command: Command) -> u8 {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Library(args) => library::run(args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Version => version(),
        Command::Completions { shell } => completions(shell),
    }
}

fn version() -> u8 {
    terminal::print(&format!(
        "regent {}\nrego: as OPA 1.17\ngatekeeper: as 3.23\npod security standards: {}\n",
        env!("CARGO_PKG_VERSION"),
        crate::builtin::LATEST
    ));
    CLEAN
}

fn completions(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "regent", &mut script);
    terminal::print(&String::from_utf8_lossy(&script));
    CLEAN
}
