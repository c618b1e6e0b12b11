//! The stable JSON of `check`; YAML is the same document.

use crate::doc::Doc;
use crate::report::{Finding, Report};
use crate::stream::Part;
use regent_core::Generated;

pub(crate) fn render(report: &Report) -> Part<'_> {
    let errors = report.errors.iter().map(|p| {
        Doc::Map(vec![
            ("file", Doc::from(&p.file)),
            ("line", Doc::from(p.line)),
            ("column", Doc::from(p.column)),
            ("message", Doc::from(&p.message)),
        ])
    });
    let s = &report.summary;
    Part::Map(vec![
        ("revision", Part::from(&report.revision)),
        ("results", Part::list(report.findings.iter().map(finding))),
        ("errors", Part::list(errors)),
        (
            "summary",
            Part::from(Doc::Map(vec![
                ("objects", Doc::from(s.objects)),
                ("violations", Doc::from(s.violations)),
                ("denied", Doc::from(s.denied)),
                ("warned", Doc::from(s.warned)),
                ("errors", Doc::from(s.errors)),
            ])),
        ),
    ])
}

fn finding(finding: &Finding) -> Doc {
    let c = &finding.constraint;
    let mut fields = vec![
        ("file", Doc::from(&*finding.at.file)),
        ("line", Doc::from(finding.line)),
        ("column", Doc::from(finding.column)),
        ("object", finding.object.doc()),
        (
            "constraint",
            Doc::Map(vec![("kind", Doc::from(&c.kind)), ("name", Doc::from(&c.name))]),
        ),
        ("enforcementAction", Doc::from(&c.enforcement_action)),
        ("message", Doc::from(&*finding.message)),
        ("details", Doc::Value(finding.details.clone())),
    ];
    if let Some(g) = &finding.generated {
        fields.push(("generated", generated(g)));
    }
    Doc::Map(fields)
}

fn generated(g: &Generated) -> Doc {
    Doc::Map(vec![
        ("kind", Doc::from(&g.kind)),
        ("name", Doc::from(&g.name)),
        ("template", Doc::from(&g.template)),
    ])
}
