//! From a workload to the objects it implies: by ExpansionTemplates, as Gatekeeper does it, and by the built-in paths
//! of Kubernetes' own workloads.

use crate::decision::Generated;
use crate::object::{self, Gvk, with};
use regent_rego::Value;

/// How deep templates may follow one another.
const DEEPEST: usize = 30;

/// A loaded ExpansionTemplate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// Its name.
    pub name: String,
    /// The kinds it applies to, spelled out.
    pub applies: Vec<Kind>,
    /// Where the generated object stands in its parent.
    pub source: Vec<String>,
    /// What is generated.
    pub generates: Kind,
    /// Takes the place of the action of whatever comes of the generated objects; empty: it does not.
    pub enforcement_action: String,
}

/// A kind of object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Its group.
    pub group: String,
    /// Its version.
    pub version: String,
    /// Its name.
    pub kind: String,
}

impl Kind {
    fn is(&self, gvk: &Gvk<'_>) -> bool {
        self.group == gvk.group && self.version == gvk.version && self.kind == gvk.kind
    }
}

/// An object that another one implies.
#[derive(Clone, Debug)]
pub struct Implied {
    /// The object.
    pub object: Value,
    /// What it is called, and where it comes from.
    pub generated: Generated,
    /// See [`Expansion::enforcement_action`].
    pub enforcement_action: String,
}

impl Expansion {
    /// Reads an ExpansionTemplate.
    ///
    /// # Errors
    /// Gatekeeper's text for one that it would refuse.
    pub fn read(document: &Value) -> Result<Expansion, String> {
        let name = object::name(document);
        if name.is_empty() {
            return Err("ExpansionTemplate has empty name field".to_owned());
        }
        if name.len() >= 64 {
            return Err("ExpansionTemplate name must be less than 64 characters".to_owned());
        }
        let spec = document.get("spec").unwrap_or(&Value::Null);
        let source = object::text(spec, &["templateSource"]);
        if source.is_empty() {
            return Err(format!("ExpansionTemplate {name} has empty source field"));
        }
        let generated = |field| object::text(spec, &["generatedGVK", field]).to_owned();
        let generates = Kind {
            group: generated("group"),
            version: generated("version"),
            kind: generated("kind"),
        };
        if generates == Kind::default() {
            return Err(format!("ExpansionTemplate {name} has empty generatedGVK field"));
        }
        let apply = spec.get("applyTo").and_then(Value::as_array).unwrap_or_default();
        if apply.is_empty() {
            return Err(format!("ExpansionTemplate {name} must specify ApplyTo"));
        }
        let mut applies = Vec::new();
        for entry in apply {
            let list = |key| {
                entry
                    .get(key)
                    .and_then(Value::as_array)
                    .unwrap_or_default()
                    .iter()
                    .filter_map(Value::as_str)
            };
            for group in list("groups") {
                for version in list("versions") {
                    applies.extend(list("kinds").map(|kind| Kind {
                        group: group.to_owned(),
                        version: version.to_owned(),
                        kind: kind.to_owned(),
                    }));
                }
            }
        }
        if applies.contains(&generates) {
            return Err(format!(
                "ExpansionTemplate {name} generates GVK {}/{}, Kind={}, but also applies to that same GVK",
                generates.group, generates.version, generates.kind
            ));
        }
        Ok(Expansion {
            name: name.to_owned(),
            applies,
            source: source.split('.').map(str::to_owned).collect(),
            generates,
            enforcement_action: object::text(spec, &["enforcementAction"]).to_owned(),
        })
    }
}

