//! What happens where a field that a transform names is not there.

use super::edit::Absent;

connect_core::choices! {
    /// What happens where a field that a transform names is not there.
    pub enum Missing {
        /// What Kafka Connect does; each transform says what that is.
        Connect = "connect",
        /// The record is refused.
        Fail = "fail",
        /// The field is left out of what is done.
        Skip = "skip",
        /// The field is taken to be null; with a schema, which has no place for it, as `skip`.
        Null = "null",
    }
}

impl Missing {
    /// For an object without a schema, where Connect does `connect`.
    pub(crate) fn absent(self, connect: Absent) -> Absent {
        match self {
            Self::Connect => connect,
            Self::Fail => Absent::Refuse,
            Self::Skip => Absent::Nothing,
            Self::Null => Absent::Null,
        }
    }
}
