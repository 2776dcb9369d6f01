//! Killed at any moment, every record stands exactly once in Elasticsearch and exactly once in the objects.

use crate::{
    child::Worker,
    cluster,
    objects::{self, PATH_FORMAT},
    producer::Flow,
    records::Plan,
    s3::S3,
    search,
    spec::{PipelineSpec, Protocol, SinkSpec},
    tier::{self, say},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

const PARTITIONS: i32 = 8;

/// When the child is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// At any.
    Random,
    /// A note is committed, and no object of its range is complete.
    Noted,
    /// A file is half written.
    InWrite,
    /// A new object has just appeared, others of its range have not.
    NewObject,
}

/// What a run takes.
struct Run {
    per_partition: u64,
    /// Records a second: what makes a run last.
    rate: u64,
    /// Records that every pipeline delivers between two kills.
    between: u64,
    random_kills: usize,
    /// Ranges and files of the pipelines that roll by size.
    range_records: u64,
    file_bytes: &'static str,
}

#[test]
fn records_survive_sigkill_exactly_once_everywhere() {
    let short = Run {
        per_partition: 2_500,
        rate: 500,
        between: 800,
        random_kills: 0,
        range_records: 150,
        file_bytes: "24KiB",
    };
    let full = Run { per_partition: 25_000, rate: 1_500, between: 10_000, random_kills: 3, ..short };
    run("kills", [Protocol::Static, Protocol::Consumer], &tier::pick(short, full));
}

/// The same with ten times the records, and the protocols changed about.
#[test]
fn ten_times_the_records_survive_sigkill_exactly_once_everywhere() {
    if !tier::full() {
        return say("kills-large", "only with CONNECT_TIER=2");
    }
    let large = Run {
        per_partition: 250_000,
        rate: 5_000,
        between: 50_000,
        random_kills: 6,
        range_records: 6_000,
        file_bytes: "600KiB",
    };
    run("kills-large", [Protocol::Consumer, Protocol::Classic], &large);
}

fn run(test: &str, protocols: [Protocol; 2], run: &Run) {
    let _turn = cluster::turn();
    let mut rng = tier::seed(test);
    let plan = Plan { partitions: PARTITIONS, per_partition: run.per_partition, padding: 400 };
    let mut scene = Scene::new(test, plan, protocols, run);
    let flow = Flow::start(&scene.bootstrap, &scene.topic, plan, run.rate);
    let moments = moments(&mut rng, run.random_kills);
    let begin = Instant::now();
    for (number, moment) in moments.iter().enumerate() {
        let mut worker = scene.start();
        // The input waits for the child, so that there is some left to be killed in.
        worker.wait_all("all partitions", Duration::from_secs(60), |p| p.partitions.len() == 8);
        flow.pause(false);
        let patience = Duration::from_secs(60 + run.between / 200);
        worker.wait_all("progress since the last kill", patience, |p| p.delivered >= run.between);
        assert!(!flow.is_over(), "the input ended before kill {number}: {} s", begin.elapsed().as_secs());
        sleep(Duration::from_millis(rng.u64(0..1_500)));
        scene.kill(&mut worker, *moment, &mut rng);
        flow.pause(true);
        say(test, &format!("kill {number} ({moment:?}) at {} written", flow.written()));
    }
    let mut worker = scene.start();
    flow.pause(false);
    flow.join();
    let patience = tier::pick(Duration::from_secs(60), Duration::from_secs(300));
    worker.wait_one("es", "no lag", patience, |p| p.lag == Some(0) && p.in_flight == 0);
    worker.wait_all("everything read", patience, |p| {
        let read: i64 = p.partitions.values().map(|(position, ..)| position).sum();
        read == plan.total() as i64
    });
    let last = worker.stop(Duration::from_secs(60));
    assert!(last.pipelines.values().all(|p| p.reconciles && p.restarts < 20), "{last:#?}");
    scene.check();
    say(test, &format!("{} records, {} kills, {} s", plan.total(), moments.len(), begin.elapsed().as_secs()));
}

/// Each special moment once and random ones between them, in random order.
fn moments(rng: &mut fastrand::Rng, random: usize) -> Vec<Moment> {
    let mut moments = vec![Moment::Noted, Moment::InWrite, Moment::NewObject, Moment::Random];
    moments.extend(vec![Moment::Random; random]);
    rng.shuffle(&mut moments);
    moments
}

/// The pipelines of a run and the places they write to.
struct Scene {
    test: String,
    home: tempfile::TempDir,
    bootstrap: String,
    topic: String,
    plan: Plan,
    pipelines: Vec<PipelineSpec>,
    /// By pipeline.
    places: BTreeMap<String, PathBuf>,
    starts: u32,
}

