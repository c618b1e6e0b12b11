//! Runs Suites. Texts are gator's.

use super::{
    Assertion, Case, CaseResult, Count, Files, Filter, RunOptions, Status, Suite, SuiteResult, Test, TestResult,
};
use crate::ask::Engine;
use crate::constraint::Constraint;
use crate::coverage::{self, Coverage, Watched};
use crate::decision::Decision;
use crate::evaluate::{EvaluateOptions, POINT_GATOR, evaluate};
use crate::expansion::Expansion;
use crate::inventory::Inventory;
use crate::manifest::{self, Places};
use crate::object::{self, Gvk, quote};
use crate::policy_set::{CompileOptions, PolicySet};
use crate::review::{Review, Strictness};
use crate::template::Template;
use regent_rego::Value;
use std::sync::Arc;

impl Suite {
    /// Runs it. Paths are given to `files` joined to the suite's folder.
    pub fn run(&self, files: Files<'_>, filter: &Filter, options: &RunOptions<'_>) -> SuiteResult {
        if self.skip {
            return SuiteResult {
                path: self.path.clone(),
                status: Status::Skipped,
                tests: Vec::new(),
                coverage: Coverage::default(),
            };
        }
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let run = Runner { files, folder, options };
        let mut coverage = Coverage::default();
        let tests: Vec<TestResult> = self
            .tests
            .iter()
            .map(|test| {
                if test.skip || !filter.matches_test(&test.name, test.cases.iter().map(|c| c.name.as_str())) {
                    return result(&test.name, Status::Skipped, String::new(), Vec::new());
                }
                run.test(test, filter, &mut coverage)
            })
            .collect();
        let failed = tests.iter().any(|t| t.status == Status::Failed);
        SuiteResult {
            path: self.path.clone(),
            status: if failed { Status::Failed } else { Status::Passed },
            tests,
            coverage,
        }
    }
}

fn result(name: &str, status: Status, message: String, cases: Vec<CaseResult>) -> TestResult {
    TestResult {
        name: name.to_owned(),
        status,
        message,
        cases,
    }
}

/// What the tests of one suite share.
struct Runner<'a> {
    files: Files<'a>,
    folder: &'a str,
    options: &'a RunOptions<'a>,
}

/// What a test is about, compiled.
struct Loaded {
    policies: PolicySet,
    /// File and places of the constraint.
    file: String,
    places: Places,
}

/// A template with a constraint, or why there is none.
struct Failed {
    message: String,
    schema: bool,
}

impl From<String> for Failed {
    fn from(message: String) -> Failed {
        Failed { message, schema: false }
    }
}

