//! Rules for literals: whether they are of the type that is wanted, and variables where they stand.

use super::ast::{Definition, Literal, LiteralKind};
use super::suggest::{mean, near, or_list};
use super::walk::{Done, ValueMark, Walk};

/// A literal as errors show it.
fn shown(value: &Literal) -> String {
    let mut out = String::new();
    show(&mut out, value);
    out
}

fn show(out: &mut String, value: &Literal) {
    let mut within = |open: char, close: char, named: bool| {
        out.push(open);
        for (i, child) in value.children.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            if named {
                out.push_str(&child.name);
                out.push(':');
            }
            show(out, &child.value);
        }
        out.push(close);
    };
    match value.kind {
        LiteralKind::List => within('[', ']', false),
        LiteralKind::Object => within('{', '}', true),
        LiteralKind::Variable => {
            out.push('$');
            out.push_str(&value.raw);
        }
        LiteralKind::String | LiteralKind::Block => crate::go_text::quote(out, &value.raw),
        _ => out.push_str(&value.raw),
    }
}

/// What is wrong with a literal of the wrong type.
fn unexpected(value: &Literal, wanted: &str, definition: &Definition) -> String {
    let shown = shown(value);
    match wanted {
        "Int" | "Int!" => {
            let digits = value.raw.strip_prefix(['-', '+']).unwrap_or(&value.raw);
            let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            match number && value.raw.parse::<i32>().is_err() {
                true => format!("Int cannot represent non 32-bit signed integer value: {shown}"),
                false => format!("Int cannot represent non-integer value: {shown}"),
            }
        }
        "String" | "String!" | "[String]" => format!("String cannot represent a non string value: {shown}"),
        "Boolean" | "Boolean!" => format!("Boolean cannot represent a non boolean value: {shown}"),
        "Float" | "Float!" => format!("Float cannot represent non numeric value: {shown}"),
        "ID" | "ID!" => format!("ID cannot represent a non-string and non-integer value: {shown}"),
        _ if definition.kind == "ENUM" => {
            format!("Enum \"{wanted}\" cannot represent non-enum value: {shown}.")
        }
        _ => format!("Expected value of type \"{wanted}\", found {shown}."),
    }
}

/// Whether Go could read all numbers and flags of a literal.
fn readable(value: &Literal) -> bool {
    match value.kind {
        LiteralKind::Int => value.raw.parse::<i64>().is_ok(),
        LiteralKind::Float => value.raw.parse::<f64>().is_ok_and(f64::is_finite),
        LiteralKind::Boolean => matches!(
            value.raw.as_str(),
            "1" | "t" | "T" | "TRUE" | "true" | "True" | "0" | "f" | "F" | "FALSE" | "false" | "False"
        ),
        LiteralKind::List | LiteralKind::Object => value.children.iter().all(|c| readable(&c.value)),
        _ => true,
    }
}

