//! A kind of rule: its Rego and the schema of its parameters, read from a ConstraintTemplate.
//!
//! Checks stand in Gatekeeper's order and speak its words, so that what it refuses is refused here with the same text.

mod definition;
mod rego;

use crate::bundle::Item;
use crate::manifest::Places;
use crate::object::{self, Gvk, go_type, go_value, quote};
use crate::policy_set::CompileOptions;
use crate::schema::{self, Schema, aggregate};
use crate::traced::Traced;
use regent_rego::ast::Loc;
use regent_rego::{Entry, Program, Reads, Value};
use std::sync::Arc;

pub use definition::definition;
pub(crate) use rego::{compile_options, modules, ref_text, walk_refs};

/// Gatekeeper's one target.
pub(crate) const TARGET: &str = "admission.k8s.gatekeeper.sh";
const INVALID: &str = "invalid ConstraintTemplate";

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// What its constraints look like.
    pub outline: Outline,
    /// Operations it is for at the webhook; empty: all.
    pub operations: Vec<String>,
    /// Its Rego.
    pub program: Arc<Program>,
    /// `data.template.violation`.
    pub entry: Entry,
    /// What that reads.
    pub reads: Reads,
    /// The document it was read from.
    pub(crate) document: Value,
    pub(crate) traced: Arc<Traced>,
}

/// What the constraints of a template look like; all of it but the Rego.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Their kind.
    pub kind: String,
    /// Their schema.
    pub schema: Schema,
}

impl Outline {
    /// Checks what stands before the Rego; gives the one target as well.
    pub(crate) fn read(document: &Value) -> Result<(Outline, &Value), LoadError> {
        let parameters = parameter_schema(document, legacy_by_default(document)?)?;
        let targets = document
            .path(&["spec", "targets"])
            .and_then(Value::as_array)
            .unwrap_or_default();
        let [target] = targets else {
            return Err(LoadError::new(
                format!("{INVALID}: must declare exactly one target"),
                &["spec", "targets"],
            ));
        };
        let target_name = object::text(target, &["target"]);
        let at_target = ["spec", "targets", "0", "target"];
        if target_name.is_empty() {
            return Err(LoadError::new(
                format!("{INVALID}: target name must not be empty"),
                &at_target,
            ));
        }
        let kind = check_names(document)?;
        if target_name != TARGET {
            return Err(LoadError::new(
                format!(
                    "{INVALID}: target {} not recognized, known targets [{TARGET}]",
                    quote(target_name)
                ),
                &at_target,
            ));
        }
        let schema = constraint_schema(&kind, parameters)?;
        Ok((Outline { kind, schema }, target))
    }
}

/// Why a document was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Gatekeeper's text.
    pub message: String,
    /// Path of the node that is to blame, as keys and indexes; empty: the document.
    pub path: Vec<String>,
    /// Row and column in the text of that node, for Rego inside YAML; 0: the node itself.
    pub at: (u32, u32),
    /// The constraint differs from the schema of its template, which is what `invalid: true` of a Suite asks for.
    pub schema: bool,
}

impl LoadError {
    pub(crate) fn new(message: impl Into<String>, path: &[&str]) -> LoadError {
        LoadError {
            message: message.into(),
            path: path.iter().map(|p| (*p).to_owned()).collect(),
            at: (0, 0),
            schema: false,
        }
    }
}

/// The Rego of a template as its document has it, with the path of each text.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) main: (String, Vec<String>),
    pub(crate) libs: Vec<(String, Vec<String>)>,
    pub(crate) v1: bool,
}

impl Sources {
    /// Path and text of a module, by the name it is compiled under.
    pub(crate) fn text(&self, module: &str) -> Option<(&[String], &str)> {
        if module == "template" {
            return Some((&self.main.1, &self.main.0));
        }
        let index = module.strip_prefix("libs[\"lib_")?.strip_suffix("\"]")?;
        let (text, path) = self.libs.get(index.parse::<usize>().ok()?)?;
        Some((path, text))
    }
}

impl Template {
    /// Checks and compiles a ConstraintTemplate.
    ///
    /// # Errors
    /// The first thing that Gatekeeper would complain of.
    pub fn load(item: &Item, options: &CompileOptions) -> Result<Template, LoadError> {
        let document = &item.document;
        Template::read(&document.value, &item.file, &document.places, options)
    }

    /// The same from a document's value, with its file and places.
    ///
    /// # Errors
    /// The first thing that Gatekeeper would complain of.
    pub fn read(
        document: &Value,
        file: &Arc<str>,
        places: &Places,
        options: &CompileOptions,
    ) -> Result<Template, LoadError> {
        let (outline, target) = Outline::read(document)?;
        let sources = sources(target)?;
        let compiled = rego::compile(&sources, options)?;
        let operations = target
            .get("operations")
            .and_then(Value::as_array)
            .unwrap_or_default()
            .iter()
            .filter_map(|o| o.as_str().map(str::to_owned))
            .collect();
        Ok(Template {
            outline,
            operations,
            program: Arc::new(compiled.program),
            entry: compiled.entry,
            reads: compiled.reads,
            document: document.clone(),
            traced: Arc::new(Traced::of_template(sources, file.clone(), places.clone(), options)),
        })
    }

