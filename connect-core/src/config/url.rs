//! What people may see of a text that should be URLs.

use super::secret::{REDACTED, hide_user_info};

/// URLs, separated by commas, without what may be secret in them: user, query and fragment. What is no URL may be
/// anything, such as a key that was put in the wrong place, and is hidden as a whole; `is_reference` says which items
/// are only references.
pub(super) fn shown(text: &str, is_reference: impl Fn(&str) -> bool) -> String {
    // Users first: their passwords may contain what looks like a query.
    let text = hide_user_info(text);
    // The whole rest, not that of one item: a query can contain commas.
    let (urls, cut) = match text.find(['?', '#']) {
        Some(at) => (&text[..at], format!("{}{REDACTED}", &text[at..=at])),
        None => (text.as_str(), String::new()),
    };
    let item =
        |item: &str| if is_url(item) || is_reference(item) { item.to_owned() } else { REDACTED.to_owned() };
    let items: Vec<String> = urls.split(',').map(|text| item(text.trim())).collect();
    items.join(",") + &cut
}

/// Whether a text is a scheme and something behind it without blanks.
fn is_url(text: &str) -> bool {
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    text.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(in_scheme)
            && !rest.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_user_query_and_fragment() {
        let check =
            |text: &str, want: &str| assert_eq!(shown(text, |item| item == "${env:X}"), want, "{text}");
        check("http://a:9200/x, https://b", "http://a:9200/x,https://b");
        check("file:///data/{topic}", "file:///data/{topic}");
        check("http://a:9200/?api_key=hunter2", "http://a:9200/?[redacted]");
        check("http://a:9200/?k=hunter2,http://hunter2", "http://a:9200/?[redacted]");
        check("http://a:9200/#hunter2", "http://a:9200/#[redacted]");
        check("s3://b?secret=hunter2", "s3://b?[redacted]");
        check("http://u:hun?ter#2@a/?k=hunter2", "http://[redacted]@a/?[redacted]");
        check("${env:X},http://b", "${env:X},http://b");
    }

    #[test]
    fn what_is_no_url_is_not_shown() {
        for text in [
            "hunter2",
            "ApiKey hunter2",
            "ApiKey hunter2://a",
            "http://a ApiKey:hunter2",
            "http:/hunter2",
            "://hunter2",
        ] {
            assert_eq!(shown(text, |_| false), REDACTED);
        }
        assert_eq!(shown("http://a,hunter2", |_| false), "http://a,[redacted]");
    }
}
