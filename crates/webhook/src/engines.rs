//! Which evaluators judge a review.

use regent_core::Engine;
use regent_rego::SecondEvaluator;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

/// Which evaluators judge.
#[derive(Clone, Copy)]
pub struct Engines {
    /// Who answers.
    pub engine: Engine,
    /// The second evaluator, for all but [`Engine::Native`]; it must not block for longer than a review may take.
    pub second: Option<SecondEvaluator<'static>>,
    /// With [`Engine::Both`]: of a hundred reviews so many are judged by both, the others by our own alone.
    pub share: u8,
}

impl Default for Engines {
    fn default() -> Self {
        Engines {
            engine: Engine::Native,
            second: None,
            share: 100,
        }
    }
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engines")
            .field("engine", &self.engine)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

impl Engines {
    /// Who judges the review of this uid: the same whenever it is sent, so that an answer depends on no earlier one.
    pub(crate) fn for_review(&self, uid: &str) -> Engine {
        if self.engine != Engine::Both || self.share >= 100 {
            return self.engine;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(uid.as_bytes());
        if hasher.finish() % 100 < u64::from(self.share) {
            Engine::Both
        } else {
            Engine::Native
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_reviews_is_judged_by_both() {
        for (engine, share, wanted) in [
            (Engine::Native, 100, 0..=0),
            (Engine::Regorus, 1, 0..=0),
            (Engine::Both, 100, 1_000..=1_000),
            (Engine::Both, 10, 60..=140),
            (Engine::Both, 0, 0..=0),
        ] {
            let engines = Engines {
                engine,
                share,
                ..Engines::default()
            };
            let both = || (0..1_000).filter(|n| engines.for_review(&format!("uid-{n}")) == Engine::Both);
            assert!(wanted.contains(&both().count()), "{engines:?}: {}", both().count());
            assert!(both().eq(both()));
        }
    }
}
