//! What is written back: `status.byPod` as Gatekeeper has it, and the annotations on ConfigMaps.

use crate::store::{SourceState, SourceStatus, Status};
use kube::api::DynamicObject;
use regent_core::manifest::Problem;
use serde_json::{Value as Json, json};

/// Problems named in an annotation; more are counted.
const SHOWN: usize = 20;
/// Bytes of one message that are written.
const LONGEST: usize = 1_024;

/// Whose status it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Template,
    Constraint,
}

/// Our entry of `status.byPod`. `broken` names what keeps a constraint that has no fault of its own from being judged.
pub(crate) fn by_pod(
    object: &DynamicObject,
    shape: Shape,
    identity: &str,
    problems: &[&Problem],
    broken: Option<String>,
) -> Json {
    let mut errors: Vec<Json> = problems.iter().map(|p| error(shape, p)).collect();
    errors.extend(broken.map(|message| json!({"code": "", "message": message})));
    let mut entry = json!({
        "id": identity,
        "observedGeneration": object.metadata.generation.unwrap_or_default(),
        "operations": ["webhook"],
    });
    let uid = if shape == Shape::Template {
        "templateUID"
    } else {
        "constraintUID"
    };
    set(&mut entry, uid, json!(object.metadata.uid));
    if shape == Shape::Constraint {
        set(&mut entry, "enforced", json!(errors.is_empty()));
    }
    if !errors.is_empty() {
        set(&mut entry, "errors", Json::Array(errors));
    }
    entry
}

/// A problem in Gatekeeper's shape.
fn error(shape: Shape, problem: &Problem) -> Json {
    // Before it stands the field, `spec.targets[0].rego: `, which says nothing of the kind of fault.
    let said = match problem.message.split_once(": ") {
        Some((field, said)) if !field.contains(' ') => said,
        _ => &problem.message,
    };
    let code = match shape {
        Shape::Constraint => "",
        Shape::Template if said.contains("rego") => "ingest_error",
        Shape::Template => "create_error",
    };
    let mut out = json!({"code": code, "message": cut(&problem.message)});
    if let Some(location) = rego_place(&problem.message) {
        set(&mut out, "location", json!(location));
    }
    out
}

/// Where in the Rego of a template a message points, as `template:LINE`.
fn rego_place(message: &str) -> Option<String> {
    let (at, _) = ["template:", "libs[\"lib_"]
        .iter()
        .filter_map(|mark| Some((message.find(mark)?, mark)))
        .min()?;
    let text = message.get(at..)?;
    let (file, rest) = text.split_once(':')?;
    let line: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!line.is_empty()).then(|| format!("{file}:{line}"))
}

/// That nothing serves for the template of a constraint's kind.
pub(crate) fn broken_template(answer: &SourceStatus, kind: &str) -> Option<String> {
    let template = format!("ConstraintTemplate/{}", kind.to_lowercase());
    answer.broken.contains(&template).then(|| {
        format!(
            "the template of {kind} does not load, see its status; reviews that this constraint matches are answered \
             as errors"
        )
    })
}

/// A patch of the status that puts our entry in, if it is not there; entries about another object of that name go, and
/// those of servers that do not stay.
pub(crate) fn patch(
    object: &DynamicObject,
    shape: Shape,
    identity: &str,
    entry: Json,
    stays: impl Fn(&str) -> bool,
) -> Option<Json> {
    let uid = if shape == Shape::Template {
        "templateUID"
    } else {
        "constraintUID"
    };
    let before = object.data.pointer("/status/byPod").and_then(Json::as_array);
    let before = before.map_or(&[] as &[Json], Vec::as_slice);
    let id = |entry: &Json| entry.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
    let stays = |e: &&Json| {
        let of_this = e.get(uid).is_none_or(|u| u.as_str() == object.metadata.uid.as_deref());
        of_this && id(e) != identity && stays(&id(e))
    };
    let created = object
        .data
        .pointer("/status/created")
        .and_then(Json::as_bool)
        .unwrap_or_default();
    let creates = shape == Shape::Template && !created && entry.get("errors").is_none();
    let mut entries: Vec<Json> = before.iter().filter(stays).cloned().collect();
    entries.push(entry);
    entries.sort_by_key(id);
    if entries == before && !creates {
        return None;
    }
    let mut status = json!({"byPod": entries});
    if creates {
        set(&mut status, "created", json!(true));
    }
    Some(json!({"metadata": {"resourceVersion": object.metadata.resource_version}, "status": status}))
}

/// `regent.dev/status` of a ConfigMap. No times in it: replicas that see the same write the same.
pub(crate) fn annotation(status: &Status, source: &SourceStatus, pin: Option<&str>) -> String {
    let state = match source.state {
        SourceState::Serving if status.pinned.is_some() => "held",
        state => state.as_str(),
    };
    let problem = |p: &Problem| json!({"file": p.file, "line": p.line, "column": p.column, "message": cut(&p.message)});
    let mut problems: Vec<Json> = source.problems.iter().take(SHOWN).map(problem).collect();
    if source.problems.len() > SHOWN {
        let more = source.problems.len() - SHOWN;
        problems.push(json!({"file": "", "line": 0, "column": 0, "message": format!("and {more} more")}));
    }
    let mut out = json!({"revision": *status.revision, "state": state, "problems": problems});
    if let Some(pinned) = &status.pinned {
        set(&mut out, "pinned", json!(**pinned));
    }
    if let Some(pin) = pin {
        set(&mut out, "pin", json!(pin));
    }
    out.to_string()
}

/// `openpolicyagent.org/kube-mgmt-status`, as kube-mgmt writes it.
pub(crate) fn kube_mgmt_annotation(source: &SourceStatus, own: &[&Problem]) -> String {
    if source.problems.is_empty() {
        return json!({"status": "ok"}).to_string();
    }
    let all: Vec<&Problem> = if own.is_empty() {
        source.problems.iter().collect()
    } else {
        own.to_vec()
    };
    let errors: Vec<Json> = all
        .iter()
        .take(SHOWN)
        .map(|p| {
            json!({
                "code": "rego_compile_error",
                "message": cut(&p.message),
                "location": {"file": p.file, "row": p.line, "col": p.column},
            })
        })
        .collect();
    let error = json!({
        "code": "invalid_parameter",
        "message": "error(s) occurred while compiling module(s)",
        "errors": errors,
    });
    json!({"status": "error", "error": error}).to_string()
}

/// Sets a field of an object.
pub(crate) fn set(object: &mut Json, field: &str, value: Json) {
    if let Some(object) = object.as_object_mut() {
        object.insert(field.to_owned(), value);
    }
}

fn cut(message: &str) -> String {
    if message.len() <= LONGEST {
        return message.to_owned();
    }
    let end = (0..=LONGEST)
        .rev()
        .find(|i| message.is_char_boundary(*i))
        .unwrap_or_default();
    format!("{}...", message.get(..end).unwrap_or_default())
}
