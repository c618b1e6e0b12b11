//! What the binary ships: `library/` (templates) and `policies/` (ready sets of constraints).

use regent_rego::{Value, yaml};
use std::collections::BTreeSet;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The version of the Pod Security Standards that the shipped sets follow.
pub(crate) const LATEST: &str = "v1.37";

/// A shipped policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// `group/policy`.
    pub(crate) name: String,
    /// Kind of its constraints.
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// Path of the template.
    pub(crate) path: &'static str,
    pub(crate) template: &'static str,
}

/// A ready set.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) name: String,
    /// Path and text of each file of constraints.
    pub(crate) files: Vec<(&'static str, &'static str)>,
}

/// Every shipped policy, sorted by name.
pub(crate) fn policies() -> Vec<Policy> {
    FILES
        .iter()
        .filter_map(|&(path, template)| {
            let name = path.strip_prefix("library/")?.strip_suffix("/template.yaml")?;
            let value = yaml::read(template).ok()?;
            let annotation = |key: &str| {
                let text = value.path(&["metadata", "annotations", key]).and_then(Value::as_str);
                text.unwrap_or_default().trim().to_owned()
            };
            let kind = value
                .path(&["spec", "crd", "spec", "names", "kind"])
                .and_then(Value::as_str);
            Some(Policy {
                name: name.to_owned(),
                kind: kind.unwrap_or_default().to_owned(),
                title: annotation("metadata.gatekeeper.sh/title"),
                description: annotation("description"),
                path,
                template,
            })
        })
        .collect()
}

/// Every ready set, sorted by name.
pub(crate) fn sets() -> Vec<Set> {
    let names: BTreeSet<&str> = FILES
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("policies/")?.split_once('/').map(|p| p.0))
        .collect();
    names
        .into_iter()
        .map(|name| Set {
            name: name.to_owned(),
            files: FILES
                .iter()
                .filter(|(path, _)| {
                    let inner = path.strip_prefix("policies/").and_then(|p| p.strip_prefix(name));
                    inner.is_some_and(|p| p.starts_with('/')) && path.ends_with(".yaml")
                })
                .copied()
                .collect(),
        })
        .collect()
}

/// The files below a folder of the embedded tree.
pub(crate) fn below(folder: &str) -> Vec<(&'static str, &'static str)> {
    FILES
        .iter()
        .filter(|(path, _)| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
        .copied()
        .collect()
}

/// Kinds that a set's constraints are of.
pub(crate) fn kinds(set: &Set) -> BTreeSet<String> {
    set.files
        .iter()
        .flat_map(|(path, text)| regent_core::manifest::read(path, text.as_bytes()))
        .filter_map(Result::ok)
        .map(|d| d.field("kind").to_owned())
        .collect()
}

/// The constraints of `SET[@VERSION]` and the templates they name, as files.
///
/// # Errors
/// No such set, or no such version of it.
pub(crate) fn load(spec: &str) -> Result<Vec<(String, &'static str)>, String> {
    let (name, version) = spec.split_once('@').map_or((spec, "latest"), |(n, v)| (n, v));
    let all = sets();
    let Some(set) = all.iter().find(|s| s.name == name) else {
        let names: Vec<&str> = all.iter().map(|s| s.name.as_str()).collect();
        return Err(format!(
            "there is no builtin set {name:?}; there are: {}",
            names.join(", ")
        ));
    };
    if version != "latest" && version != LATEST {
        return Err(format!(
            "set {name:?} has no version {version:?}; there are: latest, {LATEST}"
        ));
    }
    let wanted = kinds(set);
    let templates = policies().into_iter().filter(|p| wanted.contains(&p.kind));
    let mut files: Vec<(String, &'static str)> =
        templates.map(|p| (format!("builtin:{}", p.path), p.template)).collect();
    files.extend(set.files.iter().map(|(path, text)| (format!("builtin:{path}"), *text)));
    Ok(files)
}
