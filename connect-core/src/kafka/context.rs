//! What librdkafka calls back: kept for the reader thread, which decides.

use super::errors;
use crate::causes::Causes;
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::time::Instant;

/// The reader's consumer.
pub(super) type ReaderConsumer = BaseConsumer<ReaderContext>;

/// Something that librdkafka told the reader thread from within `poll`.
#[derive(Debug)]
pub(super) enum Told {
    /// These partitions are ours once the assignment is answered.
    Assign(Vec<(String, i32)>),
    /// These partitions stay ours until the revocation is answered.
    Revoke(Vec<(String, i32)>),
    /// The result of the commit that was in flight.
    Committed(Vec<CommitResult>),
}

/// What became of one partition's commit.
#[derive(Debug)]
pub(super) struct CommitResult {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) error: Option<RDKafkaErrorCode>,
}

/// Collects callbacks. They come on the thread that polls, so the lock is never contended.
#[derive(Debug, Default)]
pub(super) struct ReaderContext {
    told: Mutex<Vec<Told>>,
    closing: AtomicBool,
    count: AtomicUsize,
    errors: ClientErrors,
}

impl ReaderContext {
    /// Everything told since the last call.
    pub(super) fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Errors of the client as a whole.
    pub(super) fn errors(&self) -> &ClientErrors {
        &self.errors
    }

    /// Callbacks so far.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn counted(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// From here on revocations are answered on the spot: the reader has ended.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    fn tell(&self, told: Told) {
        self.counted();
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }
}

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.counted();
        log(level, facility, message);
    }

    /// Statistics are for whoever asks for them by `statistics.interval.ms`: a line for the log.
    fn stats_raw(&self, statistics: &[u8]) {
        self.counted();
        self::statistics(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.note(&error, reason);
    }
}

impl ConsumerContext for ReaderContext {
    /// Stores the event. Whoever assigned, unassigned or waited here would do it inside `poll`, where results of
    /// commits cannot arrive.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assign = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            let result = if assign {
                answer_assign(consumer, &TopicPartitionList::new())
            } else {
                give_up(consumer, list)
            };
            if let Err(error) = result {
                tracing::warn!(%error, "leaving the group: the last rebalance was not answered");
            }
            return;
        }
        let partitions = list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect();
        self.tell(if assign { Told::Assign(partitions) } else { Told::Revoke(partitions) });
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let overall = result.err().and_then(|error| error.rdkafka_error_code());
        // A result without partitions is the whole request's.
        let elements = offsets.elements();
        let results = elements.iter().map(|element| CommitResult {
            topic: element.topic().to_owned(),
            partition: element.partition(),
            error: element.error().err().and_then(|error| error.rdkafka_error_code()),
        });
        let mut results: Vec<CommitResult> = results.collect();
        if results.is_empty() && overall.is_some() {
            results.push(CommitResult { topic: String::new(), partition: -1, error: overall });
        }
        self.tell(Told::Committed(results));
    }
}

/// Answers an assignment, by the group's protocol.
pub(super) fn answer_assign(consumer: &ReaderConsumer, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list),
    }
}

/// Answers a revocation, by the group's protocol. Partitions that were never assigned to the client (their start was
/// still being prepared) are left out: librdkafka would refuse the whole answer.
pub(super) fn give_up(consumer: &ReaderConsumer, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
        RebalanceProtocol::Cooperative => {
            let assigned = consumer.assignment()?;
            let mut ours = TopicPartitionList::new();
            for element in list.elements() {
                if assigned.find_partition(element.topic(), element.partition()).is_some() {
                    ours.add_partition(element.topic(), element.partition());
                }
            }
            consumer.incremental_unassign(&ours)
        }
    }
}

/// The client-wide errors of a client: what it says in the log, and what explains a call that failed.
#[derive(Debug, Default)]
pub(super) struct ClientErrors {
    last: Mutex<Option<(RDKafkaErrorCode, String)>>,
    /// Causes told in the log.
    said: Causes,
    /// No broker at all could be reached, at some time.
    cut_off: AtomicBool,
    /// Set while errors explain why the cluster cannot be reached, and are told with that error.
    opening: AtomicBool,
}

impl ClientErrors {
    /// An error came.
    pub(super) fn note(&self, error: &KafkaError, reason: &str) {
        let reason = without_figures(reason);
        self.say(error, reason);
        if let Some(code) = error.rdkafka_error_code() {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            // A broker that refuses us, or cannot be reached, counts as down a moment later, which explains nothing.
            let explained = match code {
                RDKafkaErrorCode::AllBrokersDown => last.is_some(),
                _ => last.as_ref().is_some_and(|(before, _)| errors::is_refusal(*before)),
            };
            if code == RDKafkaErrorCode::AllBrokersDown {
                self.cut_off.store(true, Ordering::Relaxed);
            }
            if !explained {
                *last = Some((code, reason.to_owned()));
            }
        }
    }

    /// Whether no broker at all could be reached.
    pub(super) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// Whether the cluster is still to be reached: until then what happens is told with the error, later in the log.
    pub(super) fn set_opening(&self, opening: bool) {
        self.opening.store(opening, Ordering::Relaxed);
    }

    /// The last error (no connection, refused credentials), with its reason.
    pub(super) fn last(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Each line at once and then rarely: while no broker can be reached, librdkafka tells so hundreds of times within
    /// seconds.
    fn say(&self, error: &KafkaError, reason: &str) {
        let is_told = !self.opening.load(Ordering::Relaxed);
        let told = is_told.then(|| self.said.tell(&format!("{error}: {reason}"), Instant::now()));
        match told.flatten() {
            Some(suppressed) => {
                tracing::warn!(target: "librdkafka", %error, reason, suppressed, "kafka client")
            }
            None => tracing::debug!(target: "librdkafka", %error, reason, "kafka client"),
        }
    }
}

/// A reason without how long it took and how often it was met, which differ each time: equal causes are equal texts.
fn without_figures(reason: &str) -> &str {
    reason.split_once(" (after ").map_or(reason, |(reason, _)| reason)
}

/// A line of librdkafka's log.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // librdkafka makes an event of each of these too, and those are told rarely.
        RDKafkaLogLevel::Error if facility == "FAIL" => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// Statistics, for whoever asks for them by `statistics.interval.ms`.
pub(super) fn statistics(statistics: &[u8]) {
    tracing::info!(target: "librdkafka", statistics = %String::from_utf8_lossy(statistics), "statistics");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_one_text_however_long_it_took() {
        let broker = "localhost:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        for figures in [
            "",
            " (after 0ms in state CONNECT)",
            " (after 7ms in state CONNECT, 9 identical error(s) suppressed)",
        ] {
            let errors = ClientErrors::default();
            errors.note(
                &KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure),
                &format!("{broker}{figures}"),
            );
            assert_eq!(errors.last().expect("noted").1, broker);
        }
    }

    #[test]
    fn brokers_that_are_all_down_explain_nothing_that_was_said_before() {
        let errors = ClientErrors::default();
        errors.note(&KafkaError::Global(RDKafkaErrorCode::Resolve), "no such host");
        assert!(!errors.is_cut_off());
        errors.note(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert!(errors.is_cut_off());
        assert_eq!(errors.last(), Some((RDKafkaErrorCode::Resolve, "no such host".to_owned())));
    }
}
