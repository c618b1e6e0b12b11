//! `regent check`: judges manifests offline.

use super::{CLEAN, DENIED, FAILED};
use crate::arguments::{Check, CheckFormat, FailOn, Judging};
use crate::judge::{self, Context};
use crate::manifests::Manifests;
use crate::policies::Loaded;
use crate::report::Report;
use crate::{render, terminal};
use regent_core::{Action, Inventory, PolicySet};

/// What is judged without a policy of the user's.
const DEFAULT: &str = "builtin:pod-security-baseline";

pub(crate) fn run(args: &Check) -> u8 {
    let manifests = Manifests::read(&args.judging.filename);
    let set = match policies(&args.judging, &manifests) {
        Ok(set) => set,
        Err(problems) => {
            // What is wrong with the manifests is told in the same run.
            let others = manifests.unreadable();
            manifests.show(&others);
            let mut report = Report {
                errors: problems.into_iter().chain(others).collect(),
                ..Report::default()
            };
            report.finish(0);
            emit(args, &report);
            return FAILED;
        }
    };
    let mut report = judge(args, &set, &manifests);
    if report.summary.objects == 0 && report.errors.is_empty() {
        let names: Vec<&str> = manifests.files.iter().map(|f| &*f.name).collect();
        report.errors.push(regent_core::manifest::Problem {
            file: names.first().copied().unwrap_or_default().to_owned(),
            line: 1,
            column: 1,
            message: "there is no object in it to judge (empty)".to_owned(),
        });
        report.finish(0);
    }
    manifests.show(&report.errors);
    emit(args, &report);
    let limit = match args.fail_on {
        FailOn::Deny => Action::Deny,
        FailOn::Warn => Action::Warn,
        FailOn::Dryrun => Action::Dryrun,
    };
    if !report.errors.is_empty() {
        FAILED
    } else if report.fails(limit) {
        DENIED
    } else {
        CLEAN
    }
}

fn judge(args: &Check, set: &PolicySet, manifests: &Manifests) -> Report {
    let (inventory, problems) = inventory(&args.judging, set, manifests);
    let mut context = Context::new(set, &inventory, &args.judging);
    context.keep_objects = args.output == CheckFormat::Junit;
    let mut report = judge::judge(&context, manifests);
    if !problems.is_empty() {
        report.errors.extend(problems);
        report.finish(report.summary.objects);
    }
    report
}

/// The policies of `-p` and those among the manifests; the shipped baseline when there are none.
pub(super) fn policies(
    judging: &Judging,
    manifests: &Manifests,
) -> Result<PolicySet, Vec<regent_core::manifest::Problem>> {
    let mut loaded = Loaded::default();
    for source in &judging.policy {
        loaded.add(source);
    }
    for (file, document) in manifests.policies() {
        match manifests.files.iter().find(|f| f.name == *file).and_then(|f| f.held()) {
            Some(bytes) => loaded.sources.add(file, bytes),
            None => loaded.sources.add_path(file),
        }
        loaded.bundle.add_document(file, document.clone());
    }
    if judging.policy.is_empty() && !loaded.bundle.has_policies() {
        loaded.add(DEFAULT);
        if terminal::verbose() {
            terminal::notice(&format!("no policy given: {DEFAULT}"));
        }
    }
    let set = loaded.compile(terminal::verbose(), judging.engine)?;
    if terminal::verbose() {
        for c in set.constraints() {
            terminal::notice(&format!(
                "{}:{}: {}/{} ({})",
                c.file, c.line, c.kind, c.name, c.enforcement_action
            ));
        }
    }
    Ok(set)
}

/// What policies see as `data.inventory`: the manifests and what `--inventory` adds. Where no policy looks at it, only
/// the Namespaces are kept, for matching.
pub(super) fn inventory(
    judging: &Judging,
    set: &PolicySet,
    manifests: &Manifests,
) -> (Inventory, Vec<regent_core::manifest::Problem>) {
    let added = Manifests::read(&judging.inventory);
    let all = set.reads_inventory();
    let mut problems = added.problems.clone();
    problems.extend(added.documents().filter_map(|(_, read)| read.err()));
    added.show(&problems);
    let documents: Vec<_> = added
        .inventory(all)
        .into_iter()
        .chain(manifests.inventory(all))
        .collect();
    let (inventory, errors) = Inventory::build(documents.iter().map(|d| &d.value));
    problems.extend(errors.into_iter().map(|message| regent_core::manifest::Problem {
        file: String::new(),
        line: 0,
        column: 0,
        message,
    }));
    (inventory, problems)
}

fn emit(args: &Check, report: &Report) {
    let out = &mut terminal::Out::new();
    // Writing fails when the reader went away: there is nobody left to tell.
    let _ = match args.output {
        CheckFormat::Text => render::text::render(report, out),
        CheckFormat::Table => render::table::render(report, out),
        CheckFormat::Json => render::json::render(report).json(out),
        CheckFormat::Yaml => render::json::render(report).yaml(out),
        CheckFormat::Junit => render::junit::render(report, out),
        CheckFormat::Sarif => render::sarif::render(report).json(out),
        CheckFormat::Github => render::github::render(report, out),
        CheckFormat::Policyreport => render::policyreport::render(report).yaml(out),
    };
}
