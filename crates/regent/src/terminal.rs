//! Standard output and error: colours, width, wrapping.

use crate::arguments::{Color, Output};
use std::any::Any;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use unicode_width::UnicodeWidthStr;

const QUIET: u8 = 1;
const VERBOSE: u8 = 2;
static LOST: AtomicBool = AtomicBool::new(false);
static VOLUME: AtomicU8 = AtomicU8::new(0);

/// Takes over what the user wants of colours and volume.
pub(crate) fn set_up(output: &Output) {
    let choice = match output.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    let volume = if output.quiet {
        QUIET
    } else if output.verbose {
        VERBOSE
    } else {
        0
    };
    VOLUME.store(volume, Ordering::Relaxed);
}

pub(crate) fn quiet() -> bool {
    VOLUME.load(Ordering::Relaxed) == QUIET
}

pub(crate) fn verbose() -> bool {
    VOLUME.load(Ordering::Relaxed) == VERBOSE
}

/// Styles; what is not wanted is stripped on the way out.
pub(crate) mod style {
    pub(crate) const BOLD: &str = "\x1b[1m";
    pub(crate) const DIM: &str = "\x1b[2m";
    pub(crate) const RED: &str = "\x1b[31m";
    pub(crate) const GREEN: &str = "\x1b[32m";
    pub(crate) const YELLOW: &str = "\x1b[33m";
    pub(crate) const CYAN: &str = "\x1b[36m";
    pub(crate) const RESET: &str = "\x1b[0m";
}

/// Text in a style.
pub(crate) fn paint(style: &str, text: impl Display) -> String {
    format!("{style}{text}{}", style::RESET)
}

/// Writes results.
pub(crate) fn print(text: &str) {
    let mut out = Out::new();
    let _ = std::fmt::Write::write_str(&mut out, text);
}

/// Standard output, for results that are written bit by bit.
pub(crate) struct Out(std::io::BufWriter<anstream::AutoStream<std::io::StdoutLock<'static>>>);

impl Out {
    pub(crate) fn new() -> Out {
        Out(std::io::BufWriter::with_capacity(64 << 10, anstream::stdout().lock()))
    }
}

impl std::fmt::Write for Out {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|e| {
            unwritten(&e);
            std::fmt::Error
        })
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if let Err(e) = self.0.flush() {
            unwritten(&e);
        }
    }
}

/// Results that could not be written: without a reader (`| head`) nobody misses them.
fn unwritten(error: &std::io::Error) {
    if error.kind() != std::io::ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        self::error(&format!("the results cannot be written: {error}"));
    }
}

/// Whether results could not be written.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Writes everything that is no result.
pub(crate) fn notice(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// An error of the tool itself.
pub(crate) fn error(text: &str) {
    notice(&format!("{} {text}", paint(style::RED, paint(style::BOLD, "error:"))));
}

/// Columns of the terminal; 100 where there is none.
pub(crate) fn width() -> usize {
    if !std::io::stdout().is_terminal() {
        return 100;
    }
    terminal_size::terminal_size().map_or(100, |(w, _)| usize::from(w.0).max(40))
}

/// Lines of text no wider than `width`, broken at spaces; a longer word stays whole. Control characters are shown, not
/// sent to the terminal.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let clean = printable(paragraph);
        let mut line = String::new();
        for word in clean.split(' ') {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Text without what could steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\t' {
            out.push_str("    ");
        } else if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// As [`printable`], with the ends of lines kept.
pub(crate) fn printable_lines(text: &str) -> String {
    text.lines().map(|line| printable(line) + "\n").collect()
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| "panic".to_owned())
}
