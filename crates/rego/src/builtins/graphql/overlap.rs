//! The rule that fields of one response name can be merged, compared in the order in which OPA's library compares:
//! fields within a selection set, with the fragments spread in it, fragments with fragments, and so on within.

use super::ast::{Argument, Field, Pos, Selection, Spread, TypeRef};
use super::walk::{Done, Walk};
use super::{DEPTH, too_deep};
use crate::builtins::Failure;
use rustc_hash::{FxHashMap, FxHashSet};
use std::ptr;

/// What comparisons remember.
#[derive(Default)]
pub(super) struct Overlap<'a> {
    /// Pairs of fragments that were compared, and whether as exclusive ones.
    pairs: FxHashMap<(&'a str, &'a str), bool>,
    /// Fragments that were compared with the fields at hand.
    compared: FxHashSet<&'a str>,
    depth: usize,
}

/// Why two fields conflict.
struct Conflict {
    response: String,
    message: String,
    within: Vec<Conflict>,
    pos: Option<Pos>,
}

impl Conflict {
    fn write(&self, out: &mut String) {
        if self.within.is_empty() {
            out.push_str(&self.message);
        }
        for (i, sub) in self.within.iter().enumerate() {
            if i > 0 {
                out.push_str(" and ");
            }
            out.push_str("subfields \"");
            out.push_str(&sub.response);
            out.push_str("\" conflict because ");
            sub.write(out);
        }
    }
}

/// The fields of a selection set by response name, in the order in which they are met, and its spreads.
struct Collected<'a> {
    names: Vec<&'a str>,
    fields: FxHashMap<&'a str, Vec<&'a Field>>,
    spreads: Vec<&'a Spread>,
}

impl Collected<'_> {
    /// Whether both hold the same fields of the text.
    fn same(&self, other: &Collected<'_>) -> bool {
        self.names == other.names
            && self.fields.iter().all(|(name, fields)| {
                let others = other.fields.get(name).map_or(&[][..], Vec::as_slice);
                fields.len() == others.len() && fields.iter().zip(others).all(|(a, b)| ptr::eq(*a, *b))
            })
    }
}