/// Names of templates that lead back to themselves through others; Gatekeeper disables them.
pub fn cycles(expansions: &[Expansion]) -> Vec<String> {
    let reaches = |from: &Expansion| {
        let mut seen: Vec<&Expansion> = Vec::new();
        let mut open: Vec<&Expansion> = vec![from];
        while let Some(at) = open.pop() {
            for next in expansions.iter().filter(|e| e.applies.contains(&at.generates)) {
                if next.name == from.name {
                    return true;
                }
                if !seen.iter().any(|s| s.name == next.name) {
                    seen.push(next);
                    open.push(next);
                }
            }
        }
        false
    };
    expansions
        .iter()
        .filter(|e| reaches(e))
        .map(|e| e.name.clone())
        .collect()
}

/// Everything an object implies by ExpansionTemplates, also through what they generate.
///
/// # Errors
/// A source field that is not there, or templates that go on for ever.
pub fn expand(expansions: &[Expansion], object: &Value, namespace: Option<&Value>) -> Result<Vec<Implied>, String> {
    let mut out = Vec::new();
    expand_below(expansions, object, namespace, &[], 0, &mut out)?;
    Ok(out)
}

fn expand_below(
    expansions: &[Expansion],
    object: &Value,
    namespace: Option<&Value>,
    above: &[String],
    depth: usize,
    out: &mut Vec<Implied>,
) -> Result<(), String> {
    if depth >= DEEPEST {
        return Err(format!("maximum recursion depth of {DEEPEST} reached"));
    }
    let gvk = Gvk::of(object);
    if gvk == Gvk::default() {
        return Err(format!(
            "cannot expand resource {} with empty GVK",
            object::name(object)
        ));
    }
    let mut here = Vec::new();
    for expansion in expansions.iter().filter(|e| e.applies.iter().any(|k| k.is(&gvk))) {
        let source: Vec<&str> = expansion.source.iter().map(String::as_str).collect();
        let template = match object.path(&source) {
            Some(template @ Value::Object(_)) => template,
            Some(_) => {
                let at = expansion.source.join(".");
                return Err(format!(
                    "could not extract source field from unstructured: .{at} is no object"
                ));
            }
            None => {
                return Err(format!(
                    "could not find source field {} in resource {}",
                    object::quote(&expansion.source.join(".")),
                    object::name(object)
                ));
            }
        };
        let made = generate(object, template, &expansion.generates, namespace);
        let generated = Generated {
            kind: expansion.generates.kind.clone(),
            name: object::name(&made).to_owned(),
            template: expansion.name.clone(),
            path: above.iter().chain(&expansion.source).cloned().collect(),
        };
        here.push(Implied {
            object: made,
            generated,
            enforcement_action: expansion.enforcement_action.clone(),
        });
    }
    for implied in &here {
        expand_below(
            expansions,
            &implied.object,
            namespace,
            &implied.generated.path,
            depth + 1,
            out,
        )?;
    }
    out.append(&mut here);
    Ok(())
}

/// The object itself: the template with a kind, a namespace, a name of its parent's, and an owner.
fn generate(parent: &Value, template: &Value, kind: &Kind, namespace: Option<&Value>) -> Value {
    let api_version = if kind.group.is_empty() {
        kind.version.clone()
    } else {
        format!("{}/{}", kind.group, kind.version)
    };
    let mut made = with(template, &["apiVersion"], Some(Value::string(&api_version)));
    made = with(&made, &["kind"], Some(Value::string(&kind.kind)));
    let lives_in = namespace.map_or_else(|| object::namespace(parent), object::name);
    let lives_in = (!lives_in.is_empty()).then(|| Value::string(lives_in));
    if lives_in.is_some() || namespace.is_some() {
        made = with(&made, &["metadata", "namespace"], lives_in);
    }
    let parent_name = object::name(parent);
    let name = if kind.kind.is_empty() {
        parent_name.to_lowercase()
    } else {
        format!("{parent_name}-{}", kind.kind).to_lowercase()
    };
    made = with(&made, &["metadata", "name"], Some(Value::string(&name)));
    let owner = [
        ("apiVersion", object::text(parent, &["apiVersion"])),
        ("kind", object::text(parent, &["kind"])),
        ("name", parent_name),
    ];
    if owner.iter().any(|(_, v)| v.is_empty()) {
        return made;
    }
    let mut owners = made
        .path(&["metadata", "ownerReferences"])
        .and_then(Value::as_array)
        .unwrap_or_default()
        .to_vec();
    if owners
        .iter()
        .any(|o| owner.iter().all(|(key, value)| object::text(o, &[key]) == *value))
    {
        return made;
    }
    let mut entries: Vec<(Value, Value)> = owner
        .iter()
        .map(|(k, v)| (Value::string(k), Value::string(v)))
        .collect();
    entries.push((Value::string("uid"), Value::string("")));
    owners.push(Value::object(entries));
    with(&made, &["metadata", "ownerReferences"], Some(Value::array(owners)))
}

