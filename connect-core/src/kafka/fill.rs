//! From librdkafka's messages to batches: one copy, and every message's `err` looked at.

use super::{
    batch_queue::Message,
    config::OnDataLoss,
    errors,
    reader::{REFUSES, Reader, TURN, Trouble},
    search::{RECEIVE, RECEIVE_MAX, Search, is_corrupt},
    table::{Hold, Table},
};
use crate::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BatchBuilder, Entry, Error, Event, PartitionId};
use rdkafka::{Offset, consumer::Consumer, error::RDKafkaErrorCode as Code};
use std::{ops::Range, sync::Arc, time::Instant};

/// What a message that is no record asks for.
enum Found {
    /// A record, a position, or something of an assignment that has ended.
    Taken,
    /// The log does not have this offset.
    OutOfRange(PartitionId, String),
    /// Anything else that went wrong with a partition.
    Broken(PartitionId, Code, i64, String),
}

impl Reader<'_> {
    /// One batch call at most, one batch at most.
    pub(super) fn read(&mut self, room: usize) -> Result<(), Error> {
        if self.messages.is_empty() {
            // No more than what fits into a batch: what is taken no longer counts against librdkafka's own bound.
            let fit = (BATCH_BYTES_MAX.min(room) / self.average).clamp(1, BATCH_RECORDS_MAX);
            self.queue.take(&mut self.messages, TURN, fit);
        }
        let (mut records, bytes) = (0_usize, self.builder.bytes());
        while let Some(message) = self.messages.front() {
            if self.builder.is_full() || (records > 0 && self.builder.bytes() >= room) {
                break;
            }
            match accept(&mut self.table, &mut self.builder, message) {
                Found::Taken => {
                    records += 1;
                    self.messages.pop_front();
                }
                other => {
                    self.deliver();
                    return self.handle(other);
                }
            }
        }
        self.messages.destroy_used();
        self.window.took(records, self.builder.bytes() - bytes);
        if records >= 16 {
            self.average = ((self.builder.bytes() - bytes) / records).max(1);
        }
        self.deliver();
        Ok(())
    }

    /// Keeps what the next answers bring, unpacked, near what may wait unread.
    pub(super) fn limit_answers(&mut self) {
        let (queue, table) = (&self.queue, &self.table);
        let behind = || {
            table.last().is_some_and(|slot| {
                let ends = queue.watermarks(&slot.topic, slot.partition);
                ends.is_some_and(|(_, high)| slot.next < high)
            })
        };
        if let Some(bytes) = self.window.look(queue.len(), behind) {
            tracing::debug!(bytes, "the most that a broker sends in one answer");
            self.queue.limit_answers(bytes);
        }
    }

    /// Positions pass what holds no record: transaction markers, aborted transactions.
    ///
    /// librdkafka's position is that of the last message it has handed out, so none of them may wait here. Ends of
    /// partitions would say the same, but the batch call counts each of them like a record: the next pause, by us or
    /// within a rebalance, made librdkafka go on one record too late.
    pub(super) fn pass_markers(&mut self) {
        if !self.positions_due || !self.messages.is_empty() {
            return;
        }
        self.positions_due = false;
        let Ok(positions) = self.consumer.position() else { return };
        for element in positions.elements() {
            let Some(slot) = self.table.find_mut(element.topic(), element.partition()) else { continue };
            let position = match element.offset() {
                Offset::Offset(position) => position,
                // Nothing was handed out since it was assigned.
                _ => -1,
            };
            if slot.hold != Hold::Reading || self.repositions.contains(&slot.id) {
                continue;
            }
            if slot.passes(position) {
                self.builder.position(slot.id, &slot.topic, slot.partition, position);
            }
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        if !self.builder.is_empty() {
            self.has_read();
            let batch = self.builder.finish();
            self.mailbox.deliver(Event::Records(batch));
        }
    }

    fn handle(&mut self, found: Found) -> Result<(), Error> {
        match found {
            Found::Taken => Ok(()),
            Found::OutOfRange(id, reason) => {
                self.messages.pop_front();
                self.out_of_range(id, &reason)
            }
            Found::Broken(id, code, offset, reason) => {
                self.messages.pop_front();
                self.broken(id, code, offset, &reason)
            }
        }
    }

    /// Retention has gone past us, the log was truncated, or the topic is another one of the same name.
    fn out_of_range(&mut self, id: PartitionId, reason: &str) -> Result<(), Error> {
        let Some(slot) = self.table.get(id) else { return Ok(()) };
        let (topic, partition, next) = (Arc::clone(&slot.topic), slot.partition, slot.next);
        if self.is_made_again(&topic) {
            return self.leave_old_topic(id);
        }
        let timeout = self.setup.call_timeout;
        let (low, high) = self
            .consumer
            .fetch_watermarks(&topic, partition, timeout)
            .map_err(|error| errors::failed("ask what the log holds", error))?;
        if (low..=high).contains(&next) {
            // A replica that lags behind has taken over, or records came meanwhile.
            tracing::warn!(
                topic = &*topic,
                partition,
                next,
                low,
                high,
                reason,
                "read again from the same offset"
            );
            // Or they came into another topic of the same name.
            self.look_at_ids_soon();
            self.repositions.push(id);
            return Ok(());
        }
        let about = format!("topic {topic}, partition {partition}, offset {next}");
        let error = |advice: &str| {
            let text = format!("out of range: the log holds {low} to {high}; {reason}{advice}");
            Error::fatal("read", text).about(&about)
        };
        if self.setup.config.on_data_loss == OnDataLoss::Stop {
            let advice = format!(
                "; set on.data.loss=continue to go on at {low}, or move the group's offset while it is stopped"
            );
            return Err(error(&advice));
        }
        let error = error("");
        if next < low {
            self.lose(id, next..low, error);
            Ok(())
        } else {
            tracing::error!(error = %error.report(), "data loss; going on at {low}");
            // Watermarks never move backwards within an assignment: a new one begins. How much is lost is unknown.
            self.mailbox.tell(Event::Gap(id, next..next, error));
            self.begin_anew(id);
            Ok(())
        }
    }

    /// A batch that cannot be unpacked, or a refusal.
    fn broken(&mut self, id: PartitionId, code: Code, offset: i64, reason: &str) -> Result<(), Error> {
        if errors::is_passing(code) {
            tracing::warn!(reason, "kafka partition");
            self.look_at_ids_soon();
            self.repositions.push(id);
            return Ok(());
        }
        let Some(slot) = self.table.get(id) else { return Ok(()) };
        let offset = if offset < 0 { slot.next } else { offset };
        let about = format!("topic {}, partition {}, offset {offset}", slot.topic, slot.partition);
        if errors::is_refusal(code) {
            // librdkafka goes on asking, but one offset later: the batch call counts an error like a record.
            self.repositions.push(id);
            let error = errors::coded("read", code, format!("{REFUSES}: {reason}")).about(about);
            self.sit_out(Trouble::Unread, error);
            return Ok(());
        }
        // By itself librdkafka fetches a broken batch again and again.
        let stop =
            |advice: &str| Error::fatal("read", format!("{reason} ({code:?}); {advice}")).about(&about);
        let by_hand =
            "to go on without it, move the group's offset behind the batch while the task is stopped";
        if !is_corrupt(code) {
            return Err(stop(by_hand));
        }
        let (topic, partition, next) = (Arc::clone(&slot.topic), slot.partition, slot.next);
        if code == Code::BadCompression {
            match self.lacks_room(&topic, partition, next) {
                Ok(false) => {}
                Ok(true) => return Err(too_large(self.setup.client.get(RECEIVE)).about(about)),
                Err(error) => {
                    let unknown = "whether it is corrupt or only too large to be unpacked is not known";
                    return Err(stop(&format!("{unknown}: {}; {by_hand}", error.report())));
                }
            }
        }
        if self.setup.config.on_data_loss == OnDataLoss::Stop {
            return Err(stop(&format!("{by_hand}, or set on.data.loss=continue")));
        }
        match self.end_of_broken(&topic, partition, next) {
            Ok(end) if end > next => {
                self.lose(id, next..end, stop("data loss"));
                Ok(())
            }
            Ok(_) => {
                tracing::warn!(about, reason, "a corrupt batch was whole when it was fetched again");
                self.repositions.push(id);
                Ok(())
            }
            Err(error) => Err(stop(&format!("its end was not found: {}; {by_hand}", error.report()))),
        }
    }

    fn end_of_broken(&self, topic: &str, partition: i32, next: i64) -> Result<i64, Error> {
        let timeout = self.setup.call_timeout;
        let (_, high) = self
            .consumer
            .fetch_watermarks(topic, partition, timeout)
            .map_err(|error| errors::failed("ask what the log holds", error))?;
        // Nothing else is served meanwhile.
        self.search(topic, partition, true).end(next, high)
    }

    /// Whether the batch at `next` is intact, and only larger than this client unpacks.
    fn lacks_room(&self, topic: &str, partition: i32, next: i64) -> Result<bool, Error> {
        let whole = |roomy| self.search(topic, partition, roomy).is_whole(next);
        Ok(whole(true)? && !whole(false)?)
    }

    fn search<'s>(&'s self, topic: &'s str, partition: i32, roomy: bool) -> Search<'s> {
        let deadline = Instant::now() + self.setup.revoke_within;
        Search { client: &self.setup.client, topic, partition, deadline, roomy }
    }

    /// Goes on behind offsets that cannot be read any more.
    fn lose(&mut self, id: PartitionId, offsets: Range<i64>, error: Error) {
        tracing::error!(error = %error.report(), "data loss; going on at {}", offsets.end);
        if let Some(slot) = self.table.get_mut(id) {
            slot.next = offsets.end;
        }
        self.mailbox.deliver(Event::Gap(id, offsets, error));
        self.repositions.push(id);
    }
}

