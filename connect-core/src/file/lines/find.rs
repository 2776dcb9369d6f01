//! Which files a pattern means.

use crate::Error;
use regex::Regex;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The files that `pattern` names, in order of their paths. `*` and `?` have a meaning in its last part only.
pub(super) fn find(pattern: &Path) -> Result<Vec<String>, Error> {
    let failed = |e: io::Error| Error::fatal("list the files", e).about(pattern.display());
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let found = if name.contains(['*', '?']) {
        matching(directory(pattern), &glob(name)).map_err(failed)?
    } else {
        vec![pattern.to_owned()]
    };
    let mut paths = Vec::with_capacity(found.len());
    for path in found {
        if !path.metadata().map_err(failed)?.is_file() {
            return Err(Error::fatal("list the files", "this is no file").about(path.display()));
        }
        // The bookmark is text: a path that is none could be mistaken for another.
        let text = path.to_str().ok_or_else(|| {
            Error::fatal("list the files", "the path is not UTF-8: rename it").about(path.display())
        })?;
        paths.push(text.to_owned());
    }
    paths.sort_unstable();
    Ok(paths)
}

fn directory(pattern: &Path) -> &Path {
    pattern.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn matching(directory: &Path, names: &Regex) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let matches = entry.file_name().to_str().is_some_and(|name| names.is_match(name));
        if matches && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn glob(name: &str) -> Regex {
    let expression = regex::escape(name).replace(r"\*", ".*").replace(r"\?", ".");
    Regex::new(&format!("(?s)^{expression}$")).expect("an escaped name is an expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_files_in_order() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.log", "a.log", "c.log.gz", "a1log", ".log"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        fs::create_dir(directory.path().join("d.log")).unwrap();
        let names = |pattern: &str| -> Vec<String> {
            let found = find(&directory.path().join(pattern)).unwrap();
            found.iter().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
        };
        assert_eq!(names("*.log"), [".log", "a.log", "b.log"]);
        assert_eq!(names("?.log"), ["a.log", "b.log"]);
        assert_eq!(names("a.log"), ["a.log"]);
        assert_eq!(names("*.csv"), Vec::<String>::new());
        assert!(find(&directory.path().join("none.log")).unwrap_err().report().contains("none.log"));
        assert!(find(&directory.path().join("d.log")).unwrap_err().report().contains("no file"));
    }
}
