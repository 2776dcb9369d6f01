//! How long names may be. Checked where a record's path is made, so that a name that no store takes is the record's
//! fault and nothing that a task could wait for.

use crate::naming::Stem;

/// The most digits of a file's number.
const NUMBER_MAX: usize = 10;

/// What a store allows of names. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// The kind of store, as a sentence names it.
    pub(crate) store: &'static str,
    /// The longest whole name, with the store's root in front.
    pub(crate) whole: usize,
    /// The longest part between two slashes.
    pub(crate) segment: usize,
    /// The root in front of all names, with its slash.
    pub(crate) root: usize,
    /// The directory that unfinished files lie in, beside their objects, with its slash.
    pub(crate) aside: usize,
    /// What the names of unfinished files have behind those of their objects.
    pub(crate) suffix: usize,
}

/// What the names of one range leave for paths, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    allowed: Allowed,
    /// The whole path.
    path: usize,
}

/// A name that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooLong {
    /// The directory of this number (from 0) of the path has so many bytes.
    Segment { number: usize, bytes: usize },
    /// The whole name would have so many bytes.
    Whole { bytes: usize },
}

impl Allowed {
    /// What is left for paths when files are called after `stem`. `None`: not even the names of the files fit.
    pub(crate) fn room(self, topics_dir: &str, stem: &Stem, extension: &str) -> Option<Room> {
        let file = stem.text.len() + NUMBER_MAX + 1 + extension.len() + self.suffix;
        let dirs = match topics_dir.len() {
            0 => 0,
            len => len + 1,
        };
        // One more for the slash behind the path.
        let path = self.whole.checked_sub(self.root + dirs + 1 + self.aside + file)?;
        (file <= self.segment).then_some(Room { allowed: self, path })
    }
}

impl Room {
    /// Whether an object may have this path.
    pub(crate) fn check(&self, path: &str) -> Result<(), TooLong> {
        if path.len() > self.path {
            return Err(TooLong::Whole { bytes: self.allowed.whole - self.path + path.len() });
        }
        if path.len() <= self.allowed.segment {
            return Ok(());
        }
        let mut lengths = path.split('/').map(str::len).enumerate();
        lengths
            .find(|(_, bytes)| *bytes > self.allowed.segment)
            .map_or(Ok(()), |(number, bytes)| Err(TooLong::Segment { number, bytes }))
    }

    /// The store and its limits.
    pub(crate) fn allowed(&self) -> Allowed {
        self.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Location;

    #[test]
    fn a_store_allows_what_its_kind_does_less_its_root() {
        for (url, store, whole, segment, root) in [
            ("file:///data/out", "a file system", 4095, 255, "/data/out/".len()),
            ("s3://b/pre/fix", "S3", 1024, 1024, "pre/fix/".len()),
            ("s3://b", "S3", 1024, 1024, 0),
            ("cos://b-1/x", "COS", 850, 850, "x/".len()),
        ] {
            let allowed = Location::parse(url).unwrap().allowed();
            assert_eq!(
                (allowed.store, allowed.whole, allowed.segment, allowed.root),
                (store, whole, segment, root)
            );
        }
    }

    #[test]
    fn the_longest_names_of_files_fit_everywhere() {
        for url in ["file:///data", "s3://b", "cos://b"] {
            let allowed = Location::parse(url).unwrap().allowed();
            assert!(allowed.room("topics", &Stem::longest(), "json").is_some(), "{url}");
        }
    }

    #[test]
    fn a_path_takes_what_the_rest_of_the_name_leaves_it() {
        let allowed = Location::parse("s3://b/root").unwrap().allowed();
        let stem = Stem::new("t", 0, 7);
        let room = allowed.room("topics", &stem, "json").unwrap();
        let rest = format!("root/{}", stem.object("topics", "", 1_000_000_000, "json")).len() + 1;
        let fits = "x".repeat(1024 - rest);
        assert_eq!(room.check(&fits), Ok(()));
        assert_eq!(room.check(&format!("{fits}x")), Err(TooLong::Whole { bytes: 1025 }));
        assert!(allowed.room(&"d".repeat(1024), &stem, "json").is_none());
    }

    #[test]
    fn each_directory_of_a_path_has_its_own_limit() {
        let allowed = Location::parse("file:///data").unwrap().allowed();
        let room = allowed.room("topics", &Stem::longest(), "json").unwrap();
        let (most, more) = ("x".repeat(255), "x".repeat(256));
        assert_eq!(room.check(&format!("{most}/{most}")), Ok(()));
        let too_long = Err(TooLong::Segment { number: 1, bytes: 256 });
        assert_eq!(room.check(&format!("{most}/{more}/a")), too_long);
    }
}
