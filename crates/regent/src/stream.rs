//! Documents whose long lists are made while they are written: a report of a million findings is never in memory as text.

use crate::doc::Doc;
use regent_rego::{Value, yaml};
use std::fmt::{Result, Write};

/// A document, or a part of one.
pub(crate) enum Part<'r> {
    Doc(Doc),
    Map(Vec<(&'static str, Part<'r>)>),
    List(Box<dyn Iterator<Item = Part<'r>> + 'r>),
}

impl<T: Into<Doc>> From<T> for Part<'_> {
    fn from(doc: T) -> Self {
        Part::Doc(doc.into())
    }
}

impl<'r> Part<'r> {
    /// A list that is made while it is written.
    pub(crate) fn list<T: Into<Part<'r>> + 'r>(items: impl Iterator<Item = T> + 'r) -> Part<'r> {
        Part::List(Box::new(items.map(Into::into)))
    }

    /// JSON as [`Doc::json`] writes it.
    pub(crate) fn json(self, out: &mut dyn Write) -> Result {
        self.write_json(out, 0)?;
        out.write_char('\n')
    }

    /// YAML as Kubernetes tools write it, keys in order.
    pub(crate) fn yaml(self, out: &mut dyn Write) -> Result {
        self.write_yaml(out, 0, true)
    }

    fn write_json(self, out: &mut dyn Write, indent: usize) -> Result {
        match self {
            Part::Doc(doc) => {
                let mut text = String::new();
                doc.write(&mut text, indent);
                out.write_str(&text)
            }
            Part::Map(entries) => {
                let mut empty = true;
                for (key, part) in entries {
                    out.write_str(if empty { "{" } else { "," })?;
                    write!(out, "\n{:1$}\"{key}\": ", "", indent + 2)?;
                    part.write_json(out, indent + 2)?;
                    empty = false;
                }
                close(out, empty, "{}", indent)
            }
            Part::List(items) => {
                let mut empty = true;
                for item in items {
                    out.write_str(if empty { "[" } else { "," })?;
                    write!(out, "\n{:1$}", "", indent + 2)?;
                    item.write_json(out, indent + 2)?;
                    empty = false;
                }
                close(out, empty, "[]", indent)
            }
        }
    }

    /// Writes whole lines; `begun` says that the first line has its indent already.
    fn write_yaml(self, out: &mut dyn Write, indent: usize, mut begun: bool) -> Result {
        match self {
            Part::Doc(doc) => write_lines(out, &yaml::write(&doc.value()), indent, begun),
            Part::Map(mut entries) => {
                entries.sort_by_key(|e| e.0);
                for (key, part) in entries {
                    match part {
                        Part::Doc(doc) => {
                            let entry = Value::record([(key, doc.value())]);
                            write_lines(out, &yaml::write(&entry), indent, begun)?;
                        }
                        Part::Map(_) => {
                            write_lines(out, &format!("{key}:\n"), indent, begun)?;
                            part.write_yaml(out, indent + 2, false)?;
                        }
                        Part::List(items) => {
                            let mut items = items.peekable();
                            let empty = if items.peek().is_none() { " []" } else { "" };
                            write_lines(out, &format!("{key}:{empty}\n"), indent, begun)?;
                            write_items(out, items, indent)?;
                        }
                    }
                    begun = false;
                }
                Ok(())
            }
            Part::List(items) => write_items(out, items, indent),
        }
    }
}

fn close(out: &mut dyn Write, empty: bool, brackets: &str, indent: usize) -> Result {
    if empty {
        return out.write_str(brackets);
    }
    write!(out, "\n{:indent$}", "")?;
    out.write_str(brackets.get(1..).unwrap_or_default())
}

fn write_items<'r>(out: &mut dyn Write, items: impl Iterator<Item = Part<'r>>, indent: usize) -> Result {
    for item in items {
        write!(out, "{:indent$}- ", "")?;
        item.write_yaml(out, indent + 2, true)?;
    }
    Ok(())
}

/// Lines with an indent; an empty line has none.
fn write_lines(out: &mut dyn Write, text: &str, indent: usize, mut begun: bool) -> Result {
    for line in text.split_inclusive('\n') {
        if !begun && line != "\n" {
            write!(out, "{:indent$}", "")?;
        }
        out.write_str(line)?;
        begun = false;
    }
    Ok(())
}
