//! ConfigMaps and custom resources of a real API server, and its faults. Not run where `tests/cluster/assets` has built
//! nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test ends by panicking, reads its cases, and says what it saw"
)]

mod common;
#[path = "../../../tests/cluster/harness.rs"]
mod harness;
#[path = "../../../tests/cluster/proxy.rs"]
mod proxy;

use common::{archive, denies, pod, says, says_to, wait_within};
use harness::{REGENT, TestCluster};
use k8s_openapi::api::core::v1::ConfigMap;
use proxy::{Mode, Proxy};
use regent_rego::{Value, json, yaml};
use regent_watcher::{ClusterOptions, Options, SourceState, Store, Watcher, cluster, start};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The namespace whose ConfigMaps are read; `deploy/kustomize/rbac.yaml` gives no right to others.
const OWN: &str = "regent-system";
const SOON: Duration = Duration::from_secs(30);
const CRDS: [&str; 3] = ["constrainttemplates", "configs", "expansiontemplates"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn deploy(file: &str) -> String {
    fs::read_to_string(repository().join("deploy/kustomize").join(file)).expect("a manifest")
}

fn crds() -> String {
    CRDS.map(|name| deploy(&format!("crds/{name}.yaml"))).join("\n---\n")
}

/// A template that denies Pods whose label is not `wanted`, with `rule` as its Rego's last line.
fn template(kind: &str, rule: &str) -> String {
    let name = kind.to_lowercase();
    format!(
        r#"apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {{name: {name}}}
spec:
  crd:
    spec:
      names: {{kind: {kind}}}
      validation:
        openAPIV3Schema:
          type: object
          properties:
            wanted: {{type: string}}
  targets:
  - target: admission.k8s.gatekeeper.sh
    rego: |
      package {name}

      violation[{{"msg": msg}}] {{
        not input.review.object.metadata.labels[input.parameters.wanted]
        {rule}
      }}
"#
    )
}

fn constraint(kind: &str, name: &str, parameters: &str) -> String {
    format!(
        "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  match:\n    kinds: \
         [{{apiGroups: [\"\"], kinds: [Pod]}}]\n  parameters: {parameters}\n"
    )
}

fn config_map(name: &str, label: &str, files: &[(&str, &str)], annotations: &str) -> String {
    let mut out = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: regent-system\n  labels: {{{label}}}\n  \
         annotations: {{{annotations}}}\ndata:\n"
    );
    for (file, text) in files {
        out.push_str(&format!("  {file}: |\n"));
        for line in text.lines() {
            out.push_str(&format!("    {line}\n"));
        }
    }
    out
}

const OURS: &str = r#"regent.dev/policy: "true""#;
const KUBE_MGMT: &str = "openpolicyagent.org/policy: rego";

/// An object as JSON; `null` when it is not there.
fn get(cluster: &TestCluster, args: &[&str]) -> Value {
    let run = cluster.kubectl(&[&["get", "-o", "json"], args].concat());
    let read = || {
        json::read(
            &run.stdout,
            json::ReadOptions {
                depth: 200,
                refuse_duplicates: true,
                ..json::ReadOptions::default()
            },
        )
    };
    if run.status.success() {
        read().expect("JSON")
    } else {
        Value::Null
    }
}

fn annotation(cluster: &TestCluster, name: &str, key: &str) -> Value {
    let object = get(cluster, &["configmap", name, "-n", OWN]);
    let text = object.path(&["metadata", "annotations", key]).and_then(Value::as_str);
    text.map_or(Value::Null, |t| yaml::read(t).expect("JSON in the annotation"))
}

fn text<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    value.path(path).and_then(Value::as_str).unwrap_or_default()
}

