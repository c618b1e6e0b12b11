//! Evaluation: a module, a zero byte, an input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, Context, Value, compile, json, parse};
use regent_rego_fuzz::{limited, parts};

fuzz_target!(|data: &[u8]| {
    let [module, input] = parts::<2>(data);
    let Ok(module) = parse::parse_module("a.rego", &module, RegoVersion::V1) else {
        return;
    };
    let Ok((program, _)) = compile(vec![module], Vec::new(), &CompileOptions::default()) else {
        return;
    };
    let input = json::read(input.as_bytes(), json::ReadOptions::default()).ok();
    let data = Value::object(Vec::new());
    for strict_builtin_errors in [false, true] {
        limited(|limits| {
            let context = Context {
                input: input.as_ref(),
                data: &data,
                limits,
                time_ns: 1_700_000_000_000_000_000,
                seed: 1,
                strict_builtin_errors,
            };
            let _ = program.eval(program.document(&[]), &context);
        });
    }
});
