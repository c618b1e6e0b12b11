//! `docs/flags.md` says what the program's own help says.
//!
//! Written anew by `REGENT_WRITE_FLAGS=1 cargo test -p regent --test flags`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test ends by panicking, and is told by the environment to write the page"
)]

mod common;

use common::{repository, text};
use std::process::{Command, Stdio};

const HEAD: &str = "# Flags\n\nWhat `regent COMMAND --help` prints, for every command: this page is made of it (`crates/regent/tests/flags.rs`).\n";

fn help(command: &[&str]) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_regent"))
        .args(command)
        .arg("--help")
        // The width, else, would be the terminal's.
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .expect("regent starts");
    assert!(run.status.success(), "{command:?}");
    let text = String::from_utf8_lossy(&run.stdout);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|l| *l != "Commands:").skip(1);
    listed
        .take_while(|l| !l.is_empty())
        .filter_map(|l| l.strip_prefix("  ").filter(|l| !l.starts_with(' ')))
        .filter_map(|l| l.split(' ').next())
        .filter(|&name| name != "help")
        .collect()
}

fn page() -> String {
    let mut out = HEAD.to_owned();
    let mut add = |command: &[&str], help: &str| {
        let title = [&["regent"], command].concat().join(" ");
        out.push_str(&format!("\n## `{title}`\n\n```text\n{help}\n```\n"));
    };
    let whole = help(&[]);
    add(&[], &whole);
    for command in commands(&whole) {
        let one = help(&[command]);
        add(&[command], &one);
        for inner in commands(&one) {
            add(&[command, inner], &help(&[command, inner]));
        }
    }
    out
}

#[test]
fn the_page_is_the_help() {
    let path = repository().join("docs/flags.md");
    let page = page();
    if std::env::var_os("REGENT_WRITE_FLAGS").is_some() {
        std::fs::write(&path, &page).expect("docs/flags.md is written");
    }
    let stands = text(&path);
    if let Some((line, (is, was))) = page
        .lines()
        .zip(stands.lines())
        .enumerate()
        .find(|(_, (is, was))| is != was)
    {
        panic!(
            "docs/flags.md:{}: it says {was:?}, the help {is:?}; see the head of this test",
            line + 1
        );
    }
    assert_eq!(
        page.len(),
        stands.len(),
        "docs/flags.md ends too early or too late; see the head of this test"
    );
    assert!(page.contains("--max-body"), "{page}");
}
