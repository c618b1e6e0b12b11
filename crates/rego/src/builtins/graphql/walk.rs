//! Walks a query with its schema, as OPA's library does: what a part refers to is noted when the walk comes to it, and
//! the rules look at each part on the way out.

use super::ast::{
    Argument, Definition, Directive, DirectiveDefinition, Field, FieldDefinition, Fragment, Inline, Literal,
    LiteralKind, Operation, Pos, Query, Selection, Spread, TypeRef, Variable,
};
use super::error::GraphqlError;
use super::overlap::Overlap;
use super::schema::Schema;
use super::{DEPTH, too_deep};
use crate::builtins::{Failure, Host};
use rustc_hash::{FxHashMap, FxHashSet};

pub(super) type Done = Result<(), Failure>;

/// What the walk knows of a field.
#[derive(Clone, Copy, Default)]
pub(super) struct FieldMark<'a> {
    pub(super) definition: Option<&'a FieldDefinition>,
    /// The type it is selected on.
    pub(super) object: Option<&'a Definition>,
}

/// What the walk knows of a literal.
#[derive(Clone, Copy, Default)]
pub(super) struct ValueMark<'a> {
    pub(super) definition: Option<&'a Definition>,
    pub(super) variable: Option<&'a Variable>,
    pub(super) wanted: Option<&'a TypeRef>,
    pub(super) has_default: bool,
}

/// A directive where it stands.
#[derive(Clone, Copy)]
pub(super) struct Used<'a> {
    pub(super) directive: &'a Directive,
    pub(super) definition: Option<&'a DirectiveDefinition>,
    pub(super) location: &'static str,
}

pub(super) struct Walk<'a, 'h> {
    pub(super) host: &'h mut dyn Host,
    pub(super) schema: &'a Schema,
    pub(super) document: &'a Query,
    pub(super) errors: Vec<GraphqlError>,
    pub(super) operation: Option<&'a Operation>,
    /// By the address of the part, which does not move while we walk.
    pub(super) fields: FxHashMap<*const Field, FieldMark<'a>>,
    pub(super) values: FxHashMap<*const Literal, ValueMark<'a>>,
    pub(super) used_variables: FxHashSet<*const Variable>,
    /// Spreads the walk has come to, which have their fragments.
    pub(super) spreads: FxHashSet<*const Spread>,
    pub(super) seen: Seen<'a>,
    pub(super) overlap: Overlap<'a>,
    walked_fragments: FxHashSet<&'a str>,
    depth: usize,
}

/// What the rules remember.
#[derive(Default)]
pub(super) struct Seen<'a> {
    pub(super) misplaced: FxHashSet<(&'a str, Option<(usize, i64)>)>,
    pub(super) in_fragments: bool,
    pub(super) used_fragments: FxHashSet<&'a str>,
    pub(super) fragments: FxHashSet<&'a str>,
    pub(super) cyclic: FxHashSet<&'a str>,
    pub(super) operations: FxHashSet<&'a str>,
}

/// The errors of a query against a schema, all of them, in OPA's order.
pub(super) fn validate(host: &mut dyn Host, schema: &Schema, document: &Query) -> Result<Vec<GraphqlError>, Failure> {
    let mut walk = Walk {
        host,
        schema,
        document,
        errors: Vec::new(),
        operation: None,
        fields: FxHashMap::default(),
        values: FxHashMap::default(),
        used_variables: FxHashSet::default(),
        spreads: FxHashSet::default(),
        seen: Seen::default(),
        overlap: Overlap::default(),
        walked_fragments: FxHashSet::default(),
        depth: 0,
    };
    for operation in &document.operations {
        walk.walked_fragments.clear();
        walk.operation(operation)?;
    }
    for fragment in &document.fragments {
        walk.walked_fragments.clear();
        walk.fragment(fragment)?;
    }
    Ok(walk.errors)
}

