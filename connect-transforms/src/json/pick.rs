//! One value out of a JSON text, without a tree.

use super::{
    escape::unescape,
    scan::{Body, Scanner, Span, SyntaxError},
    skip::Skip,
};

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The member of an object with this key.
    Name(String),
    /// The element of an array with this number.
    Index(usize),
}

/// The value that `steps`, one at least, lead to; `None`: there is none. Of equal keys in one object the last one counts.
///
/// The value found is JSON. All objects on the way are stepped over to their ends, since the key may come again, and what
/// is in them is not checked; what stands behind them is not looked at.
pub(crate) fn pick_bytes<'a>(json: &'a [u8], steps: &[Step]) -> Result<Option<&'a str>, SyntaxError> {
    if let Some(found) = pick_quickly(json, steps) {
        return Ok(found);
    }
    let mut scanner = Scanner::new(json)?;
    let span = pick(&mut scanner, steps)?;
    Ok(span.map(|span| &scanner.text()[span]))
}

/// As [`pick_bytes`], of a text that is known to be UTF-8.
pub(crate) fn pick_text<'a>(text: &'a str, steps: &[Step]) -> Result<Option<&'a str>, SyntaxError> {
    if let Some(found) = pick_quickly(text.as_bytes(), steps) {
        return Ok(found);
    }
    let span = pick(&mut Scanner::of(text), steps)?;
    Ok(span.map(|span| &text[span]))
}

/// By stepping over what stands before. The outer `None`: something is out of the ordinary, ask the scanner.
#[allow(clippy::option_option, reason = "that nothing is there is an answer, too")]
fn pick_quickly<'a>(json: &'a [u8], steps: &[Step]) -> Option<Option<&'a str>> {
    let Some(span) = find(&mut Skip::new(json), steps).ok()? else { return Some(None) };
    let value = std::str::from_utf8(&json[span]).ok()?;
    is_value(value).then_some(Some(value))
}

fn is_value(text: &str) -> bool {
    let mut scanner = Scanner::of(text);
    scanner.value(&mut Vec::new()).and_then(|_| scanner.end()).is_ok()
}

/// The slow way, which says what is wrong, and where.
fn pick(scanner: &mut Scanner<'_>, steps: &[Step]) -> Result<Option<Span>, SyntaxError> {
    let Some(span) = find(scanner, steps)? else { return Ok(None) };
    scanner.skip_to(span.start);
    scanner.value(&mut Vec::new()).map(Some)
}

/// What walks over a JSON text, token by token.
pub(super) trait Walk {
    /// Why it cannot go on.
    type Stop;

    /// Skips blanks and shows the next byte.
    fn peek(&mut self) -> Option<u8>;
    /// Where it stands.
    fn at(&self) -> usize;
    /// Steps over the byte that was shown.
    fn step(&mut self);
    /// Steps over a key and its colon; tells whether the key stands for `name`.
    fn key_is(&mut self, name: &str) -> Result<bool, Self::Stop>;
    /// Steps over a value.
    fn skip(&mut self) -> Result<(), Self::Stop>;
    /// There is something else than this.
    fn expected(&self, what: &'static str) -> Self::Stop;
}

impl Walk for Scanner<'_> {
    type Stop = SyntaxError;

    fn peek(&mut self) -> Option<u8> {
        Scanner::peek(self)
    }

    fn at(&self) -> usize {
        Scanner::at(self)
    }

    fn step(&mut self) {
        Scanner::step(self);
    }

    fn key_is(&mut self, name: &str) -> Result<bool, SyntaxError> {
        self.key().map(|key| names(key, name))
    }

    fn skip(&mut self) -> Result<(), SyntaxError> {
        Scanner::skip(self)
    }

    fn expected(&self, what: &'static str) -> SyntaxError {
        Scanner::expected(self, what)
    }
}

