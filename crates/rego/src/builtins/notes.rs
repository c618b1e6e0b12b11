//! What speaks to the evaluation rather than computes: `print`, `trace`, template strings.

use super::operand::{array, string};
use super::{Answer, Failure, Host, Table};
use crate::ast::Loc;
use crate::error::{Code, Error};
use crate::value::Value;
use crate::value_text;

pub(crate) const TABLE: Table = &[
    ("internal.print", print),
    ("internal.template_string", template_string),
    ("internal.test_case", |_, _| Ok(Some(Value::Bool(true)))),
    ("trace", trace),
    // The compiler puts other things in the place of these; they are here for their signatures.
    ("print", |_, _| Ok(None)),
    ("assign", |_, _| Ok(None)),
    ("rego.metadata.chain", |_, _| outside("rego.metadata.chain")),
    ("rego.metadata.rule", |_, _| outside("rego.metadata.rule")),
];

fn trace(host: &mut dyn Host, args: &[&Value]) -> Answer {
    host.note(string(args, 1)?);
    Ok(Some(Value::Bool(true)))
}

fn halt(code: Code, message: String) -> Failure {
    Failure::Halt(Error::new(code, &Loc::default(), message))
}

/// The texts an operand stands for: itself, or each member of the set that a comprehension gave.
fn texts(operand: &Value) -> Result<Vec<String>, Failure> {
    let text = |v: &Value| match v {
        Value::String(s) => s.to_string(),
        other => value_text::text(other),
    };
    Ok(match operand {
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => vec![text(operand)],
        Value::Set(s) if s.is_empty() => vec!["<undefined>".to_string()],
        Value::Set(s) => s.iter().map(text).collect(),
        other => {
            return Err(halt(
                Code::Internal,
                format!("illegal argument type: {}", other.type_name()),
            ));
        }
    })
}

/// One line for each member of the cross product, the last operand changing fastest.
fn print(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let columns = array(args, 1)?.iter().map(texts).collect::<Result<Vec<_>, _>>()?;
    let count = columns
        .iter()
        .try_fold(1usize, |n, c| n.checked_mul(c.len()))
        .unwrap_or(usize::MAX);
    for i in 0..count {
        let mut rest = i;
        let mut line: Vec<&str> = Vec::with_capacity(columns.len());
        for column in columns.iter().rev() {
            let at = rest.checked_rem(column.len()).unwrap_or(0);
            rest = rest.checked_div(column.len()).unwrap_or(0);
            line.extend(column.get(at).map(String::as_str));
        }
        line.reverse();
        host.charge(line.iter().map(|s| s.len() + 1).sum())?;
        host.print(&line.join(" "));
    }
    Ok(Some(Value::Bool(true)))
}

fn template_string(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let mut out = String::new();
    for operand in array(args, 1)? {
        super::operand::charge_text(host, operand, 1)?;
        let texts = texts(operand)?;
        let [text] = texts.as_slice() else {
            let message = "template-strings must not produce multiple outputs";
            return Err(halt(Code::Conflict, message.into()));
        };
        host.charge(text.len())?;
        out.push_str(text);
    }
    Ok(Some(Value::string(out)))
}

/// In rules these calls are constants since they were compiled; only a query's are left.
fn outside(name: &str) -> Answer {
    let text = format!("the {name} function must only be called within the scope of a rule");
    Err(Failure::Builtin(text))
}
