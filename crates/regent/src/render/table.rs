//! A line a violation, in columns.

use super::text::summary;
use crate::report::Report;
use crate::terminal::{paint, printable, style};
use std::fmt::{Result, Write};
use unicode_width::UnicodeWidthStr;

const HEAD: [&str; 5] = ["ACTION", "PLACE", "OBJECT", "CONSTRAINT", "MESSAGE"];

pub(crate) fn render(report: &Report, out: &mut dyn Write) -> Result {
    let rows: Vec<[String; 5]> = report
        .findings
        .iter()
        .map(|f| {
            [
                f.action_name().to_owned(),
                format!("{}:{}:{}", f.at.file, f.line, f.column),
                printable(&format!("{} {}", f.object.kind, f.object.path())),
                printable(&f.constraint.name),
                printable(&f.message.replace('\n', " ")),
            ]
        })
        .collect();
    if !rows.is_empty() {
        writeln!(out, "{}", columns(&HEAD, &rows))?;
    }
    writeln!(out, "{}", summary(report))
}

/// Rows under a head, columns as wide as their widest cell; the last one ends where it ends.
pub(crate) fn columns<const N: usize>(head: &[&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(UnicodeWidthStr::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>, bold: bool| {
        let mut text = String::new();
        for (cell, width) in cells.zip(widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
        }
        let text = text.trim_end();
        out.push_str(&if bold {
            paint(style::BOLD, text)
        } else {
            text.to_owned()
        });
        out.push('\n');
    };
    line(&mut head.iter().copied(), true);
    for row in rows {
        line(&mut row.iter().map(String::as_str), false);
    }
    out
}
