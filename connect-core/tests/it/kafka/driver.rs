//! A source, driven as the runtime drives it, with everything it said.

use super::cluster;
use connect_core::{
    Assigned, Commit, Error, Event, PartitionId, Source, Task,
    kafka::{KafkaConfig, KafkaSource},
};
use std::{collections::BTreeMap, ops::Range, time::Duration};

const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const ROOM: usize = 1 << 20;

/// A record as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: PartitionId,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) value: Option<String>,
}

pub(crate) struct Driver {
    pub(crate) source: KafkaSource,
    /// Held now.
    pub(crate) held: BTreeMap<PartitionId, Assigned>,
    pub(crate) rows: Vec<Row>,
    pub(crate) positions: BTreeMap<PartitionId, i64>,
    pub(crate) revoked: Vec<PartitionId>,
    pub(crate) lost: Vec<PartitionId>,
    pub(crate) committed: Vec<(Vec<Commit>, Result<(), Error>)>,
    pub(crate) gaps: Vec<(PartitionId, Range<i64>)>,
    pub(crate) ends: BTreeMap<PartitionId, i64>,
    /// Release at once what is revoked.
    pub(crate) release: bool,
}

pub(crate) fn task(number: u32) -> Task {
    Task { pipeline: "test".into(), number, of: 1, restarts: 0, transforms: None, preview: false }
}

pub(crate) fn config(group: &str, topic: &str, protocol: &str) -> KafkaConfig {
    config_at(cluster::bootstrap(), group, topic, protocol)
}

pub(crate) fn config_at(bootstrap: &str, group: &str, topic: &str, protocol: &str) -> KafkaConfig {
    let config = KafkaConfig::new(bootstrap, group, [topic]).property("group.protocol", protocol);
    if protocol == "classic" {
        config.property("session.timeout.ms", "6000").property("heartbeat.interval.ms", "500")
    } else {
        config
    }
}

/// Serves one member while another does something.
pub(crate) async fn beside<T>(member: &mut Driver, other: impl Future<Output = T>) -> T {
    tokio::select! {
        done = other => done,
        () = async {
            loop {
                member.step(ROOM).await.expect("the member lives on");
            }
        } => unreachable!("it serves for ever"),
    }
}

impl Driver {
    pub(crate) async fn open(config: KafkaConfig) -> Self {
        Self::open_as(config, 0).await
    }

    pub(crate) async fn open_as(config: KafkaConfig, number: u32) -> Self {
        let mut driver = Self::new(config, number);
        driver.source.open().await.expect("the source opens");
        driver
    }

    pub(crate) fn preview(config: KafkaConfig) -> Self {
        let source = KafkaSource::new(config.clone(), &Task { preview: true, ..task(0) });
        Self { source, ..Self::new(config, 0) }
    }

    pub(crate) fn new(config: KafkaConfig, number: u32) -> Self {
        cluster::show_logs();
        Self {
            source: KafkaSource::new(config, &task(number)),
            held: BTreeMap::new(),
            rows: Vec::new(),
            positions: BTreeMap::new(),
            revoked: Vec::new(),
            lost: Vec::new(),
            committed: Vec::new(),
            gaps: Vec::new(),
            ends: BTreeMap::new(),
            release: true,
        }
    }

