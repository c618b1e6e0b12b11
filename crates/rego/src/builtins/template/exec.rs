//! Runs a template over a JSON value. Numbers of the data are text to Go here (`json.Number`): `0` is true, and only
//! another text equals one.

use super::super::operand::error;
use super::super::{Failure, Host};
use super::parse::{Base, Node, Operand, Pipe, Template};
use crate::number::Number;
use crate::value::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Depth of templates calling templates.
const CALLS: usize = 50;

/// What a pipeline gives.
#[derive(Clone)]
enum Item<'a> {
    /// A key that is not there.
    Missing,
    Data(Cow<'a, Value>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Nil,
}

enum Flow {
    On,
    Break,
    Continue,
}

struct Run<'h, 'a> {
    host: &'h mut dyn Host,
    template: &'a Template,
    vars: Vec<(String, Item<'a>)>,
    out: String,
    calls: usize,
}

pub(super) fn run(host: &mut dyn Host, template: &Template, data: &Value) -> Result<String, Failure> {
    let dot = Item::Data(Cow::Borrowed(data));
    let vars = vec![(String::new(), dot.clone())];
    let mut run = Run {
        host,
        template,
        vars,
        out: String::new(),
        calls: 0,
    };
    run.nodes(&template.nodes, &dot)?;
    Ok(run.out)
}

fn fault<T>(what: impl AsRef<str>) -> Result<T, Failure> {
    Err(error(format!(
        "template: template: executing \"template\": {}",
        what.as_ref()
    )))
}

impl<'a> Item<'a> {
    fn truth(&self) -> bool {
        match self {
            Item::Missing | Item::Nil => false,
            Item::Int(i) => *i != 0,
            Item::Float(f) => *f != 0.0,
            Item::Bool(b) => *b,
            Item::Text(s) => !s.is_empty(),
            Item::Data(v) => match v.as_ref() {
                Value::Null => false,
                Value::Bool(b) => *b,
                Value::Number(_) => true,
                Value::String(s) => !s.is_empty(),
                Value::Array(a) => !a.is_empty(),
                Value::Set(s) => !s.is_empty(),
                Value::Object(o) => !o.is_empty(),
            },
        }
    }

    fn show(&self) -> String {
        match self {
            Item::Missing | Item::Nil => "<no value>".into(),
            Item::Int(i) => i.to_string(),
            Item::Float(f) => crate::gofmt::float_v(*f),
            Item::Bool(b) => b.to_string(),
            Item::Text(s) => s.clone(),
            Item::Data(v) if matches!(v.as_ref(), Value::Null) => "<no value>".into(),
            Item::Data(v) => {
                let mut out = String::new();
                show(&mut out, v);
                out
            }
        }
    }

    /// Text, which numbers of the data are too.
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Item::Text(s) => Some(Cow::Borrowed(s)),
            Item::Data(v) => match v.as_ref() {
                Value::String(s) => Some(Cow::Borrowed(s)),
                Value::Number(n) => Some(n.text()),
                _ => None,
            },
            _ => None,
        }
    }

    fn truth_value(&self) -> Option<bool> {
        match self {
            Item::Bool(b) => Some(*b),
            Item::Data(v) => v.as_bool(),
            _ => None,
        }
    }

    fn as_value(&self) -> Value {
        match self {
            Item::Missing | Item::Nil => Value::string("<nil>"),
            Item::Int(i) => Value::from(*i),
            Item::Float(f) => Number::parse(&format!("{f:?}")).map_or(Value::Null, Value::Number),
            Item::Bool(b) => Value::Bool(*b),
            Item::Text(s) => Value::string(s),
            Item::Data(v) => match v.as_ref() {
                Value::Number(n) => Value::string(n.text()),
                Value::Null => Value::string("<nil>"),
                _ => Value::string(self.show()),
            },
        }
    }
}

