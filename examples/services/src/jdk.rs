//! Java development kits on this machine.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::{Error, Result};

/// Directories whose entries are kits, and where in an entry its home is.
const PLACES: [(&str, &str); 2] =
    [("/usr/lib/jvm", ""), ("/Library/Java/JavaVirtualMachines", "Contents/Home")];

/// A Java development kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jdk {
    home: PathBuf,
}

impl Jdk {
    /// The first kit of the major version `least` or newer: of `$JAVA_HOME`, the other variables that begin like it
    /// (`JAVA_HOME_25`, or `JAVA_HOME_25_X64` as hosted CI has it), the `java` on the path, the system's directories.
    ///
    /// # Errors
    ///
    /// [`Error::NoJdk`] with what was found instead.
    pub(crate) fn find(least: u32) -> Result<Self> {
        first(least, candidates())
    }

    /// The kit's program `name`.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.home.join("bin").join(name)
    }
}

/// The first of `homes` that is new enough.
fn first(least: u32, homes: impl IntoIterator<Item = PathBuf>) -> Result<Jdk> {
    let mut found = Vec::new();
    for home in homes {
        match major(&home) {
            Some(version) if version >= least => return Ok(Jdk { home }),
            Some(version) => found.push((version, home)),
            None => {}
        }
    }
    Err(Error::NoJdk { least, found })
}

fn candidates() -> impl Iterator<Item = PathBuf> {
    let mut named: Vec<_> = env::vars_os()
        .filter(|(name, value)| name.to_string_lossy().starts_with("JAVA_HOME") && !value.is_empty())
        .collect();
    // The plain name sorts first.
    named.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    // A link usually, into the kit's `bin`.
    let on_path: Vec<PathBuf> = env::split_paths(&path)
        .filter_map(|dir| fs::canonicalize(dir.join("java")).ok())
        .filter_map(|java| Some(java.parent()?.parent()?.to_owned()))
        .collect();
    let installed = PLACES.iter().flat_map(|(dir, home)| {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(dir).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        entries.sort();
        entries.into_iter().map(move |entry| entry.join(home))
    });
    named.into_iter().map(|(_, home)| home.into()).chain(on_path).chain(installed)
}

/// The major version that the kit's file `release` tells; `None` where there is no kit.
fn major(home: &Path) -> Option<u32> {
    // A runtime alone cannot compile the launchers.
    if !home.join("bin/javac").exists() {
        return None;
    }
    version(&fs::read_to_string(home.join("release")).ok()?)
}

/// The major version in the text of a file `release`.
fn version(release: &str) -> Option<u32> {
    let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?.trim_matches('"');
    version.split(['.', '-', '+']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_release_file() {
        assert_eq!(version("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"25.0.1\"\n"), Some(25));
        assert_eq!(version("JAVA_VERSION=\"21\"\nOS=\"Linux\""), Some(21));
        assert_eq!(version("JAVA_VERSION=\"26-ea\""), Some(26));
        assert_eq!(version("OS=\"Linux\""), None);
    }

    #[test]
    fn a_missing_kit_is_an_error_that_names_the_version_and_the_variable() {
        let old = Jdk::find(17).unwrap();
        let error = first(99, [PathBuf::from("/nowhere"), old.home.clone()]).unwrap_err().to_string();
        assert!(error.contains("99") && error.contains("JAVA_HOME_99"), "{error}");
        assert!(error.contains(&old.home.display().to_string()), "{error}");
        assert!(!error.contains("/nowhere"), "{error}");
    }
}
