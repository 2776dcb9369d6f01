//! Programs in Go: built once from their module, and kept in the cache that all runs share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{lock, remove, root, run};
use crate::{Error, Result};

const INSTALL_GO: &str = "Go, 1.24 or newer (https://go.dev/dl)";

/// A program at one version.
#[derive(Debug)]
pub(crate) struct Module {
    /// The program's name, the last part of `path`.
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) version: &'static str,
}

/// Returns the path of the program. One that `go install` has left on the machine is taken if it is of the same version.
///
/// # Errors
///
/// [`Error::MissingTool`] without Go, [`Error::Install`] when it fails, [`Error::Io`] for the cache.
pub(crate) fn install(module: &Module) -> Result<PathBuf> {
    let Module { name, path, version } = module;
    let root = root()?;
    let dir = root.join(format!("{name}-{version}"));
    let program = dir.join(name);
    if program.exists() {
        return Ok(program);
    }
    let _lock = lock(&root)?;
    if program.exists() {
        return Ok(program);
    }
    let partial = root.join(format!("partial-{name}"));
    remove(&partial)?;
    fs::create_dir_all(&partial).map_err(Error::io(format!("create {}", partial.display())))?;
    if let Some(found) = installed(module) {
        fs::copy(&found, partial.join(name)).map_err(Error::io(format!("copy {}", found.display())))?;
    } else {
        eprintln!("services: building {name} {version} (once)");
        let mut go = Command::new("go");
        go.args(["install", &format!("{path}@{version}")]).env("GOBIN", &partial).env("CGO_ENABLED", "0");
        run(&format!("{name} by Go"), &mut go, "go", INSTALL_GO)?;
    }
    fs::rename(&partial, &dir).map_err(Error::io(format!("move {}", partial.display())))?;
    Ok(program)
}

/// The program in Go's own directory, if it is of the module's version.
fn installed(module: &Module) -> Option<PathBuf> {
    let go = |arguments: &[&str]| run("", Command::new("go").args(arguments), "go", INSTALL_GO).ok();
    let program = Path::new(go(&["env", "GOPATH"])?.trim()).join("bin").join(module.name);
    let about = go(&["version", "-m", program.to_str()?])?;
    is_of(module, &about).then_some(program)
}

/// Whether `about`, the output of `go version -m`, tells of this module.
fn is_of(module: &Module, about: &str) -> bool {
    about.lines().any(|line| {
        let mut words = line.split_whitespace();
        (words.next(), words.next(), words.next()) == (Some("mod"), Some(module.path), Some(module.version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_another_version_is_not_taken() {
        let module = Module { name: "minio", path: "github.com/minio/minio", version: "v1" };
        let about = |version: &str| {
            format!(
                "bin/minio: go1.26\n\tpath\tx\n\tmod\tgithub.com/minio/minio\t{version}\th1:sum=\n\tdep\ty\tv1\n"
            )
        };
        assert!(is_of(&module, &about("v1")));
        assert!(!is_of(&module, &about("v2")));
    }
}
