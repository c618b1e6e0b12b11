//! The stable JSON of `verify`.

use super::coverage;
use crate::command::verify::Outcome;
use crate::doc::Doc;
use regent_core::suite::Status;

/// Counts of a `verify`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) tests: usize,
    pub(super) cases: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

/// A test or case as a line of the report.
pub(super) struct Line<'o> {
    pub(super) suite: &'o str,
    pub(super) test: &'o str,
    /// Empty for a test that has no cases, or could not run them.
    pub(super) case: &'o str,
    pub(super) status: Status,
    pub(super) message: &'o str,
    pub(super) violations: &'o [String],
    pub(super) nanos: u64,
}

/// Every case, and every test that stands for itself.
pub(super) fn lines(outcome: &Outcome) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for suite in &outcome.suites {
        for test in &suite.tests {
            if test.cases.is_empty() || !test.message.is_empty() {
                lines.push(Line {
                    suite: &suite.path,
                    test: &test.name,
                    case: "",
                    status: test.status,
                    message: &test.message,
                    violations: &[],
                    nanos: 0,
                });
            }
            lines.extend(test.cases.iter().map(|case| Line {
                suite: &suite.path,
                test: &test.name,
                case: &case.name,
                status: case.status,
                message: &case.message,
                violations: &case.violations,
                nanos: case.nanos,
            }));
        }
    }
    lines
}

pub(super) fn totals(outcome: &Outcome) -> Totals {
    let tests = || outcome.suites.iter().flat_map(|s| &s.tests);
    let lines = lines(outcome);
    let count = |status: Status| lines.iter().filter(|l| l.status == status).count();
    Totals {
        tests: tests().count(),
        cases: tests().map(|t| t.cases.len()).sum(),
        failed: count(Status::Failed),
        skipped: count(Status::Skipped),
    }
}

pub(crate) fn render(outcome: &Outcome) -> Doc {
    let totals = totals(outcome);
    let results = lines(outcome).into_iter().map(|l| {
        let mut fields = vec![
            ("suite", Doc::from(l.suite)),
            ("test", Doc::from(l.test)),
            ("case", Doc::from(l.case)),
            ("ok", Doc::from(l.status != Status::Failed)),
        ];
        if l.status == Status::Skipped {
            fields.push(("skipped", Doc::from(true)));
        }
        fields.push(("message", Doc::from(l.message)));
        fields.push(("violations", l.violations.iter().map(Doc::from).collect()));
        Doc::Map(fields)
    });
    let mut fields = vec![
        ("suites", Doc::from(outcome.suites.len())),
        ("tests", Doc::from(totals.tests)),
        ("cases", Doc::from(totals.cases)),
        ("failed", Doc::from(totals.failed)),
        ("skipped", Doc::from(totals.skipped)),
        ("results", results.collect()),
    ];
    if !outcome.errors.is_empty() {
        let errors = outcome.errors.iter().map(|p| {
            Doc::Map(vec![
                ("file", Doc::from(&p.file)),
                ("line", Doc::from(p.line)),
                ("column", Doc::from(p.column)),
                ("message", Doc::from(&p.message)),
            ])
        });
        fields.push(("errors", errors.collect()));
    }
    fields.extend(
        outcome
            .coverage
            .as_ref()
            .map(|c| ("coverage", coverage::json_of_suites(c))),
    );
    Doc::Map(fields)
}
