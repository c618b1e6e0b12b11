//! `strings.render_template`: Go's `text/template` over JSON values.

mod exec;
mod parse;

use super::operand::{error, object, string};
use super::{Answer, Host, Table};
use crate::value::Value;

pub(crate) const TABLE: Table = &[("strings.render_template", render_template)];

fn render_template(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let text = string(args, 1)?;
    object(args, 2)?;
    host.charge(text.len().saturating_mul(8))?;
    if let Some(v) = args.get(1) {
        crate::builtins::operand::charge_text(host, v, 1)?;
    }
    // OPA reads the Rego text of the object as JSON, so sets and keys that are no strings are faults.
    let Some(data) = args.get(1).map(|v| crate::value_text::text(v)) else {
        return Ok(None);
    };
    host.charge(data.len().saturating_mul(8))?;
    let data = crate::json::read(data.as_bytes(), crate::json::ReadOptions::default()).map_err(|e| error(e.message))?;
    let template = parse::parse(text).map_err(|fault| error(format!("template: template:{fault}")))?;
    let out = exec::run(host, &template, &data)?;
    Ok(Some(Value::string(out.replace("<no value>", "<undefined>"))))
}
