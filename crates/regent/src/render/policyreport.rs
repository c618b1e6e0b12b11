//! PolicyReports of the Kubernetes policy working group (`wgpolicyk8s.io/v1alpha2`): one a namespace, and one for what
//! lives in none.

use crate::doc::Doc;
use crate::report::{Finding, Report};
use regent_core::Action;
use std::collections::BTreeMap;

/// A `List` of reports.
pub(crate) fn render(report: &Report) -> Doc {
    let mut by_namespace: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        by_namespace.entry(&finding.object.namespace).or_default().push(finding);
    }
    let items = by_namespace
        .iter()
        .map(|(namespace, findings)| one(namespace, findings));
    Doc::Map(vec![
        ("apiVersion", Doc::from("v1")),
        ("kind", Doc::from("List")),
        ("items", items.collect()),
    ])
}

fn one(namespace: &str, findings: &[&Finding]) -> Doc {
    let mut metadata = vec![("name", Doc::from("regent"))];
    if !namespace.is_empty() {
        metadata.push(("namespace", Doc::from(namespace)));
    }
    let kind = if namespace.is_empty() {
        "ClusterPolicyReport"
    } else {
        "PolicyReport"
    };
    let count = |wanted: &str| Doc::from(findings.iter().filter(|f| result_of(f) == wanted).count());
    Doc::Map(vec![
        ("apiVersion", Doc::from("wgpolicyk8s.io/v1alpha2")),
        ("kind", Doc::from(kind)),
        ("metadata", Doc::Map(metadata)),
        (
            "summary",
            Doc::Map(vec![
                ("pass", Doc::from(0usize)),
                ("fail", count("fail")),
                ("warn", count("warn")),
                ("error", Doc::from(0usize)),
                ("skip", count("skip")),
            ]),
        ),
        ("results", findings.iter().map(|f| result(f)).collect()),
    ])
}

fn result_of(finding: &Finding) -> &'static str {
    match finding.action() {
        Some(Action::Deny) => "fail",
        Some(Action::Warn | Action::Dryrun) => "warn",
        None => "skip",
    }
}

fn result(finding: &Finding) -> Doc {
    let v = &finding.violation;
    let object = &finding.object;
    let mut resource = vec![
        ("apiVersion", Doc::from(&object.api_version)),
        ("kind", Doc::from(&object.kind)),
        ("name", Doc::from(&object.name)),
    ];
    if !object.namespace.is_empty() {
        resource.push(("namespace", Doc::from(&object.namespace)));
    }
    let mut properties = vec![
        ("file", Doc::from(&*finding.at.file)),
        ("line", Doc::from(finding.line.to_string())),
        ("column", Doc::from(finding.column.to_string())),
        ("enforcementAction", Doc::from(&v.enforcement_action)),
    ];
    if let Some(g) = &v.generated {
        properties.push((
            "generated",
            Doc::from(format!("{} {} ({})", g.kind, g.name, g.template)),
        ));
    }
    Doc::Map(vec![
        ("source", Doc::from("regent")),
        ("policy", Doc::from(&v.constraint_kind)),
        ("rule", Doc::from(&v.constraint_name)),
        ("result", Doc::from(result_of(finding))),
        ("message", Doc::from(&v.message)),
        ("resources", Doc::List(vec![Doc::Map(resource)])),
        ("properties", Doc::Map(properties)),
    ])
}
