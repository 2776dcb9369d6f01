//! Everything in one process, no server needed: 1,707 real earthquakes go through Kafka, are flattened, and are
//! delivered by two pipelines, to an index and to objects in a folder. Then it counts.
//!
//! ```text
//! cargo run -p examples --bin quickstart
//! cargo run -p examples --bin quickstart -- --keep     # and curl the index until Ctrl-C
//! examples/verify.py run/quickstart                    # a check that shares no code with the library
//! ```
//!
//! The exit code is 0 only if every count reconciles.

use connect_core::{
    BoxError, Pipeline, PipelineBuilder,
    config::ByteSize,
    kafka::{KafkaConfig, KafkaSource},
};
use connect_cos::{CosConfig, CosSink};
use connect_es::{Elasticsearch, EsConfig};
use connect_transforms::Flatten;
use examples::{
    earthquakes,
    elastic::Elastic,
    mock_kafka::MockKafka,
    quickstart::{self, Options, Summary},
    stop,
};
use std::{process::ExitCode, time::Duration};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let options = Options::parse()?;
    let folder = options.fresh_folder()?;
    let kafka = MockKafka::start(earthquakes::TOPIC, earthquakes::PARTITIONS)?;
    let elastic = Elastic::start(options.port).await?;
    println!(
        "Kafka on {}, an index on {}, objects in {}\n",
        kafka.bootstrap(),
        elastic.url(),
        folder.display()
    );

    let index = EsConfig::new(vec![elastic.url().parse()?]);
    let search = pipeline("search", &kafka).sink(move |_| Elasticsearch::sink(&index)).build()?.start();
    let objects = CosConfig {
        file_bytes: ByteSize::kib(64),
        max_age: Duration::from_secs(2),
        ..CosConfig::new(format!("file://{}/objects", folder.display()))
    };
    let archive =
        pipeline("archive", &kafka).sink(move |task| CosSink::new(objects.clone(), task)).build()?.start();

    tokio::select! {
        sent = quickstart::send_and_watch(&kafka, [&search, &archive]) => sent?,
        _ = stop::requested() => return Err("stopped before the end".into()),
    }
    let (search, archive) = tokio::join!(search.shutdown(), archive.shutdown());

    let summary = Summary::new(&folder, &elastic, &search, &archive)?;
    println!("{summary}");
    if options.keep {
        println!("The index stays until Ctrl-C.");
        stop::requested().await?;
    }
    summary.reconcile().map_err(Into::into)
}

/// Each pipeline is a group of its own, so both get every record.
fn pipeline(name: &str, kafka: &MockKafka) -> PipelineBuilder {
    let kafka = KafkaConfig::new(kafka.bootstrap(), name, [earthquakes::TOPIC]);
    Pipeline::builder(name)
        .source(move |task| Ok(KafkaSource::new(kafka.clone(), task)))
        .transform(Flatten::value())
        .options(|options| options.commit_interval = Duration::from_secs(1))
}
