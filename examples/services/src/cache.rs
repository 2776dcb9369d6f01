//! The programs: jars fetched by Maven and one compiled launcher each, kept in a cache that all runs share.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, ffi::OsStr};

use crate::jdk::Jdk;
use crate::{Error, Result};

const INSTALL_JDK: &str = "a whole JDK, with javac and jar (Debian: openjdk-17-jdk-headless)";
const INSTALL_MAVEN: &str = "Maven, 3.6 or newer (Debian: maven)";
const TETHER: &str = include_str!("../java/Tether.java");
const LOG4J: &str = include_str!("../java/log4j2.properties");

/// What has to be fetched and compiled for one kind of server.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// Name and version, the cache directory's name.
    pub(crate) name: &'static str,
    /// The pom file whose dependencies are the server.
    pub(crate) pom: &'static str,
    /// The launcher's class.
    pub(crate) main: &'static str,
    /// The launcher's source.
    pub(crate) source: &'static str,
    /// The oldest major version of Java that runs it.
    pub(crate) java: u32,
    /// Arguments of the Java virtual machine that the server does not start without.
    pub(crate) jvm: &'static [&'static str],
    /// Jars that the server wants apart from its class path.
    pub(crate) module: Option<Module>,
}

/// Jars that a server loads by itself, from a directory with a description: `modules/NAME` beside `libs`.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: &'static str,
    /// What the names of its jars begin with.
    pub(crate) jars: &'static [&'static str],
    /// The text of `plugin-descriptor.properties`.
    pub(crate) descriptor: &'static str,
}

/// A bundle on disk, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    dir: PathBuf,
    jdk: Jdk,
    jvm: &'static [&'static str],
    pub(crate) main: &'static str,
}

impl Program {
    /// A command that runs the Java virtual machine of this program, without the class path.
    pub(crate) fn java(&self) -> Command {
        let mut java = Command::new(self.jdk.tool("java"));
        java.args(self.jvm);
        java
    }

    /// The launcher's jar and all others, sorted: a class data archive is good for exactly one class path.
    pub(crate) fn class_path(&self) -> Result<String> {
        let libs = self.dir.join("libs");
        let mut jars = Vec::new();
        for entry in fs::read_dir(&libs).map_err(Error::io(format!("list {}", libs.display())))? {
            let path = entry.map_err(Error::io(format!("list {}", libs.display())))?.path();
            if path.extension() == Some(OsStr::new("jar")) {
                jars.push(path);
            }
        }
        jars.sort();
        jars.insert(0, self.dir.join("main.jar"));
        Ok(jars.iter().map(|jar| jar.display().to_string()).collect::<Vec<_>>().join(":"))
    }

    /// The archive of loaded classes, which saves 40 % of a start; `None` while there is none.
    pub(crate) fn archive(&self) -> Option<PathBuf> {
        let archive = self.archive_path();
        fs::metadata(&archive).is_ok_and(|file| file.len() > 0).then_some(archive)
    }

    fn archive_path(&self) -> PathBuf {
        self.dir.join("classes.jsa")
    }
}

/// Answers the program of `bundle`, after fetching it if the cache lacks it.
///
/// `train` runs the new program once, orderly to its end, with the class data archive to write.
///
/// # Errors
///
/// [`Error::MissingTool`] without Java or Maven, [`Error::Install`] when either fails, [`Error::Io`] for the cache.
pub(crate) fn install(bundle: &Bundle, train: impl FnOnce(&Program, &Path) -> Result<()>) -> Result<Program> {
    let root = root()?;
    let descriptor = bundle.module.as_ref().map(|module| module.descriptor);
    let texts = [bundle.pom, bundle.source, TETHER, LOG4J].into_iter().chain(descriptor);
    let dir = root.join(format!("{}-{:016x}", bundle.name, fingerprint(texts)));
    let program = Program { dir, jdk: Jdk::find(bundle.java)?, jvm: bundle.jvm, main: bundle.main };
    if program.archive_path().exists() {
        return Ok(program);
    }
    // One lock for all bundles: Maven's own repository does not bear two writers either. It ends with its holder.
    fs::create_dir_all(&root).map_err(Error::io(format!("create {}", root.display())))?;
    let lock = root.join("install.lock");
    let lock = File::create(&lock).map_err(Error::io(format!("create {}", lock.display())))?;
    lock.lock().map_err(Error::io("lock the cache"))?;
    if !program.dir.exists() {
        let partial = root.join(format!("partial-{}", bundle.name));
        remove(&partial)?;
        build(bundle, &program.jdk, &partial)?;
        fs::rename(&partial, &program.dir).map_err(Error::io(format!(
            "move {} to {}",
            partial.display(),
            program.dir.display()
        )))?;
    }
    if !program.archive_path().exists() {
        let partial = program.dir.join("partial.jsa");
        // The archive only saves time. A machine where it cannot be made gets an empty one and does without.
        if train(&program, &partial).is_err() || !partial.exists() {
            File::create(&partial).map_err(Error::io(format!("create {}", partial.display())))?;
        }
        fs::rename(&partial, program.archive_path())
            .map_err(Error::io(format!("rename {}", partial.display())))?;
    }
    Ok(program)
}

