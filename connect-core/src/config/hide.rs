//! Takes values that may not be shown out of the texts of problems, should a check have repeated one.

use super::{
    definition::Definition,
    problems::{Problem, Problems},
    secret::{REDACTED, sounds_secret},
    settings::Settings,
    visible::{Visible, visible},
};
use std::collections::HashSet;

/// Stands for a text of which more than a whole value would have to be taken out.
const WITHHELD: &str = "not valid (what is wrong with it would repeat a value that is not shown)";

/// What is shorter is part of any text; it is hidden at its own key only.
const TELLING: usize = 4;

/// Takes out of the texts of each problem what must not be shown: of the value of its own key every part, and of the
/// values of other keys, unless the text was made without them, every item. A whole value is replaced; where a part of
/// one remains, in whatever case, the text is given up, since nobody knows what else of it is made of the value.
pub(super) fn hide(settings: &Settings, definitions: &[Definition], problems: &mut Problems) {
    let is_secret = |key: &str| {
        let declared = definitions.iter().any(|known| known.name == key && known.secret);
        declared || sounds_secret(key) || settings.is_reference(key)
    };
    // Nobody read the value of an unknown key, so no text repeats it.
    let unread: HashSet<String> =
        problems.iter().filter(|problem| problem.unknown).map(|problem| problem.key.clone()).collect();
    let secrets: Vec<(&str, &str)> = settings
        .keys()
        .filter(|key| !unread.contains(*key) && is_secret(key))
        .filter_map(|key| Some((key, settings.get(key)?.trim())))
        .filter(|(_, value)| value.chars().count() >= TELLING)
        .collect();
    // An unknown key has no check that could repeat its value.
    for problem in problems.iter_mut().filter(|problem| !problem.unknown) {
        let key = problem.key.clone();
        let hidden = settings.is_reference(&key) || visible(definitions, &key) == Visible::Nothing;
        let own = settings.get(&key).map(str::trim).filter(|value| hidden && !value.is_empty());
        let others = secrets.iter().filter(|(other, _)| *other != key && !problem.alone);
        let others: Vec<&str> = others.map(|(_, value)| *value).collect();
        let clean = |text: &str| without(text, own, &others);
        problem.what = clean(&problem.what).unwrap_or_else(|| WITHHELD.to_owned());
        // The words of the declaration were there before any value.
        if !is_declared(problem, definitions) {
            problem.allowed = problem.allowed.as_deref().and_then(clean);
        }
    }
}

fn is_declared(problem: &Problem, definitions: &[Definition]) -> bool {
    definitions.iter().any(|known| known.name == problem.key && known.allowed == problem.allowed)
}

/// The text without the values; `None` if something of them remains.
fn without(text: &str, own: Option<&str>, others: &[&str]) -> Option<String> {
    let mut clean = text.to_owned();
    for value in own.iter().chain(others).filter(|value| value.chars().count() >= TELLING) {
        clean = clean.replace(value, REDACTED);
    }
    let rest = clean.replace(REDACTED, " ").to_lowercase();
    let told =
        own.is_some_and(|value| has_part(&rest, value)) || others.iter().any(|value| has_item(&rest, value));
    (!told).then_some(clean)
}

/// Whether a text, in lower case, has anything of a value: a short word as a word, or of anything longer so many
/// letters in a row that they say something.
fn has_part(text: &str, value: &str) -> bool {
    let value = value.to_lowercase();
    let letters: Vec<char> = value.chars().collect();
    let mut runs = letters.windows(TELLING).map(|run| run.iter().collect::<String>());
    // The value itself too: it may have no letters.
    let words = value.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut words = words.chain([value.as_str()]);
    runs.any(|run| text.contains(&run)) || words.any(|word| has_word(text, word))
}

/// Whether a text, in lower case, has one of the items of a value, such as those of a list or of pairs.
fn has_item(text: &str, value: &str) -> bool {
    let value = value.to_lowercase();
    let items = value.split(|c: char| c.is_whitespace() || ",:=".contains(c));
    items.filter(|item| item.chars().count() >= TELLING).any(|item| has_word(text, item))
}

/// Whether a text has `word` with nothing that would make a longer word of it.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(char::is_alphanumeric) && !behind.starts_with(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_problems_own_value_remains_in_any_case() {
        let text = |text: &str, value: &str| without(text, Some(value), &[]);
        assert_eq!(text("hunter2 is bad", "hunter2").as_deref(), Some("[redacted] is bad"));
        assert_eq!(text("not lower case", "hunter2").as_deref(), Some("not lower case"));
        assert_eq!(text("too small", "no").as_deref(), Some("too small"));
        for (what, value) in [
            ("HUNTER2 is bad", "hunter2"),
            ("item unte is bad", "hunter2"),
            ("`a!` is bad", "a!,b"),
            ("topic pw is bad", "a,pw"),
            ("!!! is bad", "!!!"),
            ("hunter2 and Hunter2", "hunter2"),
        ] {
            assert_eq!(text(what, value), None, "{what}");
        }
    }

    #[test]
    fn no_item_of_another_value_remains() {
        let text = |text: &str, value: &str| without(text, None, &[value]);
        assert_eq!(
            text("give both user and password", "userland").as_deref(),
            Some("give both user and password")
        );
        assert_eq!(text("beside hunter2", "hunter2").as_deref(), Some("beside [redacted]"));
        assert_eq!(text("beside Hunter2", "x,hunter2=y"), None);
    }
}
