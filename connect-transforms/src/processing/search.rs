//! All matches of a pattern in a text, at a bounded cost.
//!
//! A search takes time in proportion to what it looks at, but it may look far behind the match that it finds: `a.*?x|a`
//! looks for an `x` up to the end of the text, at every `a`. So all matches together may cost the square of the text.

use super::why::Why;
use crate::pattern::Dialect;
use regex::Regex;
use regex_automata::{
    Input,
    hybrid::dfa::{Cache, DFA},
};
use std::sync::{Arc, OnceLock};

/// Bytes that a compiled pattern may take.
const PATTERN_MAX: usize = 1 << 20;
/// How far the searches in one text may look.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// By estimate: up to the longest match of the pattern, or to the end of the text if there is no longest one. Most
    /// patterns stop much earlier, so that beyond this it is measured.
    estimated: usize,
    /// As measured, beyond what was estimated.
    measured: usize,
    /// In a text for which that is too little: so many times its length.
    passes: usize,
}

const BOUNDS: Bounds = Bounds { estimated: 1 << 26, measured: 1 << 26, passes: 4 };

pub(super) const PATTERN_ALLOWED: &str = "a pattern of RE2, whose compiled form takes at most 1 MiB";

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    /// The longest match, if there is a longest one.
    reach: Option<usize>,
    /// The automaton by which searches are measured; made when it is first needed.
    gauge: Arc<OnceLock<Option<DFA>>>,
}

/// A pattern within bounds.
pub(super) fn compile(pattern: &str) -> Result<Pattern, String> {
    let compiled = crate::pattern::compile(pattern, Dialect::Re2, PATTERN_MAX);
    let regex = compiled.map_err(|e| format!("{pattern:?}: {}", crate::pattern::reason(&e)))?;
    let parsed = regex_syntax::parse(regex.as_str());
    let reach = parsed.ok().and_then(|parsed| parsed.properties().maximum_len());
    Ok(Pattern { regex, reach, gauge: Arc::default() })
}

/// The whole matches of a pattern.
pub(super) fn matches<'a>(
    text: &'a str,
    pattern: &Pattern,
    mut each: impl FnMut(&'a str) -> Result<(), Why>,
) -> Result<(), Why> {
    let mut searches = Searches::new(pattern, text);
    for found in pattern.regex.find_iter(text) {
        searches.found(found.start(), found.end())?;
        each(found.as_str())?;
    }
    Ok(())
}

impl Pattern {
    fn gauge(&self) -> Option<&DFA> {
        let make = || {
            let config = DFA::config().skip_cache_capacity_check(true);
            DFA::builder().configure(config).build(self.regex.as_str()).ok()
        };
        self.gauge.get_or_init(make).as_ref()
    }
}

/// How far the searches of one pattern in one text have looked.
pub(super) struct Searches<'p> {
    pattern: &'p Pattern,
    text: &'p str,
    bounds: Bounds,
    /// Where the next search begins.
    from: usize,
    estimated: usize,
    measured: usize,
    gauge: Option<(&'p DFA, Cache)>,
}

impl<'p> Searches<'p> {
    pub(super) fn new(pattern: &'p Pattern, text: &'p str) -> Self {
        Self { pattern, text, bounds: BOUNDS, from: 0, estimated: 0, measured: 0, gauge: None }
    }

    /// Counts a search that has found a match there.
    #[inline]
    pub(super) fn found(&mut self, start: usize, end: usize) -> Result<(), Why> {
        let from = std::mem::replace(&mut self.from, end);
        let rest = self.text.len() - start;
        if self.estimated <= self.bounds.estimated {
            self.estimated += self.pattern.reach.map_or(rest, |reach| rest.min(reach));
            return Ok(());
        }
        self.measured += self.measure(from);
        let passes = self.text.len().saturating_mul(self.bounds.passes);
        if self.measured > self.bounds.measured.max(passes) { Err(Why::Matches) } else { Ok(()) }
    }

    /// How many bytes the search from there looks at.
    #[cold]
    fn measure(&mut self, from: usize) -> usize {
        let rest = self.text.len() - from;
        if self.gauge.is_none() {
            self.gauge = self.pattern.gauge().map(|dfa| (dfa, dfa.create_cache()));
        }
        let Some((dfa, cache)) = &mut self.gauge else { return rest };
        let input = Input::new(self.text).span(from..self.text.len());
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return rest };
        for (looked, byte) in self.text.as_bytes()[from..].iter().enumerate() {
            match dfa.next_state(cache, state, *byte) {
                // Nothing that follows changes what was found.
                Ok(next) if next.is_dead() => return looked + 1,
                Ok(next) => state = next,
                Err(_) => return rest,
            }
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { estimated: 1 << 20, measured: 1 << 20, passes: 4 };

    /// How far all searches have looked, by estimate and as measured, and whether they were not too many.
    fn searched(pattern: &str, text: &str) -> (usize, usize, bool) {
        let pattern = compile(pattern).unwrap();
        let mut searches = Searches { bounds: SMALL, ..Searches::new(&pattern, text) };
        let mut found = pattern.regex.find_iter(text);
        let done = found.try_for_each(|found| searches.found(found.start(), found.end()));
        (searches.estimated, searches.measured, done.is_ok())
    }

    #[test]
    fn searches_that_look_at_everything_again_and_again_end_early() {
        let text = "a".repeat(8 << 10);
        for pattern in ["a.*?x|a", "a(?:.*x)?", "(?s)a.*[^a]|[a-z]"] {
            let (estimated, measured, all) = searched(pattern, &text);
            assert!(!all, "{pattern}");
            assert!(estimated + measured <= SMALL.estimated + SMALL.measured + 2 * text.len(), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_stop_where_they_match_find_all_matches_in_long_texts() {
        let text = "key=value-17, ".repeat(4_000);
        for pattern in [r"\w+", r"[^,]+", r"\w+=(\w|-)+", r"\b\d+\b"] {
            let (estimated, measured, all) = searched(pattern, &text);
            assert!(all && estimated > SMALL.estimated && measured > 0, "{pattern}: it was measured");
            assert!(measured <= 2 * text.len(), "{pattern}: {measured}");
        }
        // Of a pattern with a longest match the estimate is right.
        assert_eq!(searched("[a-z]{1,5}", &text), (8_000 * 5, 0, true));
    }
}
