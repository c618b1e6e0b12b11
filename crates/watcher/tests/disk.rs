//! What happens on disk and what is served then: the scenarios under `tests/disk/`, each on real files.
//!
//! A scenario is a list of steps. `write`, `archive`, `append`, `rename`, `remove`, `folder`, `link`, `pipe`, `lock`, `many` and `swap` (as
//! the kubelet changes a mounted ConfigMap) do something; `serves` waits until a Pod gets these messages, `state` until
//! the source is in that state, `problem` until one is told whose `FILE:LINE: TEXT` has that text in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test ends by panicking, reads its cases, and says what it saw"
)]

mod common;

use common::{archive, denies, says, scratch, wait_for};
use regent_rego::{Value, yaml};
use regent_watcher::{DiskSource, Options, Source, start};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn text<'v>(step: &'v Value, field: &str) -> &'v str {
    step.get(field)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{field} is missing"))
}

/// Text as written, or a policy that denies with `deny` (in package `package`, else `p`).
fn content(step: &Value) -> String {
    match step.get("deny").and_then(Value::as_str) {
        Some(message) => denies(step.get("package").and_then(Value::as_str).unwrap_or("p"), message),
        None => text(step, "text").to_owned(),
    }
}

/// What the kubelet does: a new folder of files, and `..data` pointed at it in one step.
fn swap(root: &Path, files: &Value, count: usize) {
    let new = root.join(format!("..2026_{count}"));
    fs::create_dir_all(&new).expect("folder");
    for (name, message) in files.as_object().expect("files").iter() {
        let (name, message) = (name.as_str().expect("name"), message.as_str().expect("text"));
        let package = name.trim_end_matches(".rego");
        fs::write(new.join(name), denies(package, message)).expect("file");
        let link = root.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(name), link).expect("link");
        }
    }
    let before = fs::read_link(root.join("..data")).ok();
    symlink(new.file_name().expect("name"), root.join("..data_tmp")).expect("link");
    fs::rename(root.join("..data_tmp"), root.join("..data")).expect("swap");
    if let Some(before) = before {
        fs::remove_dir_all(root.join(before)).expect("old folder");
    }
}

/// Does one step; false: it is a question.
fn act(root: &Path, name: &str, step: &Value, count: usize) -> bool {
    let path = || root.join(text(step, "path"));
    match name {
        "write" => fs::write(path(), content(step)).expect("write"),
        "archive" => {
            let text = denies("p", text(step, "deny"));
            fs::write(path(), archive(&[("a/p.rego", &text), ("a/README.md", "no policy")])).expect("write");
        }
        "append" => {
            let before = fs::read_to_string(path()).expect("read");
            fs::write(path(), before + &content(step)).expect("write");
        }
        "rename" => fs::rename(root.join(text(step, "from")), root.join(text(step, "to"))).expect("rename"),
        "remove" => {
            let path = path();
            if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            }
            .expect("remove");
        }
        "folder" => fs::create_dir_all(path()).expect("folder"),
        "link" => symlink(text(step, "to"), path()).expect("link"),
        "pipe" => assert!(Command::new("mkfifo").arg(path()).status().expect("mkfifo").success()),
        "lock" => fs::set_permissions(path(), fs::Permissions::from_mode(0o000)).expect("mode"),
        "many" => {
            let folder = path();
            fs::create_dir_all(&folder).expect("folder");
            for i in 0..step.get("count").and_then(Value::as_i64).expect("count") {
                fs::write(folder.join(format!("{i}.yaml")), "").expect("file");
            }
        }
        "swap" => swap(root, step.get("files").expect("files"), count),
        _ => return false,
    }
    true
}

fn run(scenario: &Value) {
    let name = text(scenario, "name");
    let folder = scratch("disk");
    let root = folder.join("policies");
    fs::create_dir_all(&root).expect("folder");
    let source = match scenario.get("source").and_then(Value::as_str) {
        Some(file) => root.join(file),
        None => root.clone(),
    };
    let mut watcher = None;
    for (count, step) in scenario
        .get("steps")
        .and_then(Value::as_array)
        .expect("steps")
        .iter()
        .enumerate()
    {
        let (step_name, step) = step.as_object().expect("step").iter().next().expect("one key");
        let step_name = step_name.as_str().expect("step");
        if act(&root, step_name, step, count) {
            if step_name == "lock" && fs::read(root.join(text(step, "path"))).is_ok() {
                eprintln!("{name}: not run: this user reads what it has locked");
                break;
            }
            continue;
        }
        // What stands there before the first question is there before the start.
        let watcher = watcher.get_or_insert_with(|| {
            start(Options {
                sources: vec![Source::Disk(DiskSource {
                    path: source.display().to_string(),
                })],
                poll: Duration::from_millis(500),
                patience: Duration::from_millis(500),
                ..Options::default()
            })
            .expect("a watcher")
        });
        let store = watcher.store();
        let what = format!("{name}, step {count}: {step_name} {step:?}");
        match step_name {
            "serves" => {
                let items = step.as_array().expect("messages").iter();
                let wanted: Vec<&str> = items.map(|v| v.as_str().expect("message")).collect();
                wait_for(store, &what, |s| match s.current() {
                    None => wanted.is_empty(),
                    Some(loaded) => says(&loaded) == wanted,
                });
            }
            "state" => {
                let wanted = step.as_str().expect("state");
                wait_for(store, &what, |s| {
                    s.status().sources.iter().any(|s| s.state.as_str() == wanted)
                });
            }
            "problem" => {
                let wanted = step.as_str().expect("text");
                wait_for(store, &what, |s| {
                    s.problems().iter().any(|p| p.to_string().contains(wanted))
                });
            }
            "keeps" => {
                let wanted = step.as_str().expect("message");
                let until = std::time::Instant::now() + Duration::from_millis(300);
                while std::time::Instant::now() < until {
                    assert_eq!(says(&store.current().expect("a set")), [wanted], "{what}");
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            other => panic!("{name}: there is no step {other:?}"),
        }
    }
    drop(watcher);
    fs::remove_dir_all(folder).expect("cleaning up");
}

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("scenarios") {
        let path = entry.expect("entry").path();
        let file = yaml::read(&fs::read_to_string(&path).expect("file")).expect("YAML");
        for scenario in file.as_array().expect("a list") {
            run(scenario);
            count += 1;
        }
    }
    assert!(count > 15, "only {count} scenarios were found");
}
