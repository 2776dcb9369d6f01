//! The first answer of a cluster, or why there is none and what to check.

use super::{context::ClientErrors, errors};
use crate::Error;
use rdkafka::{
    ClientContext, client::Client, config::ClientConfig, error::RDKafkaErrorCode as Code, metadata::Metadata,
};
use std::time::{Duration, Instant};

/// The operation that errors name.
pub(super) const REACH: &str = "reach the kafka cluster";
/// The first wait for an answer; each further one is twice as long, for a broker that takes its time.
const LOOK: Duration = Duration::from_millis(200);

/// A question about topics to a cluster that may not answer.
pub(super) struct Question<'a> {
    pub(super) config: &'a ClientConfig,
    /// Topic to ask about; `None` for all.
    pub(super) topic: Option<&'a str>,
    pub(super) timeout: Duration,
    /// Makes the error of what a broker refuses.
    pub(super) refused: fn(&'static str, Code, String) -> Error,
}

impl Question<'_> {
    /// Returns metadata, or why there is none as soon as that is known: librdkafka itself goes on trying until the time-out.
    ///
    /// Reasons come as events, which `serve` takes where no thread does.
    pub(super) fn ask<C: ClientContext>(
        &self,
        client: &Client<C>,
        told: &ClientErrors,
        serve: impl Fn(),
    ) -> Result<Metadata, Error> {
        told.set_opening(true);
        // After an error the client is given up: its last events explain nothing that the error does not.
        let answer = self.ask_again(client, told, serve)?;
        told.set_opening(false);
        Ok(answer)
    }

    fn ask_again<C: ClientContext>(
        &self,
        client: &Client<C>,
        told: &ClientErrors,
        serve: impl Fn(),
    ) -> Result<Metadata, Error> {
        let deadline = Instant::now() + self.timeout;
        let mut look = LOOK;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_last = left <= look;
            // An empty name asks for no topic.
            let error = match client.fetch_metadata(self.topic, left.min(look)) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            serve();
            match told.last() {
                Some((code, reason)) if is_last || told.is_cut_off() || errors::is_refusal(code) => {
                    return Err((self.refused)(REACH, code, self.advice(code, &reason)));
                }
                None if is_last => {
                    let code = error.rdkafka_error_code().unwrap_or(Code::OperationTimedOut);
                    return Err(errors::coded(REACH, code, self.advice(code, "no answer")));
                }
                _ => look *= 2,
            }
        }
    }

    /// The cause, then what to check.
    fn advice(&self, code: Code, reason: &str) -> String {
        if errors::is_refusal(code) {
            return format!("{reason}; check sasl.mechanism, sasl.username and sasl.password");
        }
        format!(
            "{reason}; check bootstrap.servers={} and security.protocol={}",
            self.config.get("bootstrap.servers").unwrap_or_default(),
            self.config.get("security.protocol").unwrap_or("plaintext")
        )
    }
}
