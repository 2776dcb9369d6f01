//! The command line.

use std::path::{Path, PathBuf};

use services::{Engine, engine};

pub(crate) const USAGE: &str = "\
usage: services start|stop|status [options]

  start    start servers that stay until `stop`, and print their addresses
  stop     stop them; data stays for the next start
  status   say what runs; exit code 1 when something does not

  --only LIST             of kafka, elasticsearch, elasticsearch8, elasticsearch9, opensearch, opensearch3,
                          comma-separated [kafka,elasticsearch; stop: all]
  --run-dir DIR           pid files, data and logs [run/ at the workspace root]
start:
  --kafka-port PORT       [9092]
  --es-port PORT          [9200]
  --opensearch-port PORT  [9201]
  --opensearch3-port PORT [9203]
  --es8-port PORT         [9208]
  --es9-port PORT         [9209]
  --heap MIB              largest Java heap of each server [512]
  --kafka-property K=V    a line for server.properties, any number of times
stop:
  --wipe                  remove data and logs as well";

/// What to do, to which servers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) action: Action,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) run_dir: PathBuf,
    ports: [u16; Kind::ALL.len()],
    pub(crate) heap_mib: u32,
    pub(crate) kafka_properties: Vec<(String, String)>,
    pub(crate) wipe: bool,
}

impl Command {
    /// The port of a server.
    pub(crate) fn port(&self, kind: Kind) -> u16 {
        self.ports[kind as usize]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Start,
    Stop,
    Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Kafka,
    Elasticsearch,
    Elasticsearch8,
    Elasticsearch9,
    OpenSearch,
    OpenSearch3,
}

impl Kind {
    /// In the order of their numbers.
    const ALL: [Kind; 6] = [
        Kind::Kafka,
        Kind::Elasticsearch,
        Kind::Elasticsearch8,
        Kind::Elasticsearch9,
        Kind::OpenSearch,
        Kind::OpenSearch3,
    ];

    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    fn port_option(self) -> &'static str {
        self.row().1
    }

    fn default_port(self) -> u16 {
        self.row().2
    }

    /// Name, the option for its port, the port without it.
    fn row(self) -> (&'static str, &'static str, u16) {
        match self {
            Kind::Kafka => ("kafka", "--kafka-port", 9092),
            Kind::Elasticsearch => (engine::Elasticsearch::NAME, "--es-port", 9200),
            Kind::Elasticsearch8 => (engine::Elasticsearch8::NAME, "--es8-port", 9208),
            Kind::Elasticsearch9 => (engine::Elasticsearch9::NAME, "--es9-port", 9209),
            Kind::OpenSearch => (engine::OpenSearch::NAME, "--opensearch-port", 9201),
            Kind::OpenSearch3 => (engine::OpenSearch3::NAME, "--opensearch3-port", 9203),
        }
    }

    fn parse(name: &str) -> Result<Self, String> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("--only: unknown server `{name}`, expected some of {names}")
        })
    }
}

/// Reads the arguments after the program's name; `None` when help was asked for.
///
/// # Errors
///
/// What is wrong with which argument.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Option<Command>, String> {
    let mut arguments = arguments.into_iter();
    let action = match arguments.next().as_deref() {
        Some("start") => Action::Start,
        Some("stop") => Action::Stop,
        Some("status") => Action::Status,
        Some("help" | "--help" | "-h") => return Ok(None),
        Some(other) => return Err(format!("unknown command `{other}`, expected start, stop or status")),
        None => return Err("no command, expected start, stop or status".to_owned()),
    };
    let mut command = Command {
        action,
        // Whatever was started is stopped.
        kinds: if action == Action::Stop {
            Kind::ALL.to_vec()
        } else {
            vec![Kind::Kafka, Kind::Elasticsearch]
        },
        run_dir: default_run_dir(),
        ports: Kind::ALL.map(Kind::default_port),
        heap_mib: 512,
        kafka_properties: Vec::new(),
        wipe: false,
    };
    while let Some(argument) = arguments.next() {
        if matches!(argument.as_str(), "--help" | "-h") {
            return Ok(None);
        }
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        option(&mut command, name, inline, &mut arguments)?;
    }
    Ok(Some(command))
}

