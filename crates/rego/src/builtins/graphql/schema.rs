//! A schema's text made into a schema: types and directives by name, and the checks that make one valid.

use super::ast::{
    Definition, Directive, DirectiveDefinition, FieldDefinition, LiteralKind, Pos, Roots, SchemaText, TypeRef,
};
use super::error::GraphqlError;
use super::parse::Parser;
use crate::builtins::{Failure, Host};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// What every schema holds (the specification's introspection).
const PRELUDE: &str = include_str!("prelude.graphql");

/// Directives a schema may declare again; its own declaration counts then.
const KNOWN: &[&str] = &["include", "skip", "deprecated", "specifiedBy", "defer", "oneOf"];

#[derive(Default)]
pub(super) struct Schema {
    pub(super) types: BTreeMap<SmolStr, Definition>,
    pub(super) directives: BTreeMap<SmolStr, DirectiveDefinition>,
    /// The types a value of a type may have.
    possible: FxHashMap<SmolStr, Vec<SmolStr>>,
    pub(super) query: Option<SmolStr>,
    pub(super) mutation: Option<SmolStr>,
    pub(super) subscription: Option<SmolStr>,
    /// The field that every type has.
    pub(super) typename: FieldDefinition,
}

/// Why there is no schema.
pub(super) enum Wrong {
    Error(GraphqlError),
    Halt(Failure),
}

impl From<GraphqlError> for Wrong {
    fn from(error: GraphqlError) -> Wrong {
        Wrong::Error(error)
    }
}

impl From<Failure> for Wrong {
    fn from(halt: Failure) -> Wrong {
        Wrong::Halt(halt)
    }
}

type Checked = Result<(), Wrong>;

fn wrong<T>(pos: Option<Pos>, message: String) -> Result<T, Wrong> {
    Err(Wrong::Error(GraphqlError::at(pos, message)))
}

fn quoted(s: &str) -> String {
    let mut out = String::new();
    crate::go_text::quote(&mut out, s);
    out
}

impl Schema {
    pub(super) fn get(&self, name: &str) -> Option<&Definition> {
        self.types.get(name)
    }

    /// The types a value of this type may have.
    pub(super) fn possible(&self, name: &str) -> impl Iterator<Item = &Definition> {
        let names = self.possible.get(name).map_or(&[][..], Vec::as_slice);
        names.iter().filter_map(|n| self.types.get(n))
    }

    pub(super) fn root(&self, operation: &str) -> Option<&Definition> {
        let name = match operation {
            "mutation" => &self.mutation,
            "subscription" => &self.subscription,
            _ => &self.query,
        };
        self.get(name.as_ref()?)
    }

    fn set_roots(&mut self, host: &mut dyn Host, roots: &Roots) -> Checked {
        for root in &roots.types {
            if !self.types.contains_key(&root.of) {
                let (operation, of) = (&root.operation, &root.of);
                let message = format!("Schema root {operation} refers to a type {of} that does not exist.");
                return wrong(root.pos, message);
            }
            match root.operation.as_str() {
                "query" => self.query = Some(root.of.clone()),
                "mutation" => self.mutation = Some(root.of.clone()),
                "subscription" => self.subscription = Some(root.of.clone()),
                _ => {}
            }
        }
        self.check_directives(host, &roots.directives, "SCHEMA", None)
    }

    fn check_directives(
        &self,
        host: &mut dyn Host,
        directives: &[Directive],
        location: &str,
        current: Option<&str>,
    ) -> Checked {
        for directive in directives {
            let name = &directive.name;
            check_name(directive.pos, name)?;
            if current == Some(name) {
                return wrong(directive.pos, format!("Directive {name} cannot refer to itself."));
            }
            let Some(definition) = self.directives.get(name) else {
                return wrong(directive.pos, format!("Undefined directive {name}."));
            };
            if !definition.locations.iter().any(|l| l == location) {
                return wrong(
                    directive.pos,
                    format!("Directive {name} is not applicable on {location}."),
                );
            }
            for argument in &directive.arguments {
                host.charge(0)?;
                if definition.argument(&argument.name).is_none() {
                    let message = format!("Undefined argument {} for directive {name}.", argument.name);
                    return wrong(argument.pos, message);
                }
            }
            for wanted in definition
                .arguments
                .iter()
                .filter(|a| a.of.non_null && a.default.is_none())
            {
                host.charge(0)?;
                let given = directive.arguments.iter().find(|a| a.name == wanted.name);
                if given.is_none_or(|a| a.value.kind == LiteralKind::Null) {
                    let message = format!("Argument {} for directive {name} cannot be null.", wanted.name);
                    return wrong(directive.pos, message);
                }
            }
        }
        Ok(())
    }