/// Where Kubernetes' own workloads have their Pod template.
const WORKLOADS: [(&str, &str, &[&str]); 8] = [
    ("", "PodTemplate", &["template"]),
    ("", "ReplicationController", &["spec", "template"]),
    ("apps", "ReplicaSet", &["spec", "template"]),
    ("apps", "Deployment", &["spec", "template"]),
    ("apps", "StatefulSet", &["spec", "template"]),
    ("apps", "DaemonSet", &["spec", "template"]),
    ("batch", "Job", &["spec", "template"]),
    ("batch", "CronJob", &["spec", "jobTemplate", "spec", "template"]),
];

/// The path of the Pod template in one of Kubernetes' own workloads.
pub fn workload_path(object: &Value) -> Option<&'static [&'static str]> {
    let gvk = Gvk::of(object);
    workload_path_of(gvk.group, gvk.kind)
}

/// The same by group and kind.
pub(crate) fn workload_path_of(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    WORKLOADS
        .iter()
        .find(|(g, k, _)| *g == group && *k == kind)
        .map(|(_, _, path)| *path)
}

/// The Pod that one of Kubernetes' own workloads implies, as the API server would default it where policies look:
/// a volume that is only named is an emptyDir, a Pod on the host's network has its container ports as host ports.
pub fn implied_pod(object: &Value, namespace: Option<&Value>) -> Option<Implied> {
    let path = workload_path(object)?;
    let template = object.path(path).filter(|t| t.as_object().is_some())?;
    let pod = Kind {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "Pod".to_owned(),
    };
    let made = with_defaults(&generate(object, template, &pod, namespace));
    Some(Implied {
        generated: Generated {
            kind: pod.kind,
            name: object::name(&made).to_owned(),
            template: path.join("."),
            path: path.iter().map(|p| (*p).to_owned()).collect(),
        },
        object: made,
        enforcement_action: String::new(),
    })
}

fn with_defaults(pod: &Value) -> Value {
    let mut out = pod.clone();
    if let Some(volumes) = pod.path(&["spec", "volumes"]).and_then(Value::as_array) {
        let bare = |v: &Value| {
            v.as_object().is_some_and(|o| {
                o.iter()
                    .all(|(k, v)| k.as_str() == Some("name") || matches!(v, Value::Null))
            })
        };
        if volumes.iter().any(bare) {
            let filled = |v: &Value| {
                if bare(v) {
                    with(v, &["emptyDir"], Some(Value::object(Vec::new())))
                } else {
                    v.clone()
                }
            };
            out = with(
                &out,
                &["spec", "volumes"],
                Some(Value::array(volumes.iter().map(filled).collect())),
            );
        }
    }
    if pod.path(&["spec", "hostNetwork"]).and_then(Value::as_bool) == Some(true) {
        for list in ["containers", "initContainers"] {
            let Some(containers) = pod.path(&["spec", list]).and_then(Value::as_array) else {
                continue;
            };
            let filled = containers.iter().map(with_host_ports).collect();
            out = with(&out, &["spec", list], Some(Value::array(filled)));
        }
    }
    out
}

