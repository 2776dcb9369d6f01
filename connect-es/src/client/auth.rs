//! Who we are, as a header.

use crate::config::EsConfig;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::HeaderValue;

/// The `Authorization` header, marked so that no client prints it. `None`: the cluster is open.
pub(crate) fn authorization(config: &EsConfig) -> Result<Option<HeaderValue>, &'static str> {
    let text = match (&config.api_key, &config.username, &config.password) {
        (Some(key), ..) => format!("ApiKey {}", key.expose()),
        (None, Some(user), Some(password)) => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))
        }
        _ => return Ok(None),
    };
    let mut header = HeaderValue::from_str(&text).map_err(|_| "an API key is plain ASCII on one line")?;
    header.set_sensitive(true);
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(change: impl FnOnce(&mut EsConfig)) -> Result<Option<String>, &'static str> {
        let mut config = EsConfig::new(vec!["http://a".parse().unwrap()]);
        change(&mut config);
        let header = authorization(&config)?;
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
}
