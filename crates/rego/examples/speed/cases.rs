//! The cases that are measured: every shipped policy with two Pods, and the programs of `benches/programs`.

use regent_rego::{Value, json, yaml};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// One program with what it is given.
pub struct Case {
    pub name: String,
    pub v0: bool,
    pub source: String,
    /// `data.PACKAGE.violation`.
    pub query: String,
    pub input: Value,
    pub data: Value,
}

impl Case {
    /// For the program that measures OPA.
    pub fn line(&self) -> String {
        let version = if self.v0 { "v0" } else { "v1" };
        let fields = Value::record([
            ("name", self.name.as_str().into()),
            ("version", version.into()),
            ("source", self.source.as_str().into()),
            ("query", self.query.as_str().into()),
            ("input", self.input.clone()),
            ("data", self.data.clone()),
        ]);
        json::write(&fields)
    }
}

type Res<T> = Result<T, Box<dyn Error>>;

/// The cases below a checkout whose names contain a text.
pub fn named(root: &Path, text: &str) -> Res<Vec<Case>> {
    let mut out = library(root)?;
    out.retain(|c| c.name.contains(text));
    let mut programs: Vec<PathBuf> = files(&root.join("benches/programs"))?;
    programs.retain(|p| p.extension().is_some_and(|e| e == "rego") && program_name(p).contains(text));
    for path in programs {
        out.push(program(root, &path)?);
    }
    Ok(out)
}

fn program_name(path: &Path) -> String {
    format!("programs/{}", path.file_stem().unwrap_or_default().display())
}

/// Every template with the parameters that one of the shipped sets gives it, else its schema's defaults.
fn library(root: &Path) -> Res<Vec<Case>> {
    let mut constraints = Vec::new();
    for set in files(&root.join("policies"))? {
        for file in files(&set).unwrap_or_default() {
            constraints.push(read_yaml(&file)?);
        }
    }
    let mut out = Vec::new();
    for group in files(&root.join("library"))? {
        for folder in files(&group).unwrap_or_default() {
            let file = folder.join("template.yaml");
            if !file.exists() {
                continue;
            }
            let template = read_yaml(&file)?;
            let name = folder.strip_prefix(root.join("library"))?.display().to_string();
            let kind = template.path(&["spec", "crd", "spec", "names", "kind"]).cloned();
            let given = constraints.iter().find(|c| c.get("kind") == kind.as_ref());
            let parameters = parameters(&template, given);
            let target = first(template.path(&["spec", "targets"])).ok_or("no target")?;
            let source = first(target.get("code"))
                .and_then(|c| c.get("source"))
                .ok_or("no source")?;
            let rego = source.get("rego").and_then(Value::as_str).ok_or("no rego")?;
            for pod in ["small-pod", "realistic-pod"] {
                out.push(Case {
                    name: format!("{name}/{pod}"),
                    v0: source.get("version").and_then(Value::as_str) != Some("v1"),
                    source: rego.to_owned(),
                    query: query(rego),
                    input: with_parameters(root, pod, parameters.clone())?,
                    data: Value::record([("inventory", Value::object(Vec::new()))]),
                });
            }
        }
    }
    Ok(out)
}

fn parameters(template: &Value, constraint: Option<&Value>) -> Value {
    let schema = template.path(&["spec", "crd", "spec", "validation", "openAPIV3Schema", "properties"]);
    let mut out = Vec::new();
    for (key, property) in schema.and_then(Value::as_object).into_iter().flat_map(|o| o.iter()) {
        if let Some(default) = property.get("default") {
            out.push((key.clone(), default.clone()));
        }
    }
    let given = constraint.and_then(|c| c.path(&["spec", "parameters"]));
    for (key, value) in given.and_then(Value::as_object).into_iter().flat_map(|o| o.iter()) {
        // Of equal keys the last one stays.
        out.push((key.clone(), value.clone()));
    }
    Value::object(out)
}