/// Where the value stands that `steps` lead to. It is stepped over, as everything else, in one pass.
fn find<W: Walk>(walk: &mut W, steps: &[Step]) -> Result<Option<Span>, W::Stop> {
    // Where all that is open are arrays, nothing can come again.
    let settled = steps.iter().position(|step| matches!(step, Step::Name(_))).unwrap_or(steps.len());
    let mut found = None;
    // How many containers are open, each of which lies at the steps before it.
    let mut depth = 0;
    loop {
        let start = {
            let first = walk.peek().ok_or_else(|| walk.expected("a value"))?;
            match (first, steps.get(depth)) {
                (b'{', Some(Step::Name(_))) | (b'[', Some(Step::Index(_))) => None,
                _ => Some(walk.at()),
            }
        };
        match start {
            None => {
                walk.step();
                depth += 1;
                if enter(walk, &steps[depth - 1])? {
                    continue;
                }
                depth -= 1;
            }
            Some(start) => {
                walk.skip()?;
                found = (depth == steps.len()).then(|| start..walk.at());
            }
        }
        // The value at the first `depth` steps is done: on to the next one of that key, however far up.
        loop {
            if depth <= settled {
                return Ok(found);
            }
            if another(walk, &steps[depth - 1])? {
                found = None;
                break;
            }
            depth -= 1;
        }
    }
}

