//! Everything compiled from one bundle; immutable, shared behind an `Arc`, replaced whole.

use crate::bundle::{Bundle, Item};
use crate::constraint::Constraint;
use crate::decision::Action;
use crate::exclusion::Exclusions;
use crate::expansion::{self, Expansion};
use crate::index::Index;
use crate::manifest::Problem;
use crate::object::{self, Gvk, quote};
use crate::plain;
use crate::review::Review;
use crate::template::{LoadError, Outline, Template};
use crate::traced::Traced;
use regent_rego::{Entry, Program, Reads, Value};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How policies are compiled.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// Built-ins taken away, by OPA's name.
    pub without_builtins: Vec<String>,
    /// Whether `data.inventory` may be referred to.
    pub referential: bool,
    /// Keep `print` calls (see [`crate::Decision::prints`]).
    pub print: bool,
    /// Refuse enforcement actions and points that nobody carries out, as Gatekeeper's webhook does. Its engine, and so
    /// `gator`, takes them and their violations lead to nothing.
    pub validate_actions: bool,
    /// Keep what a second evaluator needs (more memory); see [`crate::EvaluateOptions::second`].
    pub second_opinion: bool,
    /// Compile for tracing (slower).
    pub trace: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        CompileOptions {
            without_builtins: Vec::new(),
            referential: true,
            print: false,
            validate_actions: true,
            second_opinion: false,
            trace: false,
        }
    }
}

/// What a loaded constraint is, for listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintInfo {
    /// Kind (plain Rego: `Rego`).
    pub kind: String,
    /// Name (plain Rego: the package).
    pub name: String,
    /// `spec.enforcementAction` as written, `deny` when absent.
    pub enforcement_action: String,
    /// Where it stands.
    pub file: String,
    /// Its line.
    pub line: u32,
}

/// A compiled set. `Send` and `Sync`.
#[derive(Debug, Default)]
pub struct PolicySet {
    revision: Arc<str>,
    templates: BTreeMap<String, Arc<Template>>,
    policies: Vec<Policy>,
    index: Index,
    expansions: Vec<Expansion>,
    exclusions: Exclusions,
    reads_inventory: bool,
    /// Asked at every review.
    judges_workloads: bool,
}

/// A constraint with what it runs, or a package of plain Rego.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) constraint: Constraint,
    pub(crate) template: Option<Arc<Template>>,
    /// What it runs; `None` when that does not load (see `broken`).
    pub(crate) program: Option<Arc<Program>>,
    pub(crate) rules: Vec<Rule>,
    /// Why it cannot be run: reviews that it matches fail, so that nobody takes them for judged.
    pub(crate) broken: Option<String>,
    /// Its place among [`PolicySet::constraints`].
    pub(crate) index: u32,
    pub(crate) traced: Option<Arc<Traced>>,
    file: Arc<str>,
    line: u32,
}

/// One entry of a policy's program.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) entry: Entry,
    /// Its path below `data`.
    pub(crate) path: Vec<String>,
    /// Plain Rego says by its rule's name what a violation leads to; a constraint by its enforcement action.
    pub(crate) action: Option<Action>,
}

/// The kind that plain Rego's violations have.
pub const PLAIN_KIND: &str = "Rego";

impl PolicySet {
    /// Checks and plans a bundle. Every problem is gathered; the set holds what is good, and a caller that must not
    /// run on a part refuses a set that came with problems. A caller that does run on it is not silently open:
    /// constraints that do not load, or whose template does not, are in it as what fails on every review they match (but
    /// for objects of Gatekeeper's own groups, so that the fault can be mended). Problems are sorted by file and line.
    pub fn compile(bundle: &Bundle, options: &CompileOptions) -> (PolicySet, Vec<Problem>) {
        PolicySet::compile_after(&PolicySet::default(), bundle, options)
    }

