//! Documents as values: the fields of the library's structures, without what is null or empty, and without places.

use super::ast::{
    Argument, Child, Comments, Definition, Directive, DirectiveDefinition, EnumValue, Field, FieldDefinition, Fragment,
    Inline, Literal, LiteralKind, Operation, Query, Root, Roots, SchemaText, Selection, Spread, TypeRef, Variable,
};
use crate::value::Value;
use smol_str::SmolStr;

/// A structure; empty objects and arrays and null are left out.
fn structure<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let kept = fields.into_iter().filter(|(_, v)| match v {
        Value::Null => false,
        Value::Array(a) => !a.is_empty(),
        Value::Object(o) => !o.is_empty(),
        _ => true,
    });
    Value::object(kept.map(|(k, v)| (Value::string(k), v)).collect())
}

fn text(s: &SmolStr) -> Value {
    Value::String(s.clone())
}

fn list<T>(items: &[T], one: impl Fn(&T) -> Value) -> Value {
    Value::array(items.iter().map(one).collect())
}

fn comments(lines: &Comments) -> Value {
    structure([("List", list(lines, |l| structure([("Value", Value::string(l))])))])
}

pub(super) fn query(q: &Query) -> Value {
    structure([
        ("Operations", list(&q.operations, operation)),
        ("Fragments", list(&q.fragments, fragment)),
    ])
}

fn operation(o: &Operation) -> Value {
    structure([
        ("Operation", text(&o.operation)),
        ("Name", text(&o.name)),
        ("VariableDefinitions", list(&o.variables, variable)),
        ("Directives", list(&o.directives, directive)),
        ("SelectionSet", list(&o.selections, selection)),
        ("Comment", comments(&o.comment)),
    ])
}

fn variable(v: &Variable) -> Value {
    structure([
        ("Variable", text(&v.name)),
        ("Type", type_ref(&v.of)),
        ("DefaultValue", v.default.as_ref().map_or(Value::Null, literal)),
        ("Directives", list(&v.directives, directive)),
        ("Comment", comments(&v.comment)),
        ("Used", Value::Bool(false)),
    ])
}

fn fragment(f: &Fragment) -> Value {
    structure([
        ("Name", text(&f.name)),
        ("VariableDefinition", list(&f.variables, variable)),
        ("TypeCondition", text(&f.on)),
        ("Directives", list(&f.directives, directive)),
        ("SelectionSet", list(&f.selections, selection)),
        ("Comment", comments(&f.comment)),
    ])
}

fn selection(s: &Selection) -> Value {
    match s {
        Selection::Field(f) => field(f),
        Selection::Spread(s) => spread(s),
        Selection::Inline(i) => inline(i),
    }
}

fn field(f: &Field) -> Value {
    structure([
        ("Alias", text(&f.alias)),
        ("Name", text(&f.name)),
        ("Arguments", list(&f.arguments, argument)),
        ("Directives", list(&f.directives, directive)),
        ("SelectionSet", list(&f.selections, selection)),
        ("Comment", comments(&f.comment)),
    ])
}

fn spread(s: &Spread) -> Value {
    structure([
        ("Name", text(&s.name)),
        ("Directives", list(&s.directives, directive)),
        ("Comment", comments(&s.comment)),
    ])
}

fn inline(i: &Inline) -> Value {
    structure([
        ("TypeCondition", text(&i.on)),
        ("Directives", list(&i.directives, directive)),
        ("SelectionSet", list(&i.selections, selection)),
        ("Comment", comments(&i.comment)),
    ])
}

fn argument(a: &Argument) -> Value {
    structure([
        ("Name", text(&a.name)),
        ("Value", literal(&a.value)),
        ("Comment", comments(&a.comment)),
    ])
}

fn directive(d: &Directive) -> Value {
    structure([
        ("Name", text(&d.name)),
        ("Arguments", list(&d.arguments, argument)),
        ("Location", text(&d.location)),
    ])
}

