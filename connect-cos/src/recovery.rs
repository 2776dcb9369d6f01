//! What is left of a range whose records alone can't tell: a listing of the objects that carry its note's id.
//!
//! Asked for in two rare cases: the configuration has changed between a note and its commit, or the log no longer
//! has all records of the note. Everything else is recovered without listing.

use crate::{
    client::{Found, Store},
    error::StoreError,
    naming::Stem,
    note::NoteId,
};
use std::{collections::HashMap, sync::Arc};

/// One object that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    k: u32,
    first: i64,
    /// `None`: an object of several parts, whose end is not recorded.
    last: Option<i64>,
}

/// The objects of a note that are there.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    by_path: HashMap<String, Vec<Extent>>,
    objects: u32,
}

impl Survey {
    /// Objects that are there.
    pub(crate) fn objects(&self) -> u32 {
        self.objects
    }

    fn add(&mut self, path: &str, k: u32, found: Found) {
        let first = found.first.unwrap_or(i64::MIN);
        self.by_path.entry(path.to_owned()).or_default().push(Extent { k, first, last: found.last });
        self.objects += 1;
    }

    /// Whether the record of `path` at `offset` is in an object that is there. Where an object's end is not
    /// recorded it is taken to reach to the next one.
    pub(crate) fn covers(&self, path: &str, offset: i64) -> bool {
        let Some(extents) = self.by_path.get(path) else { return false };
        let reaching =
            extents.iter().filter(|extent| extent.first <= offset).max_by_key(|extent| extent.first);
        reaching.is_some_and(|extent| extent.last.is_none_or(|last| offset <= last))
    }

    /// The first number of `path` that is free.
    pub(crate) fn free_number(&self, path: &str) -> u32 {
        self.by_path
            .get(path)
            .and_then(|extents| extents.iter().map(|extent| extent.k + 1).max())
            .unwrap_or(0)
    }
}

/// Looks for all objects of `id` under the names of `stem`.
pub(crate) async fn survey(
    store: Arc<dyn Store>,
    topics_dir: String,
    stem: Stem,
    id: NoteId,
    extension: &'static str,
) -> Result<Survey, StoreError> {
    let mut survey = Survey::default();
    for name in store.list(&topics_dir, &stem.text).await? {
        // The extension may be another one: the format may have changed too.
        let Some((path, k)) =
            stem.parse(&topics_dir, &name, extension).or_else(|| other_extension(&stem, &topics_dir, &name))
        else {
            continue;
        };
        if let Some(found) = store.stat(&name, id).await?
            && found.id == Some(id)
        {
            survey.add(path, k, found);
        }
    }
    Ok(survey)
}

fn other_extension<'n>(stem: &Stem, topics_dir: &str, name: &'n str) -> Option<(&'n str, u32)> {
    let file = name.rsplit('/').next()?;
    let (_, extension) = file.strip_prefix(&stem.text)?.split_once('.')?;
    stem.parse(topics_dir, name, extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survey_knows_what_is_covered_and_which_numbers_are_taken() {
        let found = |first, last| Found { id: Some(NoteId(1)), first: Some(first), last, len: 1 };
        let mut survey = Survey::default();
        survey.add("a", 0, found(10, Some(19)));
        survey.add("a", 2, found(40, None));
        let covered: Vec<i64> = (0..50).filter(|&offset| survey.covers("a", offset)).collect();
        assert_eq!(covered, (10..20).chain(40..50).collect::<Vec<i64>>());
        assert!(!survey.covers("b", 10));
        assert_eq!((survey.objects(), survey.free_number("a"), survey.free_number("b")), (2, 3, 0));
    }
}