impl Scene {
    fn new(test: &str, plan: Plan, [one, other]: [Protocol; 2], run: &Run) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let (bootstrap, topic) = (cluster::bootstrap(), cluster::unique(test));
        cluster::create_topic(&bootstrap, &topic, plan.partitions);
        search::create_index(&topic);
        let s3 = S3::start(&home.path().join("s3"));
        let mut scene = Self {
            test: test.to_owned(),
            bootstrap,
            topic,
            plan,
            pipelines: Vec::new(),
            places: BTreeMap::new(),
            starts: 0,
            home,
        };
        scene.add("es", other, SinkSpec::Search(search::settings(&scene.topic)));
        for (rule, fs_protocol, s3_protocol) in [("size", one, other), ("age", other, one)] {
            let name = format!("fs-{rule}");
            let dir = scene.home.path().join(&name);
            std::fs::create_dir_all(&dir).expect("a directory for objects");
            let url = BTreeMap::from([("store.url".to_owned(), format!("file://{}", dir.display()))]);
            scene.add_objects(&name, fs_protocol, (rule == "size").then_some(run), url, dir);
            let name = format!("s3-{rule}");
            let dir = s3.dir(&name);
            scene.add_objects(&name, s3_protocol, (rule == "size").then_some(run), s3.settings(&name), dir);
        }
        scene
    }

    fn add(&mut self, name: &str, protocol: Protocol, sink: SinkSpec) {
        self.pipelines.push(PipelineSpec::new(name, &self.bootstrap, &self.topic, protocol, sink));
    }

    fn add_objects(
        &mut self,
        name: &str,
        protocol: Protocol,
        by_size: Option<&Run>,
        mut settings: BTreeMap<String, String>,
        dir: PathBuf,
    ) {
        let rules = match by_size {
            Some(run) => [("file.bytes", run.file_bytes), ("max.age.ms", "3600000")],
            None => [("file.bytes", "1GiB"), ("max.age.ms", "700")],
        };
        let path = [("path.format", PATH_FORMAT)];
        settings.extend(rules.into_iter().chain(path).map(|(key, value)| (key.to_owned(), value.to_owned())));
        self.add(name, protocol, SinkSpec::Objects(settings));
        // Ranges end by their size as well: no clock has a say.
        self.pipelines.last_mut().expect("just added").max_uncommitted_records =
            by_size.map(|run| run.range_records);
        self.places.insert(name.to_owned(), dir);
    }

    fn start(&mut self) -> Worker {
        self.starts += 1;
        Worker::start(self.home.path(), &format!("{}-{}", self.test, self.starts), &self.pipelines)
    }

    fn kill(&self, worker: &mut Worker, moment: Moment, rng: &mut fastrand::Rng) {
        let patience = Duration::from_secs(30);
        match moment {
            Moment::Random => worker.kill(),
            Moment::Noted => {
                let victim = rng.choice(self.places.keys()).expect("there are some");
                worker.keep_noted_from(victim);
                cluster::wait("note that was committed", patience, || {
                    worker
                        .is_at_noted()
                        .then_some(())
                        .ok_or_else(|| format!("{:#?}", worker.pipeline(victim)))
                });
                worker.kill();
                self.assert_note_stands(victim);
            }
            Moment::InWrite => {
                let dirs: Vec<&Path> = ["fs-size", "fs-age"].map(|name| self.places[name].as_path()).into();
                kill_while_writing(worker, &dirs);
            }
            Moment::NewObject => {
                let name = *rng.choice(&["fs-size", "fs-age", "s3-size", "s3-age"]).expect("there are some");
                let before = objects::list(&self.places[name]).len();
                cluster::wait("new object", patience, || {
                    let now = objects::list(&self.places[name]).len();
                    (now > before).then_some(()).ok_or_else(|| format!("{now} objects in {name}"))
                });
                worker.kill();
            }
        }
    }

    fn assert_note_stands(&self, pipeline: &str) {
        let spec = self.pipelines.iter().find(|spec| spec.name == pipeline).expect("a pipeline");
        let committed = cluster::committed(&self.bootstrap, &spec.group, &self.topic, self.plan.partitions);
        assert!(
            committed.values().any(|(_, note)| note.contains("\"from\"")),
            "no note stands in {pipeline}: {committed:?}"
        );
    }

    /// Everything once, everywhere, and committed.
    fn check(&self) {
        search::assert_exactly_once(&self.topic, self.plan, |_, _| false);
        for (name, dir) in &self.places {
            let objects = objects::assert_exactly_once(dir, &self.topic, self.plan, |_, _| false);
            say(&self.test, &format!("{name}: {objects} objects"));
        }
        for spec in &self.pipelines {
            let committed =
                cluster::committed(&self.bootstrap, &spec.group, &self.topic, self.plan.partitions);
            let end = i64::try_from(self.plan.per_partition).expect("small");
            let all = (0..self.plan.partitions).map(|partition| (partition, (end, String::new()))).collect();
            assert_eq!(committed, all, "{}: all is committed and no note stands", spec.name);
        }
    }
}

/// Freezes the child when a half-written file shows; kills it if the file still is there then.
fn kill_while_writing(worker: &mut Worker, dirs: &[&Path]) {
    let unfinished = || dirs.iter().any(|dir| objects::has_unfinished(dir));
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        assert!(Instant::now() < deadline, "no file was caught half written within 30 s");
        if unfinished() {
            worker.freeze();
            if unfinished() {
                return worker.kill();
            }
            worker.thaw();
        }
        sleep(Duration::from_micros(500));
    }
}
