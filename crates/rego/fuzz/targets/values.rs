//! JSON and YAML into values and back: what was written is read as the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_rego::{json, value_text, yaml};

fuzz_target!(|data: &[u8]| {
    if let Ok(value) = json::read(data, json::ReadOptions::default()) {
        let again = json::read(json::write(&value).as_bytes(), json::ReadOptions::default());
        assert_eq!(Some(&value), again.as_ref().ok(), "{}", json::write(&value));
        let _ = value_text::text(&value);
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(value) = yaml::read(&text) {
        let _ = yaml::write(&value);
        let _ = json::write(&value);
    }
});
