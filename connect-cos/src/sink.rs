//! The sink: hands records to partitions, starts their files' steps as jobs, and keeps the timers.

use crate::{
    client::{Location, Object, Store, probe},
    config::{CosConfig, OnRevoke},
    error::{Answer, Stop, StoreError},
    file::{Next, Step, Stepped},
    format::{Format, JsonLines},
    naming::{Stem, hash64},
    note::{Fingerprint, NoteId},
    partition::Partition,
    pending::Pending,
    recovery::Survey,
    turn::{Clock, Done, Env, Job, Ticket, Turn},
};
use async_trait::async_trait;
use connect_core::{
    Assigned, Batch, Context, Delivery, Error, Flush, PartitionId, Progress, Sink, Task, config::Config,
};
use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
};
use tokio::time::Instant;

/// What names look like. Another scheme needs another text: objects could not be found again.
const NAMES: &str = "names/1";

/// Writes records as objects. Made once per task; see the crate's documentation.
pub struct CosSink {
    env: Env,
    partitions: HashMap<PartitionId, Partition>,
    /// Files that may have a step to take.
    ready: VecDeque<Ticket>,
    /// Files that wait for another attempt.
    sleeping: Vec<(Instant, Ticket)>,
    /// Requests in flight.
    flying: usize,
    /// Partitions that were lost since the last call with a context: their uploads are to be aborted.
    lost: Vec<Partition>,
    /// The task was started again by itself.
    again: bool,
}

impl fmt::Debug for CosSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (partitions, flying) = (self.partitions.len(), self.flying);
        f.debug_struct("CosSink")
            .field("partitions", &partitions)
            .field("in_flight", &flying)
            .finish_non_exhaustive()
    }
}

impl CosSink {
    /// A sink for one task. Touches no store yet: [`Sink::open`] does.
    ///
    /// # Errors
    /// Fatal: the configuration is wrong, with all problems at once.
    pub fn new(config: CosConfig, task: &Task) -> Result<Self, Error> {
        let invalid = |e: StoreError| Error::fatal("configure the store", e);
        config.validate().map_err(|e| Error::fatal("configure the sink", e))?;
        let store = Location::parse(&config.url)
            .map_err(|e| Error::fatal("configure the store", e))?
            .store(&config)
            .map_err(invalid)?;
        let clock: Clock = Arc::new(|| jiff::Timestamp::now().as_millisecond());
        let sink = Self::with(config, task.transforms.as_deref(), store, clock, fastrand::Rng::new())?;
        Ok(Self { again: task.restarts > 0, ..sink })
    }

    pub(crate) fn with(
        config: CosConfig,
        transforms: Option<&str>,
        store: Arc<dyn Store>,
        clock: Clock,
        rng: fastrand::Rng,
    ) -> Result<Self, Error> {
        let template = config.template().map_err(|e| Error::fatal("configure the sink", e))?;
        let format: Arc<dyn Format> = Arc::new(JsonLines { validate: config.validate_json });
        let fingerprint = fingerprint(&config, transforms, &*format);
        let location = Location::parse(&config.url).map_err(|e| Error::fatal("configure the store", e))?;
        let allowed = location.allowed();
        let env = Env { config, store, allowed, template, format, fingerprint, clock, rng };
        Ok(Self {
            env,
            partitions: HashMap::new(),
            ready: VecDeque::new(),
            sleeping: Vec::new(),
            flying: 0,
            lost: Vec::new(),
            again: false,
        })
    }

