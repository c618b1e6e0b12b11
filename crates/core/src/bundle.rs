//! A revision of named files, sorted by what they are.

use crate::manifest::{self, Document, Problem};
use regent_rego::Value;
use std::sync::Arc;

/// What a document is to Regent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `templates.gatekeeper.sh` ConstraintTemplate.
    Template,
    /// Anything of `constraints.gatekeeper.sh`.
    Constraint,
    /// `mutations.gatekeeper.sh` Assign, AssignMetadata, AssignImage, ModifySet.
    Mutator,
    /// `expansion.gatekeeper.sh` ExpansionTemplate.
    Expansion,
    /// `config.gatekeeper.sh` Config.
    Config,
    /// `syncset.gatekeeper.sh` SyncSet.
    SyncSet,
    /// `externaldata.gatekeeper.sh` Provider.
    Provider,
    /// `test.gatekeeper.sh` Suite.
    Suite,
    /// No policy: an object like any other.
    Other,
}

/// A document and the file it stood in.
#[derive(Clone, Debug)]
pub struct Item {
    /// The file's name as given.
    pub file: Arc<str>,
    /// What stood there.
    pub document: Document,
}

/// A plain Rego file.
#[derive(Clone, Debug)]
pub struct RegoFile {
    /// The file's name as given.
    pub file: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

/// Everything a policy set is made of. Independent of the order in which files were added.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// ConstraintTemplates.
    pub templates: Vec<Item>,
    /// Constraints.
    pub constraints: Vec<Item>,
    /// Mutators.
    pub mutators: Vec<Item>,
    /// ExpansionTemplates.
    pub expansions: Vec<Item>,
    /// Config.
    pub configs: Vec<Item>,
    /// SyncSets.
    pub sync_sets: Vec<Item>,
    /// Providers.
    pub providers: Vec<Item>,
    /// Suites; no part of the policies or of the digest.
    pub suites: Vec<Item>,
    /// Plain Rego policies.
    pub rego: Vec<RegoFile>,
    /// Rego unit tests (`*_test.rego`); no part of the policies or of the digest.
    pub rego_tests: Vec<RegoFile>,
    /// What is no policy: skipped, for the caller to count and list.
    pub others: Vec<Item>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// What a document is, by its `apiVersion` and `kind`.
pub fn classify(value: &Value) -> Class {
    let api_version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    match (group, kind) {
        ("templates.gatekeeper.sh", "ConstraintTemplate") => Class::Template,
        ("constraints.gatekeeper.sh", _) => Class::Constraint,
        ("mutations.gatekeeper.sh", "Assign" | "AssignMetadata" | "AssignImage" | "ModifySet") => Class::Mutator,
        ("expansion.gatekeeper.sh", "ExpansionTemplate") => Class::Expansion,
        ("config.gatekeeper.sh", "Config") => Class::Config,
        ("syncset.gatekeeper.sh", "SyncSet") => Class::SyncSet,
        ("externaldata.gatekeeper.sh", "Provider") => Class::Provider,
        ("test.gatekeeper.sh", "Suite") => Class::Suite,
        _ => Class::Other,
    }
}

/// `sha256:…` of bytes.
pub fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

impl Bundle {
    /// Reads files: `*.rego` as Rego, everything else as YAML or JSON.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Bundle {
        let mut bundle = Bundle::default();
        for (name, bytes) in files {
            bundle.add_file(name, bytes);
        }
        bundle
    }

    /// Adds one file.
    pub fn add_file(&mut self, name: &str, bytes: &[u8]) {
        if name.ends_with(".rego") {
            match std::str::from_utf8(bytes) {
                Ok(text) => self.add_rego(name, text),
                Err(e) => {
                    let (line, column) = manifest::position(bytes, e.valid_up_to());
                    self.problems.push(Problem {
                        file: name.to_owned(),
                        line,
                        column,
                        message: "the text is not UTF-8".to_owned(),
                    });
                }
            }
            return;
        }
        for read in manifest::read(name, bytes) {
            match read {
                Ok(document) => self.add_document(name, document),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    /// Adds a Rego file.
    pub fn add_rego(&mut self, name: &str, text: &str) {
        let file = RegoFile {
            file: name.into(),
            text: text.into(),
        };
        let list = if name.ends_with("_test.rego") {
            &mut self.rego_tests
        } else {
            &mut self.rego
        };
        list.push(file);
        list.sort_by(|a, b| a.file.cmp(&b.file));
    }

    /// Adds a document that was read already.
    pub fn add_document(&mut self, name: &str, document: Document) {
        let list = match classify(&document.value) {
            Class::Template => &mut self.templates,
            Class::Constraint => &mut self.constraints,
            Class::Mutator => &mut self.mutators,
            Class::Expansion => &mut self.expansions,
            Class::Config => &mut self.configs,
            Class::SyncSet => &mut self.sync_sets,
            Class::Provider => &mut self.providers,
            Class::Suite => &mut self.suites,
            Class::Other => &mut self.others,
        };
        list.push(Item {
            file: name.into(),
            document,
        });
    }

    /// Whether there is nothing in it that could deny anything.
    pub fn has_policies(&self) -> bool {
        !self.templates.is_empty() || !self.constraints.is_empty() || !self.rego.is_empty()
    }

    /// Takes in everything of another bundle.
    pub fn merge(&mut self, other: Bundle) {
        self.templates.extend(other.templates);
        self.constraints.extend(other.constraints);
        self.mutators.extend(other.mutators);
        self.expansions.extend(other.expansions);
        self.configs.extend(other.configs);
        self.sync_sets.extend(other.sync_sets);
        self.providers.extend(other.providers);
        self.suites.extend(other.suites);
        self.rego.extend(other.rego);
        self.rego_tests.extend(other.rego_tests);
        self.others.extend(other.others);
        self.problems.extend(other.problems);
    }

    /// `sha256:…` over what the policies say: the same documents and Rego files give the same digest whatever files
    /// they stand in, in whatever order, with whatever comments or layout of YAML.
    pub fn revision(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut parts: Vec<[u8; 32]> = Vec::new();
        for list in [
            &self.templates,
            &self.constraints,
            &self.mutators,
            &self.expansions,
            &self.configs,
            &self.sync_sets,
            &self.providers,
        ] {
            for item in list {
                parts.push(Sha256::digest(regent_rego::json::write(&item.document.value).as_bytes()).into());
            }
        }
        for file in &self.rego {
            let mut hash = Sha256::new();
            hash.update(b"rego\0");
            hash.update(file.file.as_bytes());
            hash.update(b"\0");
            hash.update(file.text.as_bytes());
            parts.push(hash.finalize().into());
        }
        parts.sort_unstable();
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        format!("sha256:{}", hex::encode(hash.finalize()))
    }
}
