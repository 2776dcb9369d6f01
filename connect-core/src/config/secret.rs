//! Text that is never shown.

use std::fmt;

use serde_json::json;

use super::{
    providers::{Providers, Reference},
    value::{Type, Value},
};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// A password, key or token. It prints as `[redacted]`, implements no serialisation, and gives its
/// text away in one place only: [`Secret::expose`].
///
/// A secret that was configured by a reference (`${file:/run/secrets/password}`) remembers it: [`Secret::resolve`]
/// reads the value as it is now, for clients whose credentials are rotated under a running pipeline.
///
/// ```
/// use connect_core::config::Secret;
///
/// let password = Secret::from("hunter2");
/// assert_eq!(format!("{password} {password:?}"), "[redacted] [redacted]");
/// assert_eq!(password.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret {
    text: String,
    reference: Option<Reference>,
}

impl Secret {
    /// The secret that a text with references stands for, such as `${env:TOKEN}`.
    ///
    /// # Errors
    ///
    /// If a reference cannot be resolved: the reason, without parts of any value.
    pub fn referring(text: &str, providers: &Providers) -> Result<Self, String> {
        match providers.resolve(text) {
            None => Self::parse(text),
            Some(value) => Ok(Self::parse(&value?)?.with_reference(&Reference::new(text, providers))),
        }
    }

    /// The text. Hand it to the client that needs it and keep no copy.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Whether the text came from a reference, so that [`resolve`](Self::resolve) may return another one.
    pub fn is_reference(&self) -> bool {
        self.reference.is_some()
    }

    /// Looks the references up again and returns the secret as it is now; without references, a copy of itself.
    ///
    /// Reads files and the environment, so it blocks: call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// If a reference can no longer be resolved: the reason, without parts of any value.
    pub fn resolve(&self) -> Result<Self, String> {
        match &self.reference {
            None => Ok(self.clone()),
            Some(reference) => Ok(Self::parse(&reference.resolve()?)?.with_reference(reference)),
        }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self { text, reference: None }
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// Two secrets are equal if their texts are, wherever they came from.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Secret {}

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
            text => Ok(text.into()),
        }
    }

    fn with_reference(mut self, reference: &Reference) -> Self {
        self.reference = Some(reference.clone());
        self
    }

    fn show(&self) -> String {
        REDACTED.into()
    }

    fn clear_text(&self) -> String {
        self.text.clone()
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
    use crate::config::{Config as _, Settings};

    #[test]
    fn a_secret_by_reference_is_read_again_and_a_literal_one_stays() {
        crate::config! {
            /// A login.
            struct Login {
                /// The password.
                "password" => password: Option<Secret>;
                /// The token.
                "token" => token: Secret;
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "old\n").unwrap();
        let reference = format!("${{file:{}}}", path.display());
        let pairs = [("password", reference.as_str()), ("token", "literal")];
        let settings = Settings::new(pairs, &Providers::system());
        let login = Login::parse(&settings).unwrap();
        let password = login.password.unwrap();
        assert_eq!(password.expose(), "old");
        assert!(password.is_reference() && !login.token.is_reference());
        std::fs::write(&path, " new\n").unwrap();
        let resolved = password.resolve().unwrap();
        assert_eq!((password.expose(), resolved.expose()), ("old", "new"));
        assert_eq!(format!("{resolved:?}"), REDACTED);
        std::fs::remove_file(&path).unwrap();
        let error = resolved.resolve().unwrap_err();
        assert!(error.contains("cannot read") && !error.contains("new"), "{error}");
        assert_eq!(login.token.resolve().unwrap().expose(), "literal");
        assert!(Secret::referring(&reference, &Providers::system()).is_err());
        assert_eq!(Secret::referring("plain", &Providers::none()).unwrap().expose(), "plain");
    }

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