    fn check_type_ref(&self, of: &TypeRef) -> Result<&Definition, Wrong> {
        match self.get(of.name()) {
            Some(definition) => Ok(definition),
            None => wrong(of.pos, format!("Undefined type {}.", of.name())),
        }
    }

    fn check_arguments(&self, host: &mut dyn Host, arguments: &[FieldDefinition], current: Option<&str>) -> Checked {
        for argument in arguments {
            host.charge(0)?;
            check_name(argument.pos, &argument.name)?;
            let definition = self.check_type_ref(&argument.of)?;
            if !definition.is_input() {
                let message = format!(
                    "cannot use {} as argument {} because {} is not a valid input type",
                    argument.of, argument.name, definition.kind
                );
                return wrong(argument.pos, message);
            }
            self.check_directives(host, &argument.directives, "ARGUMENT_DEFINITION", current)?;
        }
        Ok(())
    }

    fn check_definition(&self, host: &mut dyn Host, def: &Definition) -> Checked {
        let input = def.kind == "INPUT_OBJECT";
        let location = match input {
            true => "INPUT_FIELD_DEFINITION",
            false => "FIELD_DEFINITION",
        };
        for field in &def.fields {
            host.charge(0)?;
            check_name(field.pos, &field.name)?;
            self.check_type_ref(&field.of)?;
            self.check_arguments(host, &field.arguments, None)?;
            self.check_directives(host, &field.directives, location, None)?;
        }
        for name in &def.types {
            match self.get(name) {
                None => return wrong(def.pos, format!("Undefined type {}.", quoted(name))),
                Some(of) if of.kind != "OBJECT" => {
                    let message = format!("{} type {} must be OBJECT.", def.kind, quoted(name));
                    return wrong(def.pos, message);
                }
                Some(_) => {}
            }
        }
        for name in &def.interfaces {
            self.check_implements(host, def, name)?;
        }
        self.check_kind(host, def)?;
        // The library compares each field with those after it: the earliest of two counts.
        let mut places: FxHashMap<&str, usize> = FxHashMap::default();
        let mut twice: Option<(usize, &FieldDefinition)> = None;
        for (i, field) in def.fields.iter().enumerate() {
            let first = *places.entry(&field.name).or_insert(i);
            if first < i && twice.is_none_or(|(earliest, _)| first < earliest) {
                twice = Some((first, field));
            }
        }
        if let Some((_, field)) = twice {
            let message = format!("Field {}.{} can only be defined once.", def.name, field.name);
            return wrong(field.pos, message);
        }
        if !def.built_in {
            check_name(def.pos, &def.name)?;
        }
        self.check_directives(host, &def.directives, &def.kind, None)
    }

