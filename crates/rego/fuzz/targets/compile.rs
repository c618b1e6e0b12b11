//! Checker and planner: what parses is compiled, strictly and not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, compile, parse};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for version in [RegoVersion::V0, RegoVersion::V1] {
        for strict in [false, true] {
            if let Ok(module) = parse::parse_module("a.rego", &text, version) {
                let options = CompileOptions {
                    strict,
                    print: strict,
                    ..CompileOptions::default()
                };
                let _ = compile(vec![module], Vec::new(), &options);
            }
        }
    }
});
