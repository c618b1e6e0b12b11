//! How often an evaluation that finds nothing allocates: a bound for each shape of policy, so that a step back shows.
//! Counts do not depend on the machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test ends by panicking"
)]

use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, Context, Limits, Value, compile, json, parse};

/// Allocations of one evaluation that finds nothing, at most.
const BOUND: u64 = 8;

const POD: &str = r#"{"parameters": {"denied": ["latest"], "exempt": ["quay.io/"]}, "review": {"kind": {"kind": "Pod"},
  "oldObject": null, "object": {"metadata": {"name": "shop", "labels": {"app": "shop", "owner": "me"}}, "spec": {
  "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "config", "configMap": {"name": "shop"}}],
  "containers": [
    {"name": "one", "image": "registry.example.com/one:1.0", "securityContext": {"privileged": false, "runAsUser": 1000}},
    {"name": "two", "image": "registry.example.com/two:1.0", "securityContext": {"runAsUser": 1001}},
    {"name": "three", "image": "registry.example.com/three:1.0", "ports": [{"containerPort": 80}]}]}}}}"#;

const POLICIES: &[(&str, &str)] = &[
    (
        "a field",
        r#"violation contains {"msg": "no"} if input.review.object.spec.hostNetwork"#,
    ),
    (
        "a field that is not there",
        r#"violation contains {"msg": msg} if {
        not input.review.object.metadata.labels.owner
        msg := sprintf("%s has no owner", [input.review.object.metadata.name])
    }"#,
    ),
    (
        "a loop",
        r#"violation contains {"msg": msg} if {
        some container in input.review.object.spec.containers
        container.securityContext.privileged
        msg := sprintf("%s is privileged", [container.name])
    }"#,
    ),
    (
        "functions and constants",
        r#"violation contains {"msg": msg} if {
        some fault in faults(input.review.object)
        not fault.msg in known
        msg := fault.msg
    }
    known := {fault.msg | some fault in faults(object.get(input.review, "oldObject", null))}
    faults(pod) := of_pod(pod) | of_containers(pod)
    of_pod(pod) := {{"msg": "pod"} | pod.spec.securityContext.runAsUser == 0; not exempt(pod)}
    of_containers(pod) := {{"msg": msg} |
        some list, who in lists
        some container in pod.spec[list]
        container.securityContext.runAsUser == 0
        not exempt(pod)
        msg := sprintf("%s %q", [who, container.name])
    }
    exempt(pod) if pod.spec.hostUsers == false
    lists := {"containers": "container", "initContainers": "init container"}"#,
    ),
    (
        "constant heads",
        r#"violation contains {"msg": msg} if {
        some volume in input.review.object.spec.volumes
        some kind, _ in volume
        kind != "name"
        not allowed(kind)
        msg := kind
    }
    allowed("configMap")
    allowed("emptyDir")
    allowed("secret")"#,
    ),
    (
        "strings",
        r#"violation contains {"msg": msg} if {
        some container in input.review.object.spec.containers
        endswith(container.image, ":latest")
        not startswith(container.image, "quay.io/")
        msg := concat(" ", [container.name, container.image])
    }"#,
    ),
];

#[test]
fn what_finds_nothing_hardly_allocates() {
    let input = json::read(POD.as_bytes(), json::ReadOptions::default()).unwrap();
    let data = Value::object(Vec::new());
    let mut report = String::new();
    let mut worst = 0;
    for (name, rules) in POLICIES {
        let text = format!("package a\nimport rego.v1\n{rules}\n");
        let module = parse::parse_module(name, &text, RegoVersion::V1).unwrap();
        let (program, _) = compile(vec![module], Vec::new(), &CompileOptions::default()).unwrap();
        let entry = program.document(&["a", "violation"]);
        let context = Context {
            input: Some(&input),
            data: &data,
            limits: Limits::default(),
            time_ns: 0,
            seed: 0,
            strict_builtin_errors: false,
        };
        // What is made once for the process is made before.
        program.eval(entry, &context).unwrap();
        let mut found = None;
        let measured = allocation_counter::measure(|| found = program.eval(entry, &context).unwrap().value);
        assert_eq!(found, Some(Value::set(Vec::new())), "{name}");
        report.push_str(&format!("{name}: {}\n", measured.count_total));
        worst = worst.max(measured.count_total);
    }
    assert!(worst <= BOUND, "more than {BOUND} allocations:\n{report}");
}