fn eventually(what: &str, mut holds: impl FnMut() -> Result<(), String>) {
    let since = Instant::now();
    loop {
        match holds() {
            Ok(()) => return,
            Err(why) if since.elapsed() > SOON => panic!("not within {SOON:?}: {what}: {why}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn serves(store: &Store, what: &str, wanted: &[&str]) {
    wait_within(store, SOON, what, |s| s.current().is_some_and(|l| says(&l) == wanted));
}

/// Our entry of `status.byPod`.
fn by_pod(object: &Value) -> Value {
    let entries = object
        .path(&["status", "byPod"])
        .and_then(Value::as_array)
        .unwrap_or_default();
    entries
        .iter()
        .find(|e| text(e, &["id"]) == "regent-0")
        .cloned()
        .unwrap_or(Value::Null)
}

fn errors(entry: &Value) -> Vec<String> {
    let list = entry.get("errors").and_then(Value::as_array).unwrap_or_default();
    list.iter()
        .map(|e| {
            format!(
                "{} {}: {}",
                text(e, &["code"]),
                text(e, &["location"]),
                text(e, &["message"])
            )
        })
        .collect()
}

async fn watcher(kubeconfig: &Path, allow_empty: bool) -> Watcher {
    let cluster = cluster::connect(Some(kubeconfig)).await.expect("a client");
    start(Options {
        cluster: Some(ClusterOptions {
            cluster,
            config_maps: true,
            config_map_namespaces: vec![OWN.to_owned()],
            custom_resources: true,
            create_definitions: true,
            write_status: true,
            own_namespace: OWN.to_owned(),
            identity: "regent-0".to_owned(),
        }),
        allow_empty,
        ..Options::default()
    })
    .expect("a watcher")
}

/// Templates and constraints: good, bad, repaired, removed.
fn custom_resources(cluster: &TestCluster, store: &Store) {
    cluster
        .apply(&template("NeedA", r#"msg := "no A""#))
        .expect("a template");
    eventually("the constraint's kind is there", || {
        cluster.apply(&constraint("NeedA", "a", "{wanted: a}")).map(|_| ())
    });
    serves(store, "the constraint", &["no A"]);
    let refused = cluster
        .apply(&constraint("NeedA", "a", "{wanted: [1]}"))
        .expect_err("bad parameters");
    assert!(
        refused.contains("spec.parameters.wanted") && refused.contains("must be of type string"),
        "{refused}"
    );
    eventually("the template's status", || {
        let template = get(cluster, &["constrainttemplate", "needa"]);
        let entry = by_pod(&template);
        let uid = text(&entry, &["templateUID"]) == text(&template, &["metadata", "uid"]);
        let created = template.path(&["status", "created"]).and_then(Value::as_bool) == Some(true);
        if uid && created && errors(&entry).is_empty() {
            Ok(())
        } else {
            Err(format!("{template:?}"))
        }
    });
    eventually("the constraint's status", || {
        let entry = by_pod(&get(cluster, &["needa", "a"]));
        let enforced = entry.get("enforced").and_then(Value::as_bool) == Some(true);
        if enforced { Ok(()) } else { Err(format!("{entry:?}")) }
    });

    eprintln!("cluster: a template is broken: its last good revision serves");
    cluster
        .apply(&template("NeedA", "msg := nothing(1)"))
        .expect("a template, broken");
    cluster
        .apply(&template("NeedB", "msg := 1 +"))
        .expect("another, broken from the start");
    eventually("the second kind is there all the same", || {
        cluster.apply(&constraint("NeedB", "b", "{wanted: b}")).map(|_| ())
    });
    let fails = r#"!the template of NeedB "b" does not load"#;
    serves(store, "the good one serves and the broken one fails", &[fails, "no A"]);
    let status = store.status();
    assert_eq!(
        status
            .sources
            .iter()
            .find(|s| s.name == "custom-resources")
            .unwrap()
            .state,
        SourceState::Broken
    );
    assert!(
        says_to(
            &store.current().unwrap(),
            yaml::read("{apiVersion: v1, kind: Service, metadata: {name: s}}").unwrap()
        )
        .is_empty()
    );
    for (name, location) in [("needa", "template:5"), ("needb", "template:6")] {
        eventually("its status has the error and the line", || {
            let found = errors(&by_pod(&get(cluster, &["constrainttemplate", name])));
            let told = found
                .iter()
                .any(|e| e.starts_with("ingest_error ") && e.contains(location));
            if told {
                Ok(())
            } else {
                Err(format!("{name}: {found:?}"))
            }
        });
    }
    eventually("the constraint's status says so", || {
        let entry = by_pod(&get(cluster, &["needb", "b"]));
        let enforced = entry.get("enforced").and_then(Value::as_bool);
        if enforced == Some(false) {
            Ok(())
        } else {
            Err(format!("{entry:?}"))
        }
    });

    eprintln!("cluster: repaired, removed");
    cluster
        .apply(&template("NeedA", r#"msg := "no A, again""#))
        .expect("a template");
    cluster
        .apply(&template("NeedB", r#"msg := "no B""#))
        .expect("a template");
    serves(store, "both serve", &["no A, again", "no B"]);
    wait_within(store, SOON, "no problems", |s| !s.status().is_degraded());
    assert!(cluster.kubectl(&["delete", "needb", "b"]).status.success());
    serves(store, "the constraint is gone", &["no A, again"]);
    assert!(
        cluster
            .kubectl(&["delete", "constrainttemplate", "needb"])
            .status
            .success()
    );
    wait_within(store, SOON, "the template is gone", |s| {
        s.current().is_some_and(|l| l.policies.templates() == ["NeedA"])
    });
}

/// Config of our own namespace and of no other, and ExpansionTemplates.
fn config_and_expansion(cluster: &TestCluster, store: &Store) {
    let config = |namespace: &str, excluded: &str| {
        format!(
            "{{apiVersion: config.gatekeeper.sh/v1alpha1, kind: Config, metadata: {{name: config, namespace: {namespace}}}, \
             spec: {{match: [{{processes: ['*'], excludedNamespaces: [{excluded}]}}]}}}}"
        )
    };
    cluster
        .apply(&config("default", "nobody"))
        .expect("a Config that is not ours");
    cluster
        .apply(&config("regent-system", "kube-system"))
        .expect("our Config");
    wait_within(store, SOON, "our Config alone", |s| {
        s.current()
            .is_some_and(|l| l.configs.len() == 1 && text(&l.configs[0], &["metadata", "namespace"]) == "regent-system")
    });
    let expansion = "{apiVersion: expansion.gatekeeper.sh/v1alpha1, kind: ExpansionTemplate, metadata: {name: pods}, spec: \
                     {applyTo: [{groups: [apps], kinds: [Deployment], versions: [v1]}], templateSource: spec.template, \
                     generatedGVK: {group: '', version: v1, kind: Pod}}}";
    cluster.apply(expansion).expect("an ExpansionTemplate");
    wait_within(store, SOON, "the expansion", |s| {
        s.current().is_some_and(|l| l.policies.expansions().len() == 1)
    });
    let deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: shop}, spec: {template: {spec: \
                      {containers: []}}}}";
    let said = says_to(&store.current().unwrap(), yaml::read(deployment).unwrap());
    assert_eq!(said, ["[Implied by pods] no A, again"]);
    assert!(
        cluster
            .kubectl(&["delete", "expansiontemplate", "pods"])
            .status
            .success()
    );
    wait_within(store, SOON, "no expansion", |s| {
        s.current().is_some_and(|l| l.policies.expansions().is_empty())
    });
}

/// ConfigMaps: created, changed, broken, repaired, pinned back, deleted; two as one set.
fn config_maps(cluster: &TestCluster, store: &Store) {
    let one = |text: &str, annotations: &str| config_map("one", OURS, &[("one.rego", text)], annotations);
    cluster.apply(&one(&denies("one", "one"), "")).expect("a ConfigMap");
    serves(store, "the first", &["no A, again", "one"]);
    let first = store.current().unwrap().revision.to_string();
    let is = |name: &str, state: &str| {
        let (name, state) = (name.to_owned(), state.to_owned());
        move || {
            let found = annotation(cluster, &name, "regent.dev/status");
            let serving = store.current().unwrap().revision.to_string();
            let right = text(&found, &["state"]) == state && text(&found, &["revision"]) == serving;
            if right { Ok(()) } else { Err(format!("{found:?}")) }
        }
    };
    eventually("its annotation", is("one", "serving"));

    eprintln!("cluster: two ConfigMaps are one set, one of them kube-mgmt's");
    let two = |text: &str| config_map("two", KUBE_MGMT, &[("main", text)], "");
    cluster.apply(&two(&denies("two", "two"))).expect("a ConfigMap");
    serves(store, "both", &["no A, again", "one", "two"]);
    eventually("kube-mgmt's annotation", || {
        let found = annotation(cluster, "two", "openpolicyagent.org/kube-mgmt-status");
        if text(&found, &["status"]) == "ok" {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    });

    eprintln!("cluster: one of them breaks: neither is taken");
    cluster.apply(&one(&denies("one", "changed"), "")).expect("a change");
    serves(store, "the change", &["changed", "no A, again", "two"]);
    cluster
        .apply(&two("package two\n\ndeny[x] {\n  x := \n}\n"))
        .expect("broken");
    eventually("the annotation of the broken one", || {
        let found = annotation(cluster, "two", "openpolicyagent.org/kube-mgmt-status");
        if text(&found, &["status"]) == "error" {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    });
    eventually("the annotation of the other", is("one", "last-good"));
    let found = annotation(cluster, "one", "regent.dev/status");
    let problem = found
        .get("problems")
        .and_then(Value::as_array)
        .and_then(|p| p.first())
        .cloned()
        .expect("a problem");
    assert_eq!(
        text(&problem, &["file"]),
        "configmap:regent-system/two/main.rego",
        "{problem:?}"
    );
    assert!(problem.get("line").and_then(Value::as_i64) > Some(3), "{problem:?}");
    cluster.apply(&one(&denies("one", "not yet"), "")).expect("a change");
    std::thread::sleep(Duration::from_millis(500));
    serves(store, "the last good", &["changed", "no A, again", "two"]);
    cluster.apply(&two(&denies("two", "mended"))).expect("repaired");
    serves(store, "both changes at once", &["mended", "no A, again", "not yet"]);
    eventually("its annotation", is("two", "serving"));

    eprintln!("cluster: a bundle in binaryData");
    let path = cluster.folder.join("bundle.tar.gz");
    fs::write(&path, archive(&[("policies/b.rego", &denies("bundled", "bundled"))])).expect("a bundle");
    let from = format!("--from-file={}", path.display());
    assert!(
        cluster
            .kubectl(&["create", "configmap", "bundle", "-n", OWN, &from])
            .status
            .success()
    );
    assert!(
        cluster
            .kubectl(&["label", "configmap", "bundle", "-n", OWN, "regent.dev/policy=true"])
            .status
            .success()
    );
    serves(
        store,
        "the bundle too",
        &["bundled", "mended", "no A, again", "not yet"],
    );
    assert!(
        cluster
            .kubectl(&["delete", "configmap", "bundle", "-n", OWN])
            .status
            .success()
    );
    serves(store, "it is gone", &["mended", "no A, again", "not yet"]);

    eprintln!("cluster: pinned back, and let go");
    let pin = format!("regent.dev/pin: \"{first}\"");
    cluster.apply(&one(&denies("one", "not yet"), &pin)).expect("a pin");
    serves(store, "the first revision", &["no A, again", "one"]);
    eventually("its annotation", is("one", "held"));
    cluster.apply(&one(&denies("one", "later"), "")).expect("no pin");
    serves(store, "the newest", &["later", "mended", "no A, again"]);

    eprintln!("cluster: deleted, unlabelled");
    assert!(
        cluster
            .kubectl(&["delete", "configmap", "one", "-n", OWN])
            .status
            .success()
    );
    serves(store, "what is left", &["mended", "no A, again"]);
    let unlabel = ["label", "configmap", "two", "-n", OWN, "openpolicyagent.org/policy-"];
    assert!(cluster.kubectl(&unlabel).status.success());
    serves(store, "nothing of it", &["no A, again"]);
}

/// A Namespace made a moment ago is found.
fn namespaces(cluster: &TestCluster, watcher: &Watcher, runtime: &tokio::runtime::Runtime) {
    let namespaces = watcher.namespaces();
    for n in 0..5 {
        let name = format!("fresh-{n}");
        cluster
            .apply(&format!(
                "{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{team: x}}}}}}"
            ))
            .expect("a Namespace");
        let found = runtime
            .block_on(namespaces.find(&name))
            .expect("an answer")
            .expect("the Namespace");
        assert_eq!(text(&found, &["metadata", "labels", "team"]), "x");
        assert_eq!(text(&found, &["kind"]), "Namespace");
    }
    assert_eq!(runtime.block_on(namespaces.find("absent")), Ok(None));
    assert!(namespaces.is_synced());
    assert!(namespaces.staleness().expect("heard of it") < Duration::from_secs(15));
}

/// The API server goes away in several ways: answers go on, requests stay few, and it converges after.
fn faults(cluster: &mut TestCluster, proxy: &Proxy, store: &Store) {
    let mut n = 0;
    let mut converges = |cluster: &TestCluster, what: &str, since: Instant| {
        n += 1;
        let message = format!("fault {n}");
        let map = config_map("fault", OURS, &[("f.rego", &denies("fault", &message))], "");
        cluster.apply(&map).expect("a change");
        wait_within(store, Duration::from_secs(10), what, |s| {
            s.current().is_some_and(|l| says(&l).contains(&message))
        });
        eprintln!("cluster: {what}: converged after {:?}", since.elapsed());
    };
    converges(cluster, "no fault", Instant::now());
    for (what, mode) in [
        ("connections are refused", Mode::Refuse),
        ("connections hang", Mode::Stall),
        ("connections are cut", Mode::Cut),
    ] {
        let revision = store.current().unwrap().revision.clone();
        let before = proxy.connections();
        let since = Instant::now();
        proxy.set(mode);
        std::thread::sleep(Duration::from_secs(12));
        let rate = (proxy.connections() - before) as f64 / since.elapsed().as_secs_f64();
        assert!(rate <= 5.0, "{what}: {rate:.1} connections a second");
        assert_eq!(store.current().unwrap().revision, revision, "{what}");
        proxy.set(Mode::Pass);
        eprintln!("cluster: {what}: {rate:.1} connections a second");
        converges(cluster, what, Instant::now());
    }

    eprintln!("cluster: the API server is killed, etcd compacted, and what was watched is gone");
    let before = proxy.connections();
    let since = Instant::now();
    cluster.kill("kube-apiserver");
    std::thread::sleep(Duration::from_secs(5));
    cluster.compact();
    cluster.start_api();
    cluster.wait_ready();
    let rate = (proxy.connections() - before) as f64 / since.elapsed().as_secs_f64();
    assert!(rate <= 5.0, "killed: {rate:.1} connections a second");
    converges(cluster, "killed, compacted and restarted", Instant::now());

    cluster.signal("etcd", "STOP");
    std::thread::sleep(Duration::from_secs(5));
    cluster.signal("etcd", "CONT");
    cluster.wait_ready();
    converges(cluster, "etcd was stopped", Instant::now());
    assert!(
        cluster
            .kubectl(&["delete", "configmap", "fault", "-n", OWN])
            .status
            .success()
    );
    serves(store, "as before", &["no A, again"]);
}

/// How long a write takes to be in force, from the moment the API server has it.
fn latency(proxy: &Proxy, kubeconfig: &Path, store: &Store, runtime: &tokio::runtime::Runtime) {
    const WRITES: usize = 100;
    assert!(proxy.connections() > 0);
    let client = runtime.block_on(cluster::connect(Some(kubeconfig))).expect("a client");
    let api: kube::Api<ConfigMap> = kube::Api::namespaced(client.client().clone(), OWN);
    let mut times = Vec::new();
    for n in 0..WRITES {
        let message = format!("write {n}");
        let map = serde_json::json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "latency", "labels": {"regent.dev/policy": "true"}},
            "data": {"l.rego": denies("latency", &message)},
        });
        let params = kube::api::PatchParams::apply("test").force();
        runtime
            .block_on(api.patch("latency", &params, &kube::api::Patch::Apply(map)))
            .expect("a write");
        let since = Instant::now();
        wait_within(store, SOON, "the write is in force", |s| {
            s.current().is_some_and(|l| says(&l).contains(&message))
        });
        times.push(since.elapsed());
    }
    runtime
        .block_on(api.delete("latency", &kube::api::DeleteParams::default()))
        .expect("a deletion");
    times.sort();
    eprintln!(
        "cluster: {WRITES} writes in force after {:?} (median), {:?} (99 of 100)",
        times[WRITES / 2],
        times[WRITES - 2]
    );
    serves(store, "as before", &["no A, again"]);
}

/// Everything shipped: the API server takes each template and, by the definitions made of them, each constraint.
fn shipped(cluster: &TestCluster, store: &Store) {
    let mut templates = Vec::new();
    let mut constraints = Vec::new();
    for (folder, list) in [("library", &mut templates), ("policies", &mut constraints)] {
        for entry in fs::read_dir(repository().join(folder)).expect("a folder").flatten() {
            if !entry.path().is_dir() {
                continue;
            }
            for file in fs::read_dir(entry.path()).expect("a folder").flatten() {
                let path = if folder == "library" {
                    file.path().join("template.yaml")
                } else {
                    file.path()
                };
                if path.extension().is_some_and(|e| e == "yaml") && path.is_file() {
                    list.push(fs::read_to_string(path).expect("a manifest"));
                }
            }
        }
    }
    assert!(templates.len() > 20 && constraints.len() > 20);
    let before = store.current().unwrap().policies.templates().len();
    cluster.apply(&templates.join("\n---\n")).expect("all templates");
    let since = Instant::now();
    wait_within(store, SOON, "all templates", |s| {
        s.current()
            .is_some_and(|l| l.policies.templates().len() == before + templates.len())
    });
    eprintln!(
        "cluster: {} templates in force {:?} after kubectl",
        templates.len(),
        since.elapsed()
    );
    eventually("all constraints", || {
        cluster.apply(&constraints.join("\n---\n")).map(|_| ())
    });
    let since = Instant::now();
    wait_within(store, SOON, "all constraints", |s| {
        s.current()
            .is_some_and(|l| l.policies.constraints().len() > constraints.len())
    });
    eprintln!(
        "cluster: {} files of constraints in force {:?} after kubectl",
        constraints.len(),
        since.elapsed()
    );
    assert_eq!(store.problems(), []);
    eventually("every template says that it is created", || {
        let list = get(cluster, &["constrainttemplates"]);
        let items = list.get("items").and_then(Value::as_array).unwrap_or_default();
        let ready = items
            .iter()
            .filter(|t| t.path(&["status", "created"]).and_then(Value::as_bool) == Some(true))
            .count();
        if ready == before + templates.len() {
            Ok(())
        } else {
            Err(format!("{ready} of {}", items.len()))
        }
    });
}

#[test]
fn a_real_api_server() {
    let Some(mut cluster) = harness::start("a_real_api_server") else {
        return;
    };
    cluster.apply(&crds()).expect("Gatekeeper's kinds");
    cluster.apply(&deploy("namespace.yaml")).expect("our namespace");
    cluster.apply(&deploy("rbac.yaml")).expect("our rights");
    let proxy = Proxy::start(cluster.api_port);
    let kubeconfig = cluster.write_kubeconfig("through-proxy", &proxy.url(), REGENT);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let running = runtime.block_on(watcher(&kubeconfig, true));
    let store = running.store().clone();
    wait_within(&store, SOON, "an empty set, as told", |s| {
        s.current().is_some_and(|l| says(&l).is_empty())
    });
    custom_resources(&cluster, &store);
    config_and_expansion(&cluster, &store);
    config_maps(&cluster, &store);
    namespaces(&cluster, &running, &runtime);
    latency(&proxy, &cluster.kubeconfig(), &store, &runtime);
    faults(&mut cluster, &proxy, &store);
    shipped(&cluster, &store);
    let revision = store.current().unwrap().revision.clone();
    drop(running);

    // A second process sees the same and serves the same.
    let since = Instant::now();
    let again = runtime.block_on(watcher(&kubeconfig, false));
    wait_within(again.store(), SOON, "the same set", |s| {
        s.current().is_some_and(|l| l.revision == revision)
    });
    eprintln!("cluster: a new process serves all of it after {:?}", since.elapsed());
    assert!(says_to(&again.store().current().unwrap(), pod()).contains(&"no A, again".to_owned()));
    runtime.shutdown_background();
}
