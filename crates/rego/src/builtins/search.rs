//! Searches for a regular expression that the clock can stop.
//!
//! The library's searches cannot be stopped once begun. They take as long as the expression is large times as the text is
//! long, at worst; where that is much, the same automata (states made as the text asks for them) are walked here, a piece
//! of the text at a time.

use super::operand::too_large;
use super::{Failure, Host};
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

/// Memory of the states that a search makes as it goes.
const STATES: usize = 2 << 20;
/// States of the expression gone through, at worst, between two looks at the clock.
const PIECE: usize = 1 << 16;
/// Of which a look at the clock is worth so much; see [`Host::work`].
const LOOK: usize = 1 << 20;

/// An expression, to be walked in pieces.
pub(super) struct Search {
    forward: DFA,
    backward: DFA,
    /// Bytes of a text between two looks at the clock.
    piece: usize,
}

/// What walking through a text makes.
pub(super) struct Walked {
    forward: Cache,
    backward: Cache,
}

impl Search {
    /// Of an expression whose automata take `size` bytes each at most.
    ///
    /// # Errors
    /// They would take more.
    pub(super) fn new(hir: &Hir, size: usize) -> Result<Search, Failure> {
        let nfa = |backward: bool| -> Result<NFA, Failure> {
            let config = thompson::Config::new()
                .nfa_size_limit(Some(size))
                .which_captures(WhichCaptures::None)
                .reverse(backward);
            let built = NFA::compiler().configure(config).build_from_hir(hir);
            built.map_err(|_| too_large("regular expression"))
        };
        let dfa = |nfa: NFA, kind: MatchKind| -> Result<DFA, Failure> {
            let config = Config::new()
                .match_kind(kind)
                .cache_capacity(STATES)
                .skip_cache_capacity_check(true);
            let built = DFA::builder().configure(config).build_from_nfa(nfa);
            built.map_err(|_| too_large("regular expression"))
        };
        let forward = nfa(false)?;
        let piece = (PIECE / forward.states().len().max(1)).max(1);
        Ok(Search {
            forward: dfa(forward, MatchKind::LeftmostFirst)?,
            backward: dfa(nfa(true)?, MatchKind::All)?,
            piece,
        })
    }

    /// Room for walking.
    pub(super) fn start(&self) -> Walked {
        Walked {
            forward: self.forward.create_cache(),
            backward: self.backward.create_cache(),
        }
    }

    /// Where the leftmost match that begins at `at` or later begins and ends. With `any`, the end is that of some match,
    /// the first that was seen.
    ///
    /// # Errors
    /// The time is up.
    pub(super) fn find(
        &self,
        host: &mut dyn Host,
        walked: &mut Walked,
        text: &str,
        at: usize,
        any: bool,
    ) -> Result<Option<(usize, usize)>, Failure> {
        let mut at = at;
        while at <= text.len() {
            let Some(end) = self.end(host, &mut walked.forward, text, at, any)? else {
                return Ok(None);
            };
            if text.is_char_boundary(end) {
                let start = match any {
                    true => None,
                    false => self.begin(host, &mut walked.backward, text, at, end)?,
                };
                return Ok(Some((start.unwrap_or(end), end)));
            }
            // The empty match within a character does not count.
            at = (end..=text.len())
                .find(|i| text.is_char_boundary(*i))
                .unwrap_or(text.len() + 1);
        }
        Ok(None)
    }

    fn end(
        &self,
        host: &mut dyn Host,
        cache: &mut Cache,
        text: &str,
        at: usize,
        any: bool,
    ) -> Result<Option<usize>, Failure> {
        let dfa = &self.forward;
        let start = dfa.start_state_forward(cache, &Input::new(text).range(at..));
        let start = start.map_err(|_| stopped())?;
        let bytes = text.as_bytes().get(at..).unwrap_or(&[]);
        let (last, left) = self.walk(host, dfa, cache, start, bytes.iter(), any)?;
        if let Some(state) = left
            && dfa.next_eoi_state(cache, state).map_err(|_| stopped())?.is_match()
        {
            return Ok(Some(text.len()));
        }
        Ok(last.map(|n| at + n))
    }

    /// Where the longest match between `at` and `end` that ends at `end` begins: the one that was found from the left.
    fn begin(
        &self,
        host: &mut dyn Host,
        cache: &mut Cache,
        text: &str,
        at: usize,
        end: usize,
    ) -> Result<Option<usize>, Failure> {
        let dfa = &self.backward;
        let input = Input::new(text).range(at..end).anchored(Anchored::Yes);
        let start = dfa.start_state_reverse(cache, &input).map_err(|_| stopped())?;
        let bytes = text.as_bytes().get(at..end).unwrap_or(&[]);
        let (last, left) = self.walk(host, dfa, cache, start, bytes.iter().rev(), false)?;
        if let Some(state) = left {
            let before = at.checked_sub(1).and_then(|i| text.as_bytes().get(i));
            let state = match before {
                Some(byte) => dfa.next_state(cache, state, *byte),
                None => dfa.next_eoi_state(cache, state),
            };
            if state.map_err(|_| stopped())?.is_match() {
                return Ok(Some(at));
            }
        }
        Ok(last.map(|n| end - n))
    }

    /// After how many bytes the last match was (with `any`: the first), and the state after all of them, if there is more
    /// to be found.
    fn walk<'t>(
        &self,
        host: &mut dyn Host,
        dfa: &DFA,
        cache: &mut Cache,
        start: LazyStateID,
        bytes: impl Iterator<Item = &'t u8>,
        any: bool,
    ) -> Result<(Option<usize>, Option<LazyStateID>), Failure> {
        let (mut state, mut last, mut left) = (start, None, 0usize);
        for (n, byte) in bytes.enumerate() {
            if left == 0 {
                host.work(LOOK)?;
                left = self.piece;
            }
            left -= 1;
            state = dfa.next_state(cache, state, *byte).map_err(|_| stopped())?;
            // A state tells of a match one byte later.
            if state.is_match() {
                last = Some(n);
                if any {
                    return Ok((last, None));
                }
            } else if state.is_dead() {
                return Ok((last, None));
            } else if state.is_quit() {
                return Err(stopped());
            }
        }
        Ok((last, Some(state)))
    }
}

/// A search of the library's own that ends before its end; none of ours may: no byte is one to stop at, and the states
/// may be made anew as often as it takes.
fn stopped() -> Failure {
    too_large("regular expression")
}