/// An intact batch that librdkafka calls corrupt, because unpacked it is larger than a property allows.
fn too_large(limit: Option<&str>) -> Error {
    let limit = limit.unwrap_or("its default");
    let text = format!(
        "the batch is intact, but unpacked it is larger than `{RECEIVE}` allows ({limit}): set \
         consumer.override.{RECEIVE} to more than three times its unpacked size, {RECEIVE_MAX} at most"
    );
    Error::fatal("read", text)
}

/// Copies a record into the batch, or says what the message is instead.
#[inline]
fn accept(table: &mut Table, builder: &mut BatchBuilder, message: Message<'_>) -> Found {
    let (partition, offset) = (message.partition(), message.offset());
    let slot = table.of_message(message.topic_token(), partition, || message.topic());
    let Some(slot) = slot.filter(|slot| slot.hold == Hold::Reading) else { return Found::Taken };
    if let Some(code) = message.error() {
        return match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => {
                Found::OutOfRange(slot.id, message.text())
            }
            code => Found::Broken(slot.id, code, offset, message.text()),
        };
    }
    if offset < slot.next {
        // Read before: the only reason to drop a record.
        return Found::Taken;
    }
    slot.next = offset + 1;
    slot.settling = false;
    let entry =
        Entry { offset, timestamp_ms: message.timestamp_ms(), key: message.key(), value: message.value() };
    builder.push(slot.id, &slot.topic, partition, entry, message.headers());
    Found::Taken
}
