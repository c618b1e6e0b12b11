//! Documents from values that have their shape, as Go's `encoding/json` reads them into the library's structures.

use super::ast::{
    Argument, Around, Child, Comments, Definition, Directive, DirectiveDefinition, EnumValue, Field, FieldDefinition,
    Fragment, Inline, Literal, LiteralKind, Operation, Query, Root, Roots, SchemaText, Selection, Spread, TypeRef,
    Variable,
};
use super::{DEPTH, too_deep};
use crate::builtins::{Failure, Host};
use crate::json::key_text;
use crate::value::Value;
use smol_str::SmolStr;

/// What a part may cost in memory, its share of the value made of it included.
const PART_COST: usize = 512;

/// What is read from a value, or why it cannot be.
type Read<T> = Result<T, Wrong>;

/// Why a value is no document.
pub(super) enum Wrong {
    /// It has the wrong shape.
    Shape(String),
    /// A limit was hit.
    Halt(Failure),
}

impl From<Failure> for Wrong {
    fn from(halt: Failure) -> Wrong {
        Wrong::Halt(halt)
    }
}

fn cannot<T>(got: &Value, field: &str) -> Read<T> {
    let kind = got.type_name();
    Err(Wrong::Shape(format!(
        "json: cannot unmarshal {kind} into field {field}"
    )))
}

struct Reader<'a> {
    host: &'a mut dyn Host,
    depth: usize,
}

/// The fields of an object, by name.
struct Fields<'v> {
    entries: Vec<(String, &'v Value)>,
    /// Names must be exact; else case does not matter.
    exact: bool,
}

impl<'v> Fields<'v> {
    fn get(&self, name: &str) -> Option<&'v Value> {
        // The last one wins, as when keys are read one after the other.
        let mut found = self.entries.iter().rev().filter(|(k, v)| {
            let same = *k == name || (!self.exact && k.eq_ignore_ascii_case(name));
            same && !matches!(v, Value::Null)
        });
        found.next().map(|e| e.1)
    }

    fn text(&self, name: &str) -> Read<SmolStr> {
        match self.get(name) {
            None => Ok(SmolStr::default()),
            Some(Value::String(s)) => Ok(s.clone()),
            Some(other) => cannot(other, name),
        }
    }

    fn flag(&self, name: &str) -> Read<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(b)) => Ok(*b),
            Some(other) => cannot(other, name),
        }
    }

    fn items(&self, name: &str) -> Read<&'v [Value]> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(a)) => Ok(a),
            Some(Value::Set(s)) => Ok(s.items()),
            Some(other) => cannot(other, name),
        }
    }

    fn texts(&self, name: &str) -> Read<Vec<SmolStr>> {
        let one = |v: &Value| match v {
            Value::String(s) => Ok(s.clone()),
            Value::Null => Ok(SmolStr::default()),
            other => cannot(other, name),
        };
        self.items(name)?.iter().map(one).collect()
    }
}

pub(super) fn query(host: &mut dyn Host, value: &Value) -> Read<Query> {
    let mut r = Reader { host, depth: 0 };
    let f = r.fields(value, "query", false)?;
    Ok(Query {
        operations: r.list(&f, "Operations", Reader::operation)?,
        fragments: r.list(&f, "Fragments", Reader::fragment)?,
    })
}

pub(super) fn schema(host: &mut dyn Host, value: &Value) -> Read<SchemaText> {
    let mut r = Reader { host, depth: 0 };
    let f = r.fields(value, "schema", false)?;
    Ok(SchemaText {
        schema: r.list(&f, "Schema", Reader::roots)?,
        extension: r.list(&f, "SchemaExtension", Reader::roots)?,
        directives: r.list(&f, "Directives", Reader::directive_definition)?,
        definitions: r.list(&f, "Definitions", Reader::definition)?,
        extensions: r.list(&f, "Extensions", Reader::definition)?,
        comment: r.comments(&f, "Comment")?,
    })
}

