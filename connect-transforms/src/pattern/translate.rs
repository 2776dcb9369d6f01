//! Patterns of RE2 and Java in the syntax of the crate `regex`.
//!
//! Both read `\w`, `\d`, `\s` and `\b` as ASCII, the crate as Unicode; and the crate gives a meaning to characters in a
//! class that are themselves in RE2 (`[`, `&&`) or in both (`--`, `~~`).

use std::{iter::Peekable, str::Chars};

/// The syntax of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// RE2, as RE2/J reads it.
    Re2,
    /// `java.util.regex`.
    Java,
}

/// Java's classes of POSIX, which are ASCII, and those of the crate.
const POSIX: [(&str, &str); 13] = [
    ("Lower", "lower"),
    ("Upper", "upper"),
    ("ASCII", "ascii"),
    ("Alpha", "alpha"),
    ("Digit", "digit"),
    ("Alnum", "alnum"),
    ("Punct", "punct"),
    ("Graph", "graph"),
    ("Print", "print"),
    ("Blank", "blank"),
    ("Cntrl", "cntrl"),
    ("XDigit", "xdigit"),
    ("Space", "space"),
];

/// The same pattern for the crate `regex`. What is no pattern is none afterwards either.
pub(super) fn translate(pattern: &str, dialect: Dialect) -> String {
    let rest = pattern.chars().peekable();
    let mut translator = Translator { rest, dialect, out: String::with_capacity(pattern.len() + 16) };
    while let Some(c) = translator.rest.next() {
        translator.outside(c);
    }
    translator.out
}

struct Translator<'p> {
    rest: Peekable<Chars<'p>>,
    dialect: Dialect,
    out: String,
}

