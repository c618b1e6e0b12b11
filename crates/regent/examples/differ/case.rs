//! One pair of program and input, as it is sent to both sides and as it is kept.

use regent_rego::{Value, json};

/// A program, what is asked of it, and the documents it sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Case {
    /// File names and texts.
    pub(crate) modules: Vec<(String, String)>,
    /// The query.
    pub(crate) query: String,
    /// JSON text; `None`: no input.
    pub(crate) input: Option<String>,
    /// JSON text of the base documents, an object.
    pub(crate) data: String,
    /// Modules and query are Rego v0.
    pub(crate) v0: bool,
    /// `opa check --strict`.
    pub(crate) strict: bool,
    /// Errors of built-ins end the evaluation.
    pub(crate) strict_errors: bool,
}

/// Reads JSON that this program wrote itself.
pub(crate) fn read(text: &str) -> Option<Value> {
    json::read(text.as_bytes(), json::ReadOptions::default()).ok()
}

/// An object of named fields.
pub(crate) fn record(fields: Vec<(&str, Value)>) -> Value {
    Value::object(fields.into_iter().map(|(k, v)| (Value::string(k), v)).collect())
}

impl Case {
    /// A case kept as a row; `None` for what is none.
    pub(crate) fn from_row(row: &str) -> Option<Case> {
        let row = read(row)?;
        let flag = |name| row.get(name).and_then(Value::as_bool) == Some(true);
        let modules = row.get("modules")?.as_object()?.iter();
        Some(Case {
            modules: modules
                .filter_map(|(file, text)| Some((file.as_str()?.to_owned(), text.as_str()?.to_owned())))
                .collect(),
            query: row.get("query").and_then(Value::as_str).unwrap_or_default().to_owned(),
            input: row.get("input").map(json::write),
            data: row.get("data").map_or("{}".to_owned(), json::write),
            v0: flag("v0"),
            strict: flag("strict"),
            strict_errors: flag("strict_builtin_errors"),
        })
    }

    /// The request to the judge; with its answer and a name it is a golden case.
    pub(crate) fn request(&self, id: &str) -> Vec<(&'static str, Value)> {
        let modules = self
            .modules
            .iter()
            .map(|(file, text)| (Value::string(file), Value::string(text)));
        let mut request = vec![
            ("id", Value::string(id)),
            ("modules", Value::object(modules.collect::<Vec<_>>())),
            ("query", Value::string(&self.query)),
        ];
        if let Some(input) = self.input.as_deref().and_then(read) {
            request.push(("input", input));
        }
        if self.data != "{}"
            && let Some(data) = read(&self.data)
        {
            request.push(("data", data));
        }
        for (name, flag) in [
            ("v0", self.v0),
            ("strict", self.strict),
            ("strict_builtin_errors", self.strict_errors),
        ] {
            if flag {
                request.push((name, Value::Bool(true)));
            }
        }
        request
    }

    /// All of its text, to look for what explains a difference.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for (_, text) in &self.modules {
            out.push_str(text);
        }
        for more in [&self.query, &self.data] {
            out.push('\n');
            out.push_str(more);
        }
        out.push('\n');
        out.push_str(self.input.as_deref().unwrap_or_default());
        out
    }

    /// For people.
    pub(crate) fn show(&self) -> String {
        let mut out = String::new();
        for (file, text) in &self.modules {
            out.push_str(&format!("# {file}\n{}\n", text.trim_end()));
        }
        out.push_str(&format!("query: {}\n", self.query));
        if let Some(input) = &self.input {
            out.push_str(&format!("input: {input}\n"));
        }
        if self.data != "{}" {
            out.push_str(&format!("data:  {}\n", self.data));
        }
        let flags = [
            ("v0", self.v0),
            ("strict", self.strict),
            ("strict-builtin-errors", self.strict_errors),
        ];
        let flags: Vec<&str> = flags.iter().filter(|f| f.1).map(|f| f.0).collect();
        if !flags.is_empty() {
            out.push_str(&format!("flags: {}\n", flags.join(" ")));
        }
        out
    }
}
