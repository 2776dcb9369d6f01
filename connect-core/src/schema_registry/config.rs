//! How a schema registry is reached: Confluent's keys.

use crate::config::{Problems, Secret, Type, Value, not_empty};
use std::{fmt, time::Duration};

crate::choices! {
    /// Where user and password come from.
    pub enum CredentialsSource {
        /// From nowhere. (Confluent's clients take them from the URL, where they would be shown in errors: such a URL
        /// is refused.)
        Url = "URL",
        /// From `basic.auth.user.info`.
        UserInfo = "USER_INFO",
    }
}

crate::choices! {
    /// Where a bearer token comes from.
    pub enum BearerSource {
        /// From nowhere: there is none.
        None = "NONE",
        /// From `bearer.auth.token`.
        StaticToken = "STATIC_TOKEN",
    }
}

crate::config! {
    /// How a schema registry is reached. Keys and defaults are those of Confluent's clients where nothing else is said.
    pub struct SchemaRegistryConfig {
        /// Base URLs of the registry, tried in order: the next one if one does not answer or does not have a schema.
        "schema.registry.url" => urls: Vec<RegistryUrl>, importance: High, group: "Schema registry", check: not_empty;
        /// Where user and password come from.
        "basic.auth.credentials.source" => credentials: CredentialsSource = CredentialsSource::Url, group: "Schema registry";
        /// `user:password`.
        "basic.auth.user.info" => user_info: Option<Secret>, group: "Schema registry";
        /// Where a bearer token comes from.
        "bearer.auth.credentials.source" => bearer: BearerSource = BearerSource::None, group: "Schema registry";
        /// The bearer token.
        "bearer.auth.token" => token: Option<Secret>, group: "Schema registry";
        /// The longest wait for a connection.
        "http.connect.timeout.ms" => connect_timeout: Duration = Duration::from_secs(60), range: Duration::from_millis(1).., importance: Low, group: "Schema registry";
        /// The longest wait for an answer.
        "http.read.timeout.ms" => read_timeout: Duration = Duration::from_secs(60), range: Duration::from_millis(1).., importance: Low, group: "Schema registry";
        /// Schemas kept. More are kept only while all of them were used within the last ten minutes.
        "schemas.cache.size" => cache_size: usize = 1000, range: 1.., importance: Low, group: "Schema registry";
    } check complete
}

fn complete(config: &SchemaRegistryConfig, problems: &mut Problems) {
    let user = (config.credentials == CredentialsSource::UserInfo, config.user_info.is_some());
    if user.0 != user.1 {
        problems.add(
            "basic.auth.user.info",
            "give basic.auth.credentials.source=USER_INFO and this key, or neither",
        );
    }
    if config.user_info.as_ref().is_some_and(|info| !info.expose().contains(':')) {
        problems.add("basic.auth.user.info", "not of the form user:password");
    }
    let bearer = (config.bearer == BearerSource::StaticToken, config.token.is_some());
    if bearer.0 != bearer.1 {
        problems.add(
            "bearer.auth.token",
            "give bearer.auth.credentials.source=STATIC_TOKEN and this key, or neither",
        );
    }
    if user.1 && bearer.1 {
        problems.add("bearer.auth.token", "user and token exclude each other");
    }
}

/// The base URL of a registry: `http` or `https`, without user and password, which have keys of their own. So it can be
/// shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryUrl(reqwest::Url);

impl RegistryUrl {
    /// The URL below this one with these path segments, which are escaped.
    pub(super) fn join(&self, path: &[&str]) -> reqwest::Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for RegistryUrl {
    const TYPE: Type = Type::String;
    const URL: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let url = reqwest::Url::parse(text.trim()).map_err(|_| "not a URL".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("not an http or https URL".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a user does not belong in a URL: use basic.auth.user.info".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a base URL has no query and no fragment".into());
        }
        Ok(Self(url))
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn allowed() -> Option<String> {
        Some("a URL such as https://registry:8081".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Settings};

    fn parsed(more: &[(&str, &str)]) -> Result<SchemaRegistryConfig, String> {
        let settings = [("schema.registry.url", "http://a:8081/base/, https://b")];
        SchemaRegistryConfig::parse(&Settings::literal(settings.iter().chain(more).copied()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn urls_are_joined_below_their_base_and_segments_escaped() {
        let config = parsed(&[]).unwrap();
        assert_eq!(
            config.urls[0].join(&["subjects", "a/b c", "versions"]).as_str(),
            "http://a:8081/base/subjects/a%2Fb%20c/versions"
        );
        assert_eq!(config.urls[1].join(&["schemas"]).as_str(), "https://b/schemas");
    }

    #[test]
    fn credentials_without_their_source_and_users_in_urls_are_refused() {
        assert!(parsed(&[("basic.auth.user.info", "a:b")]).unwrap_err().contains("USER_INFO"));
        assert!(parsed(&[("basic.auth.credentials.source", "USER_INFO")]).is_err());
        assert!(parsed(&[("bearer.auth.token", "t")]).unwrap_err().contains("STATIC_TOKEN"));
        let both =
            parsed(&[("basic.auth.credentials.source", "USER_INFO"), ("basic.auth.user.info", "hunter2")]);
        let text = both.unwrap_err();
        assert!(text.contains("user:password") && !text.contains("hunter2"), "{text}");
        let url = SchemaRegistryConfig::parse(&Settings::literal([("schema.registry.url", "http://u:p@a")]));
        assert!(url.unwrap_err().to_string().contains("basic.auth.user.info"));
        for wrong in ["http://a:8081?token=hunter2", "http://a:8081/#hunter2", "hunter2"] {
            let settings = Settings::literal([("schema.registry.url", wrong)]);
            let error = SchemaRegistryConfig::parse(&settings).unwrap_err();
            let shown = format!("{error} {error:?} {}", SchemaRegistryConfig::infos("registry", &settings));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