    /// The same, where a set compiled with the same options is at hand: templates that have not changed since are taken
    /// from it.
    pub fn compile_after(before: &PolicySet, bundle: &Bundle, options: &CompileOptions) -> (PolicySet, Vec<Problem>) {
        let mut problems = bundle.problems.clone();
        let templates = load_templates(before, bundle, options, &mut problems);
        let mut reads_inventory = templates.values().any(|t| reads_inventory(&t.reads));
        let mut policies = load_constraints(bundle, &templates, options, &mut problems);
        let (program, packages) = plain::compile(&bundle.rego, options, &mut problems);
        if let Some(program) = program {
            let traced = Arc::new(Traced::of_plain(bundle.rego.clone(), options));
            for package in packages {
                reads_inventory |= package.rules.iter().any(|r| self::reads_inventory(&r.reads));
                policies.push(plain_policy(package, &program, &traced));
            }
        }
        policies.sort_by(|a, b| key(&a.constraint).cmp(&key(&b.constraint)));
        for (index, policy) in (0..).zip(&mut policies) {
            policy.index = index;
        }
        let expansions = load_expansions(bundle, &mut problems);
        problems.sort_by(|a, b| (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message)));
        let set = PolicySet {
            revision: bundle.revision().into(),
            judges_workloads: policies.iter().any(|p| p.constraint.workloads),
            index: Index::build(policies.iter().map(|p| p.constraint.matching.as_ref())),
            templates,
            policies,
            expansions,
            exclusions: Exclusions::read(bundle),
            reads_inventory,
        };
        (set, problems)
    }

    /// A set of one constraint, as a Suite's test has it.
    pub(crate) fn of_one(template: Arc<Template>, constraint: Constraint, expansions: Vec<Expansion>) -> PolicySet {
        let reads_inventory = reads_inventory(&template.reads);
        let policies = vec![Policy {
            constraint,
            program: Some(template.program.clone()),
            broken: None,
            rules: vec![template_rule(&template)],
            traced: Some(template.traced.clone()),
            template: Some(template.clone()),
            index: 0,
            file: Arc::default(),
            line: 0,
        }];
        PolicySet {
            revision: Arc::default(),
            judges_workloads: policies.iter().any(|p| p.constraint.workloads),
            index: Index::build(policies.iter().map(|p| p.constraint.matching.as_ref())),
            templates: BTreeMap::from([(template.outline.kind.to_lowercase(), template)]),
            policies,
            expansions,
            exclusions: Exclusions::default(),
            reads_inventory,
        }
    }

    /// The digest of the bundle.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The same, shared.
    pub fn shared_revision(&self) -> Arc<str> {
        self.revision.clone()
    }

    /// Loaded constraints and plain Rego policies, sorted by kind and name.
    pub fn constraints(&self) -> Vec<ConstraintInfo> {
        let info = |policy: &Policy| ConstraintInfo {
            kind: policy.constraint.kind.clone(),
            name: policy.constraint.name.clone(),
            enforcement_action: policy.constraint.enforcement_action.clone(),
            file: policy.file.to_string(),
            line: policy.line,
        };
        self.policies.iter().map(info).collect()
    }

    /// Every compiled program once, with what it is: `template KIND`, or `plain Rego`. Sorted by that.
    pub fn programs(&self) -> Vec<(String, Arc<Program>)> {
        let templates = self
            .templates
            .values()
            .map(|t| (format!("template {}", t.outline.kind), t.program.clone()));
        let plain = self
            .policies
            .iter()
            .find(|p| p.template.is_none() && p.program.is_some());
        let plain = plain.and_then(|p| Some(("plain Rego".to_owned(), p.program.clone()?)));
        plain.into_iter().chain(templates).collect()
    }

    /// Kinds of the loaded templates, sorted.
    pub fn templates(&self) -> Vec<String> {
        self.templates.values().map(|t| t.outline.kind.clone()).collect()
    }

    /// Loaded ExpansionTemplates, sorted by name.
    pub fn expansions(&self) -> &[Expansion] {
        &self.expansions
    }

    /// What Config excludes from being judged.
    pub fn exclusions(&self) -> &Exclusions {
        &self.exclusions
    }

    /// What the constraints of a template look like, by the template's name.
    pub(crate) fn outline(&self, name: &str) -> Option<&Outline> {
        self.templates.get(name).map(|t| &t.outline)
    }

    /// Whether any loaded policy reads `data.inventory`; when none does, the caller need only gather Namespaces.
    pub fn reads_inventory(&self) -> bool {
        self.reads_inventory
    }

    /// Whether any constraint asks for the Pods that workloads imply.
    pub fn judges_workloads(&self) -> bool {
        self.judges_workloads
    }

    pub(crate) fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The constraint of a kind and name.
    pub(crate) fn policy(&self, kind: &str, name: &str) -> Option<&Policy> {
        let at = self
            .policies
            .binary_search_by(|p| key(&p.constraint).cmp(&(kind, name)));
        self.policies.get(at.ok()?)
    }

    /// Whether some constraint can match an object of a group and kind.
    pub(crate) fn can_match(&self, group: &str, kind: &str) -> bool {
        self.index.asks_for(group, kind)
    }

    /// Policies that can match a review, in order of kind and name.
    pub(crate) fn candidates<'a>(
        &'a self,
        review: &Review,
        namespace: Option<&Value>,
    ) -> impl Iterator<Item = &'a Policy> + use<'a> {
        self.index
            .candidates(review, namespace)
            .into_iter()
            .filter_map(|i| self.policies.get(i as usize))
    }
}

