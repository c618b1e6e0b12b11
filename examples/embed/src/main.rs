//! Judges a Deployment by the Pods it implies, with nothing but `regent-core`.

use regent_core::{Bundle, CompileOptions, EvaluateOptions, Inventory, PolicySet, Review, evaluate, manifest};

fn main() -> anyhow::Result<()> {
    let template = include_bytes!("../../../library/pod-security/privileged/template.yaml");
    let constraint = include_bytes!("../../../policies/pod-security-baseline/privileged.yaml");
    let bundle = Bundle::read([("template.yaml", &template[..]), ("constraint.yaml", &constraint[..])]);
    let (policies, problems) = PolicySet::compile(&bundle, &CompileOptions::default());
    anyhow::ensure!(problems.is_empty(), "{problems:?}");

    for document in manifest::read("deployment.yaml", include_bytes!("../deployment.yaml")) {
        let document = document.map_err(|p| anyhow::anyhow!("{}:{}: {}", p.file, p.line, p.message))?;
        let review = Review::of_object(document.value, None);
        let decision = evaluate(&policies, &review, &Inventory::default(), &EvaluateOptions::default());
        for violation in &decision.violations {
            println!("[{}] {}", violation.constraint_name, violation.message);
        }
        anyhow::ensure!(decision.failures.is_empty(), "{:?}", decision.failures);
    }
    Ok(())
}
