//! Rules that make objects entry by entry (`p[k] := v`, `p[k] contains v`, `p[k][l] := v`).
//!
//! regorus says undefined where such an object is empty. So its entries are put into a set in a package of their own, and
//! the object is one comprehension over that set, whose conflicts are the object's.

use crate::not_asked::reason;
use crate::terms::is_name;
use regent_rego::ast::{Module, Rule, Term, TermValue};
use regent_rego::compile::Compiled;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The package of the sets of entries.
pub(crate) const PACKAGE: &str = "regent_entries";

/// Partial objects by their path.
pub(crate) type PartialObjects = BTreeMap<Vec<String>, PartialObject>;

/// One such object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartialObject {
    /// The module that defines it; the first one when there are several.
    pub(crate) module: usize,
    /// The name of the set of its entries: arrays of the keys and the value.
    pub(crate) entries: String,
    /// How many keys lead to a value.
    keys: usize,
    /// Whether the values are gathered in sets.
    set: bool,
}

/// The name a rule's reference begins with.
pub(crate) fn first_name(rule: &Rule) -> Option<&str> {
    match &rule.head.reference.first()?.value {
        TermValue::Var(name) if is_name(name) => Some(name),
        _ => None,
    }
}

/// The path of a module's package.
pub(crate) fn module_path(module: &Module) -> Vec<String> {
    let parts = module.package.iter().skip(1);
    parts
        .map(|t| match &t.value {
            TermValue::String(s) => s.to_string(),
            _ => String::new(),
        })
        .collect()
}

/// Finds them.
///
/// # Errors
/// Rules that regorus is not asked about: of one name whose keys are not alike, with constant keys, with a default that is
/// a closure.
pub(crate) fn find(compiled: &Compiled) -> Result<PartialObjects, String> {
    let mut groups: BTreeMap<Vec<String>, Vec<(usize, &Rule)>> = BTreeMap::new();
    for (i, module) in compiled.modules.iter().enumerate() {
        for rule in &module.rules {
            if rule.default
                && rule
                    .head
                    .value
                    .as_ref()
                    .is_some_and(|v| matches!(v.value, TermValue::Var(_)))
            {
                let name = first_name(rule).unwrap_or_default();
                return Err(reason("default-closure", &format!("default {name}")));
            }
            if let Some(name) = first_name(rule) {
                let path = [module_path(module), vec![name.to_owned()]].concat();
                groups.entry(path).or_default().push((i, rule));
            }
        }
    }
    let mut out = PartialObjects::new();
    for (path, rules) in groups {
        let Some((module, first)) = rules.first().filter(|(_, r)| r.head.args.is_none()) else {
            continue;
        };
        let shape = |r: &Rule| (r.head.reference.len(), r.head.key.is_some());
        let plain = |r: &Rule| r.head.args.is_none() && r.else_rule.is_none() && !r.default;
        let alike = rules.iter().all(|(_, r)| shape(r) == shape(first) && plain(r));
        let dynamic = |r: &Rule| {
            let mut steps = r.head.reference.iter().skip(1);
            steps.any(|t| !matches!(t.value, TermValue::String(_)))
        };
        let of = || format!("rules of data.{}", path.join("."));
        if !alike && rules.iter().any(|(_, r)| dynamic(r)) {
            return Err(reason("heads", &of()));
        }
        if rules.iter().any(|(_, r)| has_inner_object(r, alike)) {
            return Err(reason("constant-keys", &of()));
        }
        if !alike || first.head.reference.len() < 2 {
            continue;
        }
        let number = out.len();
        out.insert(
            path,
            PartialObject {
                module: *module,
                entries: format!("entries{number}"),
                keys: first.head.reference.len() - 1,
                set: first.head.key.is_some(),
            },
        );
    }
    Ok(out)
}

/// Whether a head leads by a constant key to an object or set that is there even when it is empty. Where all rules are
/// alike, the outermost object is made by us.
fn has_inner_object(rule: &Rule, alike: bool) -> bool {
    let head = &rule.head;
    let steps = head.reference.len() - 1 + usize::from(head.key.is_some());
    let constant = |t: &Term| !matches!(t.value, TermValue::Var(_));
    let outermost = if alike { 1 } else { 0 };
    steps > outermost && head.reference.get(1).is_some_and(constant)
}

/// Paths of rules that gather a set or an object.
pub(crate) fn partial(compiled: &Compiled) -> FxHashSet<Vec<String>> {
    let rules = compiled
        .modules
        .iter()
        .flat_map(|m| m.rules.iter().map(move |r| (m, r)));
    rules
        .filter(|(_, r)| r.head.key.is_some() || r.head.reference.len() > 1)
        .filter_map(|(m, r)| Some([module_path(m), vec![first_name(r)?.to_owned()]].concat()))
        .collect()
}

/// Whether a reference below `data` goes on beyond a partial rule.
pub(crate) fn is_keyed(partial: &FxHashSet<Vec<String>>, steps: &[Term]) -> bool {
    let mut path = Vec::new();
    for step in steps {
        if partial.contains(&path) {
            return true;
        }
        match &step.value {
            TermValue::String(s) => path.push(s.to_string()),
            _ => return false,
        }
    }
    false
}

/// Whether a reference below `data` has a step that is not known where a package, or what packages are in, stands.
pub(crate) fn goes_through(packages: &[Vec<String>], steps: &[Term]) -> bool {
    let mut path = Vec::new();
    for step in steps {
        match &step.value {
            TermValue::String(s) => path.push(s.to_string()),
            _ => return packages.iter().any(|p| p.starts_with(&path)),
        }
    }
    false
}

/// The rule that makes the object of its entries.
pub(crate) fn document(out: &mut String, name: &str, object: &PartialObject) {
    let _ = write!(out, "{name} := ");
    level(out, object, 0);
    out.push_str("\n\n");
}

/// `{e0[0]: {e1[1]: e1[2] | e1 = entries[_]; e1[0] == e0[0]} | e0 = entries[_]}`.
fn level(out: &mut String, object: &PartialObject, depth: usize) {
    let last = depth + 1 == object.keys;
    let _ = write!(out, "{{k{depth}: ");
    match (last, object.set) {
        (false, _) => level(out, object, depth + 1),
        (true, false) => {
            let _ = write!(out, "e{depth}[{}]", object.keys);
        }
        (true, true) => {
            let inner = depth + 1;
            let _ = write!(out, "{{e{inner}[{}] | ", object.keys);
            source(out, object, inner);
            out.push('}');
        }
    }
    out.push_str(" | ");
    source(out, object, depth);
    let _ = write!(out, "; k{depth} = e{depth}[{depth}]}}");
}

/// The entries that lie under the keys of the levels outside.
fn source(out: &mut String, object: &PartialObject, depth: usize) {
    let _ = write!(out, "e{depth} = data.{PACKAGE}.{}[_]", object.entries);
    for above in 0..depth {
        let _ = write!(out, "; e{depth}[{above}] == k{above}");
    }
}