    /// Whether it is for an operation at the webhook.
    pub fn handles(&self, operation: &str) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|o| o == operation || o == "*")
    }
}

/// `metadata.name` and the kind, which must be the same word.
fn check_names(document: &Value) -> Result<String, LoadError> {
    let name = object::name(document);
    let kind = object::text(document, &["spec", "crd", "spec", "names", "kind"]);
    let at_kind = ["spec", "crd", "spec", "names", "kind"];
    if kind.is_empty() {
        return Err(LoadError::new(
            format!(
                "{INVALID}: ConstraintTemplate {} does not specify CRD Kind",
                quote(name)
            ),
            &at_kind,
        ));
    }
    if name.to_lowercase() != kind.to_lowercase() {
        return Err(LoadError::new(
            format!(
                "{INVALID}: the ConstraintTemplate's name {} is not equal to the lowercase of CRD's Kind: {}",
                quote(name),
                quote(&kind.to_lowercase())
            ),
            &["metadata", "name"],
        ));
    }
    Ok(kind.to_owned())
}

/// Whether a template's schema is loosened where it does not say so, which its version decides.
fn legacy_by_default(document: &Value) -> Result<bool, LoadError> {
    let gvk = Gvk::of(document);
    match gvk.version {
        "v1" => Ok(false),
        "v1beta1" | "v1alpha1" => Ok(true),
        version => Err(LoadError::new(
            format!(
                "adding template: no kind \"ConstraintTemplate\" is registered for version {}",
                quote(&format!("{}/{version}", gvk.group))
            ),
            &["apiVersion"],
        )),
    }
}

/// The schema of the parameters as the document has it, loosened when it is of the legacy kind.
fn parameter_schema(document: &Value, legacy_by_default: bool) -> Result<Option<Value>, LoadError> {
    let validation = document.path(&["spec", "crd", "spec", "validation"]);
    let legacy = validation
        .and_then(|v| v.get("legacySchema"))
        .and_then(Value::as_bool)
        .unwrap_or(legacy_by_default);
    let schema = validation
        .and_then(|v| v.get("openAPIV3Schema"))
        .filter(|s| s.as_object().is_some());
    let at = ["spec", "crd", "spec", "validation", "openAPIV3Schema"];
    if let Some(text) = schema.and_then(|s| schema::badly_typed(s, &at.join("."))) {
        return Err(LoadError::new(format!("adding template: {text}"), &at));
    }
    match (schema, legacy) {
        (None, false) => Ok(None),
        (Some(schema), false) => Ok(Some(schema.clone())),
        (schema, true) => {
            let empty = Value::object(Vec::new());
            let loose = schema::loosen(schema.unwrap_or(&empty)).map_err(|e| {
                LoadError::new(
                    format!("unable to convert template: {e}"),
                    &["spec", "crd", "spec", "validation", "openAPIV3Schema"],
                )
            })?;
            Ok(Some(loose))
        }
    }
}

const DNS1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
                       alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', \
                       regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// Kubernetes' words for what is no DNS-1123 subdomain.
pub(crate) const DNS1123: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
                                  '-' or '.', and must start and end with an alphanumeric character (e.g. \
                                  'example.com', regex used for validation is \
                                  '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

fn is_dns1035(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.ends_with('-') && text.chars().all(inner)
}

/// What Kubernetes calls a DNS-1123 subdomain.
pub(crate) fn is_dns1123(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.split('.')
        .all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.chars().all(inner))
}

