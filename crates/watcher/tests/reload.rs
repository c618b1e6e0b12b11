//! Reload under load, sets that do not load, pins.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test ends by panicking, reads its cases, and says what it saw"
)]

mod common;

use common::{denies, files, pod, says, wait_for};
use regent_core::{Bundle, CompileOptions, PolicySet};
use regent_watcher::{Contribution, Options, RevisionState, Source, SourceState, Watcher, start};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const SWAPS: usize = 10_000;
const READERS: usize = 2;
const MUTATIONS: usize = 500;

fn watcher(first: Contribution) -> Watcher {
    start(Options {
        sources: vec![Source::Fixed {
            name: "test".to_owned(),
            contribution: first,
        }],
        debounce: Duration::ZERO,
        ..Options::default()
    })
    .expect("a watcher")
}

/// Three files that say the same number.
fn numbered(n: usize) -> Contribution {
    let n = n.to_string();
    let texts: Vec<(String, String)> = ["a", "b", "c"].map(|p| (format!("{p}.rego"), denies(p, &n))).to_vec();
    files(
        &texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect::<Vec<_>>(),
    )
}

/// Readers judge while the set is swapped: every answer is of one revision, and that of the set it was asked of.
#[test]
fn no_answer_mixes_revisions() {
    let watcher = watcher(numbered(0));
    let store = watcher.store();
    wait_for(store, "the first set", |s| s.current().is_some());
    let done = AtomicBool::new(false);
    let reviews = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let loaded = store.current().expect("a set");
                    let review = regent_core::Review::of_object(pod(), None);
                    let decision = regent_core::evaluate(
                        &loaded.policies,
                        &review,
                        &regent_core::Inventory::default(),
                        &regent_core::EvaluateOptions::default(),
                    );
                    assert_eq!(decision.revision, loaded.revision);
                    assert_eq!(decision.failures, []);
                    let said: Vec<usize> = decision.violations.iter().map(|v| v.message.parse().unwrap()).collect();
                    assert_eq!(said, [said[0]; 3], "an answer of several revisions");
                    assert!(said[0] >= last, "{} after {last}", said[0]);
                    last = said[0];
                    reviews.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for n in 1..=SWAPS {
            assert!(watcher.say("test", numbered(n)));
            let wanted = n.to_string();
            // Each one gets in force before the next is said, else they would be taken together.
            while store.current().is_none_or(|l| first(&l) != wanted) {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let (loads, reviews) = (store.status().loads, reviews.into_inner());
    assert_eq!(loads, SWAPS as u64 + 1);
    assert!(reviews > READERS as u64, "the readers had no turn");
    assert_eq!(says(&store.current().unwrap()), [SWAPS.to_string().as_str(); 3]);
    println!("{loads} sets, {reviews} reviews, none of two revisions");
}

fn first(loaded: &regent_watcher::Loaded) -> String {
    says(loaded).into_iter().next().unwrap_or_default()
}

const TEMPLATE: &str = r#"apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata:
  name: needlabels
spec:
  crd:
    spec:
      names:
        kind: NeedLabels
      validation:
        openAPIV3Schema:
          type: object
          properties:
            labels:
              type: array
              items: {type: string}
  targets:
  - target: admission.k8s.gatekeeper.sh
    rego: |
      package needlabels

      violation[{"msg": msg}] {
        wanted := {l | l := input.parameters.labels[_]}
        has := {l | input.review.object.metadata.labels[l]}
        missing := wanted - has
        count(missing) > 0
        msg := sprintf("missing: %v", [missing])
      }
"#;

const CONSTRAINT: &str = r#"apiVersion: constraints.gatekeeper.sh/v1beta1
kind: NeedLabels
metadata:
  name: owner
spec:
  match:
    kinds:
    - apiGroups: [""]
      kinds: [Pod]
  parameters:
    labels: [owner]
"#;

/// A change to one of the texts, by a number.
fn mutated(n: usize) -> (String, String) {
    // SplitMix64: the same changes in every run.
    let mut state = n as u64;
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize
    };
    let mut texts = [TEMPLATE.to_owned(), CONSTRAINT.to_owned()];
    let which = random() % 4 / 3;
    let text = &mut texts[which];
    let at = random() % text.len();
    match random() % 5 {
        0 => text.truncate(at),
        1 => drop(text.remove(at)),
        2 => text.insert(
            at,
            *b"{}[]:=\"'|&*,x-\t"
                .map(char::from)
                .get(random() % 15)
                .expect("a character"),
        ),
        3 => {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.remove(random() % lines.len());
            *text = lines.join("\n");
        }
        _ => {
            let mut lines: Vec<&str> = text.lines().collect();
            let (a, b) = (random() % lines.len(), random() % lines.len());
            lines.swap(a, b);
            *text = lines.join("\n");
        }
    }
    let [template, constraint] = texts;
    (template, constraint)
}

/// Five hundred sets that do not load: the good one serves on, and each is told of with file and line.
#[test]
fn a_broken_set_displaces_nothing() {
    let watcher = watcher(files(&[("t.yaml", TEMPLATE), ("c.yaml", CONSTRAINT)]));
    let store = watcher.store();
    wait_for(store, "the first set", |s| s.current().is_some());
    let good = store.current().unwrap().revision.clone();
    let mut broken = 0;
    for n in 0.. {
        let (template, constraint) = mutated(n);
        let named = [("t.yaml", template.as_bytes()), ("c.yaml", constraint.as_bytes())];
        let bundle = Bundle::read(named);
        let (_, problems) = PolicySet::compile(&bundle, &CompileOptions::default());
        if problems.is_empty() {
            continue;
        }
        let mut said = files(&[("t.yaml", &template), ("c.yaml", &constraint)]);
        said.version = n as u64 + 1;
        watcher.say("test", said);
        wait_for(store, &format!("mutation {n} is answered"), |s| {
            s.status().sources[0].version == n as u64 + 1
        });
        let told = store.problems();
        assert!(!told.is_empty(), "mutation {n} is not told of: {problems:?}");
        for problem in &told {
            assert!(
                ["t.yaml", "c.yaml"].contains(&problem.file.as_str()) && problem.line > 0,
                "mutation {n}: no place in {problem}"
            );
        }
        assert_eq!(store.current().unwrap().revision, good, "mutation {n} got in force");
        assert_eq!(store.status().sources[0].state, SourceState::LastGood, "mutation {n}");
        broken += 1;
        if broken == MUTATIONS {
            println!("{broken} broken sets of {} mutations, none in force", n + 1);
            break;
        }
    }
    assert_eq!(says(&store.current().unwrap()), [r#"missing: {"owner"}"#]);
}

/// The last ten revisions can be listed, and gone back to.
#[test]
fn a_pinned_revision_stays() {
    let watcher = watcher(numbered(0));
    let store = watcher.store();
    let mut revisions: Vec<Arc<str>> = Vec::new();
    for n in 0..12 {
        watcher.say("test", numbered(n));
        wait_for(store, "the next set", |s| {
            s.current().is_some_and(|l| first(&l) == n.to_string())
        });
        revisions.push(store.current().unwrap().revision.clone());
    }
    let listed: Vec<Arc<str>> = store.revisions().iter().map(|r| r.revision.clone()).collect();
    let newest: Vec<Arc<str>> = revisions.iter().rev().take(10).cloned().collect();
    assert_eq!(listed, newest);
    assert_eq!(store.revisions()[0].state, RevisionState::Serving);

    let error = store.pin(&revisions[0]).expect_err("it is not kept any more");
    assert!(error.to_string().contains("no kept revision"), "{error}");
    store
        .pin(&revisions[5]["sha256:".len()..20])
        .expect("a kept revision by its beginning");
    assert_eq!(first(&store.current().unwrap()), "5");

    watcher.say("test", numbered(99));
    wait_for(store, "the new one is held", |s| {
        s.revisions().iter().any(|r| r.state == RevisionState::Held)
    });
    assert_eq!(first(&store.current().unwrap()), "5");
    assert_eq!(store.status().pinned.as_deref(), Some(&*revisions[5]));

    // However many come after it.
    for n in 100..115 {
        let before = store.revisions()[0].revision.clone();
        watcher.say("test", numbered(n));
        wait_for(store, "the next one is held", |s| s.revisions()[0].revision != before);
    }
    let listed = store.revisions();
    assert_eq!(listed.len(), 10);
    assert!(
        listed
            .iter()
            .any(|r| r.revision == revisions[5] && r.state == RevisionState::Serving)
    );
    watcher.say("test", numbered(99));
    store.unpin().expect("following the sources again");
    wait_for(store, "the new one serves", |s| {
        s.current().is_some_and(|l| first(&l) == "99")
    });
    assert_eq!(store.status().pinned, None);
}

/// An empty set is not served, and a source is not emptied by mistake; unless told so.
#[test]
fn an_empty_set_is_refused_unless_told() {
    for allow_empty in [false, true] {
        let watcher = start(Options {
            sources: vec![Source::Fixed {
                name: "test".to_owned(),
                contribution: Contribution::default(),
            }],
            allow_empty,
            debounce: Duration::ZERO,
            ..Options::default()
        })
        .expect("a watcher");
        let store = watcher.store();
        if allow_empty {
            wait_for(store, "the empty set serves", |s| {
                s.current().is_some_and(|l| says(&l).is_empty())
            });
        } else {
            wait_for(store, "it is refused", |s| s.status().refusals == 1);
            assert!(store.current().is_none());
        }
        watcher.say("test", numbered(1));
        wait_for(store, "a set serves", |s| s.current().is_some_and(|l| first(&l) == "1"));
        watcher.say("test", Contribution::default());
        if allow_empty {
            wait_for(store, "the empty set serves", |s| {
                s.current().is_some_and(|l| says(&l).is_empty())
            });
        } else {
            wait_for(store, "it is told", |s| {
                s.problems().iter().any(|p| p.message.contains("become empty"))
            });
            assert_eq!(first(&store.current().unwrap()), "1");
        }
    }
}
