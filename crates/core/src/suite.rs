//! Tests of policies as data: Suites of `gator verify`, and Rego unit tests.

mod rego_tests;
mod run;

use crate::ask::Engine;
use crate::coverage::Coverage;
use crate::object::{self, Gvk};
use regent_rego::{SecondEvaluator, Value};
use regex::Regex;

pub use rego_tests::run_rego_tests;

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
    /// Anything else, which fails when it is asked.
    Invalid,
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
pub struct Filter {
    kind: FilterKind,
}

#[derive(Clone, Debug, Default)]
enum FilterKind {
    /// Everything.
    #[default]
    All,
    /// Tests or cases of that name.
    Either(Regex),
    /// Tests of the first name, and of those the cases of the second.
    Both(Regex, Regex),
}

impl Filter {
    /// `R` (tests or cases), `T//C` (tests and cases); empty: everything.
    ///
    /// # Errors
    /// A bad regular expression, or more than one `//`.
    pub fn parse(run: &str) -> Result<Filter, String> {
        let regex = |text: &str| object::regex(text).map_err(|e| format!("invalid test filter: {e}"));
        let mut parts = run.split("//");
        let kind = match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            ("", None, _) => FilterKind::All,
            (either, None, _) => FilterKind::Either(regex(either)?),
            (test, Some(case), None) => FilterKind::Both(regex(test)?, regex(case)?),
            _ => return Err("invalid test filter: a filter may include at most one \"//\"".to_owned()),
        };
        Ok(Filter { kind })
    }

    /// Whether a test runs, given the names of its cases.
    pub fn matches_test<'c>(&self, test: &str, mut cases: impl Iterator<Item = &'c str>) -> bool {
        match &self.kind {
            FilterKind::All => true,
            FilterKind::Either(regex) => regex.is_match(test) || cases.any(|c| regex.is_match(c)),
            FilterKind::Both(regex, _) => regex.is_match(test),
        }
    }

    /// Whether a case of a test runs.
    pub fn matches_case(&self, test: &str, case: &str) -> bool {
        match &self.kind {
            FilterKind::All => true,
            FilterKind::Either(regex) => regex.is_match(case) || regex.is_match(test),
            FilterKind::Both(tests, cases) => tests.is_match(test) && cases.is_match(case),
        }
    }
}

/// How suites run.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    /// Which evaluator answers.
    pub engine: Engine,
    /// The other evaluator, for all but [`Engine::Native`].
    pub second: Option<SecondEvaluator<'a>>,
    /// Monotonic nanoseconds; `None`: no time limits.
    pub clock: Option<&'a (dyn Fn() -> u64 + Sync)>,
    /// Nanoseconds one constraint may take on one object.
    pub constraint_budget: u64,
    /// Bytes that the values may take which one evaluation makes.
    pub memory: usize,
    /// `time.now_ns()`, nanoseconds since 1970.
    pub time_ns: i64,
    /// Find out what is exercised ([`SuiteResult::coverage`]). Everything is evaluated once more for it; results do not
    /// depend on it.
    pub coverage: bool,
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
    /// Why the second evaluator was not asked, when both were wanted.
    pub unconfirmed: Vec<String>,
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
    /// What they exercised; empty when that is not wanted.
    pub coverage: Coverage,
}

/// Gives the bytes of a file by path, or says why not (`open x: no such file or directory`).
pub type Files<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

impl Suite {
    /// Reads a Suite document; `None` when it is none.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parse(path: &str, document: &Value) -> Option<Result<Suite, String>> {
        let gvk = Gvk::of(document);
        if gvk.group != "test.gatekeeper.sh" || gvk.kind != "Suite" {
            return None;
        }
        Some(Suite::read(path, document).map_err(|e| format!("invalid yaml: {e}")))
    }

    fn read(path: &str, document: &Value) -> Result<Suite, String> {
        let mut tests = Vec::new();
        for (i, test) in list(document, "tests")?.iter().enumerate() {
            let mut cases = Vec::new();
            for (j, case) in list(test, "cases")?.iter().enumerate() {
                let assertions = list(case, "assertions")?
                    .iter()
                    .map(Assertion::read)
                    .collect::<Result<_, _>>();
                let at = |e: String| format!("tests[{i}].cases[{j}]: {e}");
                cases.push(Case {
                    name: name(case).map_err(at)?,
                    object: text(case, "object").map_err(at)?,
                    inventory: list(case, "inventory")?
                        .iter()
                        .filter_map(|v| v.as_str().map(str::to_owned))
                        .collect(),
                    assertions: assertions.map_err(at)?,
                    skip: flag(case, "skip").map_err(at)?,
                });
            }
            let at = |e: String| format!("tests[{i}]: {e}");
            tests.push(Test {
                name: name(test).map_err(at)?,
                template: text(test, "template").map_err(at)?,
                constraint: text(test, "constraint").map_err(at)?,
                expansion: text(test, "expansion").map_err(at)?,
                invalid: flag(test, "invalid").map_err(at)?,
                skip: flag(test, "skip").map_err(at)?,
                cases,
            });
        }
        Ok(Suite {
            path: path.to_owned(),
            skip: flag(document, "skip")?,
            tests,
        })
    }
}