impl Runner<'_> {
    fn test(&self, test: &Test, filter: &Filter, coverage: &mut Coverage) -> TestResult {
        const WANTED: &str = "constraint should have failed schema validation";
        let fail = |message: String| result(&test.name, Status::Failed, message, Vec::new());
        let loaded = self.load(test);
        if test.invalid {
            return match loaded {
                Err(Failed { schema: true, .. }) => result(&test.name, Status::Passed, String::new(), Vec::new()),
                Err(Failed { message, .. }) => fail(format!(
                    "{WANTED}: got error {message} but want schema validation failed"
                )),
                Ok(_) => fail(format!("{WANTED}: got no error but want schema validation failed")),
            };
        }
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(failed) => return fail(failed.message),
        };
        let mut watched = Vec::new();
        if self.options.coverage {
            watched = Watched::all(&loaded.policies, &loaded.file, &loaded.places);
        }
        let cases: Vec<CaseResult> = test
            .cases
            .iter()
            .map(|case| {
                if case.skip || !filter.matches_case(&test.name, &case.name) {
                    return case_result(&case.name, Status::Skipped, String::new());
                }
                self.case(case, &loaded.policies, !test.expansion.is_empty(), &mut watched)
            })
            .collect();
        watched.into_iter().for_each(|w| coverage.merge(w.coverage));
        let failed = cases.iter().any(|c| c.status == Status::Failed);
        result(
            &test.name,
            if failed { Status::Failed } else { Status::Passed },
            String::new(),
            cases,
        )
    }

    /// Template, constraint and expansion of a test, compiled.
    fn load(&self, test: &Test) -> Result<Loaded, Failed> {
        // Gatekeeper's engine does not look at actions.
        let compile = CompileOptions {
            print: true,
            validate_actions: false,
            second_opinion: self.options.engine != Engine::Native,
            ..CompileOptions::default()
        };
        if test.template.is_empty() {
            return Err("invalid Suite: missing template".to_owned().into());
        }
        let path = join(self.folder, &test.template);
        let (document, places) = self
            .first(&path, &format!("reading ConstraintTemplate from {}", quote(&path)))
            .map_err(|e| {
                e.unwrap_or_else(|e| {
                    format!(
                        "adding template: parsing ConstraintTemplate YAML from {}: {e}",
                        quote(&path)
                    )
                })
            })?;
        let gvk = Gvk::of(&document);
        if gvk.group != "templates.gatekeeper.sh" || gvk.kind != "ConstraintTemplate" {
            return Err(format!("path {}: not a ConstraintTemplate", quote(&path)).into());
        }
        let template = Template::read(&document, &path.as_str().into(), &places, &compile)
            .map_err(|e| Failed::from(format!("adding template: {}", e.message)))?;
        let template = Arc::new(template);
        let template_name = object::name(&document).to_owned();
        if test.constraint.is_empty() {
            return Err("invalid Suite: missing constraint".to_owned().into());
        }
        let path = join(self.folder, &test.constraint);
        let (document, places) = self
            .first(&path, &format!("reading Constraint from {}", quote(&path)))
            .map_err(|e| {
                e.unwrap_or_else(|e| format!("adding constraint: parsing Constraint from {}: {e}", quote(&path)))
            })?;
        if Gvk::of(&document).group != "constraints.gatekeeper.sh" {
            return Err("not a Constraint".to_owned().into());
        }
        let find = |name: &str| (name == template_name).then_some(&template.outline);
        let constraint = Constraint::read(&document, find, false).map_err(|e| Failed {
            message: e.message,
            schema: e.schema,
        })?;
        let policies = match test.invalid {
            true => PolicySet::default(),
            false => PolicySet::of_one(template, constraint, self.expansions(test)?),
        };
        Ok(Loaded {
            policies,
            file: path,
            places,
        })
    }

    fn expansions(&self, test: &Test) -> Result<Vec<Expansion>, Failed> {
        if test.expansion.is_empty() {
            return Ok(Vec::new());
        }
        let path = join(self.folder, &test.expansion);
        let bytes = (self.files)(&path).map_err(|e| format!("reading ExpansionTemplate from {}: {e}", quote(&path)))?;
        let objects = documents(&path, &bytes).map_err(|e| format!("reading {}: {e}", quote(&path)))?;
        let is_expansion = |o: &Value| {
            let gvk = Gvk::of(o);
            gvk.group == "expansion.gatekeeper.sh" && gvk.kind == "ExpansionTemplate"
        };
        if objects.is_empty() || !objects.iter().all(is_expansion) {
            return Err(format!("not an Expansion Template: {}", quote(&path)).into());
        }
        let read = |o: &Value| {
            Expansion::read(o).map_err(|e| Failed::from(format!("error upserting template {}: {e}", object::name(o))))
        };
        objects.iter().map(read).collect()
    }

    /// The first document of a file. The outer error is of reading the file (whole), the inner of its YAML.
    fn first(&self, path: &str, reading: &str) -> Result<(Value, Places), Result<String, String>> {
        let bytes = (self.files)(path).map_err(|e| Ok(format!("{reading}: {e}")))?;
        match manifest::read(path, &bytes).into_iter().next() {
            None => Ok((Value::object(Vec::new()), Places::default())),
            Some(Ok(document)) => Ok((document.value, document.places)),
            Some(Err(problem)) => Err(Err(problem.to_string())),
        }
    }

    fn case(&self, case: &Case, policies: &PolicySet, expand: bool, watched: &mut [Watched]) -> CaseResult {
        let now = || self.options.clock.map_or(0, |now| now());
        let start = now();
        let mut out = case_result(&case.name, Status::Passed, String::new());
        match self.review(case, policies, expand, watched) {
            Err(message) => {
                out.status = Status::Failed;
                out.message = message;
            }
            Ok(decision) => {
                out.violations = decision.violations.iter().map(|v| v.message.clone()).collect();
                out.prints = decision.prints;
                out.unconfirmed = decision.unconfirmed.into_iter().map(|u| u.reason).collect();
                let failure = decision.failures.first().map(|f| f.message.clone());
                let failure = failure.or_else(|| case.assertions.iter().find_map(|a| check(a, &out.violations).err()));
                if let Some(message) = failure {
                    out.status = Status::Failed;
                    out.message = message;
                }
            }
        }
        out.nanos = now().saturating_sub(start);
        out
    }

    fn review(
        &self,
        case: &Case,
        policies: &PolicySet,
        expand: bool,
        watched: &mut [Watched],
    ) -> Result<Decision, String> {
        if case.object.is_empty() {
            return Err("invalid Case: must define object".to_owned());
        }
        if case.assertions.is_empty() {
            return Err("invalid Case: assertions must be non-empty".to_owned());
        }
        let path = join(self.folder, &case.object);
        let objects = self.objects(&path)?;
        let [object] = objects.as_slice() else {
            let count = objects.len();
            return Err(format!(
                "object file must contain exactly one object: {} defines {count} objects",
                quote(&path)
            ));
        };
        let mut others = Vec::new();
        for path in &case.inventory {
            others.extend(self.objects(&join(self.folder, path))?);
        }
        let (inventory, problems) = Inventory::build(&others);
        if let Some(problem) = problems.first() {
            return Err(format!("unable to add object to data.inventory: {problem}"));
        }
        let gvk = Gvk::of(object);
        let is_request = gvk.kind == "AdmissionReview" && gvk.group == "admission.k8s.io";
        let review = if is_request {
            Review::of_admission_review(object, None, Strictness::Strict)?
        } else {
            Review::of_object(object.clone(), None)
        };
        let options = EvaluateOptions {
            point: POINT_GATOR,
            clock: self.options.clock,
            constraint_budget: self.options.constraint_budget,
            memory: self.options.memory,
            time_ns: self.options.time_ns,
            engine: self.options.engine,
            second: self.options.second,
            // A constraint that asks for workloads gets them here as well; ExpansionTemplates only where the test has
            // them, and never for requests.
            expand: expand && !is_request || policies.judges_workloads(),
            ..EvaluateOptions::default()
        };
        coverage::observe(policies, &review, &inventory, &options, watched);
        Ok(evaluate(policies, &review, &inventory, &options))
    }

    fn objects(&self, path: &str) -> Result<Vec<Value>, String> {
        let bytes = (self.files)(path)?;
        let objects = documents(path, &bytes).map_err(|e| format!("reading {}: {e}", quote(path)))?;
        if objects.is_empty() {
            return Err(format!("missing objects: path {} defines no YAML objects", quote(path)));
        }
        Ok(objects)
    }
}

