//! Which constraints can match an object at all, so that a review costs what matches and not what exists: by group and
//! kind first, then by namespace, label or name where these are spelled out. What is left is matched one by one.

use crate::matching::{Kinds, Match, Operator, namespace_name};
use crate::object::{self, Gvk};
use crate::review::Review;
use regent_rego::{Object, Value};
use rustc_hash::FxHashMap;

/// Constraints by number, in the order they were given.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// By kind, then group.
    exact: FxHashMap<String, FxHashMap<String, List>>,
    /// Any group, by kind.
    by_kind: FxHashMap<String, List>,
    /// Any kind, by group.
    by_group: FxHashMap<String, List>,
    /// Any kind of any group.
    any: List,
    /// How many constraints there are.
    count: u32,
}

/// Constraints for one group and kind.
#[derive(Debug, Default)]
struct List {
    /// Those that spell out their namespaces.
    by_namespace: FxHashMap<String, Vec<u32>>,
    /// Those that ask for a label of one value: by label, then value.
    by_label: FxHashMap<String, FxHashMap<String, Vec<u32>>>,
    /// Those that spell out a name.
    by_name: FxHashMap<String, Vec<u32>>,
    /// All others.
    rest: Vec<u32>,
}

impl List {
    fn add(&mut self, criteria: Option<&Match>, i: u32) {
        let Some(criteria) = criteria else {
            self.rest.push(i);
            return;
        };
        if !criteria.namespaces.is_empty() && criteria.namespaces.iter().all(|g| g.is_exact()) {
            for glob in &criteria.namespaces {
                self.by_namespace.entry(glob.0.clone()).or_default().push(i);
            }
            return;
        }
        // Nothing that is asked before the labels can fail.
        if let Some((label, value)) = one_label(criteria) {
            let values = self.by_label.entry(label.to_owned()).or_default();
            values.entry(value.to_owned()).or_default().push(i);
            return;
        }
        // A namespaceSelector is asked before the name and may fail, which is an answer too.
        match &criteria.name {
            Some(glob) if glob.is_exact() && criteria.namespace_selector.is_none() => {
                self.by_name.entry(glob.0.clone()).or_default().push(i);
            }
            _ => self.rest.push(i),
        }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.by_namespace.is_empty() && self.by_label.is_empty() && self.by_name.is_empty()
    }

    fn find(&self, namespace: Option<&str>, object: &Value, out: &mut Vec<u32>) {
        out.extend(&self.rest);
        if !self.by_namespace.is_empty() {
            match namespace {
                Some(namespace) => out.extend(self.by_namespace.get(namespace).into_iter().flatten()),
                // What is cluster-scoped is in scope of all of them.
                None => out.extend(self.by_namespace.values().flatten()),
            }
        }
        if !self.by_label.is_empty() {
            for (label, value) in object::labels(object).into_iter().flat_map(Object::iter) {
                let values = label.as_str().and_then(|l| self.by_label.get(l));
                out.extend(value.as_str().and_then(|v| values?.get(v)).into_iter().flatten());
            }
        }
        if !self.by_name.is_empty() {
            out.extend(self.by_name.get(object::name(object)).into_iter().flatten());
        }
    }
}

/// A label, and the one value that a `labelSelector` wants it to have.
fn one_label(criteria: &Match) -> Option<(&str, &str)> {
    let lines = &criteria.label_selector.as_ref()?.0;
    lines.iter().find_map(|line| match &line.operator {
        Operator::In(values) => match values.as_slice() {
            [value] => Some((line.key.as_str(), value.as_str())),
            _ => None,
        },
        _ => None,
    })
}

