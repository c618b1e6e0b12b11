//! Scenarios as data (`tests/cluster/scenarios/*.yaml`): what a user of kubectl does, and word for word what is seen.

use crate::harness::TestCluster;
use crate::served::Served;
use regent_rego::{Value, yaml};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a step marked `soon` may take.
const SOON: Duration = Duration::from_secs(30);
/// Stands for anything on one line.
const ANYTHING: &str = "<*>";

/// What a step saw.
#[derive(Debug)]
struct Seen {
    code: i32,
    out: String,
    err: String,
}

/// Plays a scenario; what went otherwise.
pub(crate) fn play(cluster: &TestCluster, served: &mut Served, file: &Path) -> Result<usize, String> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let scenario = yaml::read(&text).map_err(|e| format!("{e:?}"))?;
    let steps = scenario
        .get("steps")
        .and_then(Value::as_array)
        .ok_or("it has no steps")?;
    let repository = crate::repository().display().to_string();
    let mut names = BTreeMap::from([("${REPOSITORY}".to_owned(), repository)]);
    let mut wrong = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let told = step
            .get("kubectl")
            .or_else(|| step.get("admin"))
            .and_then(Value::as_str);
        let what = format!("step {} ({})", n + 1, told.unwrap_or("..."));
        let soon = step.get("soon").and_then(Value::as_bool).unwrap_or_default();
        let since = Instant::now();
        loop {
            let seen = act(cluster, served, step, &names).map_err(|e| format!("{what}: {e}"))?;
            match compare(step, &seen, &names) {
                Ok(()) => {
                    // Revisions of what is seen now, to be named later.
                    if let Some(name) = text_of(step, "keep") {
                        let at = seen
                            .out
                            .find("sha256:")
                            .ok_or_else(|| format!("{what}: no revision to keep"))?;
                        let revision = seen.out.get(at..at + "sha256:".len() + 64).unwrap_or_default();
                        names.insert(format!("${{{name}}}"), revision.to_owned());
                    }
                    break;
                }
                Err(_) if soon && since.elapsed() < SOON => std::thread::sleep(Duration::from_millis(100)),
                // What comes after may hold all the same, and tells more.
                Err(why) => {
                    wrong.push(format!("{what}: {why}"));
                    break;
                }
            }
        }
    }
    if wrong.is_empty() {
        Ok(steps.len())
    } else {
        Err(wrong.join("\n\n"))
    }
}

fn text_of<'v>(step: &'v Value, key: &str) -> Option<&'v str> {
    step.get(key).and_then(Value::as_str)
}

fn filled(text: &str, names: &BTreeMap<String, String>) -> String {
    names
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn act(
    cluster: &TestCluster,
    served: &mut Served,
    step: &Value,
    names: &BTreeMap<String, String>,
) -> Result<Seen, String> {
    let fine = |out: String| Seen {
        code: 0,
        out,
        err: String::new(),
    };
    if let Some(line) = text_of(step, "kubectl") {
        let args = words(&filled(line, names))?;
        let input = text_of(step, "stdin").map(|t| filled(t, names));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = cluster.kubectl_with(&cluster.kubeconfig(), &args, input.as_deref());
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        return Ok(Seen {
            code: run.status.code().unwrap_or(-1),
            out: text(&run.stdout),
            err: text(&run.stderr),
        });
    }
    if let Some(path) = text_of(step, "admin") {
        let (code, out) = served.admin(path).ok_or("nobody answers")?;
        return Ok(Seen {
            code: i32::from(code),
            ..fine(out)
        });
    }
    if let Some(name) = text_of(step, "log") {
        return Ok(fine(match name {
            "audit" => std::fs::read_to_string(cluster.audit_log()).unwrap_or_default(),
            other => served.log(other),
        }));
    }
    if let Some(files) = step.get("swap").and_then(Value::as_object) {
        let files: Vec<(&str, &str)> = files
            .entries()
            .iter()
            .map(|(name, text)| (name.as_str().unwrap_or_default(), text.as_str().unwrap_or_default()))
            .collect();
        served.swap(&files);
        return Ok(fine(String::new()));
    }
    if let Some(what) = text_of(step, "server") {
        match what {
            "kill" => served.kill(),
            "start" => {
                served.start();
            }
            "forget" => served.forget(),
            other => return Err(format!("expected kill, start or forget, not {other}")),
        }
        return Ok(fine(String::new()));
    }
    Err("expected kubectl, admin, log, swap or server".to_owned())
}

/// Splits a command line; quotes keep blanks.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\n') => out.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    if quote.is_some() {
        return Err(format!("a quote is not closed: {line}"));
    }
    Ok(out)
}

/// Whether a step went as told: `code` (0), `out` and `err` word for word (nothing on standard error when it is well and
/// nothing else is told), `has` and `lacks` somewhere in the output.
fn compare(step: &Value, seen: &Seen, names: &BTreeMap<String, String>) -> Result<(), String> {
    let is_page = step.get("admin").is_some();
    let code = step.get("code").and_then(Value::as_i64);
    let code = code.unwrap_or(if is_page { 200 } else { 0 });
    // Logs and metrics are long; the end says most.
    let end = |text: &str| {
        text.lines()
            .rev()
            .take(30)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n")
    };
    let told = || {
        format!(
            "code {}\n--- stdout\n{}\n--- stderr\n{}",
            seen.code,
            end(&seen.out),
            seen.err
        )
    };
    if i64::from(seen.code) != code {
        return Err(format!("expected code {code}, saw {}", told()));
    }
    let err = text_of(step, "err").or((code == 0).then_some(""));
    for (name, wanted, got) in [("stdout", text_of(step, "out"), &seen.out), ("stderr", err, &seen.err)] {
        let Some(wanted) = wanted else { continue };
        let wanted = filled(wanted, names);
        if !pattern(wanted.trim_end(), true)?.is_match(got.trim_end()) {
            return Err(format!("expected on {name}\n{wanted}\nsaw {}", told()));
        }
    }
    for (key, wanted) in [("has", true), ("lacks", false)] {
        for part in step.get(key).and_then(Value::as_array).unwrap_or_default() {
            let part = filled(part.as_str().unwrap_or_default(), names);
            if pattern(&part, false)?.is_match(&seen.out) != wanted {
                return Err(format!("{key} {part:?} is not so; saw {}", told()));
            }
        }
    }
    Ok(())
}

fn pattern(text: &str, whole: bool) -> Result<regex::Regex, String> {
    let parts: Vec<String> = text.split(ANYTHING).map(regex::escape).collect();
    let middle = parts.join("[^\\n]*");
    let text = if whole { format!("^{middle}$") } else { middle };
    regex::Regex::new(&text).map_err(|e| e.to_string())
}