fn documents(path: &str, bytes: &[u8]) -> Result<Vec<Value>, String> {
    let read = manifest::read(path, bytes).into_iter();
    read.map(|r| r.map(|d| d.value).map_err(|p| format!("invalid yaml: {p}")))
        .collect()
}

fn case_result(name: &str, status: Status, message: String) -> CaseResult {
    CaseResult {
        name: name.to_owned(),
        status,
        message,
        violations: Vec::new(),
        unconfirmed: Vec::new(),
        prints: Vec::new(),
        nanos: 0,
    }
}

fn check(assertion: &Assertion, messages: &[String]) -> Result<(), String> {
    let regex = match &assertion.message {
        None => None,
        Some(text) => {
            let compiled = object::regex(text);
            Some(compiled.map_err(|e| format!("message contains invalid regular expression: {e}"))?)
        }
    };
    let count = messages
        .iter()
        .filter(|m| regex.as_ref().is_none_or(|r| r.is_match(m)))
        .count();
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let wanted = match assertion.violations {
        Count::Yes if count > 0 => return Ok(()),
        Count::No if count == 0 => return Ok(()),
        Count::Exactly(n) if n == count => return Ok(()),
        Count::Yes => "at least 1".to_owned(),
        Count::No => "none".to_owned(),
        Count::Exactly(n) => format!("exactly {n}"),
        Count::Invalid => {
            return Err(format!(
                "invalid yaml: assertion.violation, if set, must be a nonnegative integer, \"yes\", or \"no\": got \
                 messages [{}]",
                messages.join(" ")
            ));
        }
    };
    let containing = assertion
        .message
        .as_ref()
        .map_or_else(String::new, |m| format!(" containing {}", quote(m)));
    Err(format!(
        "unexpected number of violations: got {count} violations{containing} but want {wanted}: got messages [{}]",
        messages.join(" ")
    ))
}

/// A path below a folder, without `.` and `..` where they can be resolved.
fn join(folder: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let absolute = folder.starts_with('/');
    let mut out: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if out.last().is_some_and(|last| *last != "..") => {
                out.pop();
            }
            ".." if absolute => {}
            part => out.push(part),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, out.join("/"))
}