impl Index {
    /// Of the `match` of each constraint.
    pub(crate) fn build<'a>(constraints: impl Iterator<Item = Option<&'a Match>>) -> Index {
        let mut out = Index::default();
        for criteria in constraints {
            let i = out.count;
            out.count += 1;
            let kinds = criteria.map(|m| m.kinds.as_slice()).unwrap_or_default();
            if kinds.is_empty() {
                out.any.add(criteria, i);
            }
            for entry in kinds {
                out.add(entry, criteria, i);
            }
        }
        out
    }

    fn add(&mut self, entry: &Kinds, criteria: Option<&Match>, i: u32) {
        match (entry.any_kind(), entry.any_group()) {
            (true, true) => self.any.add(criteria, i),
            (true, false) => {
                for group in &entry.groups {
                    self.by_group.entry(group.clone()).or_default().add(criteria, i);
                }
            }
            (false, true) => {
                for kind in &entry.kinds {
                    self.by_kind.entry(kind.clone()).or_default().add(criteria, i);
                }
            }
            (false, false) => {
                for kind in &entry.kinds {
                    let groups = self.exact.entry(kind.clone()).or_default();
                    for group in &entry.groups {
                        groups.entry(group.clone()).or_default().add(criteria, i);
                    }
                }
            }
        }
    }

    /// Whether some constraint can match an object of a group and kind.
    pub(crate) fn asks_for(&self, group: &str, kind: &str) -> bool {
        !self.any.is_empty()
            || self.exact.get(kind).is_some_and(|groups| groups.contains_key(group))
            || self.by_kind.contains_key(kind)
            || self.by_group.contains_key(group)
    }

    /// Numbers of the constraints that can have something to say to a review, ascending.
    pub(crate) fn candidates(&self, review: &Review, namespace: Option<&Value>) -> Vec<u32> {
        let objects = [&review.object, &review.old_object];
        let readable = |object: &Value| !object::text(object, &["kind"]).is_empty();
        // What has no object, or one that cannot be told, is for every constraint to refuse in its own words.
        if objects.iter().all(|o| o.is_none()) || !objects.iter().filter_map(|o| o.as_ref()).all(readable) {
            return (0..self.count).collect();
        }
        let mut out = Vec::new();
        for object in objects.into_iter().flatten() {
            let gvk = Gvk::of(object);
            let lives_in = namespace_name(object, &gvk, namespace);
            let lists = [
                Some(&self.any),
                self.exact.get(gvk.kind).and_then(|groups| groups.get(gvk.group)),
                self.by_kind.get(gvk.kind),
                self.by_group.get(gvk.group),
            ];
            for list in lists.into_iter().flatten() {
                list.find(lives_in, object, &mut out);
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::{Verdict, matches};
    use regent_rego::yaml;

    /// Whatever the index leaves out must not match, and what it gives is in order.
    #[test]
    fn leaves_out_only_what_differs() {
        let constraints = yaml::read(
            r#"
            - {}
            - {kinds: [{apiGroups: [""], kinds: [Pod]}]}
            - {kinds: [{apiGroups: ["*"], kinds: [Pod]}]}
            - {kinds: [{apiGroups: [apps], kinds: ["*"]}]}
            - {kinds: [{kinds: [Pod]}, {apiGroups: [apps]}]}
            - {kinds: [{apiGroups: [""], kinds: [Pod]}], namespaces: [a, b]}
            - {kinds: [{apiGroups: [""], kinds: [Pod]}], namespaces: ["a*"]}
            - {namespaces: [a]}
            - {name: web}
            - {name: "web*"}
            - {name: web, namespaceSelector: {matchLabels: {x: y}}}
            - {kinds: [{apiGroups: ["*"], kinds: ["*"]}], excludedNamespaces: [a]}
            - {labelSelector: {matchLabels: {app: web}}}
            - {labelSelector: {matchLabels: {app: web, tier: front}}, name: web}
            - {labelSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}, kinds: [{apiGroups: [""], kinds: [Pod]}]}
            - {labelSelector: {matchExpressions: [{key: app, operator: In, values: [web, shop]}]}}
            - {labelSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}, namespaceSelector: {matchLabels: {x: y}}}
            - {labelSelector: {}}
            "#,
        )
        .unwrap();
        let constraints: Vec<Match> = constraints.as_array().unwrap().iter().map(Match::read).collect();
        let index = Index::build(constraints.iter().map(Some).chain([None]));
        let objects = yaml::read(
            r#"
            - {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: a}}
            - {apiVersion: v1, kind: Pod, metadata: {name: other, namespace: c}}
            - {apiVersion: v1, kind: Pod, metadata: {generateName: web, namespace: b}}
            - {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}
            - {apiVersion: v1, kind: Namespace, metadata: {name: a}}
            - {apiVersion: a/b/c, kind: Pod, metadata: {name: web}}
            - {metadata: {name: web}}
            - {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: c, labels: {app: web, tier: front}}}
            - {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: c, labels: {app: shop, tier: 1}}}
            - {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: c, labels: [app]}}
            "#,
        )
        .unwrap();
        for object in objects.as_array().unwrap() {
            for old in [None, Some(objects.as_array().unwrap().first().unwrap().clone())] {
                let mut review = Review::of_object(object.clone(), None);
                review.old_object = old;
                let found = index.candidates(&review, None);
                assert!(found.is_sorted());
                for (i, criteria) in constraints.iter().map(Some).chain([None]).enumerate() {
                    let verdict = matches(criteria, &review, None);
                    let left_out = !found.contains(&(i as u32));
                    assert!(
                        !left_out || matches!(verdict, Verdict::Differs(_)),
                        "{i} {object:?}: {verdict:?}"
                    );
                }
            }
        }
    }
}
