//! The log of decisions: a line of JSON for each violation, in the shape of Gatekeeper's `--log-denies`
//! (`gatekeeper.md` §6.5). Written by a thread of its own, so that a reader that stalls delays no answer.

use crate::request::Request;
use regent_core::{Action, Decision};
use regent_rego::{Value, json};
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Lines that wait for being written; further ones are dropped and counted.
const WAITING: usize = 4_096;
const LONGEST: usize = 8 << 10;
const WITHHELD: &str = "withheld: the object is a Secret";

/// Where lines go.
pub type LogOutput = Box<dyn Write + Send>;

/// Lines of a decision. What a policy says of a Secret may quote it, so it is withheld.
pub(crate) fn lines(request: &Request, decision: &Decision) -> Vec<String> {
    let secret = request.is_secret();
    let shown = |text: &str| if secret { WITHHELD.to_owned() } else { clip(text) };
    let mut out = Vec::new();
    for v in &decision.violations {
        let details = if secret {
            Value::string(WITHHELD)
        } else {
            v.details.clone()
        };
        let mut entry = head(
            request,
            decision,
            "violation",
            format!("denied admission: {}", shown(&v.message)),
        );
        entry.push(("details", details));
        constraint(
            &mut entry,
            &v.constraint_kind,
            &v.constraint_name,
            &v.enforcement_action,
            &v.actions,
        );
        out.push(line(entry));
    }
    for f in &decision.failures {
        let mut entry = head(
            request,
            decision,
            "failure",
            format!("could not judge: {}", shown(&f.message)),
        );
        constraint(
            &mut entry,
            &f.constraint_kind,
            &f.constraint_name,
            &f.enforcement_action,
            &f.actions,
        );
        out.push(line(entry));
    }
    out
}

type Entry = Vec<(&'static str, Value)>;

fn head(request: &Request, decision: &Decision, event: &str, message: String) -> Entry {
    let text = |path: &[&str]| Value::from(request.text(path));
    vec![
        ("level", "info".into()),
        ("ts", Value::from(jiff::Timestamp::now().to_string().as_str())),
        ("logger", "webhook".into()),
        ("msg", message.as_str().into()),
        ("process", "admission".into()),
        ("event_type", event.into()),
        ("resource_group", text(&["kind", "group"])),
        ("resource_api_version", text(&["kind", "version"])),
        ("resource_kind", text(&["kind", "kind"])),
        ("resource_namespace", text(&["namespace"])),
        ("resource_name", text(&["name"])),
        ("request_username", text(&["userInfo", "username"])),
        ("request_uid", text(&["uid"])),
        ("dry_run", Value::Bool(request.dry_run())),
        ("revision", Value::from(&*decision.revision)),
        ("semantic", "true".into()),
    ]
}

fn constraint(entry: &mut Entry, kind: &str, name: &str, action: &str, actions: &[Action]) {
    let actions = actions.iter().map(|a| Value::from(a.as_str()));
    entry.extend([
        ("constraint_group", "constraints.gatekeeper.sh".into()),
        ("constraint_api_version", "v1beta1".into()),
        ("constraint_kind", Value::from(kind)),
        ("constraint_name", Value::from(name)),
        ("constraint_action", Value::from(action)),
        ("constraint_enforcement_actions", Value::array(actions.collect())),
    ]);
}

fn line(entry: Entry) -> String {
    let mut out = String::from("{");
    for (i, (key, value)) in entry.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        json::write_string(&mut out, key, false);
        out.push(':');
        out.push_str(&json::write(value));
    }
    out.push_str("}\n");
    out
}

fn clip(text: &str) -> String {
    let end = (0..=LONGEST.min(text.len())).rev().find(|&i| text.is_char_boundary(i));
    text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
}

/// Hands lines to the thread that writes them.
#[derive(Clone, Debug)]
pub(crate) struct Log(SyncSender<Option<String>>);

impl Log {
    /// Starts the thread.
    pub(crate) fn start(output: LogOutput) -> std::io::Result<(Log, std::thread::JoinHandle<()>)> {
        let (send, receive) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&receive, output))?;
        Ok((Log(send), thread))
    }

    /// Whether the line was taken.
    pub(crate) fn push(&self, line: String) -> bool {
        !matches!(self.0.try_send(Some(line)), Err(TrySendError::Full(_)))
    }

    /// Has the thread end when it has written what was pushed until now.
    pub(crate) fn end(&self) {
        let _ = self.0.send(None);
    }
}

fn write(lines: &Receiver<Option<String>>, mut output: LogOutput) {
    let mut ended = false;
    while !ended && let Ok(Some(mut text)) = lines.recv() {
        while let Ok(more) = lines.try_recv() {
            match more {
                Some(more) => text.push_str(&more),
                None => {
                    ended = true;
                    break;
                }
            }
        }
        // A full disk or a reader that went away must not end the server.
        let _ = output.write_all(text.as_bytes());
        let _ = output.flush();
    }
}