/// As Go prints maps and slices.
fn show(out: &mut String, v: &Value) {
    let list = |out: &mut String, items: &[Value]| {
        out.push('[');
        for (i, v) in items.iter().enumerate() {
            if i > 0 {
                out.push(' ');
            }
            show(out, v);
        }
        out.push(']');
    };
    match v {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(b) => out.push_str(&b.to_string()),
        Value::Number(n) => out.push_str(&n.text()),
        Value::String(s) => out.push_str(s),
        Value::Array(a) => list(out, a),
        Value::Set(s) => list(out, s.items()),
        Value::Object(_) => {
            out.push_str("map[");
            for (i, (k, v)) in members(v).iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                out.push_str(k);
                out.push(':');
                show(out, v);
            }
            out.push(']');
        }
    }
}

/// Members by the text of their keys.
fn members(v: &Value) -> Vec<(String, &Value)> {
    let Value::Object(o) = v else { return Vec::new() };
    let mut out: Vec<(String, &Value)> = o.iter().map(|(k, v)| (crate::json::key_text(k), v)).collect();
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

impl<'a> Run<'_, 'a> {
    fn nodes(&mut self, nodes: &'a [Node], dot: &Item<'a>) -> Result<Flow, Failure> {
        let scope = self.vars.len();
        for node in nodes {
            let flow = self.node(node, dot)?;
            if !matches!(flow, Flow::On) {
                self.vars.truncate(scope);
                return Ok(flow);
            }
        }
        self.vars.truncate(scope);
        Ok(Flow::On)
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.host.charge(text.len() + 1)?;
        self.out.push_str(text);
        Ok(())
    }

    fn node(&mut self, node: &'a Node, dot: &Item<'a>) -> Result<Flow, Failure> {
        self.host.charge(1)?;
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipe) => {
                let item = self.pipe(pipe, dot)?;
                if pipe.vars.is_empty() {
                    if let Item::Data(v) = &item {
                        self.host.charge(crate::json::write(v).len())?;
                    }
                    let text = item.show();
                    self.write(&text)?;
                }
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Call(name, pipe) => {
                let Some(nodes) = self.template.defined.get(name) else {
                    return fault(format!("template {name:?} not defined"));
                };
                let dot = match pipe {
                    Some(pipe) => self.pipe(pipe, dot)?,
                    None => Item::Nil,
                };
                if self.calls >= CALLS {
                    return fault("exceeded maximum template depth");
                }
                self.calls += 1;
                let outer = std::mem::replace(&mut self.vars, vec![(String::new(), dot.clone())]);
                self.nodes(nodes, &dot)?;
                self.vars = outer;
                self.calls -= 1;
            }
            Node::If(pipe, then, otherwise) => {
                let scope = self.vars.len();
                let truth = self.pipe(pipe, dot)?.truth();
                let flow = self.nodes(if truth { then } else { otherwise }, dot)?;
                self.vars.truncate(scope);
                return Ok(flow);
            }
            Node::With(pipe, then, otherwise) => {
                let scope = self.vars.len();
                let item = self.pipe(pipe, dot)?;
                let flow = if item.truth() {
                    self.nodes(then, &item)?
                } else {
                    self.nodes(otherwise, dot)?
                };
                self.vars.truncate(scope);
                return Ok(flow);
            }
            Node::Range(pipe, body, otherwise) => return self.range(pipe, body, otherwise, dot),
        }
        Ok(Flow::On)
    }

    fn range(
        &mut self,
        pipe: &'a Pipe,
        body: &'a [Node],
        otherwise: &'a [Node],
        dot: &Item<'a>,
    ) -> Result<Flow, Failure> {
        let scope = self.vars.len();
        let over = self.value_of(pipe, dot)?;
        let rows: Vec<(Item<'a>, Item<'a>)> = match &over {
            Item::Missing | Item::Nil => Vec::new(),
            Item::Int(n) => {
                let n = usize::try_from((*n).max(0)).unwrap_or(usize::MAX);
                self.host.charge(n.saturating_mul(64))?;
                (0..n as i64).map(|i| (Item::Int(i), Item::Int(i))).collect()
            }
            Item::Data(v) => {
                let data = |v: &Value| Item::Data(Cow::Owned(v.clone()));
                let indexed = |items: &[Value]| {
                    let places = (0i64..).map(Item::Int);
                    places.zip(items.iter().map(data)).collect()
                };
                match v.as_ref() {
                    Value::Null => Vec::new(),
                    Value::Array(a) => indexed(a),
                    Value::Set(s) => indexed(s.items()),
                    Value::Object(_) => members(v).into_iter().map(|(k, v)| (Item::Text(k), data(v))).collect(),
                    other => return fault(format!("range can't iterate over {}", crate::value_text::text(other))),
                }
            }
            other => return fault(format!("range can't iterate over {}", other.show())),
        };
        let empty = rows.is_empty();
        for (key, value) in rows {
            self.host.charge(64)?;
            match (pipe.vars.as_slice(), pipe.assigns) {
                ([one], false) => self.vars.push((one.clone(), value.clone())),
                ([k, v], false) => {
                    self.vars.push((k.clone(), key));
                    self.vars.push((v.clone(), value.clone()));
                }
                ([one], true) => self.assign(one, value.clone())?,
                ([k, v], true) => {
                    self.assign(k, key)?;
                    self.assign(v, value.clone())?;
                }
                _ => {}
            }
            let flow = self.nodes(body, &value)?;
            self.vars.truncate(scope);
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        let flow = if empty { self.nodes(otherwise, dot)? } else { Flow::On };
        self.vars.truncate(scope);
        Ok(flow)
    }

    fn assign(&mut self, name: &str, item: Item<'a>) -> Result<(), Failure> {
        match self.vars.iter_mut().rev().find(|v| v.0 == name) {
            Some(var) => {
                var.1 = item;
                Ok(())
            }
            None => fault(format!("undefined variable: ${name}")),
        }
    }

    fn pipe(&mut self, pipe: &'a Pipe, dot: &Item<'a>) -> Result<Item<'a>, Failure> {
        let item = self.value_of(pipe, dot)?;
        for name in &pipe.vars {
            if pipe.assigns {
                self.assign(name, item.clone())?;
            } else {
                self.vars.push((name.clone(), item.clone()));
            }
        }
        Ok(item)
    }

    fn value_of(&mut self, pipe: &'a Pipe, dot: &Item<'a>) -> Result<Item<'a>, Failure> {
        let mut last: Option<Item<'a>> = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Item::Nil))
    }

    fn command(&mut self, command: &'a [Operand], dot: &Item<'a>, last: Option<Item<'a>>) -> Result<Item<'a>, Failure> {
        let Some((first, rest)) = command.split_first() else {
            return fault("empty command");
        };
        let Base::Function(name) = &first.base else {
            if !rest.is_empty() || last.is_some() {
                return fault("can't give argument to non-function");
            }
            if matches!(first.base, Base::Nil) {
                return fault("nil is not a command");
            }
            return self.operand(first, dot);
        };
        // `and` and `or` stop at the first operand that decides.
        if matches!(name.as_str(), "and" | "or") {
            let mut item = None;
            for operand in rest {
                let value = self.operand(operand, dot)?;
                let decided = value.truth() == (name == "or");
                item = Some(value);
                if decided {
                    break;
                }
            }
            let open = item.as_ref().is_none_or(|i| i.truth() != (name == "or"));
            let item = if open { last.or(item) } else { item };
            return item.map_or_else(
                || fault(format!("wrong number of args for {name}: want at least 1 got 0")),
                Ok,
            );
        }
        let mut args = rest
            .iter()
            .map(|o| self.operand(o, dot))
            .collect::<Result<Vec<_>, _>>()?;
        args.extend(last);
        self.call(name, &args)
    }

    fn operand(&mut self, operand: &'a Operand, dot: &Item<'a>) -> Result<Item<'a>, Failure> {
        let mut item = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Var(name) => match self.vars.iter().rev().find(|v| v.0 == *name) {
                Some(var) => var.1.clone(),
                None => return fault(format!("undefined variable \"${name}\"")),
            },
            Base::Function(name) => self.call(name, &[])?,
            Base::Text(s) => Item::Text(s.clone()),
            Base::Int(i) => Item::Int(*i),
            Base::Float(f) => Item::Float(*f),
            Base::Bool(b) => Item::Bool(*b),
            Base::Nil => Item::Nil,
            Base::Pipe(pipe) => self.value_of(pipe, dot)?,
        };
        for name in &operand.fields {
            item = field(item, name)?;
        }
        Ok(item)
    }

    fn call(&mut self, name: &str, args: &[Item<'a>]) -> Result<Item<'a>, Failure> {
        Ok(match (name, args) {
            ("not", [one]) => Item::Bool(!one.truth()),
            ("eq", [first, others @ ..]) if !others.is_empty() => {
                let mut any = false;
                for other in others {
                    any |= equal(first, other)?;
                }
                Item::Bool(any)
            }
            ("ne", [a, b]) => Item::Bool(!equal(a, b)?),
            ("lt", [a, b]) => Item::Bool(order(a, b)?.is_lt()),
            ("le", [a, b]) => Item::Bool(order(a, b)?.is_le()),
            ("gt", [a, b]) => Item::Bool(order(a, b)?.is_gt()),
            ("ge", [a, b]) => Item::Bool(order(a, b)?.is_ge()),
            ("len", [one]) => Item::Int(i64::try_from(length(one)?).unwrap_or(i64::MAX)),
            ("index", [first, keys @ ..]) => {
                let mut item = first.clone();
                for key in keys {
                    item = index(item, key)?;
                }
                item
            }
            ("print", _) => Item::Text(self.spaced(args, false)?),
            ("println", _) => Item::Text(self.spaced(args, true)? + "\n"),
            ("printf", [format, rest @ ..]) => {
                let Some(format) = format.text() else {
                    return fault("printf wants a string first");
                };
                let values: Vec<Value> = rest.iter().map(Item::as_value).collect();
                let out = crate::gofmt::sprintf(self.host, &format, &values)?;
                Item::Text(crate::go_text::from_bytes(out))
            }
            ("html", _) => {
                let text = self.spaced(args, false)?;
                self.host.charge(text.len().saturating_mul(6))?;
                let mut out = String::new();
                for c in text.chars() {
                    match c {
                        '\0' => out.push('\u{fffd}'),
                        '"' => out.push_str("&#34;"),
                        '\'' => out.push_str("&#39;"),
                        '&' => out.push_str("&amp;"),
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        c => out.push(c),
                    }
                }
                Item::Text(out)
            }
            ("urlquery", _) => {
                let text = self.spaced(args, false)?;
                self.host.charge(text.len().saturating_mul(3))?;
                let mut out = String::new();
                super::super::encoding::query_escape(&mut out, &text);
                Item::Text(out)
            }
            ("js" | "call" | "slice", _) => {
                let message = format!("strings.render_template: the function {name} of templates is not supported");
                let loc = crate::ast::Loc::default();
                return Err(Failure::Halt(crate::error::Error::new(
                    crate::error::Code::Unsupported,
                    &loc,
                    message,
                )));
            }
            _ => return fault(format!("wrong number of args for {name}")),
        })
    }

    /// Go's Sprint puts a space between operands when neither is a string, Sprintln always.
    fn spaced(&mut self, args: &[Item<'a>], always: bool) -> Result<String, Failure> {
        let mut out = String::new();
        let mut text_before = true;
        for (i, arg) in args.iter().enumerate() {
            let is_text = match arg {
                Item::Text(_) => true,
                Item::Data(v) => matches!(v.as_ref(), Value::String(_)),
                _ => false,
            };
            if i > 0 && (always || (!text_before && !is_text)) {
                out.push(' ');
            }
            text_before = is_text;
            let shown = match arg {
                Item::Missing | Item::Nil => "<nil>".to_string(),
                other => other.show().replace("<no value>", "<nil>"),
            };
            self.host.charge(shown.len())?;
            out.push_str(&shown);
        }
        Ok(out)
    }
}

fn field<'a>(item: Item<'a>, name: &str) -> Result<Item<'a>, Failure> {
    match &item {
        Item::Data(v) if matches!(v.as_ref(), Value::Object(_)) => Ok(member(v, name)),
        Item::Data(v) if matches!(v.as_ref(), Value::Null) => {
            fault(format!("nil pointer evaluating interface {{}}.{name}"))
        }
        Item::Missing => Ok(Item::Missing),
        Item::Nil => fault(format!("nil pointer evaluating interface {{}}.{name}")),
        _ => fault(format!("can't evaluate field {name} in type interface {{}}")),
    }
}

