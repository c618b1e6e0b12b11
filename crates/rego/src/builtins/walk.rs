//! `walk`: every path and the value there, the whole first, then depth first in key order.

use super::operand::any;
use super::{Answer, Host, Table};
use crate::value::Value;

pub(crate) const TABLE: Table = &[("walk", walk)];

fn walk(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let mut out = Vec::new();
    // A stack of its own, not of calls: values can be deep.
    let mut open: Vec<(Vec<Value>, &Value)> = vec![(Vec::new(), any(args, 1)?)];
    while let Some((path, value)) = open.pop() {
        let before = open.len();
        let further = |key: Value| {
            let mut longer = Vec::with_capacity(path.len() + 1);
            longer.extend(path.iter().cloned());
            longer.push(key);
            longer
        };
        let room = (path.len() + 4).saturating_mul(size_of::<Value>());
        match value {
            Value::Array(items) => {
                host.charge(room.saturating_mul(items.len()))?;
                let keys = (0i64..).map(Value::from);
                open.extend(keys.zip(items.iter()).map(|(k, v)| (further(k), v)));
            }
            Value::Object(o) => {
                host.charge(room.saturating_mul(o.len()))?;
                open.extend(o.iter().map(|(k, v)| (further(k.clone()), v)));
            }
            Value::Set(s) => {
                host.charge(room.saturating_mul(s.len()))?;
                open.extend(s.iter().map(|v| (further(v.clone()), v)));
            }
            _ => {}
        }
        // The first child comes next.
        if let Some(children) = open.get_mut(before..) {
            children.reverse();
        }
        out.push(Value::array(vec![Value::array(path), value.clone()]));
    }
    Ok(Some(Value::array(out)))
}