    /// Runs `work` for one partition, if it is still ours, and starts what is due then.
    fn with_partition(
        &mut self,
        id: PartitionId,
        cx: &mut Context<Done>,
        work: impl FnOnce(&mut Partition, &mut Turn<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(partition) = self.partitions.get_mut(&id) else { return Ok(()) };
        work(partition, &mut Turn { env: &mut self.env, cx, ready: &mut self.ready })?;
        if partition.is_left() {
            self.partitions.remove(&id);
            cx.report(Progress::Released(vec![id]));
        }
        self.start(cx);
        Ok(())
    }

    /// Starts steps, up to the bound.
    fn start(&mut self, cx: &mut Context<Done>) {
        let mut turn = Turn { env: &mut self.env, cx, ready: &mut self.ready };
        for mut partition in self.lost.drain(..) {
            for range in &mut partition.ranges {
                turn.give_up(range);
            }
        }
        while self.flying < self.env.config.uploads
            && let Some(ticket) = self.ready.pop_front()
        {
            let Some(partition) = self.partitions.get_mut(&ticket.id) else { continue };
            let Some(range) = partition.range(ticket.range) else { continue };
            let noted = range.phase == crate::open_range::Phase::Noted;
            let file = &mut range.files[ticket.file];
            if let Some(step) = file.step(noted) {
                let (store, object, last) = (Arc::clone(&self.env.store), file.object.clone(), file.last());
                self.flying += 1;
                cx.spawn(async move { Done(Job::File(ticket, run(&*store, &object, last, step).await)) });
            }
        }
    }

    /// A step of a file has ended.
    fn stepped(&mut self, ticket: Ticket, stepped: Stepped, cx: &mut Context<Done>) -> Result<(), Error> {
        self.flying -= 1;
        let config = self.env.backoff();
        let Some(partition) = self.partitions.get_mut(&ticket.id) else { return self.orphan(stepped, cx) };
        let Some(range) = partition.range(ticket.range) else { return self.orphan(stepped, cx) };
        let file = &mut range.files[ticket.file];
        let checking = file.is_checking();
        let next = file.stepped(stepped, config, cx.budget());
        let known = checking && !file.is_checking();
        let (name, id, written) = (file.object.name.clone(), file.object.id, file.written());
        match next {
            Next::Go => self.ready.push_back(ticket),
            Next::Retry(wait, error) => {
                let at = Instant::now() + wait;
                self.sleeping.push((at, ticket));
                cx.wake_at(at);
                cx.report(Progress::Retrying(Error::retriable("write an object", error).about(name)));
            }
            Next::Done(found) => {
                if let Some(last) = found.and_then(|found| found.last).filter(|_| checking) {
                    range.layout.exists_until(ticket.file, last);
                }
                range.file_done(ticket.file);
            }
            Next::Conflict(found) => {
                let conflict = Stop::conflict(name, id, &found, written);
                // A process that hung may find what the partition's next owner made of the same note. A new start
                // tells: the offset has moved on, or the note still stands and the range is rebuilt.
                return Err(if range.is_rebuild() {
                    Error::fatal("complete an object", conflict)
                } else {
                    Error::retriable("complete an object; its range is looked at again", conflict)
                });
            }
            Next::Again(error) => {
                return Err(
                    Error::retriable("complete an object; its range is built again", error).about(name)
                );
            }
            Next::Fatal(error) => return Err(Error::fatal("write an object", error).about(name)),
        }
        if known {
            range.checking -= 1;
        }
        self.with_partition(ticket.id, cx, Partition::run)
    }

    /// Nobody waits for this step any more.
    fn orphan(&mut self, stepped: Stepped, cx: &mut Context<Done>) -> Result<(), Error> {
        if let Stepped::Part(Some(upload), _) | Stepped::Completed(Some(upload), Err(_)) = stepped {
            Turn { env: &mut self.env, cx, ready: &mut self.ready }.abort(upload);
        }
        self.start(cx);
        Ok(())
    }

    fn surveyed(
        &mut self,
        id: PartitionId,
        note: NoteId,
        answer: Result<Survey, StoreError>,
        cx: &mut Context<Done>,
    ) -> Result<(), Error> {
        let survey = answer.map_err(|e| match e.answer {
            Answer::Fatal => Error::fatal("look for the objects of a note", e),
            _ => Error::retriable("look for the objects of a note", e),
        })?;
        self.with_partition(id, cx, |partition, turn| partition.surveyed(note, survey, turn))
    }

    /// Gives bytes back: parts leave memory where the store takes any size, else the fullest partitions are cut,
    /// until half of what is held is on its way. May be called again and again: what is on its way counts.
    fn relieve(&mut self, cx: &mut Context<Done>) -> Result<(), Error> {
        let mut fullest: Vec<(usize, PartitionId)> =
            self.partitions.values().map(|partition| (partition.held(), partition.id)).collect();
        fullest.sort_unstable_by_key(|&(held, id)| (Reverse(held), id));
        let enough = fullest.iter().map(|(held, _)| held).sum::<usize>() / 2;
        let mut relieved: usize = self.partitions.values().map(Partition::leaving).sum();
        for (held, id) in fullest {
            if relieved > enough || held == 0 {
                break;
            }
            self.with_partition(id, cx, |partition, turn| {
                relieved += partition.relieve(turn);
                partition.run(turn)
            })?;
        }
        if !self.moves() {
            self.starve(cx);
        }
        Ok(())
    }

    /// Whether something is under way that gives bytes back, be it by another attempt.
    fn moves(&self) -> bool {
        let ended = |partition: &Partition| partition.ranges.iter().any(|range| !range.is_open());
        self.flying > 0 || !self.sleeping.is_empty() || self.partitions.values().any(ended)
    }

    /// What is held now is held by ranges that only their records can end. The fullest is to get them: it stays the
    /// fullest until it ends, so that no other grows beyond the budget meanwhile.
    fn starve(&mut self, cx: &mut Context<Done>) {
        let rebuilds = self.partitions.values().filter(|partition| partition.is_rebuilding());
        let fullest = rebuilds.map(|partition| (partition.held(), Reverse(partition.id))).max();
        if let Some((1.., Reverse(id))) = fullest {
            cx.report(Progress::Starved(id));
        }
    }
}

/// One step, outside of the state machine.
async fn run(store: &dyn Store, object: &Object, last: i64, step: Step) -> Stepped {
    match step {
        Step::Check => Stepped::Checked(store.stat(&object.name, object.id).await),
        Step::Verify => Stepped::Verified(store.stat(&object.name, object.id).await),
        Step::Put(bytes) => {
            let len = bytes.len() as u64;
            Stepped::Completed(None, store.put(object, last, bytes).await.map(|()| len))
        }
        Step::Complete(mut upload) => {
            let answer = upload.complete(last).await;
            Stepped::Completed(Some(upload), answer)
        }
        Step::Part(upload, bytes) => {
            let mut upload = match upload {
                Some(upload) => upload,
                None => match store.begin(object).await {
                    Ok(upload) => upload,
                    Err(e) => return Stepped::Part(None, Err(e)),
                },
            };
            let answer = upload.part(bytes).await;
            Stepped::Part(Some(upload), answer)
        }
    }
}

/// What a rebuild depends on beside the note and the records.
fn fingerprint(config: &CosConfig, transforms: Option<&str>, format: &dyn Format) -> Fingerprint {
    let place = hash64(format!("{NAMES}\n{}", config.topics_dir).as_bytes());
    let transforms = transforms.unwrap_or("not described");
    let on_null = config.on_null.as_str();
    let content =
        [&config.path, &config.timezone, &config.missing, format.fingerprint(), on_null, transforms]
            .join("\n");
    let place = u32::try_from(place >> 32).expect("32 of 64 bits");
    Fingerprint { place, content: hash64(content.as_bytes()) }
}

#[async_trait]
impl Sink for CosSink {
    type Done = Done;