impl<'a> Walk<'a, '_> {
    pub(super) fn conflicts_within(&mut self, set: &'a [Selection]) -> Done {
        if set.is_empty() {
            return Ok(());
        }
        let collected = self.collect(set)?;
        let mut found = Vec::new();
        for name in &collected.names {
            let fields = collected.fields.get(name).map_or(&[][..], Vec::as_slice);
            for (i, a) in fields.iter().enumerate() {
                for b in fields.iter().skip(i + 1) {
                    found.extend(self.conflict(false, a, b)?);
                }
            }
        }
        self.overlap.compared.clear();
        for (i, a) in collected.spreads.iter().enumerate() {
            self.fields_with_fragment(&mut found, false, &collected, a)?;
            for b in collected.spreads.iter().skip(i + 1) {
                self.fragment_with_fragment(&mut found, false, a, b)?;
            }
        }
        for conflict in found {
            let mut why = String::new();
            conflict.write(&mut why);
            let message = format!(
                "Fields \"{}\" conflict because {why}. Use different aliases on the fields to fetch both if this was intentional.",
                conflict.response
            );
            self.fail(conflict.pos, message)?;
        }
        Ok(())
    }

    fn enter(&mut self) -> Done {
        self.host.charge(0)?;
        if self.overlap.depth >= DEPTH * 2 {
            return Err(too_deep());
        }
        self.overlap.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.overlap.depth -= 1;
    }

    fn collect(&mut self, set: &'a [Selection]) -> Result<Collected<'a>, Failure> {
        let mut out = Collected {
            names: Vec::new(),
            fields: FxHashMap::default(),
            spreads: Vec::new(),
        };
        // Inline fragments are within; a stack keeps the order without recursion.
        let mut rest = vec![set.iter()];
        while let Some(selections) = rest.last_mut() {
            let Some(selection) = selections.next() else {
                rest.pop();
                continue;
            };
            self.host.charge(0)?;
            match selection {
                Selection::Inline(inline) => rest.push(inline.selections.iter()),
                Selection::Spread(spread) => out.spreads.push(spread),
                Selection::Field(field) => {
                    let name = field.response().as_str();
                    let fields = out.fields.entry(name).or_default();
                    if fields.is_empty() {
                        out.names.push(name);
                    }
                    fields.push(field);
                }
            }
        }
        Ok(out)
    }

    fn between(&mut self, found: &mut Vec<Conflict>, exclusive: bool, a: &Collected<'a>, b: &Collected<'a>) -> Done {
        for name in &a.names {
            let left = a.fields.get(name).map_or(&[][..], Vec::as_slice);
            let right = b.fields.get(name).map_or(&[][..], Vec::as_slice);
            for a in left {
                for b in right {
                    found.extend(self.conflict(exclusive, a, b)?);
                }
            }
        }
        Ok(())
    }

    fn fields_with_fragment(
        &mut self,
        found: &mut Vec<Conflict>,
        exclusive: bool,
        fields: &Collected<'a>,
        spread: &'a Spread,
    ) -> Done {
        if !self.overlap.compared.insert(&spread.name) {
            return Ok(());
        }
        let Some(fragment) = self.spread_fragment(spread) else {
            return Ok(());
        };
        let others = self.collect(&fragment.selections)?;
        if fields.same(&others) {
            return Ok(());
        }
        self.enter()?;
        self.between(found, exclusive, fields, &others)?;
        for further in others.spreads.iter().filter(|s| s.name != spread.name) {
            self.fields_with_fragment(found, exclusive, fields, further)?;
        }
        self.leave();
        Ok(())
    }

    fn fragment_with_fragment(
        &mut self,
        found: &mut Vec<Conflict>,
        exclusive: bool,
        a: &'a Spread,
        b: &'a Spread,
    ) -> Done {
        let (x, y) = (a.name.as_str(), b.name.as_str());
        // Compared as not exclusive, they need not be compared as exclusive.
        let known = self.overlap.pairs.get(&(x, y));
        if x == y || known.is_some_and(|was_exclusive| exclusive || !was_exclusive) {
            return Ok(());
        }
        self.overlap.pairs.insert((x, y), exclusive);
        self.overlap.pairs.insert((y, x), exclusive);
        let (Some(left), Some(right)) = (self.spread_fragment(a), self.spread_fragment(b)) else {
            return Ok(());
        };
        self.enter()?;
        let (left, right) = (self.collect(&left.selections)?, self.collect(&right.selections)?);
        self.between(found, exclusive, &left, &right)?;
        for further in &right.spreads {
            self.fragment_with_fragment(found, exclusive, a, further)?;
        }
        for further in &left.spreads {
            self.fragment_with_fragment(found, exclusive, further, b)?;
        }
        self.leave();
        Ok(())
    }

    fn conflict(&mut self, exclusive: bool, a: &'a Field, b: &'a Field) -> Result<Option<Conflict>, Failure> {
        self.host.charge(0)?;
        let (left, right) = (self.field_mark(a), self.field_mark(b));
        let (Some(on_left), Some(on_right)) = (left.object, right.object) else {
            return Ok(None);
        };
        let objects = on_left.kind == "OBJECT" && on_right.kind == "OBJECT";
        let known = left.definition.is_some() && right.definition.is_some();
        let exclusive = exclusive || (on_left.name != on_right.name && objects && known);
        let conflict = |message: String, within: Vec<Conflict>| Conflict {
            response: a.response().to_string(),
            message,
            within,
            pos: b.pos,
        };
        if !exclusive {
            if a.name != b.name {
                let message = format!("\"{}\" and \"{}\" are different fields", a.name, b.name);
                return Ok(Some(conflict(message, Vec::new())));
            }
            if !self.same_arguments(&a.arguments, &b.arguments)? {
                return Ok(Some(conflict("they have differing arguments".into(), Vec::new())));
            }
        }
        if let (Some(left), Some(right)) = (left.definition, right.definition)
            && self.types_conflict(&left.of, &right.of)
        {
            let message = format!("they return conflicting types \"{}\" and \"{}\"", left.of, right.of);
            return Ok(Some(conflict(message, Vec::new())));
        }
        self.enter()?;
        let within = self.between_sets(exclusive, &a.selections, &b.selections)?;
        self.leave();
        Ok((!within.is_empty()).then(|| conflict(String::new(), within)))
    }

    fn between_sets(
        &mut self,
        exclusive: bool,
        a: &'a [Selection],
        b: &'a [Selection],
    ) -> Result<Vec<Conflict>, Failure> {
        let mut found = Vec::new();
        let (a, b) = (self.collect(a)?, self.collect(b)?);
        self.between(&mut found, exclusive, &a, &b)?;
        for (fields, spreads) in [(&a, &b.spreads), (&b, &a.spreads)] {
            for spread in spreads {
                self.overlap.compared.clear();
                self.fields_with_fragment(&mut found, exclusive, fields, spread)?;
            }
        }
        for x in &a.spreads {
            for y in &b.spreads {
                self.fragment_with_fragment(&mut found, exclusive, x, y)?;
            }
        }
        Ok(found)
    }

    fn same_arguments(&mut self, a: &[Argument], b: &[Argument]) -> Result<bool, Failure> {
        if a.len() != b.len() {
            return Ok(false);
        }
        let same =
            |x: &Argument, y: &Argument| x.name == y.name && x.value.kind == y.value.kind && x.value.raw == y.value.raw;
        for x in a {
            self.host.charge(0)?;
            if !b.iter().any(|y| same(x, y)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn types_conflict(&self, a: &TypeRef, b: &TypeRef) -> bool {
        let (mut a, mut b) = (a, b);
        loop {
            match (&a.elem, &b.elem) {
                (Some(x), Some(y)) => (a, b) = (x, y),
                (None, None) => break,
                _ => return true,
            }
        }
        let (left, right) = (self.schema.get(&a.named), self.schema.get(&b.named));
        a.non_null != b.non_null
            || matches!((left, right), (Some(l), Some(r)) if l.is_leaf() && r.is_leaf() && l.name != r.name)
    }
}
