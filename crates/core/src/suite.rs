//! Tests of policies as data: Suites of `gator verify`, and Rego unit tests.

use crate::evaluate::Engine;
use regent_rego::Value;

/// A parsed Suite.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file it stands in.
    pub path: String,
    /// Skip all of it.
    pub skip: bool,
    /// Its tests.
    pub tests: Vec<Test>,
}

/// A template and a constraint, and cases for them.
#[derive(Clone, Debug, Default)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// Path of the template, relative to the suite.
    pub template: String,
    /// Path of the constraint.
    pub constraint: String,
    /// Path of ExpansionTemplates.
    pub expansion: String,
    /// The constraint must fail schema validation.
    pub invalid: bool,
    /// Skip it.
    pub skip: bool,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// An object and what must come of it.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Path of the object.
    pub object: String,
    /// Paths of inventory objects.
    pub inventory: Vec<String>,
    /// What must hold, in order.
    pub assertions: Vec<Assertion>,
    /// Skip it.
    pub skip: bool,
}

/// How many violations there must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// At least one.
    Yes,
    /// None.
    No,
    /// Exactly so many.
    Exactly(i64),
}

/// One assertion.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// How many.
    pub violations: Count,
    /// Only violations whose message has a match of it.
    pub message: Option<String>,
}

/// Which tests and cases run (`--run`).
#[derive(Clone, Debug, Default)]
pub struct Filter {}

impl Filter {
    /// `R` (tests or cases), `T//C` (tests and cases); empty: everything.
    ///
    /// # Errors
    /// A bad regular expression, or more than one `//`.
    pub fn parse(_run: &str) -> Result<Filter, String> {
        Ok(Filter::default())
    }
}

/// How suites run.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    /// Which evaluator answers.
    pub engine: Engine,
    /// Monotonic nanoseconds; `None`: no time limits.
    pub clock: Option<&'a (dyn Fn() -> u64 + Sync)>,
    /// Nanoseconds one constraint may take on one object.
    pub constraint_budget: u64,
    /// `time.now_ns()`, nanoseconds since 1970.
    pub time_ns: i64,
}

/// What became of a test or case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It was not run: `skip`, or the filter.
    Skipped,
}

/// What a test came to.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// What became of it; failed when one of its cases did.
    pub status: Status,
    /// Why it could not run its cases (bad template, constraint, ...); empty otherwise.
    pub message: String,
    /// Its cases, in order.
    pub cases: Vec<CaseResult>,
}

/// What a case came to.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub status: Status,
    /// Why it failed; empty otherwise.
    pub message: String,
    /// Messages of what was found.
    pub violations: Vec<String>,
    /// Lines that policies printed.
    pub prints: Vec<String>,
    /// Nanoseconds by the clock of the options.
    pub nanos: u64,
}

/// What a suite came to.
#[derive(Clone, Debug)]
pub struct SuiteResult {
    /// The file.
    pub path: String,
    /// What became of it; failed when one of its tests did.
    pub status: Status,
    /// Its tests, in order.
    pub tests: Vec<TestResult>,
}

/// Gives the bytes of a file by path, or says why not (`open x: no such file or directory`).
pub type Files<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

impl Suite {
    /// Reads a Suite document; `None` when it is none.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parse(_path: &str, _document: &Value) -> Option<Result<Suite, String>> {
        None
    }

    /// Runs it. Paths are given to `files` joined to the suite's folder.
    pub fn run(&self, _files: Files<'_>, _filter: &Filter, _options: &RunOptions<'_>) -> SuiteResult {
        SuiteResult {
            path: self.path.clone(),
            status: Status::Skipped,
            tests: Vec::new(),
        }
    }
}

/// Runs the `test_*` rules of Rego files (`name`, text), as `opa test` does: a test result a file that has tests, a case
/// a rule.
pub fn run_rego_tests(_files: &[(String, String)], _filter: &Filter, _options: &RunOptions<'_>) -> Vec<TestResult> {
    Vec::new()
}
