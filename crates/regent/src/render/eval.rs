//! Results of `eval` in OPA's shapes.

use super::coverage;
use crate::arguments::EvalFormat;
use crate::doc::{self, Doc};
use regent_core::coverage::Coverage;
use regent_rego::ast::Expr;
use regent_rego::{Code, Error, Value};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// Bytes of a source line that are still shown below an error.
const LONGEST_LINE: usize = 10_000;

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The input could not be read: told as it is.
    Input(String),
    /// Something without code or place.
    Plain(String),
    Rego(Vec<Located>),
}

/// An error and the line it is about.
#[derive(Debug)]
pub(crate) struct Located {
    error: Error,
    line: Option<String>,
    /// What stands there in the query.
    text: Option<String>,
}

impl Located {
    pub(crate) fn new(error: Error, texts: &BTreeMap<String, String>) -> Located {
        let file = error.loc.file.as_deref().unwrap_or_default();
        let line = error
            .loc
            .row
            .checked_sub(1)
            .and_then(|row| texts.get(file)?.lines().nth(usize::try_from(row).ok()?))
            .map(str::to_owned);
        let (start, end) = (error.loc.start as usize, error.loc.end as usize);
        let query = texts.get(file).filter(|_| file.is_empty());
        let text = query.and_then(|t| t.get(start..end)).filter(|t| !t.is_empty());
        let text = text.map(str::to_owned);
        Located { error, line, text }
    }

    /// As OPA prints one; of a parse error the line with a caret.
    fn text(&self) -> String {
        let mut text = self.error.to_string();
        // What fails in the query is known by its text.
        if let (Some(place), Code::Builtin | Code::Conflict | Code::Cancel) = (&self.text, self.error.code) {
            text = format!("{place}: {}: {}", self.error.code.as_str(), self.error.message);
        }
        if let Some(line) = self.parse_line() {
            let at = usize::try_from(self.error.loc.col.saturating_sub(1)).unwrap_or_default();
            let before: String = line.chars().take(at).map(|c| if c == '\t' { c } else { ' ' }).collect();
            text.push_str(&format!("\n\t{line}\n\t{before}^"));
        }
        text
    }

    /// The line of a parse error, unless it is so long that showing it hides the message. OPA's parser reads v0 and then
    /// finds keywords missing: of those it shows no line.
    fn parse_line(&self) -> Option<&String> {
        let keyword = self.error.message.starts_with('`') && self.error.message.contains("` keyword is required ");
        self.line
            .as_ref()
            .filter(|line| self.error.code == Code::Parse && !keyword && line.len() <= LONGEST_LINE)
    }

    fn doc(&self) -> Doc {
        let e = &self.error;
        let mut fields = vec![("message", Doc::from(&e.message)), ("code", Doc::from(e.code.as_str()))];
        if e.loc.row > 0 {
            fields.push((
                "location",
                Doc::Map(vec![
                    ("file", Doc::from(e.loc.file.as_deref().unwrap_or_default())),
                    ("row", Doc::from(e.loc.row)),
                    ("col", Doc::from(e.loc.col)),
                ]),
            ));
        }
        if let Some(line) = self.parse_line() {
            let idx = e.loc.col.saturating_sub(1);
            fields.push((
                "details",
                Doc::Map(vec![("line", Doc::from(line)), ("idx", Doc::from(idx))]),
            ));
        }
        Doc::Map(fields)
    }
}

/// What goes to standard output and to standard error.
pub(crate) fn render_failure(format: EvalFormat, failed: &Failed) -> (String, String) {
    let errors = match failed {
        Failed::Input(message) => return (String::new(), message.clone()),
        Failed::Plain(message) => {
            if matches!(format, EvalFormat::Json | EvalFormat::Discard) {
                let error = Doc::Map(vec![("message", Doc::from(message))]);
                return (
                    html(&Doc::Map(vec![("errors", Doc::List(vec![error]))]).json()),
                    String::new(),
                );
            }
            return (String::new(), format!("1 error occurred: {message}"));
        }
        Failed::Rego(errors) => errors,
    };
    if matches!(format, EvalFormat::Json | EvalFormat::Discard) {
        let errors = Doc::Map(vec![("errors", errors.iter().map(Located::doc).collect())]);
        // As OPA, whose results that are discarded are maps by then.
        let text = match format {
            EvalFormat::Discard => pretty(&errors.value()) + "\n",
            _ => html(&errors.json()),
        };
        return (text, String::new());
    }
    let texts: Vec<String> = errors.iter().map(Located::text).collect();
    match texts.as_slice() {
        [one] => (String::new(), format!("1 error occurred: {one}")),
        many => (
            String::new(),
            format!("{} errors occurred:\n{}", many.len(), many.join("\n")),
        ),
    }
}

fn values(result: &Value) -> &[Value] {
    result.get("expressions").and_then(Value::as_array).unwrap_or_default()
}