    fn check_kind(&self, host: &mut dyn Host, def: &Definition) -> Checked {
        let (kind, name) = (&def.kind, &def.name);
        let of = |field: &FieldDefinition| self.get(field.of.name());
        match kind.as_str() {
            "OBJECT" | "INTERFACE" => {
                if def.fields.is_empty() {
                    return wrong(def.pos, format!("{kind} {name}: must define one or more fields."));
                }
                for field in &def.fields {
                    if of(field).is_some_and(|d| !d.is_leaf() && !d.is_composite()) {
                        let message =
                            format!("{kind} {name}: field must be one of SCALAR, OBJECT, INTERFACE, UNION, ENUM.");
                        return wrong(field.pos, message);
                    }
                }
            }
            "ENUM" => {
                if def.values.is_empty() {
                    let message = format!("{kind} {name}: must define one or more unique enum values.");
                    return wrong(def.pos, message);
                }
                for value in &def.values {
                    if matches!(value.name.as_str(), "true" | "false" | "null") {
                        return wrong(def.pos, format!("{kind} {name}: non-enum value {}.", value.name));
                    }
                    self.check_directives(host, &value.directives, "ENUM_VALUE", None)?;
                }
            }
            "INPUT_OBJECT" => {
                if def.fields.is_empty() {
                    let message = format!("{kind} {name}: must define one or more input fields.");
                    return wrong(def.pos, message);
                }
                for field in &def.fields {
                    if let Some(d) = of(field)
                        && !d.is_input()
                    {
                        let message = format!(
                            "{} {}: field must be one of SCALAR, ENUM, INPUT_OBJECT.",
                            d.kind, field.name
                        );
                        return wrong(field.pos, message);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check_implements(&self, host: &mut dyn Host, def: &Definition, name: &str) -> Checked {
        let Some(interface) = self.get(name) else {
            return wrong(def.pos, format!("Undefined type {}.", quoted(name)));
        };
        if interface.kind != "INTERFACE" {
            let message = format!("{} is a non interface type {}.", quoted(name), interface.kind);
            return wrong(def.pos, message);
        }
        let start = format!("For {} to implement {}", def.name, interface.name);
        for wanted in &interface.fields {
            host.charge(0)?;
            let wanted_name = &wanted.name;
            let Some(found) = def.field(wanted_name) else {
                return wrong(def.pos, format!("{start} it must have a field called {wanted_name}."));
            };
            if !self.covariant(&wanted.of, &found.of) {
                let message = format!("{start} the field {wanted_name} must have type {}.", wanted.of);
                return wrong(found.pos, message);
            }
            for argument in &wanted.arguments {
                host.charge(0)?;
                let same = format!("{start} the field {wanted_name} must have the same arguments but");
                match found.argument(&argument.name) {
                    None => return wrong(found.pos, format!("{same} it is missing {}.", argument.name)),
                    Some(given) if !argument.of.fits(&given.of) => {
                        return wrong(given.pos, format!("{same} {} has the wrong type.", argument.name));
                    }
                    Some(_) => {}
                }
            }
            for more in &found.arguments {
                host.charge(0)?;
                if wanted.argument(&more.name).is_none() && more.of.non_null && more.default.is_none() {
                    let message = format!(
                        "{start} any additional arguments on {} must be optional or have a default value but {} is required.",
                        found.name, more.name
                    );
                    return wrong(more.pos, message);
                }
            }
        }
        for further in &interface.interfaces {
            host.charge(0)?;
            if def.interfaces.contains(further) {
                continue;
            }
            let message = match *further == def.name {
                true => format!(
                    "Type {} cannot implement {name} because it would create a circular reference.",
                    def.name
                ),
                false => format!(
                    "Type {} must implement {further} because it is implemented by {name}.",
                    def.name
                ),
            };
            return wrong(def.pos, message);
        }
        Ok(())
    }

    fn covariant(&self, wanted: &TypeRef, actual: &TypeRef) -> bool {
        let (mut wanted, mut actual) = (wanted, actual);
        loop {
            if wanted.non_null && !actual.non_null {
                return false;
            }
            if !wanted.named.is_empty() {
                return wanted.named == actual.named || self.possible(&wanted.named).any(|d| d.name == actual.named);
            }
            match (&wanted.elem, &actual.elem) {
                (Some(w), Some(a)) => (wanted, actual) = (w, a),
                _ => return false,
            }
        }
    }
}

fn check_name(pos: Option<Pos>, name: &str) -> Checked {
    match name.starts_with("__") {
        true => wrong(
            pos,
            format!("Name \"{name}\" must not begin with \"__\", which is reserved by GraphQL introspection."),
        ),
        false => Ok(()),
    }
}

/// The schema a text describes, with the prelude's types.
///
/// # Errors
/// The first reason why it is not valid, in OPA's order.
pub(super) fn build(host: &mut dyn Host, text: SchemaText) -> Result<Schema, Wrong> {
    let mut parser = Parser::new(host, PRELUDE);
    let prelude = parser.schema();
    let prelude = parser.finish(prelude)??;
    let mut out = Schema {
        typename: field("__typename", TypeRef::named("String", false)),
        ..Schema::default()
    };
    for mut definition in prelude.definitions {
        definition.built_in = true;
        out.types.insert(definition.name.clone(), definition);
    }
    let mut order: Vec<SmolStr> = out.types.keys().cloned().collect();
    for definition in text.definitions {
        if out.types.contains_key(&definition.name) {
            return wrong(definition.pos, format!("Cannot redeclare type {}.", definition.name));
        }
        order.push(definition.name.clone());
        out.types.insert(definition.name.clone(), definition);
    }
    for extension in text.extensions {
        extend(&mut out, &mut order, extension)?;
    }
    out.possible = possible(&out, &order);
    for directive in prelude.directives.into_iter().chain(text.directives) {
        if out.directives.contains_key(&directive.name) && !KNOWN.contains(&directive.name.as_str()) {
            let message = format!("Cannot redeclare directive {}.", directive.name);
            return wrong(directive.pos, message);
        }
        out.directives.insert(directive.name.clone(), directive);
    }
    if let Some(second) = text.schema.get(1) {
        let message = "Cannot have multiple schema entry points, consider schema extensions instead.";
        return wrong(second.pos, message.into());
    }
    for roots in text.schema.iter().chain(&text.extension) {
        out.set_roots(host, roots)?;
    }
    for definition in out.types.values() {
        out.check_definition(host, definition)?;
    }
    for directive in out.directives.values() {
        check_name(directive.pos, &directive.name)?;
        out.check_arguments(host, &directive.arguments, Some(&directive.name))?;
    }
    if text.schema.is_empty() {
        let named = |name: &str| out.types.contains_key(name).then(|| SmolStr::from(name));
        let (query, mutation, subscription) = (named("Query"), named("Mutation"), named("Subscription"));
        out.query = out.query.or(query);
        out.mutation = out.mutation.or(mutation);
        out.subscription = out.subscription.or(subscription);
    }
    if let Some(query) = out.query.as_ref().and_then(|q| out.types.get_mut(q)) {
        query.fields.extend(introspection());
    }
    Ok(out)
}

fn extend(out: &mut Schema, order: &mut Vec<SmolStr>, extension: Definition) -> Checked {
    let base = out.types.entry(extension.name.clone()).or_insert_with(|| {
        order.push(extension.name.clone());
        Definition {
            kind: extension.kind.clone(),
            name: extension.name.clone(),
            pos: extension.pos,
            ..Definition::default()
        }
    });
    if base.kind != extension.kind {
        let message = format!(
            "Cannot extend type {} because the base type is a {}, not {}.",
            extension.name, base.kind, extension.kind
        );
        return wrong(extension.pos, message);
    }
    base.directives.extend(extension.directives);
    base.interfaces.extend(extension.interfaces);
    base.fields.extend(extension.fields);
    base.types.extend(extension.types);
    base.values.extend(extension.values);
    Ok(())
}

fn possible(schema: &Schema, order: &[SmolStr]) -> FxHashMap<SmolStr, Vec<SmolStr>> {
    let mut out: FxHashMap<SmolStr, Vec<SmolStr>> = FxHashMap::default();
    for def in order.iter().filter_map(|name| schema.types.get(name)) {
        if def.kind == "UNION" {
            let known = def.types.iter().filter(|t| schema.types.contains_key(*t));
            out.entry(def.name.clone()).or_default().extend(known.cloned());
        }
        if matches!(def.kind.as_str(), "INPUT_OBJECT" | "OBJECT" | "INTERFACE") {
            for interface in &def.interfaces {
                out.entry(interface.clone()).or_default().push(def.name.clone());
            }
        }
        if matches!(def.kind.as_str(), "INPUT_OBJECT" | "OBJECT") {
            out.entry(def.name.clone()).or_default().push(def.name.clone());
        }
    }
    out
}

fn field(name: &str, of: TypeRef) -> FieldDefinition {
    FieldDefinition {
        name: name.into(),
        of,
        ..FieldDefinition::default()
    }
}

/// `__schema` and `__type`, which every query root has.
fn introspection() -> [FieldDefinition; 2] {
    let mut of_type = field("__type", TypeRef::named("__Type", false));
    of_type.arguments = vec![field("name", TypeRef::named("String", true))];
    [field("__schema", TypeRef::named("__Schema", true)), of_type]
}
