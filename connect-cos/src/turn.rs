//! What a partition works with during one call of the sink.

use crate::{
    client::{Store, Upload},
    config::CosConfig,
    error::{Answer, StoreError},
    file::{ObjectFile, Stepped},
    format::Format,
    naming::Stem,
    note::{Fingerprint, NoteId},
    open_range::OpenRange,
    partitioner::Template,
    range::Limits,
    recovery::{Survey, survey},
    room::{Allowed, Room},
};
use connect_core::{Backoff, BackoffConfig, Context, Error, PartitionId, Progress};
use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// After so many failures the task starts again: the supervisor's waits are longer.
const SURVEY_ATTEMPTS: u32 = 8;

/// Reads the wall clock in milliseconds since the epoch. Only `t` comes from it.
pub(crate) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What all partitions of a sink share.
pub(crate) struct Env {
    pub(crate) config: CosConfig,
    pub(crate) store: Arc<dyn Store>,
    /// How long names may be there.
    pub(crate) allowed: Allowed,
    pub(crate) template: Template,
    pub(crate) format: Arc<dyn Format>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) clock: Clock,
    pub(crate) rng: fastrand::Rng,
}

/// One file of one range of one assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: PartitionId,
    pub(crate) range: NoteId,
    pub(crate) file: usize,
}

/// What a job of this sink brings back.
pub struct Done(pub(crate) Job);

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Job::File(..) => "file",
            Job::Survey(..) => "survey",
            Job::Housekeeping => "housekeeping",
        };
        write!(f, "Done({kind})")
    }
}

pub(crate) enum Job {
    File(Ticket, Stepped),
    Survey(PartitionId, NoteId, Result<Survey, StoreError>),
    Housekeeping,
}

/// One call.
pub(crate) struct Turn<'a> {
    pub(crate) env: &'a mut Env,
    pub(crate) cx: &'a mut Context<Done>,
    /// Files that may have a step to take.
    pub(crate) ready: &'a mut VecDeque<Ticket>,
}

impl Turn<'_> {
    pub(crate) fn report(&mut self, progress: Progress) {
        self.cx.report(progress);
    }
}

impl Env {
    /// When files roll.
    pub(crate) fn limits(&self) -> Limits {
        Limits { bytes: self.config.file_bytes.get(), records: self.config.flush_size }
    }

    /// How long the paths of files called after `stem` may be.
    ///
    /// # Errors
    /// Fatal: not even the names of the files fit. Configurations are checked for that.
    pub(crate) fn room(&self, stem: &Stem) -> Result<Room, Error> {
        self.allowed.room(&self.config.topics_dir, stem, self.format.extension()).ok_or_else(|| {
            Error::fatal("name an object", "topics.dir leaves no room for its name; shorten it")
                .about(&*stem.text)
        })
    }

    /// Waits between attempts.
    pub(crate) fn backoff(&self) -> BackoffConfig {
        BackoffConfig { initial: self.config.backoff, max: self.config.backoff_max }
    }
}

impl Turn<'_> {
    /// Wakes the sink when the clock may end `range`.
    pub(crate) fn wake_for(&mut self, range: &OpenRange) {
        self.cx.wake_at(range.deadline);
        if self.env.template.has_dates() {
            // Every unit of every time zone ends with a minute.
            let into_minute = (self.env.clock)().rem_euclid(60_000);
            let rest = Duration::from_millis(60_000_u64.saturating_sub(into_minute.unsigned_abs()));
            self.cx.wake_at(Instant::now() + rest);
        }
    }

    /// Looks for the objects of a note.
    pub(crate) fn survey(&mut self, id: PartitionId, stem: Stem, note: NoteId) {
        let (store, topics_dir) = (Arc::clone(&self.env.store), self.env.config.topics_dir.clone());
        let (extension, mut backoff) = (self.env.format.extension(), Backoff::new(self.env.backoff()));
        self.cx.spawn(async move {
            // Not worth a timer of its own: it happens once in the life of a partition, if ever.
            loop {
                let answer =
                    survey(Arc::clone(&store), topics_dir.clone(), stem.clone(), note, extension).await;
                match answer {
                    Err(e) if e.answer != Answer::Fatal && backoff.attempts() < SURVEY_ATTEMPTS => {
                        tracing::warn!(error = %e, "looking for the objects of a note failed; trying again");
                        tokio::time::sleep(backoff.next_wait(None)).await;
                    }
                    answer => return Done(Job::Survey(id, note, answer)),
                }
            }
        });
    }

    /// Frees what the store keeps for ranges of a partition below `from`.
    pub(crate) fn settle(&mut self, names: Vec<String>, stem: String, from: i64) {
        let store = Arc::clone(&self.env.store);
        self.cx.spawn(async move {
            if let Err(e) = store.settle(&names, &stem, from).await {
                tracing::warn!(error = %e, "leftovers of committed ranges could not be removed");
            }
            Done(Job::Housekeeping)
        });
    }

    /// Frees what earlier owners of partitions have left in directories that nobody writes any more. Once per assignment,
    /// since it looks through all of them.
    pub(crate) fn sweep(&mut self, partitions: Vec<(String, i64)>) {
        let (store, dir) = (Arc::clone(&self.env.store), self.env.config.topics_dir.clone());
        self.cx.spawn(async move {
            if let Err(e) = store.sweep(&dir, partitions).await {
                tracing::warn!(error = %e, "leftovers of earlier owners could not be removed");
            }
            Done(Job::Housekeeping)
        });
    }

    /// Aborts what a range has uploaded.
    pub(crate) fn give_up(&mut self, range: &mut OpenRange) {
        for upload in range.files.iter_mut().filter_map(ObjectFile::give_up) {
            self.abort(upload);
        }
    }

    /// Aborts an upload, as far as that works.
    pub(crate) fn abort(&mut self, mut upload: Box<dyn Upload>) {
        self.cx.spawn(async move {
            upload.abort().await;
            Done(Job::Housekeeping)
        });
    }
}
