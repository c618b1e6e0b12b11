//! Rules for fragments: where they fit, and that they do not contain themselves.

use super::ast::{Definition, Fragment, Selection, Spread};
use super::walk::{Done, Walk};
use super::{DEPTH, too_deep};
use crate::builtins::Failure;
use rustc_hash::FxHashMap;

/// The spreads on the way from the fragment where a search for cycles began.
#[derive(Default)]
struct Path<'a> {
    spreads: Vec<&'a str>,
    /// How long the path was when a fragment was entered.
    entered: FxHashMap<&'a str, usize>,
}

impl<'a> Walk<'a, '_> {
    /// Whether a fragment on a type can ever apply to what a type stands for. Types that are not known are judged elsewhere.
    pub(super) fn possible_spread(&mut self, parent: &'a Definition, on: &str) -> Result<bool, Failure> {
        let parents: Vec<&str> = match parent.kind.as_str() {
            "OBJECT" => vec![&parent.name],
            "INTERFACE" | "UNION" => self.schema.possible(&parent.name).map(|d| d.name.as_str()).collect(),
            _ => return Ok(true),
        };
        if self.schema.get(on).is_none_or(|d| !d.is_composite()) {
            return Ok(true);
        }
        for possible in self.schema.possible(on) {
            self.host.charge(0)?;
            if parents.contains(&possible.name.as_str()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn fragment_cycles(&mut self, fragment: &'a Fragment) -> Done {
        self.cycles_from(fragment, &mut Path::default())
    }

    fn cycles_from(&mut self, fragment: &'a Fragment, path: &mut Path<'a>) -> Done {
        if path.spreads.len() > DEPTH * 2 {
            return Err(too_deep());
        }
        if !self.seen.cyclic.insert(&fragment.name) {
            return Ok(());
        }
        let spreads = self.spreads_of(&fragment.selections)?;
        if spreads.is_empty() {
            return Ok(());
        }
        path.entered.insert(&fragment.name, path.spreads.len());
        for spread in spreads {
            let start = path.entered.get(spread.name.as_str()).copied();
            match start {
                None => {
                    path.spreads.push(&spread.name);
                    if let Some(next) = self.fragment_named(&spread.name) {
                        self.cycles_from(next, path)?;
                    }
                    path.spreads.pop();
                }
                Some(start) => {
                    let names: Vec<String> = path.spreads.iter().skip(start).map(|n| format!("\"{n}\"")).collect();
                    let via = match names.is_empty() {
                        true => String::new(),
                        false => format!(" via {}", names.join(", ")),
                    };
                    let message = format!("Cannot spread fragment \"{}\" within itself{via}.", spread.name);
                    self.fail(spread.pos, message)?;
                }
            }
        }
        path.entered.remove(fragment.name.as_str());
        Ok(())
    }

    /// All spreads within a selection set: those of a set before those of the sets within, the last of these first.
    fn spreads_of(&mut self, set: &'a [Selection]) -> Result<Vec<&'a Spread>, Failure> {
        let mut out = Vec::new();
        let mut sets = vec![set];
        while let Some(set) = sets.pop() {
            for selection in set {
                self.host.charge(8)?;
                match selection {
                    Selection::Spread(spread) => out.push(spread),
                    Selection::Field(field) => sets.push(&field.selections),
                    Selection::Inline(inline) => sets.push(&inline.selections),
                }
            }
        }
        Ok(out)
    }
}