/// A program whose first comments say what it is given.
fn program(root: &Path, path: &Path) -> Res<Case> {
    let source = fs::read_to_string(path)?;
    let note = |key: &str| {
        let lines = source.lines().take_while(|l| l.starts_with("# "));
        lines
            .filter_map(|l| l.strip_prefix("# ")?.strip_prefix(key)?.strip_prefix(": "))
            .next()
    };
    let parameters = Value::record([
        ("cpu", "500m".into()),
        ("memory", "512Mi".into()),
        (
            "exemptPrefixes",
            Value::array(vec!["registry.example.com/base/".into(), "quay.io/".into()]),
        ),
    ]);
    Ok(Case {
        name: program_name(path),
        v0: note("version") == Some("v0"),
        query: query(&source),
        input: with_parameters(root, note("input").ok_or("no input named")?, parameters)?,
        data: match note("data") {
            Some(name) => Value::record([("inventory", inventory(name)?)]),
            None => Value::record([("inventory", Value::object(Vec::new()))]),
        },
        source,
    })
}

fn query(source: &str) -> String {
    let package = source
        .lines()
        .find_map(|l| l.strip_prefix("package "))
        .unwrap_or_default();
    format!("data.{}.violation", package.trim())
}

/// `{"parameters": .., "review": ..}` of a named input.
fn with_parameters(root: &Path, name: &str, parameters: Value) -> Res<Value> {
    let input = match name.split_once('-') {
        Some(("containers", count)) => {
            let pod = read_json(&root.join("benches/inputs/realistic-pod.json"))?;
            many(&pod, count.parse()?)
        }
        _ => read_json(&root.join(format!("benches/inputs/{name}.json")))?,
    };
    let mut input = input.as_object().cloned().ok_or("input is no object")?;
    input.insert("parameters".into(), parameters);
    Ok(Value::object(input.entries().to_vec()))
}

/// The realistic Pod with so many containers, each with a name, an image, ports and resources of its own.
fn many(input: &Value, count: usize) -> Value {
    let containers = input.path(&["review", "object", "spec", "containers"]);
    let models = containers.and_then(Value::as_array).unwrap_or_default();
    let made = models.iter().cycle().take(count).enumerate().map(|(i, model)| {
        let mut c = model.as_object().cloned().unwrap_or_default();
        c.insert("name".into(), format!("container-{i}").as_str().into());
        let image = match i % 5 {
            0 => format!("registry.example.com/shop/app:1.{i}.0"),
            1 => "quay.io/prometheus/statsd-exporter:v0.26.1".to_owned(),
            2 => format!("docker.io/library/job-{i}"),
            3 => "registry.example.com/mesh/proxy:1.22.0".to_owned(),
            _ => format!("nginx:{i}"),
        };
        c.insert("image".into(), image.as_str().into());
        let port = 8000 + (i % 48) as i64;
        c.insert(
            "ports".into(),
            Value::array(vec![Value::record([
                ("containerPort", port.into()),
                ("protocol", "TCP".into()),
            ])]),
        );
        let (cpu, memory) = match i % 4 {
            0 => ("100m", "128Mi"),
            1 => ("250m", "256Mi"),
            2 => ("1", "1Gi"),
            _ => ("0.5", "1024M"),
        };
        let limit = if i.is_multiple_of(7) { "2" } else { cpu };
        c.insert(
            "resources".into(),
            Value::record([
                (
                    "requests",
                    Value::record([("cpu", cpu.into()), ("memory", memory.into())]),
                ),
                (
                    "limits",
                    Value::record([("cpu", limit.into()), ("memory", memory.into())]),
                ),
            ]),
        );
        if i % 10 == 3 {
            let add = ["CHOWN", "NET_BIND_SERVICE", "SYS_TIME", "KILL"]
                .map(Value::from)
                .to_vec();
            let capabilities = Value::record([("add", Value::array(add))]);
            c.insert(
                "securityContext".into(),
                Value::record([("capabilities", capabilities)]),
            );
        }
        Value::object(c.entries().to_vec())
    });
    let made = Value::array(made.collect());
    replaced(input, &["review", "object", "spec", "containers"], made)
}

fn replaced(at: &Value, path: &[&str], value: Value) -> Value {
    let Some((key, rest)) = path.split_first() else {
        return value;
    };
    let mut object = at.as_object().cloned().unwrap_or_default();
    let inner = replaced(at.get(key).unwrap_or(&Value::Null), rest, value);
    object.insert((*key).into(), inner);
    Value::object(object.entries().to_vec())
}