/// One option; its value is behind `=` or the next argument.
fn option(
    command: &mut Command,
    name: &str,
    inline: Option<String>,
    rest: &mut impl Iterator<Item = String>,
) -> Result<(), String> {
    let port = Kind::ALL.into_iter().find(|kind| kind.port_option() == name);
    let only_for = match name {
        _ if port.is_some() => Some(Action::Start),
        "--heap" | "--kafka-property" => Some(Action::Start),
        "--wipe" => Some(Action::Stop),
        "--only" | "--run-dir" => None,
        _ => return Err(format!("unknown option `{name}`")),
    };
    if only_for.is_some_and(|action| action != command.action) {
        return Err(format!("{name} does not go with this command"));
    }
    if name == "--wipe" {
        command.wipe = true;
        return inline.map_or(Ok(()), |value| Err(format!("--wipe takes no value, got `{value}`")));
    }
    let value = inline.or_else(|| rest.next()).ok_or_else(|| format!("{name} needs a value"))?;
    if let Some(kind) = port {
        command.ports[kind as usize] = number(name, &value)?;
        return Ok(());
    }
    match name {
        "--only" => command.kinds = kinds(&value)?,
        "--run-dir" => command.run_dir = PathBuf::from(value),
        "--heap" => command.heap_mib = number(name, &value)?,
        _ => {
            let pair = value.split_once('=').ok_or_else(|| format!("{name}: `{value}` is not KEY=VALUE"))?;
            command.kafka_properties.push((pair.0.to_owned(), pair.1.to_owned()));
        }
    }
    Ok(())
}

fn kinds(list: &str) -> Result<Vec<Kind>, String> {
    let mut kinds = Vec::new();
    for name in list.split(',') {
        let kind = Kind::parse(name.trim())?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

/// A port or a size: zero means nothing for either.
fn number<N: std::str::FromStr + Default + PartialEq>(name: &str, value: &str) -> Result<N, String> {
    match value.parse() {
        Ok(number) if number != N::default() => Ok(number),
        _ => Err(format!("{name}: `{value}` is not a number this option can take")),
    }
}

/// `run` at the workspace root, which git ignores.
fn default_run_dir() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).join("run")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Command>, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn start_without_options_takes_the_usual_ports() {
        let command = parsed("start").unwrap().unwrap();
        assert_eq!((command.port(Kind::Kafka), command.port(Kind::Elasticsearch)), (9092, 9200));
        assert_eq!(command.kinds, [Kind::Kafka, Kind::Elasticsearch]);
        assert!(command.run_dir.ends_with("run"));
    }

    #[test]
    fn stop_without_options_stops_everything() {
        assert_eq!(parsed("stop").unwrap().unwrap().kinds, Kind::ALL);
    }

    #[test]
    fn every_server_has_a_name_an_option_and_a_port_of_its_own() {
        let columns = Kind::ALL.map(Kind::row);
        for (n, row) in columns.iter().enumerate() {
            assert_eq!(Kind::ALL[n] as usize, n);
            assert!(USAGE.contains(row.0) && USAGE.contains(row.1) && USAGE.contains(&row.2.to_string()));
            assert!(
                columns[..n].iter().all(|other| other.0 != row.0 && other.1 != row.1 && other.2 != row.2)
            );
        }
    }

    #[test]
    fn values_follow_a_space_or_an_equals_sign() {
        let command =
            parsed("start --kafka-port 1 --es9-port=2 --only kafka,opensearch3 --kafka-property a.b=c=d");
        let command = command.unwrap().unwrap();
        assert_eq!((command.port(Kind::Kafka), command.port(Kind::Elasticsearch9)), (1, 2));
        assert_eq!(command.port(Kind::Elasticsearch8), 9208);
        assert_eq!(command.kinds, [Kind::Kafka, Kind::OpenSearch3]);
        assert_eq!(command.kafka_properties, [("a.b".to_owned(), "c=d".to_owned())]);
    }

    #[test]
    fn help_is_answered_wherever_it_is_asked_for() {
        assert_eq!(parsed("--help").unwrap(), None);
        assert_eq!(parsed("start --help").unwrap(), None);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, named) in [
            ("", "start, stop or status"),
            ("begin", "`begin`"),
            ("start --kafka-prot 1", "`--kafka-prot`"),
            ("start --kafka-port", "--kafka-port needs a value"),
            ("start --kafka-port 0", "`0`"),
            ("start --kafka-port 70000", "`70000`"),
            ("start --only kafka,redis", "`redis`"),
            ("start --kafka-property alone", "`alone`"),
            ("start --wipe", "--wipe does not go"),
            ("stop --kafka-port 1", "--kafka-port does not go"),
            ("stop --wipe=yes", "`yes`"),
        ] {
            let problem = parsed(line).unwrap_err();
            assert!(problem.contains(named), "{line}: {problem}");
        }
    }
}
