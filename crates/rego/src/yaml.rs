//! YAML as Kubernetes reads it (`sigs.k8s.io/yaml`: YAML 1.1 scalars, merge keys, keys become strings), straight into
//! values; and back.
//!
//! The grammar is granit-parser's; what a scalar means (`scalar`), what a mapping becomes and the bounds are ours.

mod build;
mod emit;
mod place;
mod scalar;

pub use emit::write;
pub use place::{Entry, Kind, Place};

use crate::value::Value;
use granit_parser::Parser;
use std::fmt;

/// How YAML is read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Levels of nesting before the text is refused.
    pub depth: u32,
    /// Nodes that aliases and merge keys may add to a document; more is taken for an alias bomb.
    pub alias_nodes: usize,
    /// Refuse a mapping that has a key twice; otherwise the last one wins.
    pub refuse_duplicates: bool,
    /// Refuse text after the first document; otherwise it is not looked at.
    pub whole: bool,
    /// Leave `yes`, `no`, `on`, `off`, `y` and `n` strings, as YAML 1.2 does.
    pub only_true_false: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            depth: 200,
            alias_nodes: 400_000,
            refuse_duplicates: false,
            whole: false,
            only_true_false: false,
        }
    }
}

impl ReadOptions {
    /// As manifests and policies are read: a key that is there twice is a mistake, and so is what follows a document.
    pub fn strict() -> ReadOptions {
        ReadOptions {
            refuse_duplicates: true,
            whole: true,
            ..ReadOptions::default()
        }
    }
}

/// Why YAML text was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// What is wrong.
    pub message: String,
    /// Row, from 1.
    pub row: usize,
    /// Column, from 1.
    pub col: usize,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.row, self.col, self.message)
    }
}

impl std::error::Error for ReadError {}

/// Reads the first document as OPA's `yaml.unmarshal` does; empty text is null, of a key that is there twice the last
/// one wins.
///
/// # Errors
/// Text that is not YAML, has no JSON form, or breaks a bound.
pub fn read(text: &str) -> Result<Value, ReadError> {
    read_with(text, ReadOptions::default())
}

/// Reads the first document; empty text is null.
///
/// # Errors
/// See [`read`].
pub fn read_with(text: &str, options: ReadOptions) -> Result<Value, ReadError> {
    let mut builder = build::Builder::new(options);
    drive(text, options, |event, span| builder.event(event, span))?;
    Ok(builder.finish())
}

/// Reads the first document, and where each of its nodes stands. Reading again for the places costs less than keeping
/// them for every document when only a few are asked for.
///
/// # Errors
/// See [`read`].
pub fn read_places(text: &str, options: ReadOptions) -> Result<Place, ReadError> {
    let mut builder = place::Builder::new(text);
    drive(text, options, |event, span| {
        builder.event(event, span);
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Feeds the events of the first document to a receiver.
fn drive<'t>(
    text: &'t str,
    options: ReadOptions,
    mut receive: impl FnMut(granit_parser::Event<'t>, granit_parser::Span) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let depth = options.depth as usize;
    let parser_options = granit_parser::options! {
        flow_nesting_limit: depth,
        block_nesting_limit: depth,
        emit_comments: false,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut ended = false;
    for next in Parser::new_from_str_with_options(text, parser_options) {
        let (event, span) = next.map_err(|e| ReadError {
            message: e.info(),
            row: e.marker().line(),
            col: e.marker().col() + 1,
        })?;
        match as_written(text, event, span) {
            granit_parser::Event::DocumentEnd if !options.whole => return Ok(()),
            granit_parser::Event::DocumentEnd => ended = true,
            granit_parser::Event::DocumentStart(..) if ended => {
                return Err(ReadError {
                    message: "text after the end of the document".to_owned(),
                    row: span.start.line(),
                    col: span.start.col() + 1,
                });
            }
            event => receive(event, span)?,
        }
    }
    Ok(())
}

/// The event with a block's text as it is written: at the end of a text that ends without a line's end, it has none.
fn as_written<'t>(text: &str, event: granit_parser::Event<'t>, span: granit_parser::Span) -> granit_parser::Event<'t> {
    use granit_parser::{Event, ScalarStyle};
    let Event::Scalar(value, style @ (ScalarStyle::Literal | ScalarStyle::Folded), anchor, tag) = event else {
        return event;
    };
    let after = span.end.byte_offset().and_then(|at| text.get(at..));
    if !after.is_some_and(|rest| rest.trim().is_empty()) {
        return Event::Scalar(value, style, anchor, tag);
    }
    let last = text.rsplit(['\n', '\r']).next().unwrap_or_default().trim();
    let shorter = value
        .strip_suffix('\n')
        .filter(|v| !last.is_empty() && v.ends_with(last));
    let value = shorter.map(|v| v.to_owned().into()).unwrap_or(value);
    Event::Scalar(value, style, anchor, tag)
}