fn member<'a>(v: &Value, name: &str) -> Item<'a> {
    match members(v).into_iter().find(|m| m.0 == name) {
        Some((_, v)) => Item::Data(Cow::Owned(v.clone())),
        None => Item::Missing,
    }
}

fn length(item: &Item<'_>) -> Result<usize, Failure> {
    if let Some(text) = item.text() {
        return Ok(text.len());
    }
    match item {
        Item::Data(v) => match v.as_ref() {
            Value::Array(a) => Ok(a.len()),
            Value::Set(s) => Ok(s.len()),
            Value::Object(o) => Ok(o.len()),
            _ => fault("error calling len"),
        },
        _ => fault("error calling len"),
    }
}

fn index<'a>(item: Item<'a>, key: &Item<'_>) -> Result<Item<'a>, Failure> {
    let Item::Data(v) = &item else {
        return fault("error calling index: can't index item");
    };
    let list = match v.as_ref() {
        Value::Array(a) => a.as_slice(),
        Value::Set(s) => s.items(),
        Value::Object(_) => {
            return match key.text() {
                Some(name) => Ok(member(v, &name)),
                None => fault("error calling index: value has wrong type for a key"),
            };
        }
        _ => return fault("error calling index: can't index item"),
    };
    let Item::Int(i) = key else {
        return fault("error calling index: cannot index slice/array with this type");
    };
    match usize::try_from(*i).ok().and_then(|i| list.get(i)) {
        Some(v) => Ok(Item::Data(Cow::Owned(v.clone()))),
        None => fault(format!("error calling index: index out of range: {i}")),
    }
}