/// Fetches the jars into `dir/libs` and compiles the launcher into `dir/main.jar`.
fn build(bundle: &Bundle, jdk: &Jdk, dir: &Path) -> Result<()> {
    eprintln!("services: fetching {} (once)", bundle.name);
    let classes = dir.join("classes");
    fs::create_dir_all(&classes).map_err(Error::io(format!("create {}", classes.display())))?;
    let main = format!("{}.java", bundle.main);
    let files = [
        ("pom.xml", bundle.pom),
        (main.as_str(), bundle.source),
        ("Tether.java", TETHER),
        ("classes/log4j2.properties", LOG4J),
    ];
    for (name, text) in files {
        write(&dir.join(name), text)?;
    }
    let what = format!("{} by Maven", bundle.name);
    let mvn = ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"];
    run(&what, Command::new("mvn").args(mvn).current_dir(dir), "mvn", INSTALL_MAVEN)?;
    let what = format!("the launcher of {}", bundle.name);
    let release = bundle.java.to_string();
    let javac = ["--release", &release, "-cp", "libs/*", "-d", "classes", "Tether.java", &main];
    run(&what, Command::new(jdk.tool("javac")).args(javac).current_dir(dir), "javac", INSTALL_JDK)?;
    let jar = ["cf", "main.jar", "-C", "classes", "."];
    run(&what, Command::new(jdk.tool("jar")).args(jar).current_dir(dir), "jar", INSTALL_JDK)?;
    bundle.module.as_ref().map_or(Ok(()), |module| set_apart(module, dir))
}

/// Moves a module's jars from `dir/libs` to `dir/modules`.
fn set_apart(module: &Module, dir: &Path) -> Result<()> {
    let (libs, home) = (dir.join("libs"), dir.join("modules").join(module.name));
    fs::create_dir_all(&home).map_err(Error::io(format!("create {}", home.display())))?;
    for entry in fs::read_dir(&libs).map_err(Error::io(format!("list {}", libs.display())))? {
        let entry = entry.map_err(Error::io(format!("list {}", libs.display())))?;
        let name = entry.file_name();
        if module.jars.iter().any(|start| name.to_string_lossy().starts_with(start)) {
            let from = entry.path();
            fs::rename(&from, home.join(&name)).map_err(Error::io(format!("move {}", from.display())))?;
        }
    }
    write(&home.join("plugin-descriptor.properties"), module.descriptor)
}

/// The error for a Java that does not start.
pub(crate) fn no_java(source: io::Error) -> Error {
    Error::MissingTool { tool: "java", install: INSTALL_JDK, source }
}

fn run(what: &str, command: &mut Command, tool: &'static str, install: &'static str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| Error::MissingTool { tool, install, source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let output = format!("{}\n{}", output.status, tail(&String::from_utf8_lossy(&said), 20));
    Err(Error::Install { what: what.to_owned(), output })
}

/// The last `lines` lines.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}

/// Removes a directory and all that is in it; one that is not there is fine.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", dir.display()))(e))
        }
        _ => Ok(()),
    }
}

fn root() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("CONNECT_SERVICES_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("connect-services")))
        .or_else(|| Some(set("HOME")?.join(".cache/connect-services")))
        .ok_or_else(|| Error::Config("no place for the jars: set CONNECT_SERVICES_CACHE".to_owned()))?;
    std::path::absolute(&root).map_err(Error::io(format!("resolve {}", root.display())))
}

/// FNV-1a: the same on every machine and every version of the standard library.
fn fingerprint<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    texts.into_iter().flat_map(|text| text.bytes().chain([0])).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_launcher_gets_a_directory_of_its_own() {
        assert_eq!(fingerprint(["ab", "c"]), fingerprint(["ab", "c"]));
        assert_ne!(fingerprint(["ab", "c"]), fingerprint(["a", "bc"]));
    }

    #[test]
    fn a_missing_tool_names_what_to_install() {
        let missing = run("x", &mut Command::new("no-such-tool-here"), "mvn", INSTALL_MAVEN).unwrap_err();
        assert!(missing.to_string().contains("install Maven"), "{missing}");
    }

    #[test]
    fn a_failed_tool_shows_the_end_of_what_it_said() {
        let failed = run("x", Command::new("sh").args(["-c", "echo why; exit 3"]), "mvn", INSTALL_MAVEN);
        let failed = failed.unwrap_err().to_string();
        assert!(failed.contains("why") && failed.contains('3'), "{failed}");
    }
}