/// Goes to the child of a container that was opened just now; `false`: there is none, and the container is behind.
fn enter<W: Walk>(walk: &mut W, step: &Step) -> Result<bool, W::Stop> {
    match step {
        Step::Name(_) if walk.peek() == Some(b'}') => {
            walk.step();
            Ok(false)
        }
        Step::Name(name) => member(walk, name),
        Step::Index(_) if walk.peek() == Some(b']') => {
            walk.step();
            Ok(false)
        }
        Step::Index(index) => {
            for _ in 0..*index {
                walk.skip()?;
                if !comma(walk, b']', "`,` or `]`")? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// Goes from a child of a container to its next child of that step; `false`: there is none, and the container is behind.
fn another<W: Walk>(walk: &mut W, step: &Step) -> Result<bool, W::Stop> {
    match step {
        Step::Name(name) => Ok(comma(walk, b'}', "`,` or `}`")? && member(walk, name)?),
        Step::Index(_) => {
            while comma(walk, b']', "`,` or `]`")? {
                walk.skip()?;
            }
            Ok(false)
        }
    }
}

/// From before a key to the value of the next member with this name; `false`: the object is behind.
#[inline]
fn member<W: Walk>(walk: &mut W, name: &str) -> Result<bool, W::Stop> {
    loop {
        if walk.key_is(name)? {
            return Ok(true);
        }
        walk.skip()?;
        if !comma(walk, b'}', "`,` or `}`")? {
            return Ok(false);
        }
    }
}

/// After a value: steps over the comma, or (`false`) the end of the container.
#[inline]
fn comma<W: Walk>(walk: &mut W, closer: u8, what: &'static str) -> Result<bool, W::Stop> {
    match walk.peek() {
        Some(byte) if byte == b',' || byte == closer => {
            walk.step();
            Ok(byte == b',')
        }
        _ => Err(walk.expected(what)),
    }
}

/// Whether the key stands for `name`.
#[inline]
pub(crate) fn names(key: Body<'_>, name: &str) -> bool {
    if !key.escaped {
        return key.text == name;
    }
    // An escape is longer than what it stands for, at most six times: most keys are told apart by that.
    if key.text.len() < name.len() || key.text.len() > name.len().saturating_mul(6) {
        return false;
    }
    let mut text = String::new();
    unescape(key.text, &mut text);
    text == name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Both ways, which find the same.
    fn picked<'a>(text: &'a str, steps: &[Step]) -> Result<Option<&'a str>, SyntaxError> {
        let found = pick_bytes(text.as_bytes(), steps);
        assert_eq!(pick_text(text, steps), found);
        if let Ok(slowly) = pick(&mut Scanner::of(text), steps) {
            assert_eq!(found, Ok(slowly.map(|span| &text[span])));
        }
        found
    }

    fn name(name: &str) -> Step {
        Step::Name(name.to_owned())
    }

    #[test]
    fn a_value_is_found_over_all_kinds_of_neighbours() {
        let text = r#" { "s" : "}]\"" , "n" : -1.5e3 , "l":null, "o":{"x":["]",{"a":"}"}],"\u0061":{}}, "a" : [ 1 , [2] , {"b":[3, 4]} ] , "c":0 } "#;
        for (steps, value) in [
            (vec![], Some(text.trim())),
            (vec![name("s")], Some(r#""}]\"""#)),
            (vec![name("n")], Some("-1.5e3")),
            (vec![name("l")], Some("null")),
            (vec![name("o"), name("a")], Some("{}")),
            (vec![name("o"), name("x"), Step::Index(1), name("a")], Some("\"}\"")),
            (vec![name("a"), Step::Index(2), name("b"), Step::Index(1)], Some("4")),
            (vec![name("a"), Step::Index(3)], None),
            (vec![name("a"), name("b")], None),
            (vec![name("o"), Step::Index(0)], None),
            (vec![name("s"), Step::Index(0)], None),
            (vec![name("z")], None),
        ] {
            assert_eq!(picked(text, &steps), Ok(value), "{steps:?}");
        }
        assert_eq!(picked("[]", &[Step::Index(0)]), Ok(None));
        assert_eq!(picked("{}", &[name("")]), Ok(None));
    }

    #[test]
    fn broken_texts_are_errors_and_never_panic() {
        let text = r#"{"a":{"b":[1,"x",{"c":true}]},"d":12}"#;
        for end in 0..text.len() {
            for steps in [vec![name("d")], vec![name("a"), name("b"), Step::Index(2), name("c")]] {
                let _ = picked(&text[..end], &steps);
            }
        }
        assert!(picked("", &[name("a")]).is_err());
        assert!(picked(r#"{"b":tru,"a":tru}"#, &[name("a")]).is_err());
        assert!(picked(r#"{"b":,"a":1}"#, &[name("a")]).is_err());
        assert!(picked("[1 2]", &[Step::Index(1)]).is_err());
    }

    #[test]
    fn of_equal_keys_the_last_one_counts_with_all_that_is_in_it() {
        let (a, b, c) = (name("a"), name("b"), name("c"));
        for (text, steps, value) in [
            (r#"{"a":1,"a":2}"#, vec![a.clone()], Some("2")),
            (r#"{"a":1,"\u0061":2}"#, vec![a.clone()], Some("2")),
            (r#"{"a":{"b":1},"c":0,"a":{"b":2},"c":0}"#, vec![a.clone(), b.clone()], Some("2")),
            (r#"{"a":{"b":1},"a":{"c":2}}"#, vec![a.clone(), b.clone()], None),
            (r#"{"a":{"b":1},"a":{}}"#, vec![a.clone(), b.clone()], None),
            (r#"{"a":{"b":1},"a":null}"#, vec![a.clone(), b.clone()], None),
            (r#"{"a":{"b":1},"a":[{"b":2}]}"#, vec![a.clone(), b.clone()], None),
            (r#"{"a":{"b":1},"a":{"b":[7,8],"b":[9]}}"#, vec![a.clone(), b.clone(), Step::Index(1)], None),
            (r#"{"a":[0,{"b":1,"b":2},3],"c":4}"#, vec![a.clone(), Step::Index(1), b.clone()], Some("2")),
            (r#"{"a":[1],"a":[]}"#, vec![a.clone(), Step::Index(0)], None),
            (r#"[{"c":1},{"c":2,"c":3}]"#, vec![Step::Index(1), c], Some("3")),
        ] {
            assert_eq!(picked(text, &steps), Ok(value), "{text} {steps:?}");
        }
    }

    #[test]
    fn what_stands_behind_the_objects_on_the_way_may_be_broken() {
        let steps = [name("a"), Step::Index(1)];
        assert_eq!(pick_bytes(b"{\"x\":\"\xff\n\\q\",\"a\":[tru,1]}x", &steps), Ok(Some("1")));
        assert_eq!(pick_bytes(b"[tru,1", &[Step::Index(1)]), Ok(Some("1")));
        assert_eq!(pick_bytes(b"{\"a\":[0,1", &steps), Err(SyntaxError::End(9)));
        assert_eq!(pick_bytes(b"{\"a\":[0,\"\xff\"]}", &steps), Err(SyntaxError::Utf8(9)));
        assert_eq!(pick_bytes(b"{\"a\":[0,1.]}", &steps), Err(SyntaxError::Number(8)));
        assert_eq!(pick_bytes(b"{\"a\":[0,[1}]}", &steps), Err(SyntaxError::Expected(10, "`,` or `]`")));
        assert_eq!(pick_bytes(b"{\"a\":[0,]}", &steps), Err(SyntaxError::Expected(8, "a value")));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Into::into),
            "[x\"\\\\{}\\[\\],:é\n\u{1}]{0,12}".prop_map(serde_json::Value::from),
            any::<bool>().prop_map(Into::into),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
                prop::collection::btree_map(prop_oneof!["a", "b\"", "é", "[a\\\\}]{0,2}"], inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_found_in_json_is_what_serde_json_finds(
            names in proptest::collection::vec("[ab\"\\\\}]{0,2}|[c-zé{}\\[\\],:]{0,24}", 0..8),
            texts in proptest::collection::vec("[x\"\\\\{}\\[\\],:é]{0,20}", 8),
            spaced: bool,
        ) {
            let mut object = serde_json::Map::new();
            for (key, text) in names.iter().zip(&texts) {
                object.insert(key.clone(), serde_json::json!([text, { "a": text, "b": [1, -2.5e3, null] }, true]));
            }
            let value = serde_json::Value::Object(object);
            let json = if spaced { format!("{value:#}") } else { value.to_string() };
            for key in &names {
                for steps in [vec![], vec![Step::Index(0)], vec![Step::Index(1), name("b"), Step::Index(1)], vec![Step::Index(9)]] {
                    let pointer = steps.iter().fold(&value[key], |value, step| match step {
                        Step::Name(name) => &value[name],
                        Step::Index(index) => &value[*index],
                    });
                    let all: Vec<Step> = std::iter::once(name(key)).chain(steps).collect();
                    let found = picked(&json, &all).unwrap().map_or(serde_json::Value::Null, |found| {
                        serde_json::from_str(found).unwrap()
                    });
                    prop_assert_eq!(&found, pointer);
                }
            }
        }

        /// A byte put in, taken out or replaced anywhere.
        #[test]
        fn what_is_found_in_broken_json_is_json(
            value in json(),
            spaced: bool,
            at: prop::sample::Index,
            byte in prop_oneof![prop::sample::select(&b"\"\\{}[],: \n0ae.\xc3\x01\xff"[..]), any::<u8>()],
            edit in 0..3,
        ) {
            let whole = if spaced { format!("{value:#}") } else { value.to_string() };
            let mut text = whole.clone().into_bytes();
            let at = at.index(text.len());
            match edit {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
            for steps in [
                vec![name("a")], vec![name("b\"")], vec![Step::Index(1)], vec![name("é"), name("a")],
                vec![Step::Index(0), name("a"), Step::Index(1)],
            ] {
                let pointer = steps.iter().try_fold(&value, |value, step| match step {
                    Step::Name(name) => value.get(name),
                    Step::Index(index) => value.get(*index),
                });
                let found = picked(&whole, &steps).unwrap();
                prop_assert_eq!(&found.map(|found| serde_json::from_str(found).unwrap()), &pointer.cloned());
                let of_bytes = pick_bytes(&text, &steps);
                if let Ok(text) = std::str::from_utf8(&text) {
                    prop_assert_eq!(&of_bytes, &picked(text, &steps));
                }
                if let Ok(Some(found)) = of_bytes {
                    prop_assert!(is_value(found), "{}", found);
                }
            }
        }

        #[test]
        fn of_any_bytes_something_or_an_error_is_found(bytes: Vec<u8>, text in "[\\[\\]{}\",:a1\\\\ ]{0,40}") {
            for steps in [vec![name("a")], vec![Step::Index(1)], vec![name("a"), Step::Index(0)]] {
                let _ = pick_bytes(&bytes, &steps);
                let _ = picked(&text, &steps);
            }
        }
    }

    #[test]
    fn nesting_is_no_limit() {
        let deep = format!(r#"{{"x":{}{},"a":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(picked(&deep, &[name("a")]), Ok(Some("1")));
        let steps: Vec<Step> = (0..100_000).map(|_| name("a")).collect();
        let deep = format!("{}7{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        assert_eq!(picked(&deep, &steps), Ok(Some("7")));
    }
}