fn with_host_ports(container: &Value) -> Value {
    let Some(ports) = container.get("ports").and_then(Value::as_array) else {
        return container.clone();
    };
    let filled = ports.iter().map(|port| {
        let unset = match port.get("hostPort") {
            None | Some(Value::Null) => true,
            Some(value) => value.as_i64() == Some(0),
        };
        match port.get("containerPort") {
            Some(number) if unset => with(port, &["hostPort"], Some(number.clone())),
            _ => port.clone(),
        }
    });
    with(container, &["ports"], Some(Value::array(filled.collect())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use regent_rego::{json, yaml};

    #[test]
    fn workloads_imply_pods() {
        let object = yaml::read(
            r#"
            apiVersion: batch/v1
            kind: CronJob
            metadata: {name: Backup, namespace: shop}
            spec:
              jobTemplate:
                spec:
                  template:
                    metadata: {name: mine, labels: {a: b}}
                    spec:
                      hostNetwork: true
                      volumes: [{name: v}, {name: w, configMap: {}}]
                      containers: [{name: c, ports: [{containerPort: 80}, {containerPort: 81, hostPort: 9}]}]
            "#,
        )
        .unwrap();
        let implied = implied_pod(&object, None).unwrap();
        assert_eq!(implied.generated.template, "spec.jobTemplate.spec.template");
        let wanted = yaml::read(
            r#"
            apiVersion: v1
            kind: Pod
            metadata:
              name: backup-pod
              namespace: shop
              labels: {a: b}
              ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: Backup, uid: ""}]
            spec:
              hostNetwork: true
              volumes: [{name: v, emptyDir: {}}, {name: w, configMap: {}}]
              containers: [{name: c, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 9}]}]
            "#,
        )
        .unwrap();
        assert_eq!(json::write(&implied.object), json::write(&wanted));
        for other in [
            "{apiVersion: v1, kind: Pod, metadata: {name: p}}",
            "{apiVersion: apps/v1, kind: Deployment, spec: {}}",
            "{apiVersion: v1, kind: ReplicationController, spec: {template: null}}",
            "{apiVersion: example.com/v1, kind: Deployment, spec: {template: {}}}",
        ] {
            assert!(implied_pod(&yaml::read(other).unwrap(), None).is_none(), "{other}");
        }
    }

    #[test]
    fn chains_and_cycles() {
        let template = |name: &str, from: &str, to: &str| {
            let text = format!(
                "{{metadata: {{name: {name}}}, spec: {{templateSource: spec.template, applyTo: [{{groups: [''], \
                 versions: [v1], kinds: [{from}]}}], generatedGVK: {{group: '', version: v1, kind: {to}}}}}}}"
            );
            Expansion::read(&yaml::read(&text).unwrap()).unwrap()
        };
        let chain = [template("ab", "A", "B"), template("bc", "B", "C")];
        let object = yaml::read(
            "{apiVersion: v1, kind: A, metadata: {name: x}, spec: {template: {spec: {template: {spec: {}}}}}}",
        )
        .unwrap();
        let made = expand(&chain, &object, None).unwrap();
        let names: Vec<(&str, Vec<String>)> = made
            .iter()
            .map(|i| (i.generated.name.as_str(), i.generated.path.clone()))
            .collect();
        let path = |n: usize| {
            ["spec", "template", "spec", "template"]
                .iter()
                .take(n)
                .map(|s| (*s).to_owned())
                .collect()
        };
        assert_eq!(names, [("x-b-c", path(4)), ("x-b", path(2))]);
        assert!(cycles(&chain).is_empty());
        let circle = [
            template("ab", "A", "B"),
            template("bc", "B", "C"),
            template("ca", "C", "A"),
            template("xa", "X", "A"),
        ];
        assert_eq!(cycles(&circle), ["ab", "bc", "ca"]);
        assert_eq!(
            expand(&circle, &object, None).unwrap_err(),
            "could not find source field \"spec.template\" in resource x-b-c"
        );
    }
}
