//! Namespaces that a process leaves alone: `spec.match` of Config (`gatekeeper.md` §1.7).

use crate::bundle::Bundle;
use crate::head::Head;
use crate::matching::Glob;
use crate::object;
use regent_rego::Value;

/// Gatekeeper's name for the webhook that validates.
pub const PROCESS_WEBHOOK: &str = "webhook";
/// Gatekeeper's name for audit.
pub const PROCESS_AUDIT: &str = "audit";

/// One entry of `spec.match`.
#[derive(Clone, Debug)]
struct Entry {
    processes: Vec<String>,
    namespaces: Vec<Glob>,
}

/// What Config excludes.
#[derive(Clone, Debug, Default)]
pub struct Exclusions(Vec<Entry>);

impl Exclusions {
    /// Of the Configs of a bundle that Gatekeeper would honour: those of the name `config`.
    pub(crate) fn read(bundle: &Bundle) -> Exclusions {
        let configs = bundle.configs.iter().map(|item| &item.document.value);
        let named = configs.filter(|config| object::name(config) == CONFIG_NAME);
        let entries = named.flat_map(|config| list(config.path(&["spec", "match"])));
        Exclusions(
            entries
                .map(|entry| Entry {
                    processes: texts(entry.get("processes")).map(str::to_owned).collect(),
                    namespaces: texts(entry.get("excludedNamespaces"))
                        .map(|n| Glob(n.to_owned()))
                        .collect(),
                })
                .collect(),
        )
    }

    /// Whether a process leaves an object alone. A Namespace goes by its own name, what lives in none by the empty one.
    pub fn excludes(&self, process: &str, object: Head<'_>) -> bool {
        let namespace = if object.gvk.is_namespace() {
            object.name
        } else {
            object.namespace
        };
        self.0
            .iter()
            .filter(|entry| entry.processes.iter().any(|p| p == process || p == "*"))
            .any(|entry| entry.namespaces.iter().any(|glob| glob.matches(namespace)))
    }
}

/// The one name that a Config may have.
pub(crate) const CONFIG_NAME: &str = "config";

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).unwrap_or_default().iter()
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    #[test]
    fn by_process_and_glob() {
        let config = "apiVersion: config.gatekeeper.sh/v1alpha1\nkind: Config\nmetadata: {name: config}\nspec:\n  match:\n  \
                      - {processes: [webhook], excludedNamespaces: [kube-*]}\n  - {processes: ['*'], excludedNamespaces: [all]}\n";
        let exclusions = Exclusions::read(&Bundle::read([("config.yaml", config.as_bytes())]));
        let object = |kind: &str, name: &str, namespace: &str| {
            let text = format!("{{apiVersion: v1, kind: {kind}, metadata: {{name: {name}, namespace: {namespace}}}}}");
            manifest::read("o", text.as_bytes()).remove(0).unwrap().value
        };
        for (process, kind, name, namespace, excluded) in [
            ("webhook", "Pod", "a", "kube-system", true),
            ("webhook", "Pod", "a", "xkube-system", false),
            ("webhook", "Pod", "kube-system", "shop", false),
            ("webhook", "Namespace", "kube-system", "''", true),
            ("webhook", "Node", "a", "''", false),
            ("audit", "Pod", "a", "kube-system", false),
            ("audit", "Pod", "a", "all", true),
        ] {
            let object = object(kind, name, namespace);
            assert_eq!(
                exclusions.excludes(process, Head::of(&object)),
                excluded,
                "{process} {kind} {name} {namespace}"
            );
        }
        let other = config.replace("name: config", "name: other");
        let exclusions = Exclusions::read(&Bundle::read([("config.yaml", other.as_bytes())]));
        assert!(
            !exclusions.excludes("audit", Head::of(&object("Pod", "a", "all"))),
            "a Config of another name is none"
        );
    }
}