    fn delivery(&self) -> Delivery {
        Delivery::Ranges
    }

    async fn open(&mut self) -> Result<(), Error> {
        let parts = self.env.config.file_bytes > self.env.config.part_size;
        probe(&*self.env.store, &self.env.config.topics_dir, parts, self.again).await
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<Done>) -> Result<(), Error> {
        for assigned in partitions {
            let mut turn = Turn { env: &mut self.env, cx, ready: &mut self.ready };
            let partition = Partition::new(assigned, &mut turn)?;
            self.partitions.insert(assigned.id, partition);
        }
        let came = partitions.iter();
        let came = came.map(|it| (Stem::of_partition(&it.topic, it.partition), it.offset)).collect();
        Turn { env: &mut self.env, cx, ready: &mut self.ready }.sweep(came);
        self.start(cx);
        Ok(())
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<Done>) -> Result<(), Error> {
        for (id, pending) in Pending::split(batch) {
            self.with_partition(id, cx, |partition, turn| partition.put(pending, turn))?;
        }
        Ok(())
    }

    fn done(&mut self, done: Done, cx: &mut Context<Done>) -> Result<(), Error> {
        match done.0 {
            Job::File(ticket, stepped) => self.stepped(ticket, stepped, cx),
            Job::Survey(id, note, answer) => self.surveyed(id, note, answer, cx),
            Job::Housekeeping => Ok(()),
        }
    }

    fn timer(&mut self, cx: &mut Context<Done>) -> Result<(), Error> {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.sleeping).into_iter().partition(|(at, _)| *at <= now);
        self.sleeping = later;
        let due: Vec<(Instant, Ticket)> = due;
        for (_, ticket) in due {
            if let Some(range) = self.partitions.get_mut(&ticket.id).and_then(|p| p.range(ticket.range)) {
                range.files[ticket.file].awake();
                self.ready.push_back(ticket);
            }
        }
        let ids: Vec<PartitionId> = self.partitions.keys().copied().collect();
        for id in ids {
            self.with_partition(id, cx, |partition, turn| {
                partition.tick(turn)?;
                if let Some(range) = partition.open_range() {
                    turn.wake_for(range);
                }
                Ok(())
            })?;
        }
        for (at, _) in &self.sleeping {
            cx.wake_at(*at);
        }
        self.start(cx);
        Ok(())
    }

    fn noted(&mut self, id: PartitionId, cx: &mut Context<Done>) -> Result<(), Error> {
        self.with_partition(id, cx, |partition, turn| {
            partition.noted(turn);
            Ok(())
        })
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<Done>) -> Result<(), Error> {
        let ids: Vec<PartitionId> = match why {
            Flush::Now => self.partitions.keys().copied().collect(),
            Flush::Uncommitted(id) => vec![id],
            Flush::Pressure => return self.relieve(cx),
        };
        for id in ids {
            self.with_partition(id, cx, Partition::flush)?;
        }
        Ok(())
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<Done>) -> Result<(), Error> {
        let mut released = Vec::new();
        for id in ids {
            let left = match self.partitions.get_mut(id) {
                None => true,
                Some(_) if self.env.config.on_revoke == OnRevoke::Forget => true,
                Some(partition) => {
                    partition.leave(&mut Turn { env: &mut self.env, cx, ready: &mut self.ready })?
                }
            };
            if left {
                self.lost.extend(self.partitions.remove(id));
                released.push(*id);
            }
        }
        self.start(cx);
        if !released.is_empty() {
            cx.report(Progress::Released(released));
        }
        Ok(())
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        for id in ids {
            self.lost.extend(self.partitions.remove(id));
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        for partition in &mut self.lost {
            for file in partition.ranges.iter_mut().flat_map(|range| &mut range.files) {
                if let Some(mut upload) = file.give_up() {
                    upload.abort().await;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