fn equal(a: &Item<'_>, b: &Item<'_>) -> Result<bool, Failure> {
    if let (Some(a), Some(b)) = (a.text(), b.text()) {
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (a.truth_value(), b.truth_value()) {
        return Ok(a == b);
    }
    let nothing = |i: &Item<'_>| match i {
        Item::Missing | Item::Nil => true,
        Item::Data(v) => matches!(v.as_ref(), Value::Null),
        _ => false,
    };
    match (a, b) {
        (Item::Int(a), Item::Int(b)) => Ok(a == b),
        (Item::Float(a), Item::Float(b)) => Ok(a == b),
        (a, b) if nothing(a) || nothing(b) => Ok(nothing(a) && nothing(b)),
        _ => fault("error calling eq: incompatible types for comparison"),
    }
}

fn order(a: &Item<'_>, b: &Item<'_>) -> Result<Ordering, Failure> {
    if let (Some(a), Some(b)) = (a.text(), b.text()) {
        return Ok(a.cmp(&b));
    }
    match (a, b) {
        (Item::Int(a), Item::Int(b)) => Ok(a.cmp(b)),
        (Item::Float(a), Item::Float(b)) => Ok(a.partial_cmp(b).unwrap_or(Ordering::Equal)),
        _ => fault("error calling lt: incompatible types for comparison"),
    }
}
