//! What stands in the objects: every object, every line, every byte.

use crate::records::{Plan, Tally};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The setting that makes three paths of each partition, all open at once.
pub(crate) const PATH_FORMAT: &str = "{topic}/{partition}/{field:path}";

/// Whole objects below `dir`; what lies in hidden directories or files has not become one.
pub(crate) fn list(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(dir, &mut |path, hidden| {
        if !hidden {
            found.push(path);
        }
    });
    found.sort();
    found
}

/// Files that are being written: a temporary one with something in it.
pub(crate) fn has_unfinished(dir: &Path) -> bool {
    let mut found = false;
    walk(dir, &mut |path, hidden| {
        let unfinished = hidden && path.extension().is_some_and(|end| end == "part");
        found |= unfinished && fs::metadata(&path).is_ok_and(|file| file.len() > 0);
    });
    found
}

fn walk(dir: &Path, visit: &mut impl FnMut(PathBuf, bool)) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let inside_hidden =
        dir.components().any(|part| part.as_os_str().to_string_lossy().starts_with(".connect"));
    for entry in entries.filter_map(Result::ok) {
        let hidden = inside_hidden || entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), visit);
        } else {
            visit(entry.path(), hidden);
        }
    }
}

/// Checks every line of every object against the plan. `excused` records may be missing.
pub(crate) fn assert_exactly_once(
    dir: &Path,
    topic: &str,
    plan: Plan,
    excused: impl Fn(i32, u64) -> bool,
) -> usize {
    let objects = list(dir);
    let mut tally = Tally::new(plan);
    for object in &objects {
        let name = object.display().to_string();
        let text = fs::read_to_string(object).unwrap_or_else(|e| panic!("{name} is not text: {e}"));
        assert!(text.ends_with('\n'), "{name} ends in the middle of a line");
        let mut last = None;
        for line in text.lines() {
            let (partition, number) = tally.count(line).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(last.is_none_or(|last| last < number), "{name}: {number} stands behind {last:?}");
            last = Some(number);
            let folder = format!("/{topic}/{partition}/{}/", plan.path(partition, number));
            assert!(name.contains(&folder), "{name} holds {partition}-{number}, which belongs to {folder}");
        }
        assert!(last.is_some(), "{name} is empty");
    }
    if let Some(faults) = tally.faults(excused) {
        panic!("{}: {faults}", dir.display());
    }
    objects.len()
}
