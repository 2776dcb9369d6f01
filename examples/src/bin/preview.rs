//! Shows what a rule file of data processing makes of records, step by step: the product's test button as a program.
//! Records come from a file or from standard input, one a line, or from a topic, of which nothing is committed.
//!
//! ```text
//! head -1 examples/data/earthquakes.jsonl | cargo run --bin preview -- examples/config/earthquake-rules.json
//! cargo run --bin preview -- examples/config/earthquake-rules.json examples/data/earthquakes.jsonl --records 2 --json
//! cargo run --bin preview -- rules.json --bootstrap localhost:9092 --topic logs
//! ```
//!
//! Each record's steps are a table, or with `--json` one line of JSON. The exit code is 0 even if records are filtered
//! or fail, since showing that is the point; 1 if records cannot be read, and 2 if the rules or the arguments are wrong.

use connect_core::{
    BoxError, Pipeline,
    kafka::{KafkaConfig, KafkaSource},
    testing::Recording,
};
use connect_transforms::{DataProcessing, processing::Rules};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str =
    "usage: preview <rules.json> [<file> | --bootstrap <host:port> --topic <topic>] [--records <n>] [--json]";

/// How long to wait for records of a topic.
const PATIENCE: Duration = Duration::from_secs(10);

struct Options {
    rules: PathBuf,
    from: From,
    records: usize,
    json: bool,
}

enum From {
    Stdin,
    File(PathBuf),
    Topic { bootstrap: String, topic: String },
}

#[tokio::main]
async fn main() -> ExitCode {
    let (options, processing) = match options(std::env::args().skip(1)).and_then(|options| {
        let processing = load(&options)?;
        Ok((options, processing))
    }) {
        Ok(ready) => ready,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    match show(&options, &processing).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("preview: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut paths, mut records, mut json) = (Vec::new(), 10, false);
    let (mut bootstrap, mut topic) = (None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| USAGE.to_owned());
        match argument.as_str() {
            "--json" => json = true,
            "--records" => records = value()?.parse().map_err(|e| format!("--records: {e}"))?,
            "--bootstrap" => bootstrap = Some(value()?),
            "--topic" => topic = Some(value()?),
            option if option.starts_with("--") => return Err(format!("{option} is not known\n{USAGE}")),
            _ => paths.push(PathBuf::from(argument)),
        }
    }
    let mut paths = paths.into_iter();
    let (rules, file) = (paths.next().ok_or(USAGE)?, paths.next());
    let from = match (file, bootstrap, topic) {
        (None, None, None) => From::Stdin,
        (Some(file), None, None) => From::File(file),
        (None, Some(bootstrap), Some(topic)) => From::Topic { bootstrap, topic },
        _ => return Err(USAGE.to_owned()),
    };
    if paths.next().is_some() {
        return Err(USAGE.to_owned());
    }
    Ok(Options { rules, from, records, json })
}

fn load(options: &Options) -> Result<DataProcessing, String> {
    let path = options.rules.display();
    let text = std::fs::read_to_string(&options.rules).map_err(|e| format!("{path}: {e}"))?;
    let rules = Rules::from_json(&text).map_err(|e| format!("{path}: {e}"))?;
    DataProcessing::new(&rules).map_err(|e| format!("{path}: {e}"))
}

async fn show(options: &Options, processing: &DataProcessing) -> Result<(), BoxError> {
    match &options.from {
        From::Stdin => show_lines(options, processing, std::io::stdin().lock()),
        From::File(path) => {
            let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
            show_lines(options, processing, BufReader::new(file))
        }
        From::Topic { bootstrap, topic } => {
            let kafka = KafkaConfig::new(bootstrap, "preview", [topic]);
            let pipeline = Pipeline::builder("preview")
                .source(move |task| Ok(KafkaSource::new(kafka.clone(), task)))
                .sink(|_| Ok(Recording::new().sink())) // a dry run delivers nothing
                .build()?;
            for record in pipeline.preview(options.records, PATIENCE).await? {
                let origin = format!("{}-{} at {}", record.topic, record.partition, record.offset);
                match &record.value {
                    Some(value) => show_one(options, processing, &origin, value)?,
                    None => println!("{origin}: a tombstone, which passes as it is"),
                }
            }
            Ok(())
        }
    }
}

fn show_lines(options: &Options, processing: &DataProcessing, lines: impl BufRead) -> Result<(), BoxError> {
    for (number, line) in lines.split(b'\n').take(options.records).enumerate() {
        show_one(options, processing, &format!("record {}", number + 1), &line?)?;
    }
    Ok(())
}

fn show_one(
    options: &Options,
    processing: &DataProcessing,
    origin: &str,
    value: &[u8],
) -> Result<(), BoxError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let explained = processing.explain(value, i64::try_from(now.as_millis())?);
    if options.json {
        println!("{}", serde_json::json!({ "record": origin, "explained": explained }));
    } else {
        println!("{origin}\n{explained}");
    }
    Ok(())
}
