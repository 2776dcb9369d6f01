//! The yardstick: the loop a good engineer would write by hand for one job, Kafka to Elasticsearch, without
//! a line of connect-core.
//!
//! `yardstick --bootstrap HOST:PORT --topic NAME --group ID --records N [--url http://…] [--read-only]
//! [--count-allocations]` reads the topic from its start until N records are acknowledged and committed,
//! then prints its figures. One thread reads and builds bodies, one sends them; bodies of 5,000 records,
//! two in flight; an offset is committed only when everything below it was acknowledged.

mod body;
mod bulk;
mod offsets;
mod reader;

use crate::{
    body::{Body, has_line_feed},
    bulk::Bulk,
    offsets::Offsets,
    reader::{Reader, Rebalance},
};
use benches::{
    BoxError,
    args::Args,
    exit_code,
    figures::{Figures, SteadyState},
    native::Counting,
};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How long one call waits for records, and so how late an event can be seen.
const WAIT: Duration = Duration::from_millis(20);
const LINGER: Duration = Duration::from_secs(1);
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    exit_code(run())
}

fn run() -> Result<(), BoxError> {
    let args =
        Args::parse(&["bootstrap", "topic", "group", "records", "url"], &["read-only", "count-allocations"])?;
    let records: u64 = args.required("records")?.parse()?;
    let topic = args.required("topic")?;
    let steady = SteadyState::new(records, args.switch("count-allocations"));
    let consumer = reader::consumer(args.required("bootstrap")?, args.required("group")?, topic)?;
    let reader = Reader::new(&consumer, topic)?;
    if args.switch("read-only") {
        return read_only(reader, records, steady);
    }
    let mut bulk = Bulk::new(args.required("url")?)?;
    Loop {
        reader,
        offsets: Offsets::new(),
        body: Body::new(topic, bulk.buffer()),
        bulk,
        read: 0,
        records,
        opened: None,
        steady,
    }
    .run()
}

/// Reads and touches every payload, nothing else: what the rest of the loop is compared with.
fn read_only(mut reader: Reader<'_>, records: u64, mut steady: SteadyState) -> Result<(), BoxError> {
    let (mut read, mut started) = (0, None);
    while read < records {
        if let Some(Rebalance::Assigned(partitions)) = reader.events()? {
            reader.assign(&partitions)?;
        }
        let messages = reader.read(reader::BATCH, WAIT);
        for message in messages.iter() {
            if let Some(error) = message.error() {
                return Err(format!("partition {}: {error}", message.partition()).into());
            }
            if has_line_feed(message.payload().unwrap_or_default()) {
                return Err("a record with a line feed".into());
            }
            read += 1;
        }
        if read > 0 {
            started.get_or_insert_with(Instant::now);
        }
        drop(messages);
        steady.observe(read);
    }
    let wall = started.map_or(Duration::ZERO, |at: Instant| at.elapsed());
    Figures::take(read, wall, steady.per_record())?.print()
}

struct Loop<'c> {
    reader: Reader<'c>,
    bulk: Bulk,
    offsets: Offsets,
    body: Body,
    read: u64,
    records: u64,
    opened: Option<Instant>,
    steady: SteadyState,
}

impl Loop<'_> {
    fn run(mut self) -> Result<(), BoxError> {
        let mut started = None;
        let mut committed = Instant::now();
        while self.offsets.acknowledged() < self.records {
            self.events()?;
            while let Some(answered) = self.bulk.answered() {
                self.acknowledge(answered)?;
            }
            if committed.elapsed() > COMMIT_INTERVAL {
                self.reader.commit(&mut self.offsets)?;
                committed = Instant::now();
            }
            if !self.sealed() {
                self.fill()?;
            } else if self.bulk.has_room() {
                self.send();
            } else if let Some(answered) = self.bulk.wait(WAIT) {
                self.acknowledge(answered)?;
            }
            if self.read > 0 {
                started.get_or_insert_with(Instant::now);
            }
            self.steady.observe(self.read);
        }
        self.reader.commit_and_wait(&mut self.offsets)?;
        let wall = started.map_or(Duration::ZERO, |at| at.elapsed());
        Figures::take(self.offsets.acknowledged(), wall, self.steady.per_record())?.print()
    }

    fn events(&mut self) -> Result<(), BoxError> {
        match self.reader.events()? {
            Some(Rebalance::Assigned(partitions)) => self.reader.assign(&partitions),
            Some(Rebalance::Revoked) => {
                // What is in flight is finished and committed; the open body is the next owner's.
                while !self.bulk.is_idle() {
                    if let Some(answered) = self.bulk.wait(WAIT) {
                        self.acknowledge(answered)?;
                    }
                }
                self.read -= self.body.records() as u64;
                self.body.clear();
                self.reader.commit_and_wait(&mut self.offsets)?;
                self.offsets.forget();
                self.reader.unassign()
            }
            None => Ok(()),
        }
    }

    fn acknowledge(&mut self, answered: bulk::Answered) -> Result<(), BoxError> {
        let (sequence, buffer) = answered?;
        self.offsets.acknowledge(sequence);
        self.bulk.recycle(buffer);
        Ok(())
    }

    /// Whether the open body is to be sent: full, old, or the last one.
    fn sealed(&self) -> bool {
        let lingered = self.opened.is_some_and(|at| at.elapsed() > LINGER);
        let last = self.body.records() > 0 && self.read >= self.records;
        self.body.is_full() || lingered || last
    }

    fn fill(&mut self) -> Result<(), BoxError> {
        let messages = self.reader.read(self.body.room().min(reader::BATCH), WAIT);
        for message in messages.iter() {
            if let Some(error) = message.error() {
                return Err(format!("partition {}: {error}", message.partition()).into());
            }
            self.body.push(message)?;
            self.read += 1;
        }
        if self.body.records() > 0 && self.opened.is_none() {
            self.opened = Some(Instant::now());
        }
        Ok(())
    }

    fn send(&mut self) {
        let (bytes, records, ends) = self.body.take(self.bulk.buffer());
        let sequence = self.offsets.sent(records as u64, ends);
        self.bulk.send(sequence, bytes);
        self.opened = None;
    }
}
