//! Problems in files, shown with the line and a caret.

use crate::terminal::{self, paint, style};
use regent_core::manifest::Problem;
use std::collections::BTreeMap;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// The bytes of files that problems may be in, by name; nothing where they are read when they are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(BTreeMap<String, Option<Arc<[u8]>>>);

impl Sources {
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) {
        self.0.insert(name.to_owned(), Some(Arc::from(bytes)));
    }

    /// Adds a file that can be read again.
    pub(crate) fn add_path(&mut self, name: &str) {
        self.0.insert(name.to_owned(), None);
    }

    /// The bytes of a file that was added.
    pub(crate) fn bytes(&self, name: &str) -> Option<Arc<[u8]>> {
        match self.0.get(name)? {
            Some(bytes) => Some(Arc::clone(bytes)),
            None => std::fs::read(name).ok().map(Arc::from),
        }
    }

    /// Brings a place behind the end of its file (where a parser misses something) back to the end of the last line.
    pub(crate) fn within(&self, problem: &mut Problem) {
        if let Some(bytes) = self.bytes(&problem.file) {
            regent_watcher::within(problem, &bytes);
        }
    }

    fn line(&self, file: &str, line: u32) -> Option<String> {
        line_of(&self.bytes(file)?, line)
    }
}

/// A line of a file, from 1.
pub(crate) fn line_of(bytes: &[u8], line: u32) -> Option<String> {
    let at = usize::try_from(line.checked_sub(1)?).ok()?;
    let line = bytes.split(|&b| b == b'\n').nth(at)?;
    Some(String::from_utf8_lossy(line).trim_end_matches('\r').to_owned())
}

/// Writes a problem to standard error.
pub(crate) fn show(problem: &Problem, sources: &Sources) {
    show_with(problem, sources.line(&problem.file, problem.line));
}

/// Writes a problem whose line is at hand.
pub(crate) fn show_with(problem: &Problem, line: Option<String>) {
    let at = match (problem.line, problem.column) {
        (0, _) => problem.file.clone(),
        (line, 0) => format!("{}:{line}", problem.file),
        (line, column) => format!("{}:{line}:{column}", problem.file),
    };
    let at = if at.is_empty() {
        at
    } else {
        format!("{}: ", paint(style::BOLD, at))
    };
    let mut text = format!(
        "{at}{} {}",
        paint(style::RED, "error:"),
        terminal::printable(&problem.message.replace('\n', "; "))
    );
    if let Some(line) = line {
        text.push_str(&excerpt(&line, problem.line, problem.column));
    }
    terminal::notice(&text);
}

/// The line with its number, and a caret under the column.
fn excerpt(line: &str, number: u32, column: u32) -> String {
    const SHOWN: usize = 120;
    let number = number.to_string();
    let margin = " ".repeat(number.len());
    let at = usize::try_from(column.saturating_sub(1)).unwrap_or_default();
    // Of a long line, what stands around the column.
    let from = at.saturating_sub(SHOWN / 2);
    let part: String = line.chars().skip(from).take(SHOWN).collect();
    let before: String = line.chars().skip(from).take(at - from).collect();
    let bar = paint(style::CYAN, "|");
    let mut out = format!(
        "\n {margin} {bar}\n {} {bar} {}",
        paint(style::CYAN, &number),
        terminal::printable(&part)
    );
    if column > 0 {
        let indent = " ".repeat(terminal::printable(&before).width());
        out.push_str(&format!("\n {margin} {bar} {indent}{}", paint(style::RED, "^")));
    }
    out
}