/// The schema of the constraints of a template: what its generated custom resource definition has.
fn constraint_schema(kind: &str, parameters: Option<Value>) -> Result<Schema, LoadError> {
    let plural = kind.to_lowercase();
    let mut errors = Vec::new();
    let string = |s: &str| Value::string(s);
    let definition = format!("{plural}.constraints.gatekeeper.sh");
    if !is_dns1123(&definition) {
        errors.push(schema::FieldError::invalid(
            "metadata.name",
            &string(&definition),
            DNS1123,
        ));
    }
    if !is_dns1035(&plural) {
        for field in ["plural", "singular"] {
            errors.push(schema::FieldError::invalid(
                format!("spec.names.{field}"),
                &string(&plural),
                DNS1035,
            ));
        }
        let what = format!("may have mixed case, but should otherwise match: {DNS1035}");
        errors.push(schema::FieldError::invalid("spec.names.kind", &string(kind), &what));
        errors.push(schema::FieldError::invalid(
            "spec.names.listKind",
            &string(&format!("{kind}List")),
            &what,
        ));
    }
    let mut spec = Schema::object([
        ("match", Schema::literal(&definition::matching())),
        ("enforcementAction", Schema::literal(&definition::action())),
        ("scopedEnforcementActions", Schema::literal(&definition::scoped())),
    ]);
    if let Some(parameters) = parameters {
        let path = "spec.validation.openAPIV3Schema.properties[spec].properties[parameters]";
        match Schema::read(&parameters, path) {
            Ok(schema) => spec = spec.with_property("parameters", schema),
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        let path = ["spec", "crd", "spec", "validation", "openAPIV3Schema"];
        return Err(LoadError::new(format!("{INVALID}: {}", aggregate(&errors)), &path));
    }
    let name = Schema::literal(&definition::name());
    Ok(Schema::object([
        ("metadata", Schema::object([("name", name)])),
        ("spec", spec),
        ("status", Schema::anything()),
    ]))
}

/// The Rego of a target: `rego` with `libs`, which wins, or the `code` entry of engine Rego.
pub(crate) fn sources(target: &Value) -> Result<Sources, LoadError> {
    let strings = |value: Option<&Value>, at: &[&str]| -> Vec<(String, Vec<String>)> {
        let items = value.and_then(Value::as_array).unwrap_or_default().iter().enumerate();
        items
            .map(|(i, text)| {
                (
                    text.as_str().unwrap_or_default().to_owned(),
                    path(at, &[&i.to_string()]),
                )
            })
            .collect()
    };
    let top = ["spec", "targets", "0"];
    let legacy = object::text(target, &["rego"]);
    if !legacy.is_empty() {
        return Ok(Sources {
            main: (legacy.to_owned(), path(&top, &["rego"])),
            libs: strings(target.get("libs"), &["spec", "targets", "0", "libs"]),
            v1: false,
        });
    }
    let codes = target.get("code").and_then(Value::as_array).unwrap_or_default();
    let Some((index, code)) = codes
        .iter()
        .enumerate()
        .find(|(_, c)| object::text(c, &["engine"]) == "Rego")
    else {
        let mut message = "no language driver is installed that handles this constraint template: available drivers: \
                           map[Rego:1], wanted \"\""
            .to_owned();
        if codes
            .iter()
            .any(|c| object::text(c, &["engine"]) == "K8sNativeValidation")
        {
            message.push_str("; CEL (K8sNativeValidation) is not supported yet, add a code entry with engine Rego");
        }
        return Err(LoadError::new(message, &["spec", "targets", "0", "code"]));
    };
    let index = index.to_string();
    let at = ["spec", "targets", "0", "code", index.as_str(), "source"];
    let source = match code.get("source") {
        Some(source @ Value::Object(_)) => source,
        _ => return Err(LoadError::new("could not recognize the type", &at)),
    };
    let accessor = |value: &Value, field: &str, wanted: &str, what: &str| {
        LoadError::new(
            format!(
                ".{field} accessor error: {} is of the type {}, expected {wanted}: while extracting Rego {what}",
                go_value(value),
                go_type(value, "int64")
            ),
            &at,
        )
    };
    let main = match source.get("rego") {
        None => return Err(LoadError::new("rego source missing required field: rego", &at)),
        Some(Value::String(text)) => text.to_string(),
        Some(other) => return Err(accessor(other, "rego", "string", "source")),
    };
    let v1 = match source.get("version") {
        None => false,
        Some(Value::String(version)) => version == "v1",
        Some(other) => return Err(accessor(other, "version", "string", "version")),
    };
    match source.get("libs") {
        None | Some(Value::Array(_)) => {}
        Some(other) => return Err(accessor(other, "libs", "[]interface{}", "libs")),
    }
    Ok(Sources {
        main: (main, path(&at, &["rego"])),
        libs: strings(source.get("libs"), &[&at[..], &["libs"]].concat()),
        v1,
    })
}

fn path(head: &[&str], tail: &[&str]) -> Vec<String> {
    head.iter().chain(tail).map(|p| (*p).to_owned()).collect()
}

/// Which text of a template a place in its Rego is in, and the row there.
pub(crate) fn place(sources: &Sources, loc: &Loc) -> (Vec<String>, (u32, u32)) {
    let file = loc.file.as_deref().unwrap_or_default();
    let lib = file
        .strip_prefix("libs[\"lib_")
        .and_then(|rest| rest.strip_suffix("\"]"))
        .and_then(|index| sources.libs.get(index.parse::<usize>().ok()?));
    let at = if file == "template" || lib.is_some() {
        (loc.row, loc.col)
    } else {
        (0, 0)
    };
    (lib.map_or_else(|| sources.main.1.clone(), |l| l.1.clone()), at)
}
