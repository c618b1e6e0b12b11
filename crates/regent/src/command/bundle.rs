//! `regent bundle`: policies as one archive that is the same bytes wherever and whenever it is built.

use super::{CLEAN, FAILED};
use crate::arguments::{Bundle, BundleFormat, EngineName};
use crate::doc::Doc;
use crate::policies::Loaded;
use crate::render::count;
use crate::terminal;
use regent_core::PolicySet;
use regent_core::bundle::{Item, digest};
use regent_watcher::{archive, files};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

pub(crate) fn run(args: &Bundle) -> u8 {
    let done = match args {
        Bundle::Build { policy, output } => build(policy, output),
        Bundle::Inspect { file, output } => inspect(file, *output),
    };
    done.unwrap_or_else(|message| {
        if let Some(message) = message {
            terminal::error(&message);
        }
        FAILED
    })
}

/// What went wrong; nothing when it was told already.
type Failed = Option<String>;

fn build(policy: &[String], output: &str) -> Result<u8, Failed> {
    if !archive::is_archive(output) {
        return Err(Some(format!("{output}: an archive's name ends with .tar.gz or .tgz")));
    }
    let mut entries: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for source in policy {
        let mut loaded = Loaded::default();
        loaded.add(source);
        compile(&loaded)?;
        for file in used(&loaded) {
            let Some(bytes) = loaded.sources.bytes(&file) else {
                continue;
            };
            let name = entry(source, &file);
            match entries.get(&name) {
                Some(other) if **other != *bytes => {
                    return Err(Some(format!(
                        "{file}: another source has a file {name:?} with different content"
                    )));
                }
                _ => entries.insert(name, bytes.to_vec()),
            };
        }
    }
    let bytes = archive::write(&entries).map_err(|e| Some(format!("{output}: {e}")))?;
    // Sources that hold one by one need not hold together, and the bounds of reading must let it pass.
    let mut loaded = Loaded::default();
    loaded.add_archive(output, &bytes);
    let set = compile(&loaded)?;
    std::fs::write(output, &bytes).map_err(|e| Some(files::failure(output, &e)))?;
    let text = format!(
        "{output}: {}, {}\n{}revision {}\n",
        count(entries.len(), "file"),
        count(bytes.len(), "byte"),
        digest_line(&bytes),
        set.revision()
    );
    terminal::print(&text);
    Ok(CLEAN)
}

fn digest_line(bytes: &[u8]) -> String {
    format!("digest   {}\n", digest(bytes))
}

fn compile(loaded: &Loaded) -> Result<PolicySet, Failed> {
    loaded.compile(false, EngineName::Native).map_err(|_| None)
}

/// Files with policies, suites or tests in them.
fn used(loaded: &Loaded) -> BTreeSet<String> {
    let b = &loaded.bundle;
    let items = kinds(loaded).into_iter().flat_map(|(_, items)| items.iter());
    let items = items.chain(&b.suites).map(|i| i.file.to_string());
    items
        .chain(b.rego.iter().chain(&b.rego_tests).map(|r| r.file.to_string()))
        .collect()
}

fn kinds(loaded: &Loaded) -> [(&'static str, &[Item]); 7] {
    let b = &loaded.bundle;
    [
        ("templates", &b.templates),
        ("constraints", &b.constraints),
        ("mutators", &b.mutators),
        ("expansions", &b.expansions),
        ("configs", &b.configs),
        ("syncSets", &b.sync_sets),
        ("providers", &b.providers),
    ]
}

/// The name of a file within the archive: its path below the source.
fn entry(source: &str, file: &str) -> String {
    let inner = file.strip_prefix(source.trim_end_matches('/')).unwrap_or(file);
    let inner = match inner.trim_start_matches('/') {
        // The source is the file.
        "" => file.rsplit('/').next().unwrap_or(file),
        inner => inner,
    };
    inner.strip_prefix("builtin:").unwrap_or(inner).to_owned()
}

fn inspect(file: &str, output: BundleFormat) -> Result<u8, Failed> {
    let bytes = files::read(file).map_err(Some)?;
    let mut loaded = Loaded::default();
    loaded.add_archive(file, &bytes);
    let set = compile(&loaded)?;
    let text = match output {
        BundleFormat::Text => text(file, &bytes, &loaded, &set),
        BundleFormat::Json => doc(&bytes, &loaded, &set).json(),
    };
    terminal::print(&text);
    Ok(CLEAN)
}

/// `Kind name`; of a template and a constraint the kind says what it is.
fn title(item: &Item) -> String {
    format!("{} {}", item.document.field("kind"), item.document.name())
}

fn place(item: &Item) -> (&str, u32) {
    (&item.file, item.document.places.find(&[]).0)
}

fn text(file: &str, bytes: &[u8], loaded: &Loaded, set: &PolicySet) -> String {
    let mut out = format!("{file}\n{}revision {}\n", digest_line(bytes), set.revision());
    for (what, items) in kinds(loaded) {
        if !items.is_empty() {
            let _ = writeln!(out, "{what}");
        }
        for item in items {
            let (file, line) = place(item);
            let _ = writeln!(out, "  {}  {file}:{line}", title(item));
        }
    }
    for (what, files) in [("rego", &loaded.bundle.rego), ("tests", &loaded.bundle.rego_tests)] {
        if !files.is_empty() {
            let _ = writeln!(out, "{what}");
        }
        for rego in files {
            let _ = writeln!(out, "  {}", rego.file);
        }
    }
    terminal::printable_lines(&out)
}

fn doc(bytes: &[u8], loaded: &Loaded, set: &PolicySet) -> Doc {
    let mut fields = vec![
        ("digest", Doc::from(digest(bytes))),
        ("revision", Doc::from(set.revision())),
    ];
    for (what, items) in kinds(loaded) {
        let items = items.iter().map(|item| {
            let (file, line) = place(item);
            Doc::Map(vec![
                ("kind", Doc::from(item.document.field("kind"))),
                ("name", Doc::from(item.document.name())),
                ("file", Doc::from(file)),
                ("line", Doc::from(line)),
            ])
        });
        fields.push((what, items.collect()));
    }
    let rego = loaded.bundle.rego.iter().map(|r| Doc::from(&*r.file));
    fields.push(("rego", rego.collect()));
    Doc::Map(fields)
}
