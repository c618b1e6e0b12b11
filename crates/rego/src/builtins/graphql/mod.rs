//! `graphql.*`: GraphQL queries and schemas parsed and checked, with the trees and the errors of OPA's library
//! (gqlparser).

mod ast;
mod error;
mod from_value;
mod lex;
mod overlap;
mod parse;
mod parse_schema;
mod rules;
mod rules_fields;
mod rules_fragments;
mod rules_values;
mod schema;
mod suggest;
mod to_value;
mod walk;

use super::operand::{any, must_be_one_of, string, too_large};
use super::{Answer, Failure, Host, Table};
use crate::value::Value;
use ast::{Query, SchemaText};
use from_value::Wrong;
use parse::Parser;
use schema::Schema;

pub(crate) const TABLE: Table = &[
    ("graphql.is_valid", is_valid),
    ("graphql.parse", parse),
    ("graphql.parse_and_verify", parse_and_verify),
    ("graphql.parse_query", parse_query),
    ("graphql.parse_schema", parse_schema),
    ("graphql.schema_is_valid", schema_is_valid),
];

/// How deep texts may nest: a level of a document is two of the value made of it.
const DEPTH: usize = 200;

fn too_deep() -> Failure {
    too_large("the nesting of a GraphQL document")
}

/// Bytes that are no text become what Go's JSON writer puts for them.
fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    match text.chars().any(|c| crate::go_text::no_text(c).is_some()) {
        false => text.into(),
        true => {
            let clean = |c| crate::go_text::no_text(c).map_or(c, |_| '\u{fffd}');
            text.chars().map(clean).collect::<String>().into()
        }
    }
}

fn query_text(host: &mut dyn Host, text: &str) -> Result<Query, Failure> {
    let text = clean(text);
    let mut parser = Parser::new(host, &text);
    let query = parser.query();
    parser.finish(query)?.map_err(|e| Failure::Builtin(error::of_text(&e)))
}

fn schema_text(host: &mut dyn Host, text: &str) -> Result<SchemaText, Failure> {
    let text = clean(text);
    let mut parser = Parser::new(host, &text);
    let schema = parser.schema();
    parser.finish(schema)?.map_err(|e| Failure::Builtin(error::of_text(&e)))
}

fn of_value<T>(read: Result<T, Wrong>) -> Result<T, Failure> {
    read.map_err(|wrong| match wrong {
        Wrong::Shape(text) => Failure::Builtin(text),
        Wrong::Halt(halt) => halt,
    })
}

/// A query, given as text or as a tree. OPA counts the operands of these errors from 0.
fn query(host: &mut dyn Host, args: &[&Value]) -> Result<Query, Failure> {
    match any(args, 1)? {
        Value::String(text) => query_text(host, text),
        value @ Value::Object(_) => of_value(from_value::query(host, value)),
        other => Err(must_be_one_of(0, &["string", "object"], other)),
    }
}

/// A schema, given as text or as a tree.
fn schema(host: &mut dyn Host, args: &[&Value], place: usize) -> Result<SchemaText, Failure> {
    match any(args, place)? {
        Value::String(text) => schema_text(host, text),
        value @ Value::Object(_) => of_value(from_value::schema(host, value)),
        other => Err(must_be_one_of(place.saturating_sub(1), &["string", "object"], other)),
    }
}

fn build(host: &mut dyn Host, text: SchemaText) -> Result<Schema, Failure> {
    schema::build(host, text).map_err(|wrong| match wrong {
        schema::Wrong::Error(e) => Failure::Builtin(error::of_schema(&e)),
        schema::Wrong::Halt(halt) => halt,
    })
}

/// The trees of a query and its schema, if both are valid.
fn verified(host: &mut dyn Host, args: &[&Value]) -> Result<(Value, Value), Failure> {
    let query = query(host, args)?;
    let text = schema(host, args, 2)?;
    let schema_tree = to_value::schema(&text);
    let schema = build(host, text)?;
    let errors = walk::validate(host, &schema, &query)?;
    match errors.is_empty() {
        true => Ok((to_value::query(&query), schema_tree)),
        false => Err(Failure::Builtin(error::of_list(&errors))),
    }
}

/// What an error that is not about limits makes of an answer.
fn or_else<T>(result: Result<T, Failure>, other: T) -> Result<T, Failure> {
    match result {
        Err(Failure::Type(_) | Failure::Builtin(_)) => Ok(other),
        result => result,
    }
}

fn parse(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (query, schema) = verified(host, args)?;
    Ok(Some(Value::array(vec![query, schema])))
}

fn parse_and_verify(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let found = or_else(verified(host, args).map(Some), None)?;
    let nothing = || Value::object(Vec::new());
    let valid = Value::Bool(found.is_some());
    let (query, schema) = found.unwrap_or_else(|| (nothing(), nothing()));
    Ok(Some(Value::array(vec![valid, query, schema])))
}

fn parse_query(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let query = query_text(host, string(args, 1)?)?;
    Ok(Some(to_value::query(&query)))
}

fn parse_schema(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let schema = schema_text(host, string(args, 1)?)?;
    Ok(Some(to_value::schema(&schema)))
}

fn is_valid(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let valid = or_else(verified(host, args).map(|_| true), false)?;
    Ok(Some(Value::Bool(valid)))
}

fn schema_is_valid(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let text = schema(host, args, 1);
    let built = text.and_then(|text| build(host, text));
    let valid = or_else(built.map(|_| true), false)?;
    Ok(Some(Value::Bool(valid)))
}
