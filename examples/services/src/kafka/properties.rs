//! The broker's configuration.

use std::path::Path;

use crate::{Error, Result};

/// Where the broker listens, on 127.0.0.1.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) plain: u16,
    pub(super) controller: u16,
    pub(super) sasl: Option<u16>,
}

/// What a broker on its own needs, and what keeps tests from waiting. Sorted by subject, each with its why.
const FIXED: &str = "\
process.roles=broker,controller
node.id=1
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT
# One node keeps one copy.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Few partitions of internal topics: a fast start.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=2
share.coordinator.state.topic.num.partitions=1
# Groups: no wait for the first rebalance, short sessions allowed in both protocols.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=200
group.consumer.heartbeat.interval.ms=500
# The broker's own session with its controller: a restart after SIGKILL waits for its end.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
# Retention and compaction within seconds.
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=500
log.cleaner.backoff.ms=1000
log.cleaner.dedupe.buffer.size=8388608
# A deleted topic stays deleted until somebody creates it.
auto.create.topics.enable=false
# Two cores.
num.network.threads=2
num.io.threads=4
";

/// The whole file. `users` is one name and password for the SASL listener; `extra` wins over everything else.
///
/// # Errors
///
/// [`Error::Config`] for a key or value that cannot be written on one line.
pub(super) fn render(
    listeners: &Listeners,
    users: Option<(&str, &str)>,
    data: &Path,
    extra: &[(String, String)],
) -> Result<String> {
    let Listeners { plain, controller, sasl } = listeners;
    let mut clients = format!("PLAINTEXT://127.0.0.1:{plain}");
    if let Some(port) = sasl {
        clients.push_str(&format!(",SASL://127.0.0.1:{port}"));
    }
    let mut text = FIXED.to_owned();
    let mut set = |key: &str, value: &str| -> Result<()> {
        if key.is_empty() || key.contains(['=', ':', '\n', '\r', ' ']) || value.contains(['\n', '\r']) {
            return Err(Error::Config(format!(
                "kafka property `{key}` does not fit on one line `key=value`"
            )));
        }
        text.push_str(&format!("{key}={}\n", value.replace('\\', "\\\\")));
        Ok(())
    };
    set("listeners", &format!("{clients},CONTROLLER://127.0.0.1:{controller}"))?;
    set("advertised.listeners", &clients)?;
    set("controller.quorum.voters", &format!("1@127.0.0.1:{controller}"))?;
    set("log.dirs", &data.display().to_string())?;
    if let Some((user, password)) = users {
        if [user, password].iter().any(|text| text.contains(['"', '\\', ';'])) {
            return Err(Error::Config(
                "a SASL user or password cannot contain quotes, backslashes or semicolons".to_owned(),
            ));
        }
        let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
        set("sasl.enabled.mechanisms", "PLAIN")?;
        let jaas = format!("{module} required user_{user}=\"{password}\";");
        set("listener.name.sasl.plain.sasl.jaas.config", &jaas)?;
    }
    for (key, value) in extra {
        set(key, value)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(sasl: Option<u16>, extra: &[(&str, &str)]) -> Result<String> {
        let listeners = Listeners { plain: 1, controller: 2, sasl };
        let extra: Vec<_> = extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        render(&listeners, sasl.map(|_| ("ann", "secret")), Path::new("/data"), &extra)
    }

    #[test]
    fn without_sasl_there_is_one_client_listener() {
        let text = rendered(None, &[]).unwrap();
        assert!(text.contains("\nadvertised.listeners=PLAINTEXT://127.0.0.1:1\n"), "{text}");
        assert!(!text.contains("jaas"), "{text}");
    }

    #[test]
    fn with_sasl_there_is_a_second_listener_and_its_user() {
        let text = rendered(Some(3), &[]).unwrap();
        assert!(text.contains("listeners=PLAINTEXT://127.0.0.1:1,SASL://127.0.0.1:3,CONTROLLER"), "{text}");
        assert!(text.contains("required user_ann=\"secret\";\n"), "{text}");
    }

    #[test]
    fn an_extra_property_comes_last_so_that_it_wins() {
        let text = rendered(None, &[("log.retention.check.interval.ms", "300")]).unwrap();
        assert!(text.ends_with("\nlog.retention.check.interval.ms=300\n"), "{text}");
    }

    #[test]
    fn a_property_that_would_break_the_file_is_refused_by_name() {
        let error = rendered(None, &[("a.b", "x\ny=z")]).unwrap_err().to_string();
        assert!(error.contains("a.b"), "{error}");
    }
}