pub(crate) fn render(
    format: EvalFormat,
    results: &[Value],
    body: &[Expr],
    query: &str,
    coverage: Option<&Coverage>,
) -> String {
    let with_coverage = |mut fields: Vec<(&'static str, Doc)>| {
        fields.extend(coverage.map(|c| ("coverage", coverage::json(c))));
        html(&Doc::Map(fields).json())
    };
    match format {
        EvalFormat::Json => with_coverage(json(results, body, query)),
        EvalFormat::Discard if results.is_empty() => with_coverage(Vec::new()),
        EvalFormat::Discard => with_coverage(vec![("result", Doc::from("discarded"))]),
        EvalFormat::Values => lines(results, |r| pretty(r.get("expressions").unwrap_or(&Value::Null))),
        EvalFormat::Bindings => lines(results, |r| {
            pretty(&r.get("bindings").cloned().unwrap_or_else(|| Value::object(Vec::new())))
        }),
        EvalFormat::Raw => lines(results, |r| {
            let texts: Vec<String> = values(r)
                .iter()
                .map(|v| v.as_str().map_or_else(|| compact(v), str::to_owned))
                .collect();
            texts.join(" ")
        }),
        EvalFormat::Pretty => {
            let coverage = coverage.map(coverage::text).unwrap_or_default();
            pretty_results(results, body, query) + &coverage
        }
    }
}

/// JSON with what means something in HTML escaped, as Go writes it. These characters stand in strings only.
fn html(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// A value, indented.
fn pretty(value: &Value) -> String {
    html(&doc::pretty(value))
}

/// A value in one line.
fn compact(value: &Value) -> String {
    html(&doc::compact(value))
}

fn lines(results: &[Value], line: impl Fn(&Value) -> String) -> String {
    results.iter().map(|r| line(r) + "\n").collect()
}

/// The text of an expression of the query.
fn text_of<'q>(expr: &Expr, query: &'q str) -> &'q str {
    let (start, end) = (expr.loc.start as usize, expr.loc.end as usize);
    query.get(start..end).unwrap_or(query).trim()
}

fn json(results: &[Value], body: &[Expr], query: &str) -> Vec<(&'static str, Doc)> {
    if results.is_empty() {
        return Vec::new();
    }
    let results = results.iter().map(|result| {
        let expressions = values(result).iter().zip(body).map(|(value, expr)| {
            Doc::Map(vec![
                ("value", Doc::Value(value.clone())),
                ("text", Doc::from(text_of(expr, query))),
                (
                    "location",
                    Doc::Map(vec![("row", Doc::from(expr.loc.row)), ("col", Doc::from(expr.loc.col))]),
                ),
            ])
        });
        let mut fields = vec![("expressions", expressions.collect())];
        if let Some(Value::Object(bindings)) = result.get("bindings")
            && !bindings.is_empty()
        {
            fields.push(("bindings", Doc::Value(Value::Object(bindings.clone()))));
        }
        Doc::Map(fields)
    });
    vec![("result", results.collect())]
}

/// One value as JSON; several, or bindings, as a table.
fn pretty_results(results: &[Value], body: &[Expr], query: &str) -> String {
    let Some(first) = results.first() else {
        return "undefined\n".to_owned();
    };
    let names: Vec<&str> = match first.get("bindings") {
        Some(Value::Object(b)) => b.iter().filter_map(|e| e.0.as_str()).collect(),
        _ => Vec::new(),
    };
    if let ([_], [value], true) = (results, values(first), names.is_empty()) {
        return pretty(value) + "\n";
    }
    // What is only true or false says nothing beside the bindings.
    let shown: Vec<usize> = values(first)
        .iter()
        .enumerate()
        .filter(|(_, v)| !matches!(v, Value::Bool(_)))
        .map(|(i, _)| i)
        .collect();
    let mut head: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    head.extend(
        shown
            .iter()
            .filter_map(|&i| body.get(i))
            .map(|e| text_of(e, query).to_owned()),
    );
    if head.is_empty() {
        return lines(results, |_| "true".to_owned());
    }
    let rows: Vec<Vec<String>> = results
        .iter()
        .map(|r| {
            let bound = names
                .iter()
                .map(|n| r.path(&["bindings", n]).map_or(String::new(), compact));
            let valued = shown.iter().map(|&i| values(r).get(i).map_or(String::new(), compact));
            bound.chain(valued).collect()
        })
        .collect();
    table(&head, &rows)
}

fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|h| h.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let rule = |left: &str, middle: &str, right: &str| {
        let parts: Vec<String> = widths.iter().map(|w| "─".repeat(w + 2)).collect();
        format!("{left}{}{right}\n", parts.join(middle))
    };
    let line = |cells: &[String], centred: bool| {
        let parts: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                let room = width.saturating_sub(cell.width());
                let before = if centred { room / 2 } else { 0 };
                format!(" {}{cell}{} ", " ".repeat(before), " ".repeat(room - before))
            })
            .collect();
        format!("│{}│\n", parts.join("│"))
    };
    let mut out = rule("┌", "┬", "┐");
    out.push_str(&line(head, true));
    out.push_str(&rule("├", "┼", "┤"));
    for row in rows {
        out.push_str(&line(row, false));
    }
    out.push_str(&rule("└", "┴", "┘"));
    out
}
