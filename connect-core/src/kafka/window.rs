//! Number of bytes that a broker may send in one answer.
//!
//! librdkafka asks for more whenever less than `queued.max.messages.kbytes` waits unread, and unpacks an answer as a whole:
//! `fetch.max.bytes` of compressed batches become a thousand times as many bytes. The compression ratio is known to nobody
//! beforehand, and it changes; what waits in the queue is known. So the window begins small, is doubled where the reader
//! waits for the broker, and shrinks as soon as one answer brings more than the queue may hold.

/// Bytes of a first answer: at 1000:1 twice what the queue may hold.
const FIRST: usize = 16 << 10;
/// A broker sends one batch at least, however little is asked for.
const LEAST: usize = 1 << 10;
/// Bytes that librdkafka needs for a message beside its payload.
const MESSAGE: usize = 256;

/// Decides on `fetch.max.bytes` by what the reader sees of its queue.
#[derive(Debug)]
pub(super) struct Window {
    bytes: usize,
    /// What is configured: never exceeded.
    most: usize,
    /// What may wait unread before librdkafka stops to ask.
    bound: usize,
    /// Read since nothing waited, an upper limit of one answer.
    since_dry: usize,
    /// Weighted sums of bytes and records read, for the size of a record that waits.
    read: (usize, usize),
    /// An answer was too large, and librdkafka has not asked again.
    shrunk: bool,
}

impl Window {
    /// The window of a consumer that has read nothing.
    pub(super) fn new(most: usize, bound: usize) -> Self {
        let bytes = FIRST.min(most);
        Self { bytes, most, bound, since_dry: 0, read: (512 + MESSAGE, 1), shrunk: false }
    }

    /// The value of `fetch.max.bytes`.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records were read.
    pub(super) fn took(&mut self, records: usize, bytes: usize) {
        let bytes = bytes + records * MESSAGE;
        self.since_dry += bytes;
        self.read = (self.read.0 / 2 + bytes, self.read.1 / 2 + records);
    }

    /// So many messages wait unread. `behind` says whether the log has more than what was read, and is asked only if that
    /// matters. Returns the new window if it changes.
    pub(super) fn look(&mut self, waiting: usize, behind: impl FnOnce() -> bool) -> Option<usize> {
        let before = self.bytes;
        let waiting = waiting * (self.read.0 / self.read.1.max(1));
        if waiting > 2 * self.bound {
            if !self.shrunk {
                // The next answer is to bring half of the bound.
                let excess = 2 * (waiting - self.bound);
                let bytes = self.bytes as u128 * self.bound as u128 / excess as u128;
                self.bytes = usize::try_from(bytes).unwrap_or(LEAST).clamp(LEAST.min(self.most), self.most);
            }
            self.shrunk = true;
        } else if waiting == 0 {
            // Answers that fill neither half of the window nor, unpacked, more than half of the bound.
            let limited = (self.bytes / 2..=self.bound / 2).contains(&self.since_dry);
            if limited && self.bytes < self.most && behind() {
                self.bytes = (self.bytes * 2).min(self.most);
            }
            self.since_dry = 0;
        }
        self.shrunk &= waiting > self.bound;
        (self.bytes != before).then_some(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 4 << 20;
    const BOUND: usize = 8_192_000;
    const RECORD: usize = 1_000;

    /// Answers of a log of this ratio, each read until nothing waits. Returns the largest that waited, in bytes.
    fn run(window: &mut Window, ratio: usize, answers: usize) -> usize {
        let mut largest = 0;
        for _ in 0..answers {
            let mut waiting = (window.bytes() * ratio / RECORD).max(1);
            largest = largest.max(waiting * RECORD);
            while waiting > 0 {
                window.look(waiting, || true);
                let read = waiting.min(256);
                window.took(read, read * RECORD);
                waiting -= read;
            }
            window.look(0, || true);
        }
        largest
    }

    #[test]
    fn the_window_grows_to_what_is_configured_where_nothing_is_compressed() {
        let mut window = Window::new(MOST, BOUND);
        run(&mut window, 1, 12);
        assert_eq!(window.bytes(), MOST);
    }

    #[test]
    fn whatever_the_ratio_answers_stay_near_the_bound() {
        for ratio in [5, 45, 255, 1_000] {
            let mut window = Window::new(MOST, BOUND);
            let largest = run(&mut window, ratio, 50);
            assert!(largest <= 2 * BOUND + RECORD, "{ratio}: {largest}");
            assert!(window.bytes() * ratio >= BOUND / 8, "{ratio}: {}", window.bytes());
        }
    }

    #[test]
    fn a_ratio_that_rises_shrinks_the_window_with_the_first_answer() {
        let mut window = Window::new(MOST, BOUND);
        run(&mut window, 1, 12);
        run(&mut window, 1_000, 1);
        assert!(run(&mut window, 1_000, 50) <= 2 * BOUND);
        run(&mut window, 1, 20);
        // Until an answer is half of what may wait.
        assert!(window.bytes() > MOST / 2, "and grows again: {}", window.bytes());
    }

    #[test]
    fn a_reader_that_has_read_everything_leaves_the_window_as_it_is() {
        let mut window = Window::new(MOST, BOUND);
        window.took(100, 100 * RECORD);
        assert_eq!(window.look(0, || false), None);
    }

    #[test]
    fn a_configured_window_is_never_exceeded() {
        let mut window = Window::new(700, BOUND);
        run(&mut window, 1, 5);
        assert_eq!(window.bytes(), 700);
        window.look(1_000_000, || true);
        assert_eq!(window.bytes(), 700);
    }
}
