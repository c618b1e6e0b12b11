//! `time.*`; layouts and zones are still to come.

use super::{Answer, Host, Table};
use crate::value::Value;

pub(crate) const TABLE: Table = &[("time.now_ns", now_ns)];

fn now_ns(host: &mut dyn Host, _: &[&Value]) -> Answer {
    Ok(Some(Value::from(host.time_ns())))
}
