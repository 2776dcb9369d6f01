//! Values that stand somewhere else: `${env:X}`, `${file:/path}` and `${file:/path:key}`.

use std::{collections::BTreeMap, fmt, fs::File, io::Read as _, path::PathBuf, sync::Arc};

use super::properties;

/// Looks up references of one name. Any `Fn(&str) -> Result<String, String>` is one.
pub trait Provider: Send + Sync {
    /// The value of what stands between the colon and the closing brace.
    ///
    /// # Errors
    ///
    /// Why there is no value, without parts of any value.
    fn get(&self, reference: &str) -> Result<String, String>;
}

impl<F: Fn(&str) -> Result<String, String> + Send + Sync> Provider for F {
    fn get(&self, reference: &str) -> Result<String, String> {
        self(reference)
    }
}

/// What resolves references in values, by name.
///
/// As in Kafka, a reference is `${name:…}`, may stand anywhere in a value, and what it yields is not looked
/// at again; text such as `${topic}`, without a colon, is left alone. Unlike in Kafka, a reference that cannot
/// be resolved is an error and never passed on as text; `$${name:…}` stands for the text `${name:…}`.
///
/// Looking up reads the environment and files, blocking, when [`Settings`](super::Settings) are made, and again when
/// [`Secret::resolve`](super::Secret::resolve) is called.
#[derive(Clone)]
pub struct Providers(BTreeMap<String, Arc<dyn Provider>>);

impl Providers {
    /// No references are resolved.
    pub fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// `env` and `file`, the latter without limits: for configurations that the owner of the process writes.
    pub fn system() -> Self {
        Self::none().with("env", environment).with("file", Files::anywhere())
    }

    /// Adds or replaces a provider.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, provider: impl Provider + 'static) -> Self {
        self.0.insert(name.into(), Arc::new(provider));
        self
    }

    /// The text with its references resolved; None if it has none.
    pub(super) fn resolve(&self, text: &str) -> Option<Result<String, String>> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut found = false;
        while let Some(at) = rest.find("${") {
            let Some((name, argument, end)) = reference(&rest[at..]) else {
                out.push_str(&rest[..at + 2]);
                rest = &rest[at + 2..];
                continue;
            };
            found = true;
            match rest[..at].strip_suffix('$') {
                Some(before) => {
                    out.push_str(before);
                    out.push_str(&rest[at..at + end]);
                }
                None => {
                    out.push_str(&rest[..at]);
                    match self.look_up(name, argument) {
                        Ok(value) => out.push_str(&value),
                        Err(why) => return Some(Err(why)),
                    }
                }
            }
            rest = &rest[at + end..];
        }
        out.push_str(rest);
        found.then_some(Ok(out))
    }

    fn look_up(&self, name: &str, argument: &str) -> Result<String, String> {
        match self.0.get(name) {
            Some(provider) => provider.get(argument).map_err(|why| format!("cannot be resolved: {why}")),
            None if self.0.is_empty() => Err("references are not allowed here".into()),
            None => {
                let known: Vec<_> = self.0.keys().map(String::as_str).collect();
                let known = super::choices::alternatives(&known);
                Err(format!(
                    "no provider named {name:?}, known are {known}; write $${{{name}:…}} for the text"
                ))
            }
        }
    }
}

impl Default for Providers {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A text with references and the providers that resolve them, kept so that they can be looked up again.
///
/// Never printed: parts of a secret may stand around the references.
#[derive(Clone)]
pub struct Reference {
    raw: Arc<str>,
    providers: Providers,
}

impl Reference {
    pub(super) fn new(raw: &str, providers: &Providers) -> Self {
        Self { raw: raw.into(), providers: providers.clone() }
    }

    /// The text as it resolves now.
    pub(super) fn resolve(&self) -> Result<String, String> {
        self.providers.resolve(&self.raw).unwrap_or_else(|| Ok(self.raw.to_string()))
    }
}

/// Providers have no equality of their own; in one process the same text refers to the same value.
impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Reference {}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reference")
    }
}

/// Splits `${name:argument}…` into name, argument and length.
fn reference(text: &str) -> Option<(&str, &str, usize)> {
    let close = text.find('}')?;
    let (name, argument) = text[2..close].split_once(':')?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!name.is_empty() && name.chars().all(word)).then_some((name, argument, close + 1))
}

fn environment(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => format!("environment variable {name} is not set"),
        std::env::VarError::NotUnicode(_) => format!("environment variable {name} is not UTF-8"),
    })
}

/// The provider `file`: `/path` is the text of a file without its last line break, as container platforms
/// mount secrets; `/path:key` is the value of a key in a `.properties` file, as Kafka's own provider reads it.
#[derive(Clone, Debug)]
pub struct Files {
    below: Vec<PathBuf>,
}