impl<'a> Walk<'a, '_> {
    pub(super) fn value_of_type(&mut self, value: &'a Literal, mark: ValueMark<'a>) -> Done {
        let (Some(definition), Some(wanted)) = (mark.definition, mark.wanted) else {
            return Ok(());
        };
        let pos = value.pos;
        self.host.charge(value.raw.len() + value.children.len())?;
        if value.kind == LiteralKind::Null && wanted.non_null {
            self.fail(
                pos,
                format!("Expected value of type \"{wanted}\", found {}.", shown(value)),
            )?;
        }
        let is = |names: &[&str]| names.contains(&definition.name.as_str());
        if definition.kind == "SCALAR" && !is(&["Int", "Float", "String", "Boolean", "ID"]) {
            return Ok(());
        }
        let wanted = wanted.to_string();
        let wrong = || unexpected(value, &wanted, definition);
        if !readable(value) {
            self.fail(pos, wrong())?;
        }
        let enums = || definition.values.iter().map(|v| v.name.as_str());
        let in_enum = "Did you mean the enum value";
        let is_enum = definition.kind == "ENUM";
        match value.kind {
            LiteralKind::Null | LiteralKind::Variable => Ok(()),
            LiteralKind::List => match mark.wanted.is_some_and(|w| w.elem.is_some()) {
                true => Ok(()),
                false => self.fail(pos, wrong()),
            },
            LiteralKind::Int if is(&["Int", "Float", "ID"]) => Ok(()),
            LiteralKind::Float if is(&["Float"]) => Ok(()),
            LiteralKind::Boolean if is(&["Boolean"]) => Ok(()),
            LiteralKind::Int | LiteralKind::Float | LiteralKind::Boolean => self.fail(pos, wrong()),
            LiteralKind::String | LiteralKind::Block if is_enum => {
                let near = near(self.host, &value.raw, enums())?;
                let message = format!(
                    "Enum \"{wanted}\" cannot represent non-enum value: {}.{}",
                    shown(value),
                    mean(in_enum, &near)
                );
                self.fail(pos, message)
            }
            LiteralKind::String | LiteralKind::Block if is(&["String", "ID"]) => Ok(()),
            LiteralKind::String | LiteralKind::Block => self.fail(pos, wrong()),
            LiteralKind::Enum if !is_enum => {
                let near: Vec<String> = near(self.host, &value.raw, enums())?
                    .into_iter()
                    .map(Into::into)
                    .collect();
                let mean = match near.is_empty() {
                    true => String::new(),
                    false => format!(" {in_enum} {}?", or_list(&near)),
                };
                self.fail(pos, wrong() + &mean)
            }
            LiteralKind::Enum if definition.values.iter().all(|v| v.name != value.raw) => {
                let near = near(self.host, &value.raw, enums())?;
                let message = format!(
                    "Value \"{}\" does not exist in \"{wanted}\" enum.{}",
                    value.raw,
                    mean(in_enum, &near)
                );
                self.fail(pos, message)
            }
            LiteralKind::Enum => Ok(()),
            LiteralKind::Object => self.object_of_type(value, definition),
        }
    }

    fn object_of_type(&mut self, value: &'a Literal, definition: &'a Definition) -> Done {
        let name = &definition.name;
        for field in definition
            .fields
            .iter()
            .filter(|f| f.of.non_null && f.default.is_none())
        {
            self.host.charge(0)?;
            if value.children.iter().all(|c| c.name != field.name) {
                let message = format!(
                    "Field \"{name}.{}\" of required type \"{}\" was not provided.",
                    field.name, field.of
                );
                self.fail(value.pos, message)?;
            }
        }
        for _ in definition.directives.iter().filter(|d| d.name == "oneOf") {
            match value.children.as_slice() {
                [one] if one.value.kind == LiteralKind::Null => {
                    let first = definition.fields.first().map_or("", |f| f.name.as_str());
                    self.fail(one.value.pos, format!("Field \"{name}.{first}\" must be non-null."))?;
                }
                [_] => {}
                _ => {
                    let message = format!("OneOf Input Object \"{name}\" must specify exactly one key.");
                    self.fail(value.pos, message)?;
                }
            }
        }
        for child in &value.children {
            self.host.charge(0)?;
            if definition.field(&child.name).is_none() {
                let names = definition.fields.iter().map(|f| f.name.as_str());
                let near = near(self.host, &child.name, names)?;
                let message = format!(
                    "Field \"{}\" is not defined by type \"{name}\".{}",
                    child.name,
                    mean("Did you mean", &near)
                );
                self.fail(child.pos, message)?;
            }
        }
        Ok(())
    }

    pub(super) fn variable_position(&mut self, value: &'a Literal, mark: ValueMark<'a>) -> Done {
        if value.kind == LiteralKind::Variable
            && self.operation.is_some()
            && let (Some(wanted), Some(variable)) = (mark.wanted, mark.variable)
        {
            let mut bent = wanted.clone();
            // With a default, of the variable or of what is wanted, null will do.
            let default = variable.default.as_ref();
            if mark.has_default || default.is_some_and(|d| d.kind != LiteralKind::Null) {
                bent.non_null = false;
            }
            if !variable.of.fits(&bent) {
                let message = format!(
                    "Variable \"${}\" of type \"{}\" used in position expecting type \"{wanted}\".",
                    value.raw, variable.of
                );
                self.fail(value.pos, message)?;
            }
        }
        let Some(definition) = mark.definition.filter(|_| value.kind == LiteralKind::Object) else {
            return Ok(());
        };
        if definition.directives.iter().all(|d| d.name != "oneOf") {
            return Ok(());
        }
        for child in value.children.iter().filter(|c| c.value.kind == LiteralKind::Variable) {
            if let Some(variable) = self.value_mark(&child.value).variable
                && !variable.of.non_null
            {
                let message = format!(
                    "Variable \"${}\" is of type \"{}\" but must be non-nullable to be used for OneOf Input Object \"{}\".",
                    child.value.raw, variable.of, definition.name
                );
                self.fail(variable.pos.or(child.value.pos), message)?;
            }
        }
        Ok(())
    }
}
