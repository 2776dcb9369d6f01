//! Who we are, as a header, and again after it was refused.

use crate::config::EsConfig;
use base64::{Engine, engine::general_purpose::STANDARD};
use connect_core::config::Secret;
use reqwest::header::HeaderValue;
use std::sync::{Mutex, PoisonError};

/// The `Authorization` header and where it comes from.
#[derive(Debug)]
pub(super) struct Credentials {
    current: Mutex<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    identity: Identity,
    header: Option<HeaderValue>,
}

/// What the header is made of.
#[derive(Clone, Debug)]
enum Identity {
    /// The cluster is open.
    Nobody,
    ApiKey(Secret),
    User(String, Secret),
}

/// What looking the credentials up again has brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewed {
    /// There are others than those that were refused.
    Changed,
    /// They are what they were.
    Same,
    /// They stand in the configuration itself, or there are none.
    Fixed,
    /// They could not be looked up; the reason, without any value.
    Failed(String),
}

impl Credentials {
    pub(super) fn new(config: &EsConfig) -> Result<Self, &'static str> {
        let identity = match (&config.api_key, &config.username, &config.password) {
            (Some(key), ..) => Identity::ApiKey(key.clone()),
            (None, Some(user), Some(password)) => Identity::User(user.clone(), password.clone()),
            _ => Identity::Nobody,
        };
        let header = identity.header()?;
        Ok(Self { current: Mutex::new(Current { identity, header }) })
    }

    /// The header of now.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).header.clone()
    }

    /// Looks the credentials up where the configuration refers to, after `refused` was. Requests that were refused together
    /// find the new ones there already.
    ///
    /// # Cancel safety
    /// Safe to drop: the credentials are the old or the new ones.
    pub(super) async fn renew(&self, refused: Option<&HeaderValue>) -> Renewed {
        let identity = {
            let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            if current.header.as_ref() != refused {
                return Renewed::Changed;
            }
            current.identity.clone()
        };
        let Some(secret) = identity.secret().filter(|secret| secret.is_reference()).cloned() else {
            return Renewed::Fixed;
        };
        // A file may lie on a network's disk.
        let found = match tokio::task::spawn_blocking(move || secret.resolve()).await {
            Ok(Ok(found)) => found,
            Ok(Err(reason)) => return Renewed::Failed(reason),
            Err(panic) => return Renewed::Failed(panic.to_string()),
        };
        if Some(&found) == identity.secret() {
            return Renewed::Same;
        }
        let identity = identity.with(found);
        match identity.header() {
            Ok(header) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Current { identity, header };
                Renewed::Changed
            }
            Err(reason) => Renewed::Failed(reason.to_owned()),
        }
    }

    /// The key of the configuration that holds the secret.
    pub(super) fn key(&self) -> &'static str {
        match self.current.lock().unwrap_or_else(PoisonError::into_inner).identity {
            Identity::Nobody | Identity::User(..) => "connection.password",
            Identity::ApiKey(_) => "connection.api.key",
        }
    }
}

impl Identity {
    fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Nobody => None,
            Self::ApiKey(secret) | Self::User(_, secret) => Some(secret),
        }
    }

    fn with(self, secret: Secret) -> Self {
        match self {
            Self::Nobody => Self::Nobody,
            Self::ApiKey(_) => Self::ApiKey(secret),
            Self::User(user, _) => Self::User(user, secret),
        }
    }

    /// Marked so that no client prints it.
    fn header(&self) -> Result<Option<HeaderValue>, &'static str> {
        let text = match self {
            Self::Nobody => return Ok(None),
            Self::ApiKey(key) => format!("ApiKey {}", key.expose()),
            Self::User(user, password) => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))
            }
        };
        let mut header = HeaderValue::from_str(&text).map_err(|_| "an API key is plain ASCII on one line")?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::config::Providers;

    fn header(change: impl FnOnce(&mut EsConfig)) -> Result<Option<String>, &'static str> {
        let mut config = EsConfig::new(vec!["http://a".parse().unwrap()]);
        change(&mut config);
        let credentials = Credentials::new(&config)?;
        let header = credentials.header();
        assert!(header.as_ref().is_none_or(HeaderValue::is_sensitive));
        Ok(header.map(|header| header.to_str().unwrap().to_owned()))
    }

    #[test]
    fn users_and_api_keys_become_headers() {
        assert_eq!(header(|_| {}), Ok(None));
        // RFC 7617, section 2.
        let user = header(|config| {
            config.username = Some("Aladdin".into());
            config.password = Some("open sesame".into());
        });
        assert_eq!(user, Ok(Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into())));
        assert_eq!(header(|config| config.api_key = Some("abc=".into())), Ok(Some("ApiKey abc=".into())));
        assert!(header(|config| config.api_key = Some("a\nb".into())).is_err());
    }

    #[tokio::test]
    async fn credentials_are_looked_up_where_the_configuration_refers_to() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| std::fs::write(file.path(), text).unwrap();
        write("first");
        let mut config = EsConfig::new(vec!["http://a".parse().unwrap()]);
        let reference = format!("${{file:{}}}", file.path().display());
        config.api_key = Some(Secret::referring(&reference, &Providers::system()).unwrap());
        let credentials = Credentials::new(&config).unwrap();
        let refused = credentials.header();
        assert_eq!(credentials.renew(refused.as_ref()).await, Renewed::Same);
        write("second");
        assert_eq!(credentials.renew(refused.as_ref()).await, Renewed::Changed);
        assert_eq!(credentials.header().unwrap(), "ApiKey second");
        write("third");
        assert_eq!(credentials.renew(refused.as_ref()).await, Renewed::Changed, "others have looked already");
        assert_eq!(credentials.header().unwrap(), "ApiKey second");
        write("on two\nlines");
        let refused = credentials.header();
        assert!(matches!(credentials.renew(refused.as_ref()).await, Renewed::Failed(_)));
        std::fs::remove_file(file.path()).unwrap();
        assert!(matches!(credentials.renew(refused.as_ref()).await, Renewed::Failed(_)));

        config.api_key = Some("literal".into());
        let credentials = Credentials::new(&config).unwrap();
        assert_eq!(credentials.renew(credentials.header().as_ref()).await, Renewed::Fixed);
    }
}
