//! The names that stand in an output already: a hash set that is emptied by counting up.

/// Entries kept for the next record; a larger set was needed by a rare record.
const KEPT_MAX: usize = 4096;

/// Hashes of names, each with where the name stands, to be compared when two hashes are equal.
#[derive(Debug)]
pub(crate) struct Names {
    entries: Vec<Entry>,
    slots: Vec<Slot>,
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    start: usize,
    end: usize,
}

/// Free unless its generation is the set's: emptying the set touches no slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    generation: u32,
    entry: u32,
}

impl Names {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), slots: Vec::new(), generation: 0 }
    }

    /// Empties the set.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.slots.fill(Slot::default());
            self.generation = 1;
        }
    }

    /// Gives back what only a rare record needs.
    pub(crate) fn shrink(&mut self) {
        if self.entries.capacity() > KEPT_MAX {
            *self = Self::new();
        }
    }

    /// Adds the name at `start..end` of `text`. `false`: an equal one stands there already.
    #[inline]
    pub(crate) fn insert(&mut self, text: &[u8], start: usize, end: usize, seed: u64) -> bool {
        self.find_or_insert(text, start, end, seed).is_none()
    }

    /// Adds the name at `start..end` of `text` in place of an equal one, and tells where that stands.
    pub(crate) fn replace(&mut self, text: &[u8], start: usize, end: usize, seed: u64) -> Option<usize> {
        let entry = self.find_or_insert(text, start, end, seed)?;
        let before = self.entries[entry].start;
        self.entries[entry] = Entry { start, end, ..self.entries[entry] };
        Some(before)
    }

    /// The number of the entry of an equal name; `None`: there was none, and the name was added.
    #[inline]
    pub(crate) fn find_or_insert(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        seed: u64,
    ) -> Option<usize> {
        if (self.entries.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let hash = hash(&text[start..end], seed);
        let mask = self.slots.len() - 1;
        let mut at = home(hash, mask);
        while self.slots[at].generation == self.generation {
            let entry = self.slots[at].entry as usize;
            let other = self.entries[entry];
            if other.hash == hash && text[other.start..other.end] == text[start..end] {
                return Some(entry);
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = Slot { generation: self.generation, entry: number(self.entries.len()) };
        self.entries.push(Entry { hash, start, end });
        None
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        self.slots.clear();
        self.slots.resize(size, Slot::default());
        self.generation = 1;
        for (entry, &Entry { hash, .. }) in self.entries.iter().enumerate() {
            let mut at = home(hash, size - 1);
            while self.slots[at].generation == self.generation {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = Slot { generation: self.generation, entry: number(entry) };
        }
    }
}

fn number(entry: usize) -> u32 {
    u32::try_from(entry).expect("a record is smaller than 4 GiB, so it has fewer than 2^32 fields")
}

/// The upper bits: those that the multiplication has mixed best.
#[inline]
fn home(hash: u64, mask: usize) -> usize {
    (hash >> 32) as usize & mask
}

/// Folded multiplication, eight bytes at a time; the last eight may overlap those before them. The seed is secret, so
/// that nobody can prepare names that collide.
#[inline]
fn hash(name: &[u8], seed: u64) -> u64 {
    let mut hash = seed ^ name.len() as u64;
    let Some(last) = name.last_chunk::<8>() else {
        return fold(hash ^ short(name), seed);
    };
    for word in name[..name.len() - 1].as_chunks::<8>().0 {
        hash = fold(hash ^ u64::from_le_bytes(*word), seed);
    }
    fold(hash ^ u64::from_le_bytes(*last), seed)
}

/// Fewer than eight bytes as a number, unambiguously for each length.
#[inline]
fn short(name: &[u8]) -> u64 {
    match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => name.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

#[inline]
fn fold(a: u64, seed: u64) -> u64 {
    let product = u128::from(a) * u128::from((seed ^ 0x9e37_79b9_7f4a_7c15) | 1);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_added_once_per_record() {
        let mut names = Names::new();
        let text: String = (0..500).map(|n| format!("{n:04}")).collect();
        for record in 0..3 {
            names.clear();
            for start in (0..text.len()).step_by(4) {
                assert!(names.insert(text.as_bytes(), start, start + 4, 7), "{record} {start}");
            }
            for start in (0..text.len()).step_by(4) {
                assert!(!names.insert(text.as_bytes(), start, start + 4, 7), "{record} {start}");
            }
        }
    }

    #[test]
    fn equal_hashes_are_no_collision_of_names() {
        let mut names = Names::new();
        names.clear();
        assert!(names.insert(b"abcd", 0, 2, 1));
        // What a collision of hashes looks like: the entry claims the hash of "cd" but names "ab".
        names.entries[0].hash = hash(b"cd", 1);
        names.grow();
        assert!(names.insert(b"abcd", 2, 4, 1));
    }

    #[test]
    fn emptying_survives_the_end_of_the_count() {
        let mut names = Names::new();
        names.clear();
        assert!(names.insert(b"ab", 0, 1, 1));
        names.generation = u32::MAX;
        assert!(names.insert(b"ab", 0, 1, 1));
        names.clear();
        assert_eq!(names.generation, 1);
        assert!(names.insert(b"ab", 0, 1, 1), "the slot of generation 1 was freed");
    }

    #[test]
    fn a_rare_record_gives_its_memory_back() {
        let mut names = Names::new();
        names.clear();
        let text: String = (0..10_000).map(|n| format!("{n:04}")).collect();
        for start in (0..text.len()).step_by(4) {
            names.insert(text.as_bytes(), start, start + 4, 7);
        }
        names.shrink();
        assert_eq!((names.entries.capacity(), names.slots.capacity()), (0, 0));
    }

    #[test]
    fn neighbouring_names_spread_over_the_slots() {
        let mut used = [0_u32; 256];
        for n in 0..256 {
            used[home(hash(format!("field.{n}").as_bytes(), 0x1234_5678_9abc_def1), 255)] += 1;
        }
        let most = used.iter().max().copied();
        assert!(most < Some(9), "{most:?}");
    }
}
