//! Rules for fields and their arguments, and for what a subscription selects.

use super::ast::{Argument, Definition, Field, Operation, Pos, Selection};
use super::suggest::{mean, near, quoted_or_list};
use super::walk::{Done, FieldMark, Walk};
use super::{DEPTH, too_deep};
use crate::builtins::Failure;
use rustc_hash::{FxHashMap, FxHashSet};

/// Lists within lists of a type's description: more are refused.
const INTROSPECTION_DEPTH: usize = 3;

impl<'a> Walk<'a, '_> {
    pub(super) fn field_exists(&mut self, field: &'a Field, mark: FieldMark<'a>) -> Done {
        let (Some(object), None) = (mark.object, mark.definition) else {
            return Ok(());
        };
        let types = self.types_with(object, &field.name)?;
        let suggestion = if !types.is_empty() {
            format!(" Did you mean to use an inline fragment on {}?", quoted_or_list(&types))
        } else if matches!(object.kind.as_str(), "OBJECT" | "INTERFACE") {
            let near = near(self.host, &field.name, object.fields.iter().map(|f| f.name.as_str()))?;
            mean("Did you mean", &near)
        } else {
            String::new()
        };
        let message = format!(
            "Cannot query field \"{}\" on type \"{}\".{suggestion}",
            field.name, object.name
        );
        self.fail(field.pos, message)
    }

    /// Types and interfaces that have a field which an abstract type has not: the interfaces used most first.
    fn types_with(&mut self, object: &'a Definition, name: &str) -> Result<Vec<&'a str>, Failure> {
        if !object.is_abstract() {
            return Ok(Vec::new());
        }
        let (mut interfaces, mut objects) = (Vec::new(), Vec::new());
        let mut uses: FxHashMap<&str, usize> = FxHashMap::default();
        for possible in self.schema.possible(&object.name) {
            self.host.charge(0)?;
            if possible.field(name).is_none() {
                continue;
            }
            objects.push(possible.name.as_str());
            for interface in &possible.interfaces {
                if self.schema.get(interface).and_then(|i| i.field(name)).is_some() {
                    let count = uses.entry(interface).or_default();
                    if *count == 0 {
                        interfaces.push(interface.as_str());
                    }
                    *count += 1;
                }
            }
        }
        interfaces.extend(objects);
        let count = |name: &str| uses.get(name).copied().unwrap_or(0);
        interfaces.sort_by(|a, b| count(b).cmp(&count(a)).then(a.cmp(b)));
        Ok(interfaces)
    }

    pub(super) fn known_field_arguments(&mut self, field: &'a Field, mark: FieldMark<'a>) -> Done {
        let (Some(object), Some(definition)) = (mark.object, mark.definition) else {
            return Ok(());
        };
        for argument in &field.arguments {
            self.host.charge(0)?;
            if definition.argument(&argument.name).is_some() {
                continue;
            }
            let names = definition.arguments.iter().map(|a| a.name.as_str());
            let near = near(self.host, &argument.name, names)?;
            let message = format!(
                "Unknown argument \"{}\" on field \"{}.{}\".{}",
                argument.name,
                object.name,
                field.name,
                mean("Did you mean", &near)
            );
            self.fail(field.pos, message)?;
        }
        Ok(())
    }

    pub(super) fn needed_field_arguments(&mut self, field: &'a Field, mark: FieldMark<'a>) -> Done {
        let Some(definition) = mark.definition else {
            return Ok(());
        };
        for wanted in definition
            .arguments
            .iter()
            .filter(|a| a.of.non_null && a.default.is_none())
        {
            self.host.charge(0)?;
            if field.arguments.iter().all(|a| a.name != wanted.name) {
                let message = format!(
                    "Field \"{}\" argument \"{}\" of type \"{}\" is required, but it was not provided.",
                    field.name, wanted.name, wanted.of
                );
                self.fail(field.pos, message)?;
            }
        }
        Ok(())
    }

    pub(super) fn leaf(&mut self, field: &'a Field, mark: FieldMark<'a>) -> Done {
        let Some(definition) = mark.definition else {
            return Ok(());
        };
        let Some(of) = self.schema.get(definition.of.name()) else {
            return Ok(());
        };
        let name = &field.name;
        match (of.is_leaf(), field.selections.is_empty()) {
            (true, false) => self.fail(
                field.pos,
                format!(
                    "Field \"{name}\" must not have a selection since type \"{}\" has no subfields.",
                    of.name
                ),
            ),
            (false, true) => self.fail(
                field.pos,
                format!(
                    "Field \"{name}\" of type \"{}\" must have a selection of subfields. Did you mean \"{name} {{ ... }}\"?",
                    definition.of
                ),
            ),
            _ => Ok(()),
        }
    }

    pub(super) fn unique_arguments(&mut self, arguments: &'a [Argument]) -> Done {
        let (mut once, mut twice) = (FxHashSet::default(), FxHashSet::default());
        for argument in arguments {
            if !once.insert(&argument.name) && twice.insert(&argument.name) {
                let message = format!("There can be only one argument named \"{}\".", argument.name);
                self.fail(argument.pos, message)?;
            }
        }
        Ok(())
    }

    pub(super) fn introspection_depth(&mut self, field: &'a Field) -> Done {
        let mut visited = Vec::new();
        match self.too_deep_field(field, &mut visited, 0, 0)? {
            true => self.fail(field.pos, "Maximum introspection depth exceeded".into()),
            false => Ok(()),
        }
    }

    fn too_deep_field(
        &mut self,
        field: &'a Field,
        visited: &mut Vec<&'a str>,
        depth: usize,
        nesting: usize,
    ) -> Result<bool, Failure> {
        let list = matches!(
            field.name.as_str(),
            "fields" | "interfaces" | "possibleTypes" | "inputFields"
        );
        let depth = depth + usize::from(list);
        if list && depth >= INTROSPECTION_DEPTH {
            return Ok(true);
        }
        self.too_deep_set(&field.selections, visited, depth, nesting)
    }

    fn too_deep_set(
        &mut self,
        set: &'a [Selection],
        visited: &mut Vec<&'a str>,
        depth: usize,
        nesting: usize,
    ) -> Result<bool, Failure> {
        if nesting > DEPTH * 2 {
            return Err(too_deep());
        }
        for selection in set {
            self.host.charge(0)?;
            let found = match selection {
                Selection::Field(field) => self.too_deep_field(field, visited, depth, nesting + 1)?,
                Selection::Inline(inline) => self.too_deep_set(&inline.selections, visited, depth, nesting + 1)?,
                Selection::Spread(spread) if visited.contains(&spread.name.as_str()) => false,
                Selection::Spread(spread) => match self.spread_fragment(spread) {
                    None => false,
                    Some(fragment) => {
                        visited.push(&spread.name);
                        let found = self.too_deep_set(&fragment.selections, visited, depth, nesting + 1)?;
                        visited.pop();
                        found
                    }
                },
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn single_field(&mut self, operation: &'a Operation) -> Done {
        if self.schema.subscription.is_none() || operation.operation != "subscription" {
            return Ok(());
        }
        let mut fields = Vec::new();
        let mut entered = FxHashSet::default();
        self.top_fields(&operation.selections, &mut fields, &mut entered, 0)?;
        let mut seen = FxHashSet::default();
        fields.retain(|f| seen.insert(f.0));
        let name = match operation.name.is_empty() {
            true => "Anonymous Subscription".to_string(),
            false => format!("Subscription \"{}\"", operation.name),
        };
        if let Some((_, pos)) = fields.get(1) {
            self.fail(*pos, format!("{name} must select only one top level field."))?;
        }
        for (field, pos) in fields {
            if field.starts_with("__") {
                self.fail(pos, format!("{name} must not select an introspection top level field."))?;
            }
        }
        Ok(())
    }

    fn top_fields(
        &mut self,
        set: &'a [Selection],
        out: &mut Vec<(&'a str, Option<Pos>)>,
        entered: &mut FxHashSet<&'a str>,
        nesting: usize,
    ) -> Done {
        if nesting > DEPTH * 2 {
            return Err(too_deep());
        }
        for selection in set {
            self.host.charge(0)?;
            match selection {
                Selection::Field(field) => out.push((&field.name, field.pos)),
                Selection::Inline(inline) => self.top_fields(&inline.selections, out, entered, nesting + 1)?,
                Selection::Spread(spread) => {
                    let Some(fragment) = self.spread_fragment(spread) else {
                        return Ok(());
                    };
                    if entered.insert(&fragment.name) {
                        self.top_fields(&fragment.selections, out, entered, nesting + 1)?;
                    }
                }
            }
        }
        Ok(())
    }
}