/// `KIND-COUNT`: so many Ingresses or Services in 20 namespaces.
pub fn inventory(name: &str) -> Res<Value> {
    let (what, count) = name.split_once('-').ok_or("no count")?;
    let count: usize = count.parse()?;
    let mut namespaces = Vec::new();
    for n in 0..20 {
        let mut objects = Vec::new();
        for i in (n..count).step_by(20) {
            let name = format!("object-{i}");
            let namespace = format!("team-{n}");
            objects.push((
                Value::string(&name),
                match what {
                    "ingresses" => ingress(i, &name, &namespace),
                    _ => service(i, &name, &namespace),
                },
            ));
        }
        let (version, kind) = match what {
            "ingresses" => ("networking.k8s.io/v1", "Ingress"),
            _ => ("v1", "Service"),
        };
        namespaces.push((
            Value::string(format!("team-{n}")),
            Value::record([(version, Value::record([(kind, Value::object(objects))]))]),
        ));
    }
    Ok(Value::record([
        ("cluster", Value::object(Vec::new())),
        ("namespace", Value::object(namespaces)),
    ]))
}

fn ingress(i: usize, name: &str, namespace: &str) -> Value {
    let rule = |host: String| {
        let backend = Value::record([("service", Value::record([("name", name.into())]))]);
        let path = Value::record([
            ("path", "/".into()),
            ("pathType", "Prefix".into()),
            ("backend", backend),
        ]);
        let http = Value::record([("paths", Value::array(vec![path]))]);
        Value::record([("host", host.as_str().into()), ("http", http)])
    };
    Value::record([
        ("apiVersion", "networking.k8s.io/v1".into()),
        ("kind", "Ingress".into()),
        ("metadata", metadata(i, name, namespace)),
        (
            "spec",
            Value::record([(
                "rules",
                Value::array(vec![
                    rule(format!("host-{i}.example.com")),
                    rule(format!("www.host-{i}.example.com")),
                ]),
            )]),
        ),
    ])
}

fn service(i: usize, name: &str, namespace: &str) -> Value {
    let kind = if i.is_multiple_of(100) {
        "LoadBalancer"
    } else {
        "ClusterIP"
    };
    let port = Value::record([
        ("port", 80.into()),
        ("nodePort", (30_000 + (i % 2_000) as i64).into()),
        ("protocol", "TCP".into()),
    ]);
    let selector = Value::record([
        ("app", format!("app-{}", i % 5_000).as_str().into()),
        ("tier", "web".into()),
    ]);
    Value::record([
        ("apiVersion", "v1".into()),
        ("kind", "Service".into()),
        ("metadata", metadata(i, name, namespace)),
        (
            "spec",
            Value::record([
                ("type", kind.into()),
                ("ports", Value::array(vec![port])),
                ("selector", selector),
            ]),
        ),
    ])
}

fn metadata(i: usize, name: &str, namespace: &str) -> Value {
    Value::record([
        ("name", name.into()),
        ("namespace", namespace.into()),
        ("uid", format!("uid-{i}").as_str().into()),
        (
            "labels",
            Value::record([("app", format!("app-{}", i % 5_000).as_str().into())]),
        ),
    ])
}

fn first(list: Option<&Value>) -> Option<&Value> {
    list.and_then(Value::as_array).and_then(<[Value]>::first)
}

/// What is in a folder, sorted.
fn files(folder: &Path) -> Res<Vec<PathBuf>> {
    let mut out: Vec<PathBuf> = fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<Res<_>>()?;
    out.sort();
    Ok(out)
}

fn read_yaml(path: &Path) -> Res<Value> {
    let text = fs::read_to_string(path)?;
    yaml::read(&text).map_err(|e| format!("{}: {e:?}", path.display()).into())
}

fn read_json(path: &Path) -> Res<Value> {
    let text = fs::read(path)?;
    json::read(&text, json::ReadOptions::default()).map_err(|e| format!("{}: {}", path.display(), e.message).into())
}
