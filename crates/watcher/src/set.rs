//! Files read and compiled, with what panics caught: whatever a policy holds, the process stays.

use regent_core::manifest::{Places, Problem};
use regent_core::{Bundle, CompileOptions, PolicySet};
use regent_rego::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A file and what stands in it.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) read: Arc<Bundle>,
    /// It is of an earlier run, and nothing has said so in this one.
    pub(crate) cached: bool,
}

/// The files of a source, read.
pub(crate) type Files = BTreeMap<Arc<str>, File>;

/// All files of a set, read, as one bundle; with their bytes, to tell places.
#[derive(Debug, Default)]
pub(crate) struct Read {
    bundle: Bundle,
    bytes: BTreeMap<Arc<str>, Arc<[u8]>>,
}

impl Read {
    /// The digest of it.
    pub(crate) fn revision(&self) -> String {
        self.bundle.revision()
    }

    /// Whether anything in it could deny something.
    pub(crate) fn has_policies(&self) -> bool {
        self.bundle.has_policies()
    }
}

/// Reads files; those that `before` has with the same bytes are not read again.
pub(crate) fn read_all(files: &BTreeMap<Arc<str>, Arc<[u8]>>, before: Option<&Files>) -> Files {
    files
        .iter()
        .map(|(name, bytes)| {
            let known = before.and_then(|b| b.get(name)).filter(|f| f.bytes == *bytes);
            (name.clone(), known.cloned().unwrap_or_else(|| read(name, bytes)))
        })
        .collect()
}

fn read(name: &str, bytes: &Arc<[u8]>) -> File {
    let read = catch_unwind(|| {
        let mut bundle = Bundle::default();
        bundle.add_file(name, bytes);
        bundle
    });
    let read = read.unwrap_or_else(|_| {
        let mut bundle = Bundle::default();
        bundle.problems.push(Problem {
            file: name.to_owned(),
            line: 1,
            column: 0,
            message: "reading this file failed in a way that is a fault of Regent; please report it".to_owned(),
        });
        bundle
    });
    File {
        bytes: bytes.clone(),
        read: Arc::new(read),
        cached: false,
    }
}

/// The bytes alone.
pub(crate) fn bytes(files: &Files) -> BTreeMap<Arc<str>, Arc<[u8]>> {
    files
        .iter()
        .map(|(name, file)| (name.clone(), file.bytes.clone()))
        .collect()
}

/// Whether any file has a policy in it.
pub(crate) fn has_policies(files: &Files) -> bool {
    files.values().any(|f| {
        let b = &f.read;
        b.has_policies()
            || !(b.mutators.is_empty()
                && b.expansions.is_empty()
                && b.configs.is_empty()
                && b.sync_sets.is_empty()
                && b.providers.is_empty())
    })
}

/// Sources laid together, in their order.
pub(crate) fn merge<'a>(sources: impl Iterator<Item = &'a Files>) -> Read {
    let mut out = Read::default();
    for files in sources {
        for (name, file) in files {
            out.bundle.merge((*file.read).clone());
            out.bytes.insert(name.clone(), file.bytes.clone());
        }
    }
    out.bundle.rego.sort_by(|a, b| a.file.cmp(&b.file));
    out
}

/// Compiles, taking from the set before what has not changed; problems are sorted and stand within their files.
pub(crate) fn compile(before: &PolicySet, read: &Read, options: &CompileOptions) -> (PolicySet, Vec<Problem>) {
    let compiled = catch_unwind(AssertUnwindSafe(|| {
        PolicySet::compile_after(before, &read.bundle, options)
    }));
    let Ok((set, mut problems)) = compiled else {
        let problem = Problem {
            file: "policies".to_owned(),
            line: 0,
            column: 0,
            message: "compiling the policies failed in a way that is a fault of Regent; please report it".to_owned(),
        };
        return (PolicySet::default(), vec![problem]);
    };
    for problem in &mut problems {
        if let Some(bytes) = read.bytes.get(problem.file.as_str()) {
            crate::source::within(problem, bytes);
        }
    }
    (set, problems)
}

/// Tells the field of an object of the cluster in place of line and column: those are of a text that only we wrote.
pub(crate) fn tell_field(problem: &mut Problem, files: &Files) {
    let Some(file) = files.get(problem.file.as_str()) else {
        return;
    };
    let text = String::from_utf8_lossy(&file.bytes);
    let field = Places::new(&text, (1, 1)).path_at((problem.line, problem.column));
    (problem.line, problem.column) = (0, 0);
    // Faults of parameters name the field themselves.
    if let Some(field) = field.filter(|f| !f.is_empty() && !problem.message.contains(f.as_str())) {
        problem.message = format!("{field}: {}", problem.message);
    }
}

/// The `Config` documents.
pub(crate) fn configs(read: &Read) -> Vec<Value> {
    read.bundle.configs.iter().map(|c| c.document.value.clone()).collect()
}
