//! `path.format` as Kafka Connect's partitioner spells it (Joda-Time's patterns), recognised so that it is not taken for
//! the name of a directory.

/// Runs of letters that stand for parts of the time, and ours for them.
const PARTS: [(&str, &str); 9] = [
    ("YYYY", "{yyyy}"),
    ("yyyy", "{yyyy}"),
    ("MM", "{MM}"),
    ("M", "{MM}"),
    ("dd", "{dd}"),
    ("d", "{dd}"),
    ("HH", "{HH}"),
    ("H", "{HH}"),
    ("mm", "{mm}"),
];

/// The template of this crate that means the same; `None` if the text is none of Connect's patterns. Connect puts each
/// topic in a directory of its own in front.
pub(crate) fn translated(text: &str) -> Option<String> {
    if text.contains(['{', '}']) || !is_pattern(text) {
        return None;
    }
    let mut ours = "{topic}/".to_owned();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\'' => quoted(rest, &mut ours),
            'a'..='z' | 'A'..='Z' => {
                let word = letters(rest);
                let part = PARTS.iter().find(|(theirs, _)| *theirs == word);
                ours.push_str(part.map_or(word, |(_, part)| part));
                word.len()
            }
            other => {
                ours.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    Some(ours)
}

/// Whether text is quoted, or a part of the time of two letters or more stands as a word of its own.
fn is_pattern(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let parts = || PARTS.iter().filter(|(theirs, _)| theirs.len() > 1);
    text.contains('\'') || words.into_iter().any(|word| parts().any(|(theirs, _)| *theirs == word))
}

/// The letters at the beginning.
fn letters(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())]
}

/// Appends the text in quotes at the beginning; two quotes stand for one. Returns its length with the quotes.
fn quoted(text: &str, ours: &mut String) -> usize {
    let inside = &text[1..];
    let end = inside.find('\'').unwrap_or(inside.len());
    ours.push_str(&inside[..end]);
    (end + 2).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_connect_are_translated_and_other_text_is_left_alone() {
        for (theirs, ours) in [
            (
                "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
                Some("{topic}/year={yyyy}/month={MM}/day={dd}/hour={HH}"),
            ),
            ("YYYY/MM/dd/HH", Some("{topic}/{yyyy}/{MM}/{dd}/{HH}")),
            ("yyyy-MM-dd", Some("{topic}/{yyyy}-{MM}-{dd}")),
            ("'date'=YYYY-MM-dd", Some("{topic}/date={yyyy}-{MM}-{dd}")),
            ("'dt'=d", Some("{topic}/dt={dd}")),
            ("{topic}/year={yyyy}", None),
            ("archive/d", None),
            ("add/comments", None),
            ("", None),
        ] {
            assert_eq!(translated(theirs).as_deref(), ours, "{theirs}");
        }
    }
}