/// No secret is larger; a reference to a device or a log must not fill the memory.
const FILE_MAX_BYTES: u64 = 1 << 20;

impl Files {
    /// Any file the process may read.
    pub fn anywhere() -> Self {
        Self { below: Vec::new() }
    }

    /// Files in these directories only, symbolic links followed first: for configurations that come from
    /// somebody else, by REST for example.
    pub fn below(directories: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self { below: directories.into_iter().map(Into::into).collect() }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let failed = |error: std::io::Error| format!("cannot read {path}: {error}");
        let real = std::fs::canonicalize(path).map_err(failed)?;
        let inside =
            |directory: &PathBuf| std::fs::canonicalize(directory).is_ok_and(|d| real.starts_with(d));
        if !self.below.is_empty() && !self.below.iter().any(inside) {
            return Err(format!("{path} lies outside of the allowed directories"));
        }
        if !std::fs::metadata(&real).map_err(failed)?.is_file() {
            return Err(format!("{path} is not a file"));
        }
        let mut text = String::new();
        File::open(&real)
            .map_err(failed)?
            .take(FILE_MAX_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(failed)?;
        if text.len() as u64 > FILE_MAX_BYTES {
            return Err(format!("{path} is larger than {FILE_MAX_BYTES} bytes"));
        }
        Ok(text)
    }
}

impl Provider for Files {
    fn get(&self, reference: &str) -> Result<String, String> {
        let Some((path, key)) = reference.split_once(':') else {
            let text = self.read(reference)?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            return Ok(text.strip_suffix('\r').unwrap_or(text).to_owned());
        };
        let pairs = properties::parse(&self.read(path)?)
            .map_err(|line| format!("{path} has a malformed escape in line {line}"))?;
        let value = pairs.into_iter().rev().find(|(name, _)| name == key);
        value.map(|(_, value)| value).ok_or_else(|| format!("{path} has no key {key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shout() -> Providers {
        Providers::none().with("up", |text: &str| Ok::<_, String>(text.to_uppercase()))
    }

    #[test]
    fn references_are_resolved_anywhere_in_a_value_and_once_only() {
        let check =
            |text: &str, value: &str| assert_eq!(shout().resolve(text), Some(Ok(value.into())), "{text}");
        check("${up:a}", "A");
        check("x${up:a}-${up:b}y", "xA-By");
        check("${up:${up:a}", "${UP:A");
        check("$${up:a}${up:b}", "${up:a}B");
        check("${topic}-${up:a}", "${topic}-A");
    }

    #[test]
    fn text_without_a_reference_is_left_alone() {
        for text in ["", "plain", "${topic}", "$${topic}", "${", "${up:open", "${a b:c}", "${:c}"] {
            assert_eq!(shout().resolve(text), None, "{text}");
        }
    }

    #[test]
    fn a_reference_without_provider_is_an_error_that_names_the_known_ones() {
        let error = shout().resolve("${vault:a}").unwrap().unwrap_err();
        assert_eq!(error, "no provider named \"vault\", known are up; write $${vault:…} for the text");
    }

    #[test]
    fn environment_and_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(path("token"), "t0ken\n").unwrap();
        std::fs::write(path("all.properties"), "user=ann\npassword = p\\u0077\n").unwrap();
        let system = Providers::system();
        let get = |text: String| system.resolve(&text).unwrap();
        assert_eq!(get("${env:CARGO_PKG_NAME}".into()), Ok("connect-core".into()));
        assert_eq!(
            get("${env:CONNECT_NO_SUCH_VARIABLE}".into()),
            Err("cannot be resolved: environment variable CONNECT_NO_SUCH_VARIABLE is not set".into())
        );
        assert_eq!(get(format!("${{file:{}}}", path("token"))), Ok("t0ken".into()));
        assert_eq!(get(format!("${{file:{}:password}}", path("all.properties"))), Ok("pw".into()));
        assert!(get(format!("${{file:{}:nobody}}", path("all.properties"))).is_err());
        assert!(get(format!("${{file:{}}}", path("missing"))).is_err());
        assert!(get("${file:/dev/zero}".into()).is_err());
    }

    #[test]
    fn files_can_be_limited_to_directories() {
        let open = tempfile::tempdir().unwrap();
        let shut = tempfile::tempdir().unwrap();
        std::fs::write(open.path().join("a"), "yes").unwrap();
        std::fs::write(shut.path().join("b"), "no").unwrap();
        let files = Files::below([open.path()]);
        let get = |path: PathBuf| files.get(&path.display().to_string());
        assert_eq!(get(open.path().join("a")), Ok("yes".into()));
        let sneaky = open.path().join("..").join(shut.path().file_name().unwrap()).join("b");
        assert!(get(shut.path().join("b")).unwrap_err().contains("outside"));
        assert!(get(sneaky).unwrap_err().contains("outside"));
    }
}
