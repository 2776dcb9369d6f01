//! Text that is never shown.

use std::fmt;

use serde_json::json;

use super::value::{Type, Value};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// A password, key or token. It prints as `[redacted]`, implements no serialisation, and gives its
/// text away in one place only: [`Secret::expose`].
///
/// ```
/// use connect_core::config::Secret;
///
/// let password = Secret::from("hunter2");
/// assert_eq!(format!("{password} {password:?}"), "[redacted] [redacted]");
/// assert_eq!(password.expose(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text. Hand it to the client that needs it and keep no copy.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Value for Secret {
    const TYPE: Type = Type::Password;
    const SECRET: bool = true;

    /// Blanks around the text are dropped, as Kafka does.
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            // A printed configuration that was fed back.
            REDACTED => Err("the mark of a hidden value, give the real one".into()),
            text => Ok(Self(text.to_owned())),
        }
    }

    fn show(&self) -> String {
        REDACTED.into()
    }

    fn clear_text(&self) -> String {
        self.0.clone()
    }

    fn json_schema() -> serde_json::Value {
        json!({ "type": "string", "format": "password", "writeOnly": true })
    }
}

/// Whether a property of that name, declared nowhere, is to be hidden: librdkafka marks its
/// sensitive properties in its own source only, so this goes by the words they are made of.
pub(super) fn sounds_secret(key: &str) -> bool {
    const WORDS: [&str; 12] = [
        "password",
        "passphrase",
        "passwd",
        "secret",
        "token",
        "credential",
        "private",
        "jaas",
        "oauthbearer",
        "ssl.key",
        "ssl_key",
        "api.key",
    ];
    let key = key.to_ascii_lowercase();
    WORDS.iter().any(|word| key.contains(word))
}

/// Hides the user part of every URL in a text: people do write passwords there, with characters that end the part by the
/// rules, and forget the scheme. So rather too much is hidden, a path up to its last `@` as well.
pub(super) fn hide_user_info(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (first, mut rest) = text.split_at(text.find("://").unwrap_or(text.len()));
    push_hidden(first, first.rfind('@').filter(|&at| is_user_info(&first[..at])), &mut out);
    while let Some(url) = rest.strip_prefix("://") {
        let next = url.match_indices("://").map(|(at, _)| at).find(|&at| ends_in_scheme(&url[..at]));
        let (url, others) = url.split_at(next.unwrap_or(url.len()));
        out.push_str("://");
        push_hidden(url, url.rfind('@'), &mut out);
        rest = others;
    }
    out
}

/// Whether another URL begins at the end of this text: its scheme stands there, behind something that is none.
fn ends_in_scheme(text: &str) -> bool {
    text.rsplit_once([',', ';', ' ']).is_some_and(|(_, scheme)| scheme.chars().all(char::is_alphanumeric))
}

fn push_hidden(text: &str, until: Option<usize>, out: &mut String) {
    if until.is_some() {
        out.push_str(REDACTED);
    }
    out.push_str(&text[until.unwrap_or(0)..]);
}

/// Whether a text without a scheme in front, and with an `@` behind it, is a user and a password; a pattern or a path of
/// JSON is not.
fn is_user_info(text: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || "._-/@%+~".contains(c);
    text.split_once(':').is_some_and(|(user, _)| user.chars().all(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_part_of_urls_is_hidden() {
        let check = |text: &str, shown: &str| assert_eq!(hide_user_info(text), shown);
        check("https://elastic:pw@es:9200/a", "https://[redacted]@es:9200/a");
        check("http://a:9200,http://u:p@b:9200", "http://a:9200,http://[redacted]@b:9200");
        check("http://a/b,http://c:9200/d", "http://a/b,http://c:9200/d");
        for unchanged in ["plain", "mail@example", "$[?(@.a == 'b:c@d')]", "(?:a|b)@c"] {
            check(unchanged, unchanged);
        }
        for wrong in ["pa/ss", "pa?ss", "pa#ss", "pa,ss", "pa ss", "pa@ss", "pa:ss"] {
            check(&format!("http://u:{wrong}@es:9200"), "http://[redacted]@es:9200");
            check(&format!("u:{wrong}@es:9200,http://b"), "[redacted]@es:9200,http://b");
            check(&format!("http:/u:{wrong}@es"), "[redacted]@es");
        }
        check("http://u:pa://ss@es:9200", "http://[redacted]@es:9200");
        check("http://a/?b=http://c", "http://a/?b=http://c");
        for user in ["u@corp", "u%40corp", "u+v", "u~v"] {
            check(&format!("{user}:pw@es:9200"), "[redacted]@es:9200");
        }
    }

    #[test]
    fn a_printed_secret_fed_back_is_refused() {
        assert!(Secret::parse("[redacted]").is_err());
        assert_eq!(Secret::parse(" pw\n"), Ok(Secret::from("pw")));
    }

    #[test]
    fn properties_of_librdkafka_that_hold_secrets_sound_so() {
        for key in ["sasl.password", "ssl.key.pem", "ssl_key", "sasl.oauthbearer.config", "sasl.jaas.config"]
        {
            assert!(sounds_secret(key), "{key}");
        }
        for key in ["sasl.username", "fetch.min.bytes", "security.protocol", "ssl.ca.location"] {
            assert!(!sounds_secret(key), "{key}");
        }
    }
}
