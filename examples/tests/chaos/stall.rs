//! A sink that does nothing for a long time costs neither membership nor memory.

use crate::{
    child::Worker,
    cluster,
    objects::{self, PATH_FORMAT},
    producer,
    records::Plan,
    search,
    spec::{PipelineSpec, Protocol, SinkSpec},
    tier::{self, say},
};
use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant},
};

/// The default budget of 64 MiB and the 48 MB that librdkafka and the program itself may take.
const RSS_MAX_KIB: u64 = ((64 << 20) + 48_000_000) >> 10;

#[test]
fn a_blocked_sink_costs_neither_the_membership_nor_memory() {
    let _turn = cluster::turn();
    let test = "stall";
    // 300 MB, or 2 GB, of about 1 KB each.
    let plan = Plan { partitions: 8, per_partition: tier::pick(37_500, 250_000), padding: 950 };
    let blocked_for = tier::pick(Duration::from_secs(25), Duration::from_secs(180));
    let home = tempfile::tempdir().expect("a directory");
    let (bootstrap, topic) = (cluster::bootstrap(), cluster::unique(test));
    cluster::create_topic(&bootstrap, &topic, plan.partitions);
    search::create_index(&topic);
    let begin = Instant::now();
    producer::fill(&bootstrap, &topic, plan, 0..plan.per_partition);
    say(test, &format!("{} records produced in {} s", plan.total(), begin.elapsed().as_secs()));

    let objects = home.path().join("objects");
    std::fs::create_dir_all(&objects).expect("a directory for objects");
    let url =
        [("store.url", format!("file://{}", objects.display())), ("path.format", PATH_FORMAT.to_owned())];
    let url: BTreeMap<_, _> = url.map(|(key, value)| (key.to_owned(), value)).into();
    let sinks = [
        ("es", Protocol::Classic, SinkSpec::Search(search::settings(&topic))),
        ("fs", Protocol::Consumer, SinkSpec::Objects(url)),
    ];
    let mut workers = sinks.map(|(name, protocol, sink)| {
        let spec = PipelineSpec::new(name, &bootstrap, &topic, protocol, sink);
        let worker = Worker::start(home.path(), name, &[spec.property("max.poll.interval.ms", "10000")]);
        worker.silence_targets(true);
        worker
    });
    for worker in &mut workers {
        worker.wait_all("full budget", Duration::from_secs(30), |p| p.held_bytes > 48 << 20);
    }
    sleep(blocked_for);
    for worker in &mut workers {
        assert_kept(test, worker, "while blocked");
        worker.silence_targets(false);
    }
    let begin = Instant::now();
    let patience = tier::pick(Duration::from_secs(90), Duration::from_secs(600));
    for worker in &mut workers {
        worker.wait_all("everything read", patience, |p| {
            p.partitions.values().map(|(position, ..)| position).sum::<i64>() == plan.total() as i64
        });
    }
    for worker in workers {
        assert_kept(test, &worker, "after catching up");
        let last = worker.stop(patience);
        assert!(last.pipelines.values().all(|p| p.reconciles && p.delivered == plan.total()), "{last:#?}");
    }
    say(test, &format!("caught up in {} s", begin.elapsed().as_secs()));
    assert_eq!(search::count(&topic), plan.total());
    objects::assert_exactly_once(&objects, &topic, plan, |_, _| false);
}

fn assert_kept(test: &str, worker: &Worker, when: &str) {
    for (name, p) in &worker.report().pipelines {
        let (peak, held) = (worker.peak_rss_kib(), p.peak_bytes >> 20);
        say(test, &format!("{name} {when}: peak rss {} MiB, budget {held} MiB", peak >> 10));
        assert!(
            peak <= RSS_MAX_KIB,
            "{name} {when}: {peak} KiB at the peak, of {RSS_MAX_KIB} allowed: {p:#?}"
        );
        assert_eq!(
            (p.assigned, p.revoked, p.partitions_lost),
            (8, 0, 0),
            "{name} kept its membership {when}"
        );
        assert_eq!(p.restarts, 0, "{name}: {p:#?}");
    }
}