fn key(constraint: &Constraint) -> (&str, &str) {
    (&constraint.kind, &constraint.name)
}

fn reads_inventory(reads: &Reads) -> bool {
    reads
        .data
        .iter()
        .any(|path| path.first().is_none_or(|first| first == "inventory"))
}

fn load_templates(
    before: &PolicySet,
    bundle: &Bundle,
    options: &CompileOptions,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Arc<Template>> {
    let mut out: BTreeMap<String, Arc<Template>> = BTreeMap::new();
    for item in unique(&bundle.templates, problems) {
        let name = object::name(&item.document.value);
        if let Some(known) = before.templates.get(name).filter(|t| t.document == item.document.value) {
            out.insert(name.to_owned(), known.clone());
            continue;
        }
        match Template::load(item, options) {
            Ok(template) => {
                out.insert(name.to_owned(), Arc::new(template));
            }
            Err(error) => problems.push(problem(item, "template", name, &error)),
        }
    }
    out
}

fn load_constraints(
    bundle: &Bundle,
    templates: &BTreeMap<String, Arc<Template>>,
    options: &CompileOptions,
    problems: &mut Vec<Problem>,
) -> Vec<Policy> {
    let mut out = Vec::new();
    for item in unique(&bundle.constraints, problems) {
        let document = &item.document.value;
        let find = |name: &str| templates.get(name).map(|t| &t.outline);
        match Constraint::read(document, find, options.validate_actions) {
            Ok(constraint) => {
                let Some(template) = templates.get(&constraint.kind.to_lowercase()) else {
                    continue;
                };
                out.push(Policy {
                    constraint,
                    program: Some(template.program.clone()),
                    broken: None,
                    rules: vec![template_rule(template)],
                    traced: Some(template.traced.clone()),
                    template: Some(template.clone()),
                    index: 0,
                    file: item.file.clone(),
                    line: item.document.places.find(&[]).0,
                });
            }
            Err(error) => {
                let (kind, name) = (Gvk::of(document).kind, object::name(document));
                // That its template did not load is told at the template.
                let broken = if is_broken(bundle, templates, document) {
                    format!("the template of {kind} {} does not load", quote(name))
                } else {
                    problems.push(problem(item, "constraint", name, &error));
                    if !templates.contains_key(&kind.to_lowercase()) {
                        continue;
                    }
                    format!("{kind} {} does not load: {}", quote(name), error.message)
                };
                out.push(Policy {
                    constraint: Constraint::of_broken(document),
                    program: None,
                    rules: Vec::new(),
                    broken: Some(broken),
                    index: 0,
                    traced: None,
                    template: None,
                    file: item.file.clone(),
                    line: item.document.places.find(&[]).0,
                });
            }
        }
    }
    out
}

/// Whether a constraint's template is in the bundle and could not be loaded.
fn is_broken(bundle: &Bundle, templates: &BTreeMap<String, Arc<Template>>, constraint: &Value) -> bool {
    let name = object::text(constraint, &["kind"]).to_lowercase();
    !templates.contains_key(&name) && bundle.templates.iter().any(|t| object::name(&t.document.value) == name)
}

fn load_expansions(bundle: &Bundle, problems: &mut Vec<Problem>) -> Vec<Expansion> {
    let mut out = Vec::new();
    for item in unique(&bundle.expansions, problems) {
        match Expansion::read(&item.document.value) {
            Ok(expansion) => out.push(expansion),
            Err(text) => {
                let name = object::name(&item.document.value);
                problems.push(at(
                    item,
                    &["spec"],
                    (0, 0),
                    format!("error upserting template {name}: {text}"),
                ));
            }
        }
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    let cycles = expansion::cycles(&out);
    for item in &bundle.expansions {
        let name = object::name(&item.document.value);
        if cycles.iter().any(|c| c == name) {
            problems.push(at(
                item,
                &["spec"],
                (0, 0),
                format!("ExpansionTemplate {name}: template forms expansion cycle"),
            ));
        }
    }
    out.retain(|e| !cycles.contains(&e.name));
    out
}

/// What a constraint asks its template.
fn template_rule(template: &Template) -> Rule {
    Rule {
        entry: template.entry,
        path: vec!["template".to_owned(), "violation".to_owned()],
        action: None,
    }
}

fn plain_policy(package: plain::Plain, program: &Arc<Program>, traced: &Arc<Traced>) -> Policy {
    let rules = package.rules.iter().map(|rule| Rule {
        entry: rule.entry,
        path: rule.path.clone(),
        action: Some(rule.action),
    });
    let action = package.rules.first().map_or(Action::Deny, |r| r.action);
    Policy {
        rules: rules.collect(),
        constraint: Constraint {
            kind: PLAIN_KIND.to_owned(),
            name: package.package,
            enforcement_action: action.as_str().to_owned(),
            scoped: Vec::new(),
            matching: package.matching,
            parameters: package.parameters,
            workloads: false,
        },
        template: None,
        program: Some(program.clone()),
        broken: None,
        index: 0,
        traced: Some(traced.clone()),
        file: package.file.into(),
        line: package.line,
    }
}

/// Documents of one kind without those that are there twice word for word; of two that differ under one name both
/// cannot hold, so the second is a problem.
fn unique<'a>(items: &'a [Item], problems: &mut Vec<Problem>) -> Vec<&'a Item> {
    let mut seen: FxHashMap<(&str, &str), &Item> = FxHashMap::default();
    let mut out = Vec::new();
    for item in items {
        let value = &item.document.value;
        let key = (Gvk::of(value).kind, object::name(value));
        match seen.get(&key) {
            None => {
                seen.insert(key, item);
                out.push(item);
            }
            Some(first) if first.document.value == *value => {}
            Some(first) => {
                let (kind, name) = (key.0, quote(key.1));
                let (file, line) = (&first.file, first.document.places.find(&[]).0);
                let message = format!("{kind} {name} is defined twice with different content; first at {file}:{line}");
                problems.push(at(item, &["metadata", "name"], (0, 0), message));
            }
        }
    }
    out
}

/// A problem with gator's prefix, at the node that is to blame.
fn problem(item: &Item, what: &str, name: &str, error: &LoadError) -> Problem {
    let path: Vec<&str> = error.path.iter().map(String::as_str).collect();
    let doing = if error.message.starts_with("adding template: ") || error.message.starts_with("unable to convert") {
        format!("converting unstructured {} to template", quote(name))
    } else {
        format!("adding {what} {}", quote(name))
    };
    at(item, &path, error.at, format!("{doing}: {}", error.message))
}

fn at(item: &Item, path: &[&str], (row, col): (u32, u32), message: String) -> Problem {
    let places = &item.document.places;
    let (mut line, mut column) = places.find(path);
    // Rego in a block stands below its key, indented; a text of any other form is known by its first place only.
    if let (true, Some((first, indent))) = (row > 0, places.text_start(path)) {
        line = first + row - 1;
        column = (indent + col).saturating_sub(1);
    }
    Problem {
        file: item.file.to_string(),
        line,
        column,
        message,
    }
}
