//! What somebody who mistyped a name probably meant.

/// The known name closest to `name`, unless none is close.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given: Vec<char> = name.to_lowercase().chars().collect();
    // Half of the letters wrong: no longer a typing mistake, a suggestion would be noise.
    let limit = (given.len() / 2).max(2);
    let distance_to = |candidate: &'a str| {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        // Each letter that one has more than the other is an edit: no need to count the rest.
        let near = letters.len().abs_diff(given.len()) <= limit;
        Some((near.then(|| distance(&given, &letters))?, candidate))
    };
    let near = known.into_iter().filter_map(distance_to).filter(|(distance, _)| *distance <= limit);
    near.min().map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replace = last[j] + usize::from(x != y);
            let mut best = replace.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits_and_swaps() {
        let check = |a: &str, b: &str, edits: usize| {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(distance(&chars(a), &chars(b)), edits, "{a} {b}");
            assert_eq!(distance(&chars(b), &chars(a)), edits, "{b} {a}");
        };
        check("", "", 0);
        check("", "abc", 3);
        check("batch.size", "batch.size", 0);
        check("bacth.size", "batch.size", 1);
        check("batchsize", "batch.size", 1);
        check("kitten", "sitting", 3);
    }

    #[test]
    fn the_closest_name_wins_and_far_ones_are_not_offered() {
        let known = ["batch.size", "batch.bytes", "linger.ms"];
        assert_eq!(nearest("bach.size", known), Some("batch.size"));
        assert_eq!(nearest("LINGER.MS", known), Some("linger.ms"));
        assert_eq!(nearest("wholly.different.thing", known), None);
    }
}
