//! What policies see as `data.inventory`, and the Namespaces that matching asks for.

use crate::object::{self, Gvk};
use regent_rego::Value;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A snapshot of objects; immutable once built, cheap to clone.
#[derive(Clone, Debug)]
pub struct Inventory {
    data: Value,
    namespaces: Arc<FxHashMap<String, Value>>,
    version: u64,
}

impl Default for Inventory {
    fn default() -> Self {
        Inventory {
            data: Value::record([("inventory", Value::object(Vec::new()))]),
            namespaces: Arc::default(),
            version: 0,
        }
    }
}

/// Objects below a chain of keys, while a snapshot is built.
#[derive(Default)]
struct Tree {
    below: BTreeMap<String, Tree>,
    object: Option<Value>,
}

impl Tree {
    fn put(&mut self, path: &[&str], object: &Value) {
        match path.split_first() {
            None => self.object = Some(object.clone()),
            Some((first, rest)) => self.below.entry((*first).to_owned()).or_default().put(rest, object),
        }
    }

    fn value(self) -> Value {
        match self.object {
            Some(object) => object,
            None => Value::object(
                self.below
                    .into_iter()
                    .map(|(k, t)| (Value::string(k), t.value()))
                    .collect(),
            ),
        }
    }
}

impl Inventory {
    /// A snapshot of these objects: `cluster[apiVersion][kind][name]` for those without a namespace,
    /// `namespace[ns][apiVersion][kind][name]` for the others; of two with one key the last one wins.
    ///
    /// Beside it, Gatekeeper's text for each object that was left out, because it has no version or no kind.
    pub fn build<'a>(objects: impl IntoIterator<Item = &'a Value>) -> (Inventory, Vec<String>) {
        let mut tree = Tree::default();
        let mut namespaces = FxHashMap::default();
        let mut problems = Vec::new();
        for object in objects {
            let gvk = Gvk::of(object);
            let name = object::name(object);
            for (what, value) in [("version", gvk.version), ("kind", gvk.kind)] {
                if value.is_empty() {
                    problems.push(format!("invalid request object: resource {name} has no {what}"));
                    break;
                }
            }
            if gvk.version.is_empty() || gvk.kind.is_empty() {
                continue;
            }
            if gvk.is_namespace() && gvk.version == "v1" {
                namespaces.insert(name.to_owned(), object.clone());
            }
            let version = gvk.api_version();
            match object::namespace(object) {
                "" => tree.put(&["cluster", &version, gvk.kind, name], object),
                namespace => tree.put(&["namespace", namespace, &version, gvk.kind, name], object),
            }
        }
        let inventory = Inventory {
            data: Value::record([("inventory", tree.value())]),
            namespaces: Arc::new(namespaces),
            version: 0,
        };
        (inventory, problems)
    }

    /// The same snapshot with a version of the caller's.
    pub fn with_version(mut self, version: u64) -> Inventory {
        self.version = version;
        self
    }

    /// `{"inventory": {...}}`, what evaluation has as `data`.
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// The caller's version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A Namespace by name, when it is in the snapshot.
    pub fn namespace(&self, name: &str) -> Option<&Value> {
        self.namespaces.get(name)
    }
}