impl Assertion {
    fn read(value: &Value) -> Result<Assertion, String> {
        // YAML as Kubernetes reads it has made booleans of yes and no.
        let violations = match value.get("violations") {
            None | Some(Value::Null | Value::Bool(true)) => Count::Yes,
            Some(Value::Bool(false)) => Count::No,
            Some(Value::String(s)) if s == "yes" => Count::Yes,
            Some(Value::String(s)) if s == "no" => Count::No,
            Some(number @ Value::Number(_)) => match number.as_i64() {
                Some(n) if n >= 0 => Count::Exactly(n),
                _ => Count::Invalid,
            },
            Some(_) => Count::Invalid,
        };
        let message = match value.get("message") {
            None | Some(Value::Null) => None,
            Some(Value::String(s)) => Some(s.to_string()),
            Some(other) => return Err(format!("assertion.message must be a string, not {}", other.type_name())),
        };
        Ok(Assertion { violations, message })
    }
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a [Value], String> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(format!("{key} must be a list, not {}", other.type_name())),
    }
}

fn text(value: &Value, key: &str) -> Result<String, String> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(s)) => Ok(s.to_string()),
        Some(other) => Err(format!("{key} must be a string, not {}", object::go_value(other))),
    }
}

/// A name; `yes` and `no` have come as booleans.
fn name(value: &Value) -> Result<String, String> {
    match value.get("name") {
        Some(Value::Bool(true)) => Ok("yes".to_owned()),
        Some(Value::Bool(false)) => Ok("no".to_owned()),
        _ => text(value, "name"),
    }
}

fn flag(value: &Value, key: &str) -> Result<bool, String> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(b)) => Ok(*b),
        Some(other) => Err(format!("{key} must be true or false, not {}", object::go_value(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regent_rego::yaml;

    #[test]
    fn filters() {
        for (run, test, case, runs) in [
            ("", "t", "c", true),
            ("t", "t", "c", true),
            ("c", "t", "c", true),
            ("x", "t", "c", false),
            ("^t$//", "t", "c", true),
            ("//c", "t", "c", true),
            ("t//x", "t", "c", false),
            ("x//c", "t", "c", false),
        ] {
            let filter = Filter::parse(run).unwrap();
            let ran = filter.matches_test(test, [case].into_iter()) && filter.matches_case(test, case);
            assert_eq!(ran, runs, "{run}");
        }
        for (run, message) in [
            (
                "a//b//c",
                "invalid test filter: a filter may include at most one \"//\"",
            ),
            ("(", "invalid test filter: error parsing regexp: missing closing ): `(`"),
        ] {
            assert_eq!(Filter::parse(run).unwrap_err(), message);
        }
    }

    #[test]
    fn suites_are_read() {
        let suite = |text: &str| Suite::parse("s.yaml", &yaml::read(text).unwrap());
        assert!(suite("{apiVersion: v1, kind: Suite}").is_none());
        let head = "{apiVersion: test.gatekeeper.sh/v1alpha1, kind: Suite, ";
        for (rest, message) in [
            ("tests: 1}", "invalid yaml: tests must be a list, not number"),
            ("skip: maybe}", "invalid yaml: skip must be true or false, not maybe"),
            (
                "tests: [{template: 1}]}",
                "invalid yaml: tests[0]: template must be a string, not 1",
            ),
        ] {
            assert_eq!(suite(&format!("{head}{rest}")).unwrap().unwrap_err(), message);
        }
        let assertions = "tests: [{cases: [{assertions: [{}, {violations: yes}, {violations: 'no'}, {violations: 2}, \
                          {violations: -1}, {violations: maybe}]}]}]}";
        let read = suite(&format!("{head}{assertions}")).unwrap().unwrap();
        let counts: Vec<Count> = read.tests[0].cases[0].assertions.iter().map(|a| a.violations).collect();
        let wanted = [
            Count::Yes,
            Count::Yes,
            Count::No,
            Count::Exactly(2),
            Count::Invalid,
            Count::Invalid,
        ];
        assert_eq!(counts, wanted);
    }
}
