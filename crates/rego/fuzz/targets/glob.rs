//! `glob.match`: a pattern, a zero byte, a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_rego::Value;
use regent_rego_fuzz::{call, parts};

fuzz_target!(|data: &[u8]| {
    let [pattern, text] = parts::<2>(data).map(Value::string);
    let points = Value::array(vec![Value::string("."), Value::string("/")]);
    for delimiters in [&Value::Null, &Value::array(Vec::new()), &points] {
        let _ = call("glob.match", &[&pattern, delimiters, &text]);
    }
    let _ = call("glob.quote_meta", &[&pattern]);
});
