//! The stable JSON of `check`; YAML is the same document.

use crate::doc::Doc;
use crate::report::{Finding, Report};
use regent_core::Generated;

pub(crate) fn render(report: &Report) -> Doc {
    let errors = report.errors.iter().map(|p| {
        Doc::Map(vec![
            ("file", Doc::from(&p.file)),
            ("line", Doc::from(p.line)),
            ("column", Doc::from(p.column)),
            ("message", Doc::from(&p.message)),
        ])
    });
    let s = &report.summary;
    Doc::Map(vec![
        ("revision", Doc::from(&report.revision)),
        ("results", report.findings.iter().map(finding).collect()),
        ("errors", errors.collect()),
        (
            "summary",
            Doc::Map(vec![
                ("objects", Doc::from(s.objects)),
                ("violations", Doc::from(s.violations)),
                ("denied", Doc::from(s.denied)),
                ("warned", Doc::from(s.warned)),
                ("errors", Doc::from(s.errors)),
            ]),
        ),
    ])
}

fn finding(finding: &Finding) -> Doc {
    let v = &finding.violation;
    let mut fields = vec![
        ("file", Doc::from(&*finding.at.file)),
        ("line", Doc::from(finding.line)),
        ("column", Doc::from(finding.column)),
        ("object", finding.object.doc()),
        (
            "constraint",
            Doc::Map(vec![
                ("kind", Doc::from(&v.constraint_kind)),
                ("name", Doc::from(&v.constraint_name)),
            ]),
        ),
        ("enforcementAction", Doc::from(&v.enforcement_action)),
        ("message", Doc::from(&v.message)),
        ("details", Doc::Value(v.details.clone())),
    ];
    if let Some(g) = &v.generated {
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
