//! librdkafka's errors as ours: the one place that decides classes.

use crate::{Class, Error};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// An error of a call to librdkafka.
pub(super) fn failed(operation: &'static str, error: KafkaError) -> Error {
    let class = error.rdkafka_error_code().map_or(Class::Retriable, class);
    Error::new(class, operation, error)
}

/// An error code that came with a reason.
pub(super) fn coded(operation: &'static str, code: Code, reason: impl std::fmt::Display) -> Error {
    Error::new(class(code), operation, format!("{reason} ({code:?})"))
}

/// A commit that was refused, or whose fate is unknown; its longest note has `note` bytes.
pub(super) fn commit(operation: &'static str, code: Code, note: usize) -> Error {
    match code {
        Code::OffsetMetadataTooLarge => {
            let reason = format!(
                "the brokers take less than the {note} bytes of metadata that belong to the offset: set their \
                 offset.metadata.max.bytes to {} or more (Kafka's default is 4096), then start again",
                note.next_power_of_two().max(4_096)
            );
            coded(operation, code, reason)
        }
        code => coded(operation, code, "the offset was not committed, or that is unknown"),
    }
}

/// What a code means for a task that runs: refused credentials may be granted again, so they are retriable here and
/// fatal only while opening.
fn class(code: Code) -> Class {
    match code {
        Code::OffsetMetadataTooLarge
        | Code::InvalidCommitOffsetSize
        | Code::InvalidTopic
        | Code::FencedInstanceId
        | Code::UnsupportedFeature
        | Code::UnsupportedVersion
        | Code::InvalidGroupId
        | Code::InconsistentGroupProtocol => Class::Fatal,
        _ => Class::Retriable,
    }
}

/// The same while opening, where refusals of what was configured stop the task.
pub(super) fn refused(operation: &'static str, code: Code, reason: impl std::fmt::Display) -> Error {
    let class = if is_refusal(code) { Class::Fatal } else { class(code) };
    Error::new(class, operation, format!("{reason} ({code:?})"))
}

/// The server knows us, or not, and says no.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
    )
}

/// The topic is away, or it is another one than librdkafka knows.
pub(super) fn is_unknown_topic(code: Code) -> bool {
    matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownTopicId)
}

/// librdkafka or the broker sits these out without help.
pub(super) fn is_passing(code: Code) -> bool {
    is_unknown_topic(code)
        || matches!(
            code,
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::NetworkException
                | Code::ReplicaNotAvailable
                | Code::UnknownPartition
                | Code::PollExceeded
        )
}

/// The reader thread is gone and has said why before.
pub(super) fn ended() -> Error {
    Error::retriable("read", "the reader thread has ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_is_too_large_for_the_broker_names_its_setting_and_the_size() {
        let error = commit("commit", Code::OffsetMetadataTooLarge, 5_000);
        assert_eq!(error.class(), Class::Fatal);
        for part in ["5000 bytes", "offset.metadata.max.bytes to 8192"] {
            assert!(error.report().contains(part), "{}", error.report());
        }
    }
}
