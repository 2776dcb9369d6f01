//! The members of one object, as they stand in the text.

use super::{
    Scanner, SyntaxError,
    escape::unescape,
    object::{Member, read_members},
};

/// The members of the object that `text` is, in order, checked with all that is in them. `None`: it is another value,
/// which is checked too.
pub(crate) fn members(text: &str) -> Result<Option<Vec<Member>>, SyntaxError> {
    let mut scanner = Scanner::of(text);
    let mut closers = Vec::new();
    if scanner.peek() != Some(b'{') {
        scanner.value(&mut closers)?;
        scanner.end()?;
        return Ok(None);
    }
    let mut members = Vec::new();
    read_members(&mut scanner, &mut members, &mut closers)?;
    scanner.end()?;
    Ok(Some(members))
}

/// The value of the last member of that name: the one that counts in Java.
pub(crate) fn find<'a>(text: &'a str, members: &[Member], name: &str) -> Option<&'a str> {
    let found = members.iter().rev().find(|member| member.is(text, name))?;
    Some(&text[found.value.clone()])
}

/// The elements of the array that `text`, which is known to be JSON, is; of anything else none.
pub(crate) fn elements(text: &str) -> Result<Vec<&str>, SyntaxError> {
    let mut scanner = Scanner::of(text);
    let (mut closers, mut elements) = (Vec::new(), Vec::new());
    if scanner.peek() != Some(b'[') {
        return Ok(elements);
    }
    scanner.step();
    if scanner.peek() == Some(b']') {
        return Ok(elements);
    }
    loop {
        elements.push(&text[scanner.value(&mut closers)?]);
        match scanner.peek() {
            Some(b',') => scanner.step(),
            _ => return Ok(elements),
        }
    }
}

/// What a JSON string stands for; `None` if the text, which is known to be JSON, is something else.
pub(crate) fn string(text: &str) -> Option<String> {
    let body = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut string = String::new();
    unescape(body, &mut string);
    Some(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements_stand_where_they_are_found() {
        let text = r#" {"a" : 1.0, "b":{"c":[1]}, "\u0061": "x"} "#;
        let found = members(text).unwrap().unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(find(text, &found, "a"), Some("\"x\""), "the last one counts");
        assert_eq!(find(text, &found, "b"), Some(r#"{"c":[1]}"#));
        assert_eq!(find(text, &found, "c"), None);
        assert_eq!(elements(r#"[1, {"a":[2]} ,"x"]"#).unwrap(), ["1", r#"{"a":[2]}"#, "\"x\""]);
        assert!(elements("[]").unwrap().is_empty() && elements("{}").unwrap().is_empty());
        assert_eq!((string(r#""a\n""#), string("1")), (Some("a\n".to_owned()), None));
    }

    #[test]
    fn what_is_no_object_is_checked_too() {
        assert!(members("[1]").unwrap().is_none() && members("{}").unwrap().unwrap().is_empty());
        for wrong in ["", "[1", "{\"a\":1", "{\"a\":1}x", "{\"a\" 1}", "{,}"] {
            assert!(members(wrong).is_err(), "{wrong}");
        }
    }
}
