//! Writes N ordinary Kubernetes objects as one YAML file, always the same ones for the same N: for benchmarks.
//!
//! `cargo run --release -p regent --example generate -- 10000 > objects.yaml`
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::io::Write;

fn main() -> std::io::Result<()> {
    let count: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for i in 0..count {
        // xorshift: objects differ, runs do not.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let namespace = format!("team-{}", state % 40);
        out.write_all(b"---\n")?;
        match i % 10 {
            0..=3 => pod(&mut out, i, &namespace, state)?,
            4..=6 => deployment(&mut out, i, &namespace, state)?,
            7 => write!(
                out,
                "apiVersion: v1\nkind: Service\nmetadata: {{name: svc-{i}, namespace: {namespace}}}\nspec:\n  selector: {{app: a-{i}}}\n  ports:\n  - {{port: 80, targetPort: 8080}}\n"
            )?,
            8 => write!(
                out,
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cm-{i}, namespace: {namespace}}}\ndata:\n  mode: production\n  text: |\n    line one of {i}\n    line two\n"
            )?,
            _ => write!(
                out,
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: in-{i}, namespace: {namespace}}}\nspec:\n  rules:\n  - host: h{i}.example.com\n    http:\n      paths:\n      - {{path: /, pathType: Prefix, backend: {{service: {{name: svc-{i}, port: {{number: 80}}}}}}}}\n"
            )?,
        }
    }
    out.flush()
}

fn pod(out: &mut impl Write, i: u64, namespace: &str, state: u64) -> std::io::Result<()> {
    write!(
        out,
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: pod-{i}\n  namespace: {namespace}\n  labels: {{app: a-{i}, tier: web}}\n"
    )?;
    spec(out, "", state)
}

fn deployment(out: &mut impl Write, i: u64, namespace: &str, state: u64) -> std::io::Result<()> {
    write!(
        out,
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: dep-{i}\n  namespace: {namespace}\n  labels: {{app: a-{i}}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: a-{i}}}}}\n  template:\n    metadata: {{labels: {{app: a-{i}}}}}\n"
    )?;
    spec(out, "    ", state)
}

/// A Pod spec; one in eight has a privileged container, one in sixteen a hostPath.
fn spec(out: &mut impl Write, indent: &str, state: u64) -> std::io::Result<()> {
    let privileged = state.is_multiple_of(8);
    writeln!(out, "{indent}spec:")?;
    writeln!(
        out,
        "{indent}  securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}"
    )?;
    for (list, names) in [("initContainers", ["setup", ""]), ("containers", ["main", "sidecar"])] {
        writeln!(out, "{indent}  {list}:")?;
        for name in names.iter().filter(|n| !n.is_empty()) {
            write!(
                out,
                "{indent}  - name: {name}\n{indent}    image: registry.example.com/shop/{name}:1.{}\n{indent}    command: [\"/bin/{name}\"]\n{indent}    env:\n{indent}    - {{name: MODE, value: production}}\n{indent}    - {{name: ID, value: \"{}\"}}\n{indent}    ports:\n{indent}    - {{containerPort: 8080, name: http}}\n{indent}    resources:\n{indent}      requests: {{cpu: 100m, memory: 128Mi}}\n{indent}      limits: {{cpu: 500m, memory: 256Mi}}\n{indent}    securityContext:\n{indent}      allowPrivilegeEscalation: false\n{indent}      capabilities: {{drop: [ALL]}}\n",
                state % 30,
                state % 1000
            )?;
            if privileged && *name == "main" {
                writeln!(out, "{indent}      privileged: true")?;
            }
        }
    }
    writeln!(out, "{indent}  volumes:\n{indent}  - {{name: tmp, emptyDir: {{}}}}")?;
    if state % 16 == 1 {
        writeln!(out, "{indent}  - {{name: host, hostPath: {{path: /var/log}}}}")?;
    }
    Ok(())
}