fn literal(l: &Literal) -> Value {
    let kind = LiteralKind::ALL.iter().position(|k| *k == l.kind).unwrap_or(0);
    structure([
        ("Raw", text(&l.raw)),
        ("Children", list(&l.children, child)),
        ("Kind", Value::from(i64::try_from(kind).unwrap_or(0))),
        ("Comment", comments(&l.comment)),
        ("ExpectedTypeHasDefault", Value::Bool(false)),
    ])
}

fn child(c: &Child) -> Value {
    structure([
        ("Name", text(&c.name)),
        ("Value", literal(&c.value)),
        ("Comment", comments(&c.comment)),
    ])
}

fn type_ref(t: &TypeRef) -> Value {
    structure([
        ("NamedType", text(&t.named)),
        ("Elem", t.elem.as_ref().map_or(Value::Null, |e| type_ref(e))),
        ("NonNull", Value::Bool(t.non_null)),
    ])
}

pub(super) fn schema(s: &SchemaText) -> Value {
    structure([
        ("Schema", list(&s.schema, roots)),
        ("SchemaExtension", list(&s.extension, roots)),
        ("Directives", list(&s.directives, directive_definition)),
        ("Definitions", list(&s.definitions, definition)),
        ("Extensions", list(&s.extensions, definition)),
        ("Comment", comments(&s.comment)),
    ])
}

fn roots(r: &Roots) -> Value {
    structure([
        ("Description", text(&r.description)),
        ("Directives", list(&r.directives, directive)),
        ("OperationTypes", list(&r.types, root)),
        ("BeforeDescriptionComment", comments(&r.comments.before)),
        ("AfterDescriptionComment", comments(&r.comments.after)),
        ("EndOfDefinitionComment", comments(&r.comments.end)),
    ])
}

fn root(r: &Root) -> Value {
    structure([
        ("Operation", text(&r.operation)),
        ("Type", text(&r.of)),
        ("Comment", comments(&r.comment)),
    ])
}

fn definition(d: &Definition) -> Value {
    structure([
        ("Kind", text(&d.kind)),
        ("Description", text(&d.description)),
        ("Name", text(&d.name)),
        ("Directives", list(&d.directives, directive)),
        ("Interfaces", list(&d.interfaces, text)),
        ("Fields", list(&d.fields, field_definition)),
        ("Types", list(&d.types, text)),
        ("EnumValues", list(&d.values, enum_value)),
        ("BuiltIn", Value::Bool(d.built_in)),
        ("BeforeDescriptionComment", comments(&d.comments.before)),
        ("AfterDescriptionComment", comments(&d.comments.after)),
        ("EndOfDefinitionComment", comments(&d.comments.end)),
    ])
}

fn field_definition(f: &FieldDefinition) -> Value {
    structure([
        ("Description", text(&f.description)),
        ("Name", text(&f.name)),
        ("Arguments", list(&f.arguments, field_definition)),
        ("DefaultValue", f.default.as_ref().map_or(Value::Null, literal)),
        ("Type", type_ref(&f.of)),
        ("Directives", list(&f.directives, directive)),
        ("BeforeDescriptionComment", comments(&f.comments.before)),
        ("AfterDescriptionComment", comments(&f.comments.after)),
    ])
}

fn enum_value(e: &EnumValue) -> Value {
    structure([
        ("Description", text(&e.description)),
        ("Name", text(&e.name)),
        ("Directives", list(&e.directives, directive)),
        ("BeforeDescriptionComment", comments(&e.comments.before)),
        ("AfterDescriptionComment", comments(&e.comments.after)),
    ])
}

fn directive_definition(d: &DirectiveDefinition) -> Value {
    structure([
        ("Description", text(&d.description)),
        ("Name", text(&d.name)),
        ("Arguments", list(&d.arguments, field_definition)),
        ("Locations", list(&d.locations, text)),
        ("IsRepeatable", Value::Bool(d.repeatable)),
        ("BeforeDescriptionComment", comments(&d.comments.before)),
        ("AfterDescriptionComment", comments(&d.comments.after)),
    ])
}
