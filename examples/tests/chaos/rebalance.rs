//! Instances come and go: nothing is lost, nothing stands twice in the objects.

use crate::{
    child::Worker,
    cluster,
    objects::{self, PATH_FORMAT},
    producer::{self, Flow},
    records::Plan,
    search,
    spec::{PipelineReport, PipelineSpec, Protocol, SinkSpec},
    tier::{self, say},
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

const PARTITIONS: i32 = 8;
const PROTOCOLS: [Protocol; 2] = [Protocol::Classic, Protocol::Consumer];
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn instances_join_and_leave_and_nothing_is_lost_or_repeated() {
    let _turn = cluster::turn();
    let test = "join-and-leave";
    let plan = Plan { partitions: PARTITIONS, per_partition: tier::pick(2_000, 25_000), padding: 200 };
    let group = Group::new(test, plan);
    let flow = Flow::start(&group.bootstrap, &group.topic, plan, tier::pick(1_000, 2_500));
    let mut first = group.join("first");
    first.wait_all("all partitions", PATIENCE, |p| p.partitions.len() == 8 && p.delivered > 500);
    let mut second = group.join("second");
    second.wait_all("half of the partitions", PATIENCE, |p| p.partitions.len() == 4 && p.delivered > 300);
    let mut third = group.join("third");
    third.wait_all("a share", PATIENCE, |p| (2..=3).contains(&p.partitions.len()) && p.delivered > 200);
    let left = second.stop(PATIENCE);
    say(test, "the second has left");
    third.wait_all("half of the partitions", PATIENCE, |p| p.partitions.len() == 4);
    let mut again = group.join("again");
    again.wait_all("a share", PATIENCE, |p| !p.partitions.is_empty() && p.delivered > 200);
    let ended = third.stop(PATIENCE);
    say(test, "the third has left");
    assert!(!flow.is_over(), "the input ended before the last instance left: lower the rate");
    flow.join();
    group.wait_for_all(&mut [&mut first, &mut again]);
    let reports = [first.stop(PATIENCE), again.stop(PATIENCE), left, ended];
    for pipeline in reports.iter().flat_map(|report| report.pipelines.values()) {
        assert!(
            pipeline.reconciles && pipeline.partitions_lost == 0 && pipeline.restarts == 0,
            "{pipeline:#?}"
        );
    }
    assert!(
        reports[0].pipelines.values().all(|p| p.revoked >= 4),
        "the first gave partitions up: {reports:#?}"
    );
    group.check();
}

#[test]
fn a_revoke_is_answered_without_a_blocked_sink() {
    let _turn = cluster::turn();
    let test = "blocked-revoke";
    let plan = Plan { partitions: PARTITIONS, per_partition: tier::pick(1_500, 20_000), padding: 200 };
    let group = Group::new(test, plan);
    let half = plan.per_partition / 2;
    producer::fill(&group.bootstrap, &group.topic, plan, 0..half);
    let mut first = group.join("first");
    first.wait_all("records delivered", PATIENCE, |p| p.partitions.len() == 8 && p.delivered > 500);
    first.block_sinks(true);
    producer::fill(&group.bootstrap, &group.topic, plan, half..plan.per_partition);
    first.wait_all("records that wait for the sink", PATIENCE, |p| p.in_flight > 0);
    let mut second = group.join("second");
    // Five seconds for the answer to the revocation, the rest for a busy machine. It goes on to deliver while the
    // first is blocked.
    second.wait_all("half of the partitions", Duration::from_secs(20), |p| p.partitions.len() == 4);
    second.wait_all("its share delivered", PATIENCE, |p| p.delivered > 500);
    say(test, "the second delivers while the first is blocked");
    let blocked = first.report();
    assert!(blocked.pipelines.values().all(|p| p.partitions.len() == 4 && p.restarts == 0), "{blocked:#?}");
    // What the first began for partitions that it has no more comes too late now.
    first.block_sinks(false);
    group.wait_for_all(&mut [&mut first, &mut second]);
    let reports = [first.stop(PATIENCE), second.stop(PATIENCE)];
    assert!(reports.iter().all(|r| r.pipelines.values().all(|p| p.reconciles)), "{reports:#?}");
    group.check();
}

#[test]
fn an_instance_that_hangs_is_replaced_and_does_no_harm_when_it_wakes() {
    let _turn = cluster::turn();
    let test = "frozen-owner";
    let plan = Plan { partitions: PARTITIONS, per_partition: tier::pick(1_500, 20_000), padding: 200 };
    let group = Group::new(test, plan);
    let flow = Flow::start(&group.bootstrap, &group.topic, plan, tier::pick(800, 1_500));
    let mut first = group.join("first");
    first.wait_all("records delivered", PATIENCE, |p| p.partitions.len() == 8 && p.delivered > 500);
    first.freeze();
    let mut second = group.join("second");
    // The session of the frozen one ends after 6 s.
    second.wait_all("all partitions", PATIENCE, |p| p.partitions.len() == 8 && p.delivered > 500);
    first.thaw();
    // Either the group says so, or an object that the second has made in its place.
    first.wait_all("it hears that it has lost them", PATIENCE, |p| {
        p.state != "Failed" && (p.partitions_lost + p.revoked >= 8 || p.restarts > 0)
    });
    flow.join();
    group.wait_for_all(&mut [&mut first, &mut second]);
    let reports = [first.stop(PATIENCE), second.stop(PATIENCE)];
    assert!(reports.iter().all(|r| r.pipelines.values().all(|p| p.reconciles)), "{reports:#?}");
    group.check();
}

/// Instances that share a topic by both protocols, into Elasticsearch and into objects.
struct Group {
    home: tempfile::TempDir,
    bootstrap: String,
    topic: String,
    plan: Plan,
    pipelines: Vec<PipelineSpec>,
}

impl Group {
    fn new(test: &str, plan: Plan) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let (bootstrap, topic) = (cluster::bootstrap(), cluster::unique(test));
        cluster::create_topic(&bootstrap, &topic, plan.partitions);
        let mut group = Self { home, bootstrap, topic, plan, pipelines: Vec::new() };
        for protocol in PROTOCOLS {
            search::create_index(&group.index(protocol));
            let search = SinkSpec::Search(search::settings(&group.index(protocol)));
            let dir = group.dir(protocol);
            std::fs::create_dir_all(&dir).expect("a directory for objects");
            let settings = [
                ("store.url", format!("file://{}", dir.display())),
                ("path.format", PATH_FORMAT.to_owned()),
                ("file.bytes", "32KiB".to_owned()),
                ("max.age.ms", "500".to_owned()),
            ];
            let settings: BTreeMap<_, _> = settings.map(|(key, value)| (key.to_owned(), value)).into();
            for (kind, sink) in [("es", search), ("fs", SinkSpec::Objects(settings))] {
                let name = format!("{kind}-{}", protocol.name());
                let spec = PipelineSpec::new(&name, &group.bootstrap, &group.topic, protocol, sink);
                group.pipelines.push(spec);
            }
        }
        group
    }

    fn index(&self, protocol: Protocol) -> String {
        format!("{}-{}", self.topic, protocol.name())
    }

    fn dir(&self, protocol: Protocol) -> PathBuf {
        self.home.path().join(format!("objects-{}", protocol.name()))
    }

    fn join(&self, name: &str) -> Worker {
        Worker::start(self.home.path(), name, &self.pipelines)
    }

    /// Waits until all partitions are committed to their ends, by whichever instance has them.
    fn wait_for_all(&self, workers: &mut [&mut Worker]) {
        let patience = tier::pick(PATIENCE, Duration::from_secs(240));
        let end = i64::try_from(self.plan.per_partition).expect("small");
        for spec in &self.pipelines {
            cluster::wait(&format!("end of {}", spec.name), patience, || {
                let owned: Vec<PipelineReport> = workers.iter().map(|w| w.pipeline(&spec.name)).collect();
                let done =
                    owned.iter().flat_map(|p| p.partitions.values()).filter(|(.., c)| *c == end).count();
                (done == self.plan.partitions as usize).then_some(()).ok_or_else(|| format!("{owned:#?}"))
            });
        }
    }

    fn check(&self) {
        for protocol in PROTOCOLS {
            search::assert_exactly_once(&self.index(protocol), self.plan, |_, _| false);
            let dir = self.dir(protocol);
            let objects = objects::assert_exactly_once(&dir, &self.topic, self.plan, |_, _| false);
            say(&self.topic, &format!("{}: {objects} objects", protocol.name()));
        }
    }
}
