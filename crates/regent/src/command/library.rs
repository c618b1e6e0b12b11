//! `regent library`: what the binary ships.

use super::{CLEAN, FAILED};
use crate::arguments::{Library, ListFormat};
use crate::builtin::{self, Policy, Set};
use crate::doc::Doc;
use crate::render::table::columns;
use crate::terminal;
use std::fs;
use std::path::Path;

pub(crate) fn run(args: Library) -> u8 {
    let done = match args {
        Library::List { output } => {
            terminal::print(&list(output));
            Ok(())
        }
        Library::Show { name } => show(&name),
        Library::Export {
            names,
            directory,
            force,
        } => export(&names, &directory, force),
    };
    match done {
        Ok(()) => CLEAN,
        Err(message) => {
            terminal::error(&message);
            FAILED
        }
    }
}

fn list(format: ListFormat) -> String {
    let (policies, sets) = (builtin::policies(), builtin::sets());
    match format {
        ListFormat::Text => {
            let rows: Vec<[String; 3]> = policies
                .iter()
                .map(|p| [p.name.clone(), p.kind.clone(), p.title.clone()])
                .collect();
            let mut text = columns(&["POLICY", "KIND", "TITLE"], &rows);
            let rows: Vec<[String; 2]> = sets
                .iter()
                .map(|s| [format!("builtin:{}", s.name), builtin::kinds(s).len().to_string()])
                .collect();
            text.push('\n');
            text.push_str(&columns(&["SET", "POLICIES"], &rows));
            text
        }
        ListFormat::Json => {
            let policies = policies.iter().map(|p| {
                Doc::Map(vec![
                    ("name", Doc::from(&p.name)),
                    ("kind", Doc::from(&p.kind)),
                    ("title", Doc::from(&p.title)),
                    ("description", Doc::from(&p.description)),
                ])
            });
            let sets = sets.iter().map(|s| {
                Doc::Map(vec![
                    ("name", Doc::from(&s.name)),
                    ("kinds", builtin::kinds(s).into_iter().map(Doc::from).collect()),
                ])
            });
            Doc::Map(vec![("policies", policies.collect()), ("sets", sets.collect())]).json()
        }
    }
}

fn find_policy(name: &str) -> Option<Policy> {
    builtin::policies()
        .into_iter()
        .find(|p| p.name == name || p.kind == name || p.name.rsplit('/').next() == Some(name))
}

fn find_set(name: &str) -> Option<Set> {
    let name = name.strip_prefix("builtin:").unwrap_or(name);
    builtin::sets().into_iter().find(|s| s.name == name)
}

fn unknown(name: &str) -> String {
    format!("there is no policy or set {name:?}; `regent library list` shows what there is")
}

fn show(name: &str) -> Result<(), String> {
    if let Some(policy) = find_policy(name) {
        let folder = policy.path.trim_end_matches("/template.yaml");
        let readme = builtin::below(folder).into_iter().find(|f| f.0.ends_with("/README.md"));
        // The description goes before the template as comments, so that the output is a manifest.
        let mut text = String::new();
        for line in readme.map_or(policy.description.as_str(), |f| f.1).lines() {
            text.push_str(format!("# {line}").trim_end());
            text.push('\n');
        }
        text.push_str(policy.template);
        terminal::print(&text);
        return Ok(());
    }
    let set = find_set(name).ok_or_else(|| unknown(name))?;
    let texts: Vec<&str> = set.files.iter().map(|f| f.1.trim_end()).collect();
    terminal::print(&format!("{}\n", texts.join("\n---\n")));
    Ok(())
}

fn export(names: &[String], directory: &str, force: bool) -> Result<(), String> {
    let mut files: Vec<(&'static str, &'static str)> = Vec::new();
    for name in names {
        if name == "all" {
            files.extend(builtin::FILES);
        } else if let Some(policy) = find_policy(name) {
            files.extend(builtin::below(policy.path.trim_end_matches("/template.yaml")));
        } else {
            let set = find_set(name).ok_or_else(|| unknown(name))?;
            let kinds = builtin::kinds(&set);
            files.extend(builtin::below(&format!("policies/{}", set.name)));
            let named = builtin::policies().into_iter().filter(|p| kinds.contains(&p.kind));
            files.extend(named.map(|p| (p.path, p.template)));
        }
    }
    files.sort_unstable();
    files.dedup();
    let root = Path::new(directory);
    if !force && let Some((path, _)) = files.iter().find(|(path, _)| root.join(path).exists()) {
        return Err(format!(
            "{} is there already; --force overwrites",
            root.join(path).display()
        ));
    }
    for (path, text) in &files {
        let target = root.join(path);
        let failed = |e: std::io::Error| format!("{}: {e}", target.display());
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&target, text).map_err(failed)?;
    }
    if !terminal::quiet() {
        terminal::notice(&format!(
            "{} written to {directory}",
            crate::render::count(files.len(), "file")
        ));
    }
    Ok(())
}
