//! `regent bench`: how fast a policy set judges manifests.

use super::{CLEAN, DENIED, FAILED, check};
use crate::arguments::{Bench, BenchFormat};
use crate::doc::Doc;
use crate::judge::{self, Context};
use crate::manifests::Manifests;
use crate::{second, terminal};
use regent_core::{Review, evaluate};
use regent_rego::{Value, json};
use regent_watcher::files;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The figures of a run.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    reviews: usize,
    /// Reviews with an error in their decision.
    failed: usize,
    threads: usize,
    reviews_per_second: f64,
    mean_us: f64,
    p50_us: f64,
    p95_us: f64,
    p99_us: f64,
    max_us: f64,
}

/// Name, whether more is better, and the figure.
type Compared = (&'static str, bool, fn(&Figures) -> f64);
const COMPARED: [Compared; 5] = [
    ("reviewsPerSecond", true, |f| f.reviews_per_second),
    ("meanMicros", false, |f| f.mean_us),
    ("p50Micros", false, |f| f.p50_us),
    ("p95Micros", false, |f| f.p95_us),
    ("p99Micros", false, |f| f.p99_us),
];

pub(crate) fn run(args: &Bench) -> u8 {
    let manifests = Manifests::read(&args.judging.filename);
    let Ok(set) = check::policies(&args.judging, &manifests) else {
        return FAILED;
    };
    let (inventory, mut problems) = check::inventory(&args.judging, &set, &manifests);
    problems.extend(manifests.problems.iter().cloned());
    let mut context = Context::new(&set, &inventory, &args.judging);
    context.second = second::evaluator_here(args.judging.engine);
    let mut reviews = Vec::new();
    for (file, read) in manifests.documents() {
        match read.and_then(|d| judge::prepare(&context, file, &d)) {
            Ok(prepared) => reviews.push(prepared.review),
            Err(problem) => problems.push(problem),
        }
    }
    manifests.show(&problems);
    if reviews.is_empty() || !problems.is_empty() {
        if problems.is_empty() {
            terminal::error("there is no object among the manifests");
        }
        return FAILED;
    }
    measure(&context, &reviews, args.warmup);
    let figures = measure(&context, &reviews, args.iterations);
    if let Some(file) = &args.save
        && let Err(e) = std::fs::write(file, figures.doc().json())
    {
        terminal::error(&files::failure(file, &e));
        return FAILED;
    }
    let compared = match args
        .compare
        .as_deref()
        .map(|file| compare(file, &figures, args.threshold))
        .transpose()
    {
        Ok(compared) => compared,
        Err(message) => {
            terminal::error(&message);
            return FAILED;
        }
    };
    let (text, worse) = compared.unwrap_or_default();
    match args.output {
        BenchFormat::Text => terminal::print(&format!("{}{text}", figures.text())),
        BenchFormat::Json => {
            terminal::print(&figures.doc().json());
            if !text.is_empty() {
                terminal::notice(text.trim_end());
            }
        }
    }
    if figures.failed > 0 {
        let (failed, reviews) = (figures.failed, figures.reviews);
        terminal::error(&format!(
            "{failed} of {reviews} reviews could not be judged; `regent check` tells why"
        ));
        FAILED
    } else if worse {
        DENIED
    } else {
        CLEAN
    }
}

/// Judges every review so many times, on all threads.
fn measure(context: &Context<'_>, reviews: &[Review], rounds: u32) -> Figures {
    let total = reviews.len().saturating_mul(rounds as usize);
    let threads = judge::threads(context.judging.threads);
    let next = AtomicUsize::new(0);
    let times = Mutex::new(Vec::with_capacity(total));
    let failed = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let worker = || {
                let mut mine = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= total {
                        break;
                    }
                    let Some(review) = reviews.get(at % reviews.len()) else {
                        break;
                    };
                    let begin = Instant::now();
                    let decision = context.with_options(|o| evaluate(context.set, review, context.inventory, o));
                    mine.push(begin.elapsed().as_nanos() as f64 / 1e3);
                    if !decision.failures.is_empty() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                times.lock().unwrap_or_else(PoisonError::into_inner).append(&mut mine);
            };
            let _ = std::thread::Builder::new()
                .stack_size(64 << 20)
                .spawn_scoped(scope, worker);
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let mut times = times.into_inner().unwrap_or_else(PoisonError::into_inner);
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (times.len() as f64 * share).ceil() as usize;
        times.get(index.saturating_sub(1)).copied().unwrap_or_default()
    };
    Figures {
        reviews: times.len(),
        failed: failed.into_inner(),
        threads,
        reviews_per_second: times.len() as f64 / seconds.max(f64::EPSILON),
        mean_us: times.iter().sum::<f64>() / (times.len().max(1) as f64),
        p50_us: at(0.5),
        p95_us: at(0.95),
        p99_us: at(0.99),
        max_us: at(1.0),
    }
}

impl Figures {
    fn doc(&self) -> Doc {
        let round = |f: f64| Doc::Float((f * 10.0).round() / 10.0);
        Doc::Map(vec![
            ("reviews", Doc::from(self.reviews)),
            ("threads", Doc::from(self.threads)),
            ("reviewsPerSecond", round(self.reviews_per_second)),
            ("meanMicros", round(self.mean_us)),
            ("p50Micros", round(self.p50_us)),
            ("p95Micros", round(self.p95_us)),
            ("p99Micros", round(self.p99_us)),
            ("maxMicros", round(self.max_us)),
        ])
    }

    fn text(&self) -> String {
        format!(
            "{} reviews on {} threads: {:.0} reviews/s\nmean {:.1} µs, p50 {:.1} µs, p95 {:.1} µs, p99 {:.1} µs, max {:.1} µs\n",
            self.reviews,
            self.threads,
            self.reviews_per_second,
            self.mean_us,
            self.p50_us,
            self.p95_us,
            self.p99_us,
            self.max_us
        )
    }
}

/// Each figure against the one saved, and whether one is worse by more than the threshold.
fn compare(file: &str, figures: &Figures, threshold: f64) -> Result<(String, bool), String> {
    let bytes = files::read(file)?;
    let saved = json::read(&bytes, json::ReadOptions::default())
        .map_err(|e| format!("{file}:{}:{}: {}", e.row, e.col, e.message))?;
    let mut text = String::new();
    let mut any_worse = false;
    for (name, more_is_better, figure) in COMPARED {
        let Some(Value::Number(before)) = saved.get(name) else {
            return Err(format!("{file}: no figure {name:?}; write one with --save"));
        };
        let (before, after) = (before.as_f64(), figure(figures));
        let change = if before > 0.0 {
            (after - before) / before * 100.0
        } else {
            0.0
        };
        let worse = if more_is_better { -change } else { change } > threshold;
        any_worse |= worse;
        let mark = if worse { "  worse" } else { "" };
        let _ = writeln!(text, "{name:<18} {before:>12.1} {after:>12.1} {change:>+7.1} %{mark}");
    }
    Ok((text, any_worse))
}
