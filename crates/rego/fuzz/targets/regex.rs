//! Regular expressions: a pattern, a zero byte, a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_rego::Value;
use regent_rego_fuzz::{call, parts};

fuzz_target!(|data: &[u8]| {
    let [pattern, text, other] = parts::<3>(data).map(Value::string);
    let _ = call("regex.is_valid", &[&pattern]);
    let _ = call("regex.match", &[&pattern, &text]);
    let _ = call("regex.split", &[&pattern, &text]);
    let _ = call("regex.find_all_string_submatch_n", &[&pattern, &text, &Value::from(3)]);
    let _ = call("regex.replace", &[&text, &pattern, &other]);
    let _ = call(
        "regex.template_match",
        &[&pattern, &text, &Value::string("{"), &Value::string("}")],
    );
    let _ = call("regex.globs_match", &[&pattern, &text]);
});
