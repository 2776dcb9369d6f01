//! The bulk body under construction: action line and raw payload per record.

use benches::{BoxError, logs::PARTITIONS, native::Message};

/// Records of a body.
const RECORDS: usize = 5_000;

/// An open body.
pub(crate) struct Body {
    bytes: Vec<u8>,
    records: usize,
    /// Per partition the offset behind its last record in this body.
    ends: Vec<Option<i64>>,
    /// Per partition the action line up to the offset.
    actions: Vec<Vec<u8>>,
}

/// A raw line feed inside a document would end it and start an action of the producer's choice.
pub(crate) fn has_line_feed(payload: &[u8]) -> bool {
    memchr::memchr(b'\n', payload).is_some()
}

impl Body {
    pub(crate) fn new(topic: &str, bytes: Vec<u8>) -> Self {
        let actions = (0..PARTITIONS).map(|partition| {
            // Topic names consist of letters, digits, dots, dashes and underscores: nothing to escape.
            format!("{{\"index\":{{\"_id\":\"{topic}+{partition}+").into_bytes()
        });
        let actions: Vec<_> = actions.collect();
        Self { bytes, records: 0, ends: vec![None; actions.len()], actions }
    }

    pub(crate) fn records(&self) -> usize {
        self.records
    }

    pub(crate) fn room(&self) -> usize {
        RECORDS - self.records
    }

    pub(crate) fn is_full(&self) -> bool {
        self.records == RECORDS
    }

    pub(crate) fn push(&mut self, message: Message<'_>) -> Result<(), BoxError> {
        let partition = usize::try_from(message.partition())?;
        let action = self.actions.get(partition).ok_or("a partition that the topic should not have")?;
        let payload = message.payload().ok_or("a tombstone")?;
        if has_line_feed(payload) {
            return Err(
                format!("offset {} of partition {partition} has a line feed", message.offset()).into()
            );
        }
        self.bytes.extend_from_slice(action);
        decimal(&mut self.bytes, message.offset().unsigned_abs());
        self.bytes.extend_from_slice(b"\"}}\n");
        self.bytes.extend_from_slice(payload);
        self.bytes.push(b'\n');
        self.ends[partition] = Some(message.offset() + 1);
        self.records += 1;
        Ok(())
    }

    /// The body, its number of records and where it ends; `next` is the buffer of the one that follows.
    pub(crate) fn take(&mut self, next: Vec<u8>) -> (Vec<u8>, usize, Vec<Option<i64>>) {
        let fresh = vec![None; self.ends.len()];
        let bytes = std::mem::replace(&mut self.bytes, next);
        (bytes, std::mem::take(&mut self.records), std::mem::replace(&mut self.ends, fresh))
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.records = 0;
        self.ends.fill(None);
    }
}

/// Appends a number's digits; `write!` would cost as much as copying the record.
fn decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_writes_what_format_writes() {
        for number in [0, 9, 10, 1_234_567, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
