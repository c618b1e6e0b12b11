//! Which rules look at what, in the order in which OPA's library asks them: by name.

use super::ast::{Definition, Directive, Field, Fragment, Inline, Literal, LiteralKind, Operation, Spread, Variable};
use super::suggest::{mean, near};
use super::walk::{Done, FieldMark, Used, Walk};
use rustc_hash::FxHashSet;

impl<'a> Walk<'a, '_> {
    pub(super) fn on_variable(&mut self, variable: &'a Variable) -> Done {
        let name = variable.of.name();
        match self.schema.get(name) {
            Some(_) => Ok(()),
            None => self.fail(variable.pos, format!("Unknown type \"{name}\".")),
        }
    }

    pub(super) fn on_operation(&mut self, operation: &'a Operation) -> Done {
        let (name, pos) = (&operation.name, operation.pos);
        if self.schema.root(&operation.operation).is_none() {
            let kind = &operation.operation;
            self.fail(pos, format!("Schema does not support operation type \"{kind}\""))?;
        }
        if name.is_empty() && self.document.operations.len() > 1 {
            self.fail(
                pos,
                "This anonymous operation must be the only defined operation.".into(),
            )?;
        }
        for variable in &operation.variables {
            if !self.used_variables.contains(&std::ptr::from_ref(variable)) {
                let place = match name.is_empty() {
                    true => String::new(),
                    false => format!(" in operation \"{name}\""),
                };
                self.fail(
                    variable.pos,
                    format!("Variable \"${}\" is never used{place}.", variable.name),
                )?;
            }
        }
        self.conflicts_within(&operation.selections)?;
        self.single_field(operation)?;
        if !self.seen.operations.insert(name) {
            self.fail(pos, format!("There can be only one operation named \"{name}\"."))?;
        }
        self.unique_variables(operation)?;
        for variable in &operation.variables {
            if let Some(definition) = self.schema.get(variable.of.name())
                && !definition.is_input()
            {
                let message = format!(
                    "Variable \"${}\" cannot be non-input type \"{}\".",
                    variable.name, variable.of
                );
                self.fail(variable.pos, message)?;
            }
        }
        Ok(())
    }

    fn unique_variables(&mut self, operation: &'a Operation) -> Done {
        let (mut once, mut twice) = (FxHashSet::default(), FxHashSet::default());
        for variable in &operation.variables {
            // One error for each name.
            if !once.insert(&variable.name) && twice.insert(&variable.name) {
                let message = format!("There can be only one variable named \"${}\".", variable.name);
                self.fail(variable.pos, message)?;
            }
        }
        Ok(())
    }

    pub(super) fn on_field(&mut self, field: &'a Field, mark: FieldMark<'a>) -> Done {
        self.field_exists(field, mark)?;
        self.known_field_arguments(field, mark)?;
        if matches!(field.name.as_str(), "__schema" | "__type") {
            self.introspection_depth(field)?;
        }
        if self.operation.is_some() {
            self.conflicts_within(&field.selections)?;
        }
        self.needed_field_arguments(field, mark)?;
        self.leaf(field, mark)?;
        self.unique_arguments(&field.arguments)
    }

    pub(super) fn on_inline(&mut self, inline: &'a Inline, parent: Option<&'a Definition>) -> Done {
        let on = self.schema.get(&inline.on);
        if on.is_some_and(|d| !d.is_composite()) {
            let message = format!("Fragment cannot condition on non composite type \"{}\".", inline.on);
            self.fail(inline.pos, message)?;
        }
        if !inline.on.is_empty() && on.is_none() {
            self.fail(inline.pos, format!("Unknown type \"{}\".", inline.on))?;
        }
        self.conflicts_within(&inline.selections)?;
        match parent {
            Some(parent) if !self.possible_spread(parent, &inline.on)? => {
                let message = format!(
                    "Fragment cannot be spread here as objects of type \"{}\" can never be of type \"{}\".",
                    parent.name, inline.on
                );
                self.fail(inline.pos, message)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn on_fragment(&mut self, fragment: &'a Fragment) -> Done {
        let (name, on, pos) = (&fragment.name, &fragment.on, fragment.pos);
        let definition = self.schema.get(on);
        if !on.is_empty() && definition.is_some_and(|d| !d.is_composite()) {
            let message = format!("Fragment \"{name}\" cannot condition on non composite type \"{on}\".");
            self.fail(pos, message)?;
        }
        if definition.is_none() {
            let near = near(self.host, on, self.schema.types.keys().map(|k| k.as_str()))?;
            self.fail(pos, format!("Unknown type \"{on}\".{}", mean("Did you mean", &near)))?;
        }
        self.fragment_cycles(fragment)?;
        self.seen.in_fragments = true;
        if !self.seen.used_fragments.contains(name.as_str()) {
            self.fail(pos, format!("Fragment \"{name}\" is never used."))?;
        }
        self.conflicts_within(&fragment.selections)?;
        if !self.seen.fragments.insert(name) {
            self.fail(pos, format!("There can be only one fragment named \"{name}\"."))?;
        }
        Ok(())
    }

    pub(super) fn on_spread(
        &mut self,
        spread: &'a Spread,
        fragment: Option<&'a Fragment>,
        parent: Option<&'a Definition>,
    ) -> Done {
        if fragment.is_none() {
            self.fail(spread.pos, format!("Unknown fragment \"{}\".", spread.name))?;
        }
        if !self.seen.in_fragments {
            self.seen.used_fragments.insert(&spread.name);
        }
        if let (Some(fragment), Some(parent)) = (fragment, parent)
            && !self.possible_spread(parent, &fragment.on)?
        {
            let message = format!(
                "Fragment \"{}\" cannot be spread here as objects of type \"{}\" can never be of type \"{}\".",
                spread.name, parent.name, fragment.on
            );
            self.fail(spread.pos, message)?;
        }
        Ok(())
    }

    pub(super) fn on_directive(&mut self, used: Used<'a>) -> Done {
        let Directive {
            name, arguments, pos, ..
        } = used.directive;
        if let Some(definition) = used.definition {
            for argument in arguments {
                self.host.charge(0)?;
                if definition.argument(&argument.name).is_none() {
                    let names = definition.arguments.iter().map(|a| a.name.as_str());
                    let near = near(self.host, &argument.name, names)?;
                    let message = format!(
                        "Unknown argument \"{}\" on directive \"@{name}\".{}",
                        argument.name,
                        mean("Did you mean", &near)
                    );
                    self.fail(*pos, message)?;
                }
            }
        }
        match used.definition {
            None => self.fail(*pos, format!("Unknown directive \"@{name}\"."))?,
            Some(d) if d.locations.iter().any(|l| l == used.location) => {}
            Some(_) => {
                let place = pos.map(|p| (p.line, p.column));
                if self.seen.misplaced.insert((name, place)) {
                    let message = format!("Directive \"@{name}\" may not be used on {}.", used.location);
                    self.fail(*pos, message)?;
                }
            }
        }
        if let Some(definition) = used.definition {
            for wanted in definition
                .arguments
                .iter()
                .filter(|a| a.of.non_null && a.default.is_none())
            {
                self.host.charge(0)?;
                if arguments.iter().all(|a| a.name != wanted.name) {
                    let message = format!(
                        "Directive \"@{name}\" argument \"{}\" of type \"{}\" is required, but it was not provided.",
                        wanted.name, wanted.of
                    );
                    self.fail(*pos, message)?;
                }
            }
        }
        self.unique_arguments(arguments)
    }

    pub(super) fn on_directives(&mut self, list: &[Used<'a>]) -> Done {
        let mut seen = FxHashSet::default();
        for used in list {
            let once = used.definition.is_none_or(|d| !d.repeatable);
            if !seen.insert(&used.directive.name) && once {
                let message = format!(
                    "The directive \"@{}\" can only be used once at this location.",
                    used.directive.name
                );
                self.fail(used.directive.pos, message)?;
            }
        }
        Ok(())
    }

    pub(super) fn on_value(&mut self, value: &'a Literal) -> Done {
        let mark = self.value_mark(value);
        if value.kind == LiteralKind::Variable
            && mark.variable.is_none()
            && let Some(operation) = self.operation
        {
            let place = match operation.name.is_empty() {
                true => String::new(),
                false => format!(" by operation \"{}\"", operation.name),
            };
            self.fail(value.pos, format!("Variable \"${}\" is not defined{place}.", value.raw))?;
        }
        if value.kind == LiteralKind::Object {
            let mut seen = FxHashSet::default();
            for field in &value.children {
                if !seen.insert(&field.name) {
                    let message = format!("There can be only one input field named \"{}\".", field.name);
                    self.fail(field.pos, message)?;
                }
            }
        }
        self.value_of_type(value, mark)?;
        self.variable_position(value, mark)
    }
}
