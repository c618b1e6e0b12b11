//! Regent: policy as code for Kubernetes.

mod arguments;
mod builtin;
mod command;
mod diagnostic;
mod doc;
mod judge;
mod manifests;
mod policies;
mod progress;
mod render;
mod report;
mod second;
mod stream;
mod terminal;

use clap::Parser;
use std::process::ExitCode;

/// Evaluations make and drop many small values on threads of their own: the system's allocator is slow at both, and giving
/// back what a stopped evaluation made took longer than the evaluation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Everything runs on a thread with a stack for deep values and long rule chains.
const STACK: usize = 64 << 20;

fn main() -> ExitCode {
    // A panic is caught where it happens and becomes an error of that object; its text is told there.
    std::panic::set_hook(Box::new(|_| {}));
    let run = || command::run(arguments::Arguments::parse());
    let code = match std::thread::Builder::new().stack_size(STACK).spawn(run) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| {
            terminal::error(&format!("internal error: {}", terminal::panic_text(&*panic)));
            command::FAILED
        }),
        Err(e) => {
            terminal::error(&format!("cannot start a thread: {e}"));
            command::FAILED
        }
    };
    ExitCode::from(code)
}
