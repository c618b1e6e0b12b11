//! `sprintf`: a format, a zero byte, operands as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_rego::{Value, json};
use regent_rego_fuzz::{call, parts};

fuzz_target!(|data: &[u8]| {
    let [format, operands] = parts::<2>(data);
    let operands = json::read(operands.as_bytes(), json::ReadOptions::default()).unwrap_or(Value::Null);
    let operands = match operands {
        Value::Array(_) => operands,
        other => Value::array(vec![other]),
    };
    let _ = call("sprintf", &[&Value::string(format), &operands]);
});