    /// Takes one event. Checks what every event must keep to.
    pub(crate) async fn step(&mut self, room: usize) -> Result<(), Error> {
        match self.source.next(room).await? {
            Event::Records(batch) => {
                assert!(room > 0, "no records without room");
                for run in batch.runs() {
                    if let Some(assigned) = self.held.get(&run.id) {
                        assert_eq!((&run.topic, run.partition), (&assigned.topic, assigned.partition));
                        let position = self.positions.get_mut(&run.id).expect("announced");
                        assert!(run.offsets.end >= *position, "positions only grow");
                        *position = run.offsets.end;
                    }
                }
                for record in batch.iter() {
                    let origin = record.origin();
                    assert!(self.held.contains_key(&origin.id), "records only while assigned: {origin:?}");
                    let last = self.rows.iter().rev().find(|row| row.id == origin.id).map(|row| row.offset);
                    assert!(last.is_none_or(|last| last < origin.offset), "each record once, in order");
                    self.rows.push(Row {
                        id: origin.id,
                        partition: origin.partition,
                        offset: origin.offset,
                        value: record.value().map(|value| String::from_utf8_lossy(value).into_owned()),
                    });
                }
            }
            Event::Assigned(assigned) => {
                for assigned in assigned {
                    self.positions.insert(assigned.id, assigned.offset);
                    assert!(self.held.insert(assigned.id, assigned).is_none(), "an id is used once");
                }
            }
            Event::Revoked(ids) => {
                ids.iter().for_each(|id| drop(self.held.remove(id).expect("held until revoked")));
                if self.release {
                    self.source.release(&ids);
                }
                self.revoked.extend(ids);
            }
            Event::Lost(ids) => {
                ids.iter().for_each(|id| drop(self.held.remove(id)));
                self.lost.extend(ids);
            }
            Event::Committed(commits, result) => self.committed.push((commits, result)),
            Event::Ends(ends) => self.ends.extend(ends),
            Event::Gap(id, range, _) => self.gaps.push((id, range)),
            Event::Trouble(_) => {}
            other => panic!("unexpected: {other:?}"),
        }
        Ok(())
    }

    /// Takes events until `done`.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        room: usize,
        done: impl Fn(&Self) -> bool + Send + Sync,
    ) {
        let steps = async {
            while !done(self) {
                self.step(room).await.unwrap_or_else(|error| panic!("waiting for {what}: {error:?}"));
            }
        };
        if tokio::time::timeout(PATIENCE, steps).await.is_err() {
            panic!(
                "no {what}: held {:?}, {} rows, positions {:?}, revoked {:?}, lost {:?}, committed {:?}",
                self.held,
                self.rows.len(),
                self.positions,
                self.revoked,
                self.lost,
                self.committed
            );
        }
    }

    /// Takes events until the source fails.
    pub(crate) async fn failure(&mut self) -> Error {
        let steps = async {
            loop {
                if let Err(error) = self.step(ROOM).await {
                    return error;
                }
            }
        };
        tokio::time::timeout(PATIENCE, steps).await.expect("the source fails")
    }

    /// Serves for a while, whatever happens.
    pub(crate) async fn serve_for(&mut self, room: usize, time: Duration) {
        let steps = async {
            loop {
                self.step(room).await.expect("the source works");
            }
        };
        let _ = tokio::time::timeout(time, steps).await;
    }

    pub(crate) async fn rows(&mut self, count: usize) {
        self.until("rows", ROOM, |driver| driver.rows.len() >= count).await;
        assert_eq!(self.rows.len(), count);
    }

    pub(crate) async fn assigned(&mut self, count: usize) {
        self.until("assignment", 0, |driver| driver.held.len() == count).await;
    }

    /// The assignment of a partition.
    pub(crate) fn id(&self, partition: i32) -> PartitionId {
        self.held.values().find(|assigned| assigned.partition == partition).expect("assigned").id
    }

    /// Commits and waits for the answer.
    pub(crate) async fn commit(
        &mut self,
        id: PartitionId,
        offset: i64,
        note: Option<&str>,
    ) -> Result<(), Error> {
        let note = note.map(|note| bytes::Bytes::copy_from_slice(note.as_bytes()));
        self.source.commit(vec![Commit { id, offset, note }]);
        let before = self.committed.len();
        self.until("commit", 0, |driver| driver.committed.len() > before).await;
        self.committed.pop().expect("an answer").1
    }

    pub(crate) async fn close(mut self) {
        tokio::time::timeout(PATIENCE, self.source.close())
            .await
            .expect("it closes in time")
            .expect("it closes");
    }
}