impl Translator<'_> {
    /// A character outside of classes.
    fn outside(&mut self, c: char) {
        match c {
            '\\' => match self.rest.next() {
                Some('b') => self.out.push_str(r"(?-u:\b)"),
                Some('B') => self.out.push_str(r"(?-u:\B)"),
                Some('Q') if self.dialect == Dialect::Re2 => self.quotation(),
                escaped => self.escape(escaped),
            },
            '[' => self.class(),
            '{' if self.dialect == Dialect::Re2 && !self.repeats() => self.out.push_str(r"\{"),
            c => self.out.push(c),
        }
    }

    /// A class, behind its opening bracket.
    fn class(&mut self) {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        if self.rest.next_if_eq(&']').is_some() {
            self.out.push_str(r"\]");
        }
        let mut depth = 1;
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => {
                    let escaped = self.rest.next();
                    self.escape(escaped);
                }
                ']' => {
                    self.out.push(']');
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                '[' if self.dialect == Dialect::Java => {
                    self.out.push('[');
                    depth += 1;
                }
                '[' if self.rest.peek() == Some(&':') => self.named_class(),
                '[' => self.out.push_str(r"\["),
                // Twice in a row they are operators.
                '&' if self.dialect == Dialect::Java => self.out.push('&'),
                '&' | '~' => self.out.extend(['\\', c]),
                '-' if self.out.ends_with('-') && !self.out.ends_with(r"\-") => self.out.push_str(r"\-"),
                c => self.out.push(c),
            }
        }
    }

    /// `[:alpha:]`, behind its opening bracket.
    fn named_class(&mut self) {
        self.out.push('[');
        while let Some(c) = self.rest.next_if(|c| *c != ']') {
            self.out.push(c);
        }
        self.out.extend(self.rest.next());
    }

    /// What follows a backslash, in a class or outside.
    fn escape(&mut self, escaped: Option<char>) {
        let class = match (escaped, self.dialect) {
            (Some('d'), _) => "[0-9]",
            (Some('D'), _) => "[^0-9]",
            (Some('w'), _) => "[0-9A-Za-z_]",
            (Some('W'), _) => "[^0-9A-Za-z_]",
            (Some('s'), Dialect::Re2) => r"[\t\n\f\r ]",
            (Some('S'), Dialect::Re2) => r"[^\t\n\f\r ]",
            (Some('s'), Dialect::Java) => r"[\t\n\x0B\f\r ]",
            (Some('S'), Dialect::Java) => r"[^\t\n\x0B\f\r ]",
            (Some(sign @ ('p' | 'P')), _) => return self.property(sign),
            // The crate takes these two for ends of words.
            (Some('<'), _) => "<",
            (Some('>'), _) => ">",
            (Some(c), _) => {
                if c.is_ascii() {
                    self.out.push('\\');
                }
                return self.out.push(c);
            }
            (None, _) => r"\",
        };
        self.out.push_str(class);
    }

    /// A property, behind its sign: `\pL`, `\p{Greek}`, and Java's `\p{Alpha}`.
    fn property(&mut self, sign: char) {
        if self.rest.peek() != Some(&'{') {
            return self.out.extend(['\\', sign]);
        }
        let mut name = String::new();
        for c in self.rest.by_ref() {
            name.push(c);
            if c == '}' {
                break;
            }
        }
        let braced = |(java, _): &&(&str, &str)| {
            name.strip_prefix('{').and_then(|n| n.strip_suffix('}')) == Some(*java)
        };
        match POSIX.iter().find(braced).filter(|_| self.dialect == Dialect::Java) {
            Some((_, posix)) => {
                let negated = if sign == 'p' { "" } else { "^" };
                self.out.push_str(&format!("[[:{negated}{posix}:]]"));
            }
            None => {
                self.out.extend(['\\', sign]);
                self.out.push_str(&name);
            }
        }
    }

    /// `\Q…\E`, behind its beginning: every character stands for itself.
    fn quotation(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.out.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
        }
    }

    /// Whether the brace that was read begins a repetition: `{2}`, `{2,}`, `{2,3}`. RE2 takes any other one literally.
    fn repeats(&self) -> bool {
        let inside: String = self.rest.clone().take_while(|c| *c != '}').collect();
        let closed = self.rest.clone().any(|c| c == '}');
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
        closed && digits(least) && (most.is_empty() || digits(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::compile;

    /// Where the matches are, in bytes.
    fn matches(pattern: &str, dialect: Dialect, text: &str) -> Vec<(usize, usize)> {
        let regex = compile(pattern, dialect, 1 << 20).unwrap_or_else(|what| panic!("{pattern}: {what}"));
        regex.find_iter(text).map(|found| (found.start(), found.end())).collect()
    }

    /// What RE2/J 1.8 and Java 17 find, in this order; `None`: they refuse it.
    type Case =
        (&'static str, &'static str, Option<&'static [&'static str]>, Option<&'static [&'static str]>);

    const CASES: [Case; 37] = [
        (r"\w+", "é_a1", Some(&["_a1"]), Some(&["_a1"])),
        (r"\W+", "é_a1", Some(&["é"]), Some(&["é"])),
        (r"[^\w]+", "é_a1", Some(&["é"]), Some(&["é"])),
        (r"[^\W]+", "é_a1", Some(&["_a1"]), Some(&["_a1"])),
        (r"[\W1]+", "aé1", Some(&["é1"]), Some(&["é1"])),
        (r"[\w-.]+", "a-.b", Some(&["a-.b"]), Some(&["a-.b"])),
        (r"[+\-\w]+", "+-a", Some(&["+-a"]), Some(&["+-a"])),
        (r"\d", "\u{660}1", Some(&["1"]), Some(&["1"])),
        (r"\D", "\u{660}1", Some(&["\u{660}"]), Some(&["\u{660}"])),
        (r"\s", "\u{b}\u{a0}\u{2003} ", Some(&[" "]), Some(&["\u{b}", " "])),
        (r"[\s]", "\u{b}\u{a0} ", Some(&[" "]), Some(&["\u{b}", " "])),
        (r"\S", "\u{b}\u{a0} ", Some(&["\u{b}", "\u{a0}"]), Some(&["\u{a0}"])),
        (r"[[:space:]]", "\u{b}\u{a0} ", Some(&["\u{b}", " "]), None),
        (r"[[:word:]]", "é_a", Some(&["_", "a"]), None),
        (r"\ba", "éa", Some(&["a"]), None),
        (r"\bé", "éa", Some(&[]), None),
        (r"(?i)k", "kK\u{212a}", Some(&["k", "K", "\u{212a}"]), None),
        (r"(?i)é", "éÉ", Some(&["é", "É"]), None),
        (r"(?i)\w", "k\u{212a}\u{17f}", Some(&["k", "\u{212a}", "\u{17f}"]), None),
        (r"(?i)\W", "k\u{212a}\u{17f}", Some(&[]), None),
        (r"[a&&b]+", "a&b", Some(&["a&b"]), None),
        (r"[a-z&&[b]]+", "abc", None, Some(&["b"])),
        (r"[[a]+", "[a", Some(&["[a"]), None),
        (r"[a~~b]+", "a~b", Some(&["a~b"]), Some(&["a~b"])),
        (r"[a-c--]+", "a-b", Some(&["a-b"]), Some(&["a-b"])),
        (r"[]a]+", "]a", Some(&["]a"]), Some(&["]a"])),
        (r"[^]a]+", "]ab", Some(&["b"]), Some(&["b"])),
        (r"\<a\>", "<a>", Some(&["<a>"]), Some(&["<a>"])),
        (r"\é\_\@\/", "é_@/", Some(&["é_@/"]), Some(&["é_@/"])),
        (r"\Qa.b\E+", "a.bb", Some(&["a.bb"]), None),
        (r"\Q[", "[", Some(&["["]), None),
        (r"a{,2}", "a{,2}", Some(&["a{,2}"]), None),
        (r"{a{1}{", "{a{", Some(&["{a{"]), None),
        (r"a{1,2}", "aaa", Some(&["aa", "a"]), Some(&["aa", "a"])),
        (r"\p{Lu}\pN", "É1", Some(&["É1"]), Some(&["É1"])),
        (r"[\p{Alpha}]+\P{Digit}", "éab\u{661}", None, Some(&["ab\u{661}"])),
        (r"\p{Han}+", "邮箱a", Some(&["邮箱"]), None),
    ];

    #[test]
    fn patterns_find_what_re2_and_java_find() {
        for (pattern, text, re2, java) in CASES {
            for (dialect, expected) in [(Dialect::Re2, re2), (Dialect::Java, java)] {
                let Some(expected) = expected else { continue };
                let found = matches(pattern, dialect, text);
                let found: Vec<&str> = found.into_iter().map(|(start, end)| &text[start..end]).collect();
                assert_eq!(found, expected, "{dialect:?} {pattern}");
            }
        }
    }

    #[test]
    fn ends_of_words_are_those_of_ascii_and_never_inside_of_a_character() {
        assert_eq!(matches(r"\b", Dialect::Re2, "éa"), [(2, 2), (3, 3)]);
        assert_eq!(matches(r"\B", Dialect::Re2, "éé"), [(0, 0), (2, 2), (4, 4)]);
    }

    #[test]
    fn what_is_no_pattern_stays_none() {
        for pattern in ["(a", "[a", r"\", r"[\", r"\1", "(?=a)", "[a-\\d]"] {
            assert!(compile(pattern, Dialect::Re2, 1 << 20).is_err(), "{pattern}");
            assert!(compile(pattern, Dialect::Java, 1 << 20).is_err(), "{pattern}");
        }
    }
}