impl Reader<'_> {
    fn fields<'v>(&mut self, value: &'v Value, what: &str, exact: bool) -> Read<Fields<'v>> {
        let Value::Object(object) = value else {
            return cannot(value, what);
        };
        self.host.charge(PART_COST + object.len().saturating_mul(64))?;
        let entries = object.iter().map(|(k, v)| (key_text(k), v)).collect();
        Ok(Fields { entries, exact })
    }

    fn list<T>(&mut self, f: &Fields<'_>, name: &str, one: fn(&mut Self, &Value) -> Read<T>) -> Read<Vec<T>> {
        f.items(name)?.iter().map(|v| self.nested(v, one)).collect()
    }

    fn nested<T>(&mut self, value: &Value, one: fn(&mut Self, &Value) -> Read<T>) -> Read<T> {
        if self.depth >= DEPTH * 2 {
            return Err(Wrong::Halt(too_deep()));
        }
        self.depth += 1;
        let out = one(self, value);
        self.depth -= 1;
        out
    }

    /// A part without which OPA could not go on.
    fn needed<T>(&mut self, f: &Fields<'_>, name: &str, one: fn(&mut Self, &Value) -> Read<T>) -> Read<T> {
        match f.get(name) {
            Some(value) => self.nested(value, one),
            None => Err(Wrong::Shape(format!("no field {name}"))),
        }
    }

    fn maybe<T>(&mut self, f: &Fields<'_>, name: &str, one: fn(&mut Self, &Value) -> Read<T>) -> Read<Option<T>> {
        f.get(name).map(|value| self.nested(value, one)).transpose()
    }

    fn comments(&mut self, f: &Fields<'_>, name: &str) -> Read<Comments> {
        let Some(group) = f.get(name) else {
            return Ok(Comments::new());
        };
        let group = self.fields(group, name, false)?;
        let mut out = Comments::new();
        for line in group.items("List")? {
            let line = self.fields(line, "List", false)?;
            out.push(line.text("Value")?.to_string());
        }
        Ok(out)
    }

    fn operation(&mut self, value: &Value) -> Read<Operation> {
        let f = self.fields(value, "Operations", true)?;
        let operation = f.text("Operation")?;
        if !matches!(operation.as_str(), "" | "query" | "mutation" | "subscription") {
            return Err(Wrong::Shape(format!("unknown operation {operation}")));
        }
        Ok(Operation {
            operation,
            name: f.text("Name")?,
            variables: self.list(&f, "VariableDefinitions", Self::variable)?,
            directives: self.list(&f, "Directives", Self::directive)?,
            selections: self.selections(&f)?,
            ..Operation::default()
        })
    }

    fn fragment(&mut self, value: &Value) -> Read<Fragment> {
        let f = self.fields(value, "Fragments", true)?;
        Ok(Fragment {
            name: f.text("Name")?,
            variables: self.list(&f, "VariableDefinition", Self::variable)?,
            on: f.text("TypeCondition")?,
            directives: self.list(&f, "Directives", Self::directive)?,
            selections: self.selections(&f)?,
            ..Fragment::default()
        })
    }

    fn variable(&mut self, value: &Value) -> Read<Variable> {
        let f = self.fields(value, "VariableDefinitions", false)?;
        f.flag("Used")?;
        Ok(Variable {
            name: f.text("Variable")?,
            of: self.needed(&f, "Type", Self::type_ref)?,
            default: self.maybe(&f, "DefaultValue", Self::literal)?,
            directives: self.list(&f, "Directives", Self::directive)?,
            comment: self.comments(&f, "Comment")?,
            ..Variable::default()
        })
    }

    /// The library reads anything as a field that can be one: fragments become fields of no or another name.
    fn selections(&mut self, f: &Fields<'_>) -> Read<Vec<Selection>> {
        let mut out = Vec::new();
        for item in f.items("SelectionSet")? {
            if matches!(item, Value::Null) {
                out.push(Selection::Field(Field::default()));
                continue;
            }
            let read = match self.nested(item, Self::field) {
                Err(Wrong::Shape(_)) => match self.nested(item, Self::spread) {
                    Err(Wrong::Shape(_)) => self.nested(item, Self::inline).map(Selection::Inline),
                    other => other.map(Selection::Spread),
                },
                other => other.map(Selection::Field),
            };
            match read {
                Ok(selection) => out.push(selection),
                Err(Wrong::Shape(_)) => {}
                Err(halt) => return Err(halt),
            }
        }
        Ok(out)
    }

    fn field(&mut self, value: &Value) -> Read<Field> {
        let f = self.fields(value, "SelectionSet", true)?;
        Ok(Field {
            alias: f.text("Alias")?,
            name: f.text("Name")?,
            arguments: self.list(&f, "Arguments", Self::argument)?,
            directives: self.list(&f, "Directives", Self::directive)?,
            selections: self.selections(&f)?,
            ..Field::default()
        })
    }

    fn spread(&mut self, value: &Value) -> Read<Spread> {
        let f = self.fields(value, "SelectionSet", false)?;
        Ok(Spread {
            name: f.text("Name")?,
            directives: self.list(&f, "Directives", Self::directive)?,
            comment: self.comments(&f, "Comment")?,
            ..Spread::default()
        })
    }

    fn inline(&mut self, value: &Value) -> Read<Inline> {
        let f = self.fields(value, "SelectionSet", true)?;
        Ok(Inline {
            on: f.text("TypeCondition")?,
            directives: self.list(&f, "Directives", Self::directive)?,
            selections: self.selections(&f)?,
            ..Inline::default()
        })
    }

    fn argument(&mut self, value: &Value) -> Read<Argument> {
        let f = self.fields(value, "Arguments", false)?;
        Ok(Argument {
            name: f.text("Name")?,
            value: self.needed(&f, "Value", Self::literal)?,
            comment: self.comments(&f, "Comment")?,
            ..Argument::default()
        })
    }

    fn directive(&mut self, value: &Value) -> Read<Directive> {
        let f = self.fields(value, "Directives", false)?;
        Ok(Directive {
            name: f.text("Name")?,
            arguments: self.list(&f, "Arguments", Self::argument)?,
            location: f.text("Location")?,
            ..Directive::default()
        })
    }

    fn literal(&mut self, value: &Value) -> Read<Literal> {
        let f = self.fields(value, "Value", false)?;
        f.flag("ExpectedTypeHasDefault")?;
        let kind = match f.get("Kind") {
            None => 0,
            Some(kind) => match kind.as_i64() {
                Some(kind) => kind,
                None => return cannot(kind, "Kind"),
            },
        };
        let kind = usize::try_from(kind).ok().and_then(|k| LiteralKind::ALL.get(k));
        Ok(Literal {
            raw: f.text("Raw")?,
            children: self.list(&f, "Children", Self::child)?,
            kind: *kind.ok_or_else(|| Wrong::Shape("unknown value kind".into()))?,
            comment: self.comments(&f, "Comment")?,
            ..Literal::default()
        })
    }

    fn child(&mut self, value: &Value) -> Read<Child> {
        let f = self.fields(value, "Children", false)?;
        Ok(Child {
            name: f.text("Name")?,
            value: self.needed(&f, "Value", Self::literal)?,
            comment: self.comments(&f, "Comment")?,
            ..Child::default()
        })
    }

    fn type_ref(&mut self, value: &Value) -> Read<TypeRef> {
        let f = self.fields(value, "Type", false)?;
        let out = TypeRef {
            named: f.text("NamedType")?,
            elem: self.maybe(&f, "Elem", Self::type_ref)?.map(Box::new),
            non_null: f.flag("NonNull")?,
            pos: None,
        };
        match out.named.is_empty() && out.elem.is_none() {
            true => Err(Wrong::Shape("a type without a name".into())),
            false => Ok(out),
        }
    }

    fn around(&mut self, f: &Fields<'_>) -> Read<Around> {
        Ok(Around {
            before: self.comments(f, "BeforeDescriptionComment")?,
            after: self.comments(f, "AfterDescriptionComment")?,
            end: self.comments(f, "EndOfDefinitionComment")?,
        })
    }

    fn roots(&mut self, value: &Value) -> Read<Roots> {
        let f = self.fields(value, "Schema", false)?;
        Ok(Roots {
            description: f.text("Description")?,
            directives: self.list(&f, "Directives", Self::directive)?,
            types: self.list(&f, "OperationTypes", Self::root)?,
            pos: None,
            comments: self.around(&f)?,
        })
    }

    fn root(&mut self, value: &Value) -> Read<Root> {
        let f = self.fields(value, "OperationTypes", false)?;
        Ok(Root {
            operation: f.text("Operation")?,
            of: f.text("Type")?,
            pos: None,
            comment: self.comments(&f, "Comment")?,
        })
    }

    fn definition(&mut self, value: &Value) -> Read<Definition> {
        let f = self.fields(value, "Definitions", false)?;
        Ok(Definition {
            kind: f.text("Kind")?,
            description: f.text("Description")?,
            name: f.text("Name")?,
            directives: self.list(&f, "Directives", Self::directive)?,
            interfaces: f.texts("Interfaces")?,
            fields: self.list(&f, "Fields", Self::field_definition)?,
            types: f.texts("Types")?,
            values: self.list(&f, "EnumValues", Self::enum_value)?,
            pos: None,
            built_in: f.flag("BuiltIn")?,
            comments: self.around(&f)?,
        })
    }

    fn field_definition(&mut self, value: &Value) -> Read<FieldDefinition> {
        let f = self.fields(value, "Fields", false)?;
        Ok(FieldDefinition {
            description: f.text("Description")?,
            name: f.text("Name")?,
            arguments: self.list(&f, "Arguments", Self::field_definition)?,
            default: self.maybe(&f, "DefaultValue", Self::literal)?,
            of: self.needed(&f, "Type", Self::type_ref)?,
            directives: self.list(&f, "Directives", Self::directive)?,
            pos: None,
            comments: self.around(&f)?,
        })
    }

    fn enum_value(&mut self, value: &Value) -> Read<EnumValue> {
        let f = self.fields(value, "EnumValues", false)?;
        Ok(EnumValue {
            description: f.text("Description")?,
            name: f.text("Name")?,
            directives: self.list(&f, "Directives", Self::directive)?,
            comments: self.around(&f)?,
        })
    }

    fn directive_definition(&mut self, value: &Value) -> Read<DirectiveDefinition> {
        let f = self.fields(value, "Directives", false)?;
        Ok(DirectiveDefinition {
            description: f.text("Description")?,
            name: f.text("Name")?,
            arguments: self.list(&f, "Arguments", Self::field_definition)?,
            locations: f.texts("Locations")?,
            repeatable: f.flag("IsRepeatable")?,
            pos: None,
            comments: self.around(&f)?,
        })
    }
}
