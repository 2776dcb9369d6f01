//! Object names: a pure function of the range, the path and the file's number. Nothing here reads a clock.
//!
//! `<topics.dir>/<path>/<topic>+<partition>+<from>-<k>.<extension>`, `from` with at least ten digits. Topic and
//! partition are the origin's, whatever a transform called the record, so no two partitions share a name.

use std::fmt::Write as _;

/// Encoded text longer than this is cut and ends in a hash of the whole.
const ENCODED_MAX: usize = 128;
const CUT_AT: usize = 96;

/// What all names of one range share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stem {
    /// `<topic>+<partition>+<from>-`
    pub(crate) text: String,
}

impl Stem {
    pub(crate) fn new(topic: &str, partition: i32, from: i64) -> Self {
        let text = format!("{}{from:010}-", Self::of_partition(topic, partition));
        Self { text }
    }

    /// The longest there is: the longest topic's, with the greatest numbers.
    pub(crate) fn longest() -> Self {
        Self::new(&"t".repeat(ENCODED_MAX), i32::MAX, i64::MAX)
    }

    /// What the names of all ranges of one partition share.
    pub(crate) fn of_partition(topic: &str, partition: i32) -> String {
        let mut text = String::new();
        encode(topic, &mut text);
        let _ = write!(text, "+{partition}+");
        text
    }

    /// The name of file `k` of `path`, relative to the store's root.
    pub(crate) fn object(&self, topics_dir: &str, path: &str, k: u32, extension: &str) -> String {
        let mut name = String::with_capacity(topics_dir.len() + path.len() + self.text.len() + 16);
        for part in [topics_dir, path] {
            if !part.is_empty() {
                name.push_str(part);
                name.push('/');
            }
        }
        let _ = write!(name, "{}{k}.{extension}", self.text);
        name
    }

    /// The path and number in a name that this stem made; `None` for any other name.
    pub(crate) fn parse<'n>(
        &self,
        topics_dir: &str,
        name: &'n str,
        extension: &str,
    ) -> Option<(&'n str, u32)> {
        let inside = match topics_dir {
            "" => name,
            dir => name.strip_prefix(dir)?.strip_prefix('/')?,
        };
        let (path, file) = inside.rsplit_once('/').unwrap_or(("", inside));
        let k = file.strip_prefix(&self.text)?.strip_suffix(extension)?.strip_suffix('.')?;
        (!k.starts_with('+')).then_some(())?;
        Some((path, k.parse().ok()?))
    }
}

/// The `from` in a file name of a partition, given what follows [`Stem::of_partition`].
pub(crate) fn from_of(rest: &str) -> Option<i64> {
    rest.split_once('-')?.0.parse().ok()
}

/// Appends `text` as one safe segment of a name: letters, digits, `_`, `-` and inner dots stay, all else becomes
/// `%XX`. So no value can hide, climb (`..`) or add a directory. Different texts stay different (by a 64-bit hash
/// where they are longer than 128 bytes).
pub(crate) fn encode(text: &str, out: &mut String) {
    if text.is_empty() {
        out.push_str("__empty__");
        return;
    }
    let start = out.len();
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => out.push(char::from(byte)),
            b'.' if at > 0 => out.push('.'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        if out.len() - start > ENCODED_MAX {
            out.truncate(start + CUT_AT);
            let _ = write!(out, "~{:016x}", hash64(text.as_bytes()));
            return;
        }
    }
}

/// FNV-1a, 64 bits: stable over versions and machines, which the standard hasher is not.
pub(crate) fn hash64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        let mut out = String::new();
        encode(text, &mut out);
        out
    }

    #[test]
    fn a_name_is_directory_path_topic_partition_offset_and_number() {
        let stem = Stem::new("quakes", 3, 42);
        assert_eq!(stem.object("topics", "net=us", 7, "json"), "topics/net=us/quakes+3+0000000042-7.json");
        assert_eq!(stem.object("", "", 0, "json"), "quakes+3+0000000042-0.json");
        assert_eq!(
            stem.parse("topics", "topics/net=us/quakes+3+0000000042-7.json", "json"),
            Some(("net=us", 7))
        );
        for other in [
            "topics/net=us/quakes+3+0000000043-7.json",
            "topics/net=us/quakes+33+0000000042-7.json",
            "other/net=us/quakes+3+0000000042-7.json",
            "topics/net=us/quakes+3+0000000042-x.json",
            "topics/net=us/.quakes+3+0000000042-7.json",
        ] {
            assert_eq!(stem.parse("topics", other, "json"), None, "{other}");
        }
        assert_eq!(from_of("0000000042-7.json"), Some(42));
    }

    #[test]
    fn no_value_can_climb_hide_or_add_a_directory() {
        for (text, want) in [
            ("us", "us"),
            ("", "__empty__"),
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("a/b", "a%2Fb"),
            ("a+b", "a%2Bb"),
            ("100%", "100%25"),
            ("a\nb\0", "a%0Ab%00"),
            ("é", "%C3%A9"),
            ("v1.2", "v1.2"),
        ] {
            assert_eq!(encoded(text), want);
        }
    }

    #[test]
    fn long_values_are_bounded_and_stay_different() {
        let (one, two) = ("x".repeat(5000), "x".repeat(5001));
        assert!(encoded(&one).len() <= ENCODED_MAX);
        assert_ne!(encoded(&one), encoded(&two));
        assert_eq!(encoded(&"x".repeat(128)).len(), 128);
    }
}
