//! PolicyReports of the Kubernetes policy working group (`wgpolicyk8s.io/v1alpha2`): one a namespace, and one for what
//! lives in none.

use crate::doc::Doc;
use crate::report::{Finding, Report};
use crate::stream::Part;
use regent_core::Action;
use std::collections::BTreeMap;

/// A `List` of reports.
pub(crate) fn render(report: &Report) -> Part<'_> {
    let mut by_namespace: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        by_namespace.entry(&finding.object.namespace).or_default().push(finding);
    }
    let items = by_namespace
        .into_iter()
        .map(|(namespace, findings)| one(namespace, findings));
    Part::Map(vec![
        ("apiVersion", Part::from("v1")),
        ("kind", Part::from("List")),
        ("items", Part::list(items)),
    ])
}

fn one<'r>(namespace: &str, findings: Vec<&'r Finding>) -> Part<'r> {
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
    let summary = Doc::Map(vec![
        ("pass", Doc::from(0usize)),
        ("fail", count("fail")),
        ("warn", count("warn")),
        ("error", Doc::from(0usize)),
        ("skip", count("skip")),
    ]);
    Part::Map(vec![
        ("apiVersion", Part::from("wgpolicyk8s.io/v1alpha2")),
        ("kind", Part::from(kind)),
        ("metadata", Part::from(Doc::Map(metadata))),
        ("summary", Part::from(summary)),
        ("results", Part::list(findings.into_iter().map(result))),
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
    let c = &finding.constraint;
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
        ("enforcementAction", Doc::from(&c.enforcement_action)),
    ];
    if let Some(g) = &finding.generated {
        properties.push((
            "generated",
            Doc::from(format!("{} {} ({})", g.kind, g.name, g.template)),
        ));
    }
    Doc::Map(vec![
        ("source", Doc::from("regent")),
        ("policy", Doc::from(&c.kind)),
        ("rule", Doc::from(&c.name)),
        ("result", Doc::from(result_of(finding))),
        ("message", Doc::from(&*finding.message)),
        ("resources", Doc::List(vec![Doc::Map(resource)])),
        ("properties", Doc::Map(properties)),
    ])
}
