//! METADATA blocks: comments that begin with `# METADATA`, and what they stand before.

mod shape;

use crate::Value;
use crate::ast::{Annotations, Loc, Rule, Term, TermValue};
use crate::error::{Code, Error};
use crate::yaml::{self, Place, ReadError, ReadOptions};
use smol_str::SmolStr;

/// A block as read, before it is known what it belongs to.
#[derive(Debug)]
pub(super) struct Block {
    value: Value,
    loc: Loc,
}

impl Block {
    pub(super) fn loc(&self) -> &Loc {
        &self.loc
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Package,
    Import,
    Rule,
}

/// A statement a block may stand before.
pub(super) struct Target {
    kind: Kind,
    row: u32,
    path: Vec<Term>,
}

impl Target {
    pub(super) fn package(loc: &Loc, path: &[Term]) -> Target {
        Target {
            kind: Kind::Package,
            row: loc.row,
            path: path.to_vec(),
        }
    }

    pub(super) fn import(loc: &Loc) -> Target {
        Target {
            kind: Kind::Import,
            row: loc.row,
            path: Vec::new(),
        }
    }

    pub(super) fn rule(rule: &Rule, package: &[Term]) -> Target {
        let mut path = package.to_vec();
        for (i, part) in rule.head.reference.iter().enumerate() {
            match &part.value {
                TermValue::Var(v) if i == 0 => path.push(Term::at(TermValue::String(v.clone()), &part.loc)),
                _ if super::rule::is_ground(part) => path.push(part.clone()),
                _ => break,
            }
        }
        Target {
            kind: Kind::Rule,
            row: rule.loc.row,
            path,
        }
    }
}

fn is_marker(comment: &(Loc, String)) -> bool {
    comment.0.col == 1 && comment.1.trim().starts_with("METADATA")
}

/// The blocks among the comments, and the faults of those that cannot be read.
pub(super) fn blocks(comments: &[(Loc, String)]) -> (Vec<Block>, Vec<Error>) {
    let (mut blocks, mut faults) = (Vec::new(), Vec::new());
    let mut rest = comments.iter().peekable();
    while let Some(marker) = rest.next() {
        if !is_marker(marker) {
            continue;
        }
        let (mut text, mut row) = (String::new(), marker.0.row);
        while let Some(line) = rest.next_if(|c| c.0.col == 1 && c.0.row == row + 1 && !is_marker(c)) {
            text.push_str(line.1.strip_prefix(' ').unwrap_or(&line.1));
            text.push('\n');
            row += 1;
        }
        if text.trim().is_empty() {
            let fault = "expected METADATA block, found whitespace";
            faults.push(Error::new(Code::Parse, &marker.0, fault));
            continue;
        }
        // OPA counts the lines of a block from 0 and Go's reader from 1: errors stand a line late, but in the block.
        let at = |line: u32| {
            let mut loc = marker.0.clone();
            loc.row = loc.row.saturating_add(line).saturating_add(1).min(row);
            loc
        };
        match read(&text) {
            Ok((value, place)) => {
                if let Some((line, fault)) = shape::types(&value, &place) {
                    faults.push(Error::new(Code::Parse, &at(line), fault));
                } else if let Some(fault) = shape::definitions(&value) {
                    faults.push(Error::new(Code::Parse, &marker.0, fault));
                } else {
                    blocks.push(Block {
                        value,
                        loc: marker.0.clone(),
                    });
                }
            }
            Err(e) => {
                let fault = format!("yaml: line {}: {}", e.row, e.message);
                faults.push(Error::new(Code::Parse, &at(e.row as u32), fault));
            }
        }
    }
    (blocks, faults)
}

fn read(text: &str) -> Result<(Value, Place), ReadError> {
    let value = match yaml::read(text)? {
        Value::Null => Value::object(Vec::new()),
        value => value,
    };
    Ok((value, yaml::read_places(text, ReadOptions::default())?))
}

/// Gives each block its scope and the statement after it; those that do not fit are left out, with a fault.
pub(super) fn attach(blocks: Vec<Block>, targets: &[Target]) -> (Vec<Annotations>, Vec<Error>) {
    let (mut attached, mut faults) = (Vec::new(), Vec::new());
    for block in blocks {
        let target = targets.iter().find(|t| t.row > block.loc.row);
        let kind = target.map(|t| t.kind);
        let entrypoint = block.value.get("entrypoint").and_then(Value::as_bool) == Some(true);
        let scope: SmolStr = match block.value.get("scope") {
            Some(Value::String(scope)) if !scope.is_empty() => scope.as_str().into(),
            Some(Value::Number(scope)) => scope.to_string().into(),
            Some(Value::Bool(scope)) => scope.to_string().into(),
            _ => match kind {
                Some(Kind::Rule) if entrypoint => "document".into(),
                Some(Kind::Rule) => "rule".into(),
                Some(Kind::Package) => "package".into(),
                Some(Kind::Import) => "import".into(),
                None => "".into(),
            },
        };
        let wanted = match scope.as_str() {
            "rule" | "document" => Some(Kind::Rule),
            "package" | "subpackages" => Some(Kind::Package),
            _ => None,
        };
        let name = |k: Kind| match k {
            Kind::Package => "package",
            Kind::Import => "import",
            Kind::Rule => "rule",
        };
        let before = faults.len();
        match wanted {
            Some(want) if kind == Some(want) => {}
            Some(want) => {
                let have = kind.map(|k| format!(" (have {})", name(k))).unwrap_or_default();
                let fault = format!("annotation scope '{scope}' must be applied to {}{have}", name(want));
                faults.push(Error::new(Code::Parse, &block.loc, fault));
            }
            None => faults.push(Error::new(
                Code::Parse,
                &block.loc,
                format!(
                    "invalid annotation scope '{scope}'. Use one of 'rule', 'document', 'package', or 'subpackages'"
                ),
            )),
        }
        if entrypoint && !matches!(scope.as_str(), "document" | "package") {
            faults.push(Error::new(
                Code::Parse,
                &block.loc,
                format!("annotation entrypoint applied to non-document or package scope '{scope}'"),
            ));
        }
        if let Some(target) = target.filter(|_| faults.len() == before) {
            attached.push(Annotations {
                scope,
                value: block.value,
                loc: block.loc,
                target_row: target.row,
                path: target.path.clone(),
            });
        }
    }
    (attached, faults)
}