impl<'a> Walk<'a, '_> {
    /// Adds an error.
    pub(super) fn fail(&mut self, pos: Option<Pos>, message: String) -> Done {
        self.host.charge(message.len() * 2 + 64)?;
        self.errors.push(GraphqlError::of_query(pos, message));
        Ok(())
    }

    pub(super) fn fragment_named(&self, name: &str) -> Option<&'a Fragment> {
        self.document.fragments.iter().find(|f| f.name == name)
    }

    /// A spread's fragment, once the walk has come to it.
    pub(super) fn spread_fragment(&self, spread: &Spread) -> Option<&'a Fragment> {
        match self.spreads.contains(&std::ptr::from_ref(spread)) {
            true => self.fragment_named(&spread.name),
            false => None,
        }
    }

    pub(super) fn field_mark(&self, field: &Field) -> FieldMark<'a> {
        self.fields.get(&std::ptr::from_ref(field)).copied().unwrap_or_default()
    }

    pub(super) fn value_mark(&self, value: &Literal) -> ValueMark<'a> {
        self.values.get(&std::ptr::from_ref(value)).copied().unwrap_or_default()
    }

    fn mark_value(&mut self, value: &Literal) -> &mut ValueMark<'a> {
        self.values.entry(std::ptr::from_ref(value)).or_default()
    }

    fn operation(&mut self, operation: &'a Operation) -> Done {
        self.operation = Some(operation);
        for variable in &operation.variables {
            self.on_variable(variable)?;
            if let Some(default) = &variable.default {
                let definition = self.schema.get(variable.of.name());
                let mark = self.mark_value(default);
                mark.wanted = Some(&variable.of);
                mark.definition = definition;
            }
        }
        let location = match operation.operation.as_str() {
            "mutation" => "MUTATION",
            "subscription" => "SUBSCRIPTION",
            _ => "QUERY",
        };
        for variable in &operation.variables {
            if let Some(default) = &variable.default {
                self.value(default)?;
            }
            self.directives(&variable.directives, "VARIABLE_DEFINITION")?;
        }
        self.directives(&operation.directives, location)?;
        self.selections(self.schema.root(&operation.operation), &operation.selections)?;
        self.on_operation(operation)?;
        self.operation = None;
        Ok(())
    }

    fn fragment(&mut self, fragment: &'a Fragment) -> Done {
        self.directives(&fragment.directives, "FRAGMENT_DEFINITION")?;
        self.selections(self.schema.get(&fragment.on), &fragment.selections)?;
        self.on_fragment(fragment)
    }

    fn directives(&mut self, directives: &'a [Directive], location: &'static str) -> Done {
        let mut list = Vec::new();
        for directive in directives {
            let used = Used {
                directive,
                definition: self.schema.directives.get(&directive.name),
                location,
            };
            for argument in &directive.arguments {
                self.argument(used.definition.and_then(|d| d.argument(&argument.name)), argument)?;
            }
            self.on_directive(used)?;
            list.push(used);
        }
        self.on_directives(&list)
    }

    fn argument(&mut self, definition: Option<&'a FieldDefinition>, argument: &'a Argument) -> Done {
        if let Some(definition) = definition {
            self.want(&argument.value, definition);
        }
        self.value(&argument.value)
    }

    /// Notes what is wanted of a literal.
    fn want(&mut self, value: &Literal, definition: &'a FieldDefinition) {
        let of = self.schema.get(definition.of.name());
        let default = definition.default.as_ref();
        let mark = self.mark_value(value);
        mark.wanted = Some(&definition.of);
        mark.has_default = default.is_some_and(|d| d.kind != LiteralKind::Null);
        mark.definition = of;
    }

    fn value(&mut self, value: &'a Literal) -> Done {
        self.host.charge(64)?;
        if value.kind == LiteralKind::Variable
            && let Some(operation) = self.operation
        {
            let variable = operation.variables.iter().find(|v| v.name == value.raw);
            self.mark_value(value).variable = variable;
            self.used_variables.extend(variable.map(std::ptr::from_ref));
        }
        let mark = self.value_mark(value);
        for child in &value.children {
            match value.kind {
                LiteralKind::Object => {
                    if let Some(field) = mark.definition.and_then(|d| d.field(&child.name)) {
                        self.want(&child.value, field);
                    }
                }
                LiteralKind::List => {
                    if let Some(elem) = mark.wanted.and_then(|w| w.elem.as_deref()) {
                        let of = self.mark_value(&child.value);
                        of.wanted = Some(elem);
                        of.definition = mark.definition;
                    }
                }
                _ => continue,
            }
            self.value(&child.value)?;
        }
        self.on_value(value)
    }

    fn selections(&mut self, parent: Option<&'a Definition>, selections: &'a [Selection]) -> Done {
        // Fragments may lead into fragments.
        if self.depth >= DEPTH * 2 {
            return Err(too_deep());
        }
        self.depth += 1;
        for selection in selections {
            self.host.charge(64)?;
            match selection {
                Selection::Field(f) => self.field(parent, f)?,
                Selection::Inline(i) => self.inline(parent, i)?,
                Selection::Spread(s) => self.spread(parent, s)?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn field(&mut self, parent: Option<&'a Definition>, field: &'a Field) -> Done {
        let definition = match field.name.as_str() {
            "__typename" => Some(&self.schema.typename),
            name => parent.and_then(|p| p.field(name)),
        };
        let mark = FieldMark {
            definition,
            object: parent,
        };
        self.fields.insert(std::ptr::from_ref(field), mark);
        for argument in &field.arguments {
            self.argument(definition.and_then(|d| d.argument(&argument.name)), argument)?;
        }
        self.directives(&field.directives, "FIELD")?;
        let next = definition.and_then(|d| self.schema.get(d.of.name()));
        self.selections(next, &field.selections)?;
        self.on_field(field, mark)
    }

    fn inline(&mut self, parent: Option<&'a Definition>, inline: &'a Inline) -> Done {
        let next = match inline.on.is_empty() {
            true => parent,
            false => self.schema.get(&inline.on),
        };
        self.directives(&inline.directives, "INLINE_FRAGMENT")?;
        self.selections(next, &inline.selections)?;
        self.on_inline(inline, parent)
    }

    fn spread(&mut self, parent: Option<&'a Definition>, spread: &'a Spread) -> Done {
        let fragment = self.fragment_named(&spread.name);
        self.spreads.insert(std::ptr::from_ref(spread));
        self.directives(&spread.directives, "FRAGMENT_SPREAD")?;
        if let Some(fragment) = fragment
            && self.walked_fragments.insert(&fragment.name)
        {
            self.selections(self.schema.get(&fragment.on), &fragment.selections)?;
        }
        self.on_spread(spread, fragment, parent)
    }
}
