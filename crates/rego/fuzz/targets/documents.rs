//! Built-ins that read documents: certificates, keys, tokens, GraphQL, URLs, times, versions. Two texts, a zero byte between.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_rego::Value;
use regent_rego_fuzz::{call, parts};

const ONE: &[&str] = &[
    "crypto.x509.parse_certificates",
    "crypto.x509.parse_and_verify_certificates",
    "crypto.x509.parse_certificate_request",
    "crypto.x509.parse_rsa_private_key",
    "crypto.parse_private_keys",
    "graphql.parse_query",
    "graphql.parse_schema",
    "graphql.schema_is_valid",
    "io.jwt.decode",
    "json.unmarshal",
    "yaml.unmarshal",
    "uri.parse",
    "urlquery.decode_object",
    "time.parse_rfc3339_ns",
    "time.parse_duration_ns",
    "units.parse",
    "units.parse_bytes",
    "semver.is_valid",
    "uuid.parse",
    "net.cidr_is_valid",
    "json.verify_schema",
];

const TWO: &[&str] = &[
    "crypto.x509.parse_keypair",
    "graphql.parse",
    "graphql.is_valid",
    "io.jwt.verify_rs256",
    "io.jwt.verify_es256",
    "io.jwt.verify_hs256",
    "net.cidr_contains",
    "semver.compare",
    "time.parse_ns",
    "json.match_schema",
    "strings.render_template",
];

fuzz_target!(|data: &[u8]| {
    let [a, b] = parts::<2>(data).map(Value::string);
    // Certificates, also as bytes.
    let bytes = call("base64.encode", &[&a]).ok().flatten();
    for name in ONE {
        let _ = call(name, &[&a]);
        if let Some(bytes) = bytes.as_ref().filter(|_| name.starts_with("crypto.")) {
            let _ = call(name, &[bytes]);
        }
    }
    for name in TWO {
        let _ = call(name, &[&a, &b]);
    }
});
