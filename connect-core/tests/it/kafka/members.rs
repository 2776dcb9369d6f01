//! Members that are expelled, killed, fenced or of the eager kind. The rules are in `DELIVERY.md`.

use super::{
    cluster::{PROTOCOLS, committed, delete_records, fill, set_offset, topic, unique},
    driver::{Driver, ROOM, beside, config, config_at, task},
    proxy::Proxy,
};
use connect_core::{
    Class, Commit, PartitionId, Pipeline, Source, TaskState,
    kafka::{KafkaConfig, KafkaSource, OnDataLoss},
    testing::Recording,
};
use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

#[tokio::test]
async fn commits_hold_while_others_join_and_leave() {
    let run = |protocol: &'static str| async move {
        let (topic, group) = (topic("epochs", 4).await, unique("group"));
        fill(&topic, 4, 10);
        let mut first = Driver::open(config(&group, &topic, protocol)).await;
        first.rows(40).await;
        let others = async {
            for _ in 0..4 {
                let mut second = Driver::open_as(config(&group, &topic, protocol), 1).await;
                second.until("a share", ROOM, |second| !second.held.is_empty()).await;
                second.close().await;
            }
        };
        tokio::pin!(others);
        // One commit after the other, for a partition that it has, so that some meet each change of the generation.
        let (mut made, mut refused) = (0, 0);
        loop {
            let Some(id) = first.held.keys().next().copied() else {
                first.step(ROOM).await.expect("the first lives on");
                continue;
            };
            let commit = async {
                first.source.commit(vec![Commit { id, offset: 1 + made % 9, note: None }]);
                let before = first.committed.len();
                while first.committed.len() == before {
                    first.step(ROOM).await.expect("the first lives on");
                }
            };
            tokio::select! {
                () = commit => {}
                () = &mut others => break,
            }
            made += 1;
            if let Some((_, Err(error))) = first.committed.last() {
                assert_eq!(error.class(), Class::Retriable, "{protocol}: {error:?}");
                refused += 1;
            }
        }
        println!("{protocol}: {made} commits, {refused} refused");
        assert!(first.lost.is_empty(), "{protocol}: a stale epoch loses nothing: {:?}", first.lost);
        first.assigned(4).await;
        for partition in 0..4 {
            let id = first.id(partition);
            // What was refused is made again, as the runtime does.
            while first.commit(id, 10, None).await.is_err() {}
        }
        first.close().await;
        assert!(committed(&group, &topic, 4).values().all(|(offset, _)| *offset == 10), "{protocol}");
    };
    tokio::join!(run("classic"), run("consumer"));
}

#[tokio::test]
async fn a_request_that_fails_for_one_partition_is_unknown_for_all_and_may_be_made_again() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("one-of-two", 2).await, unique("group"));
        fill(&topic, 2, 10);
        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        driver.rows(20).await;
        // The broker takes notes of 4,096 bytes at most.
        let note = |bytes: usize| Some("n".repeat(bytes).into());
        let (good, bad) = (driver.id(0), driver.id(1));
        driver.source.commit(vec![
            Commit { id: good, offset: 5, note: note(4_000) },
            Commit { id: bad, offset: 5, note: note(5_000) },
        ]);
        driver.until("the answer", 0, |driver| !driver.committed.is_empty()).await;
        let (commits, result) = driver.committed.pop().expect("just seen");
        let error = result.expect_err("one of them is refused");
        assert_eq!((commits.len(), error.class()), (2, Class::Fatal), "{protocol}: librdkafka blames both");
        for part in ["5000 bytes of metadata", "set their offset.metadata.max.bytes to 8192 or more"] {
            assert!(error.report().contains(part), "{}", error.report());
        }
        // What counts as failed stands at the broker, and is made again unchanged.
        let there = committed(&group, &topic, 2);
        assert_eq!((there[&0].0, there[&1].0), (5, 0), "{protocol}");
        driver.commit(good, 5, Some(&"n".repeat(4_000))).await.expect("the same again");
        driver.close().await;
    }
}

#[tokio::test]
async fn more_notes_than_a_request_takes_go_by_several() {
    const PARTITIONS: i32 = 280;
    let topic = topic("many-notes", PARTITIONS).await;
    for protocol in PROTOCOLS {
        let group = unique("group");
        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        driver.assigned(PARTITIONS.unsigned_abs() as usize).await;
        // More than a megabyte of notes: the broker refuses such a request as a whole.
        let note = "n".repeat(4_000);
        let commit = |id: &PartitionId| Commit { id: *id, offset: 0, note: Some(note.clone().into()) };
        driver.source.commit(driver.held.keys().map(commit).collect());
        let answered =
            |driver: &Driver| driver.committed.iter().map(|(commits, _)| commits.len()).sum::<usize>();
        driver.until("answers", 0, |driver| answered(driver) == PARTITIONS.unsigned_abs() as usize).await;
        assert!(driver.committed.iter().all(|(_, result)| result.is_ok()), "{protocol}");
        assert!(driver.committed.len() >= 3, "{protocol}: {} requests", driver.committed.len());
        driver.close().await;
        let committed = committed(&group, &topic, PARTITIONS);
        assert!(committed.len() == 280 && committed.values().all(|(_, n)| *n == note), "{protocol}");
    }
}

#[tokio::test]
async fn fencing_while_a_revoke_is_pending_loses_all_partitions() {
    let run = |protocol: &'static str| async move {
        let (topic, group) = (topic("fenced", 4).await, unique("group"));
        fill(&topic, 4, 10);
        let proxy = Proxy::start().await;
        // Both must outlive the wait for the session's end: the answer to the revoke, and the interval between polls.
        let patient = Duration::from_secs(60);
        let config_first = || {
            let config = config_at(&proxy.bootstrap(), &group, &topic, protocol);
            config.revoke_timeout(patient).property("socket.timeout.ms", "20000")
        };
        let mut first = Driver::open(config_first()).await;
        first.rows(40).await;
        first.release = false;
        let mut second = Driver::open_as(config(&group, &topic, protocol), 1).await;
        beside(&mut second, first.until("revocation", ROOM, |first| !first.revoked.is_empty())).await;
        let (revoked, kept) = (first.revoked.clone(), first.held.keys().copied().collect::<Vec<_>>());
        assert!(!kept.is_empty(), "{protocol}: cooperative members keep some");
        // Until the session is over and the group has gone on without it: the other one has all partitions.
        proxy.set_deaf(true);
        beside(&mut first, second.assigned(4)).await;
        proxy.set_deaf(false);
        // The commit that ends the revoked work is refused, which says that nothing is ours any more.
        first.source.commit(vec![Commit { id: revoked[0], offset: 7, note: None }]);
        let lost = first.until("the loss", ROOM, |first| first.held.is_empty());
        beside(&mut second, lost).await;
        let all: BTreeSet<PartitionId> = revoked.iter().chain(&kept).copied().collect();
        assert_eq!(
            first.lost.iter().copied().collect::<BTreeSet<_>>(),
            all,
            "{protocol}: everything is lost"
        );
        assert!(committed(&group, &topic, 4).values().all(|(offset, _)| *offset == 0), "{protocol}");
        // It takes part again, as a new member.
        first.release = true;
        beside(&mut second, first.until("a share", ROOM, |first| !first.held.is_empty())).await;
        first.close().await;
        second.close().await;
    };
    tokio::join!(run("classic"), run("consumer"));
}

#[tokio::test]
async fn an_eager_assignor_takes_the_whole_assignment_and_loses_no_record() {
    for strategy in ["range", "roundrobin"] {
        let (topic, group) = (topic("eager", 4).await, unique("group"));
        fill(&topic, 4, 100);
        let eager = || config(&group, &topic, "classic").property("partition.assignment.strategy", strategy);
        let mut first = Driver::open(eager()).await;
        first.rows(400).await;
        let before: Vec<PartitionId> = first.held.keys().copied().collect();
        for id in &before {
            first.commit(*id, 60, None).await.expect("committed");
        }
        let mut second = Driver::open_as(eager(), 1).await;
        beside(&mut first, second.assigned(2)).await;
        beside(&mut second, first.until("its half", ROOM, |first| first.held.len() == 2)).await;
        assert_eq!(first.revoked.len(), 4, "{strategy}: all of them, not only those that move");
        assert!(first.lost.is_empty());
        let both = first.held.values().chain(second.held.values());
        assert!(both.clone().all(|assigned| assigned.offset == 60), "{strategy}: behind the last commit");
        let partitions: BTreeSet<i32> = both.map(|assigned| assigned.partition).collect();
        assert_eq!(partitions.len(), 4);
        // From there on each reads all, of the old records and of new ones.
        fill(&topic, 4, 10);
        let all = |driver: &Driver| {
            driver.held.keys().all(|id| driver.rows.iter().filter(|row| row.id == *id).count() == 50)
        };
        beside(&mut second, first.until("all records", ROOM, all)).await;
        beside(&mut first, second.until("all records", ROOM, all)).await;
        first.close().await;
        second.close().await;
    }
}

#[tokio::test]
async fn an_eager_member_that_reads_on_after_a_loss_skips_nothing_of_its_other_partitions() {
    let (topic, group) = (topic("eager-loss", 3).await, unique("group"));
    fill(&topic, 3, 2_000);
    for partition in 0..3 {
        set_offset(&group, &topic, partition, 2, "");
    }
    delete_records(&topic, 0, 600).await;
    let config = config(&group, &topic, "classic")
        .property("partition.assignment.strategy", "range")
        .on_data_loss(OnDataLoss::Continue);
    let mut driver = Driver::open(config).await;
    // Assigning one partition again assigns all, where an eager protocol is spoken; the driver sees to it that each
    // record comes once and in order.
    driver.rows(1_400 + 2 * 1_998).await;
    assert!(matches!(&driver.gaps[..], [(_, range)] if *range == (2..600)), "{:?}", driver.gaps);
    driver.serve_for(ROOM, Duration::from_millis(1_200)).await;
    assert!(driver.positions.values().all(|position| *position == 2_000), "{:?}", driver.positions);
    driver.close().await;
}

/// How long the group waits for the member that is killed and has no fixed id: more than the five seconds after which
/// librdkafka gives up a wish to leave that is not answered.
const SESSION_MS: u64 = 12_000;

/// The member that is killed: this test, run alone in a process of its own.
#[tokio::test]
#[ignore = "run by the test below, which kills it"]
async fn a_member_to_be_killed() {
    let var = |name: &str| std::env::var(name).expect("set by the test below");
    let config = KafkaConfig::new(var("BOOTSTRAP"), var("GROUP"), [var("TOPIC")]);
    let config = config.property("group.protocol", var("PROTOCOL"));
    let config = match std::env::var("INSTANCE") {
        Ok(instance) => config.property("group.instance.id", instance),
        Err(_) => config.property("session.timeout.ms", SESSION_MS.to_string()),
    };
    let mut source = KafkaSource::new(config, &task(0));
    source.open().await.expect("it opens");
    loop {
        if let connect_core::Event::Assigned(assigned) =
            source.next(0).await.expect("it lives until it is killed")
        {
            println!("assigned {}", assigned.len());
        }
    }
}

fn member_dies(group: &str, topic: &str, protocol: &str, instance: Option<&str>) {
    use std::io::{BufRead, BufReader};
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "kafka::members::a_member_to_be_killed", "--ignored", "--nocapture"])
        .env("BOOTSTRAP", super::cluster::bootstrap())
        .env("GROUP", group)
        .env("TOPIC", topic)
        .env("PROTOCOL", protocol)
        .stdout(Stdio::piped());
    instance.map(|instance| command.env("INSTANCE", instance));
    let mut child = command.spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let assigned = lines.map_while(Result::ok).any(|line| line.contains("assigned"));
    // SIGKILL.
    child.kill().expect("it is killed");
    child.wait().expect("it has ended");
    assert!(assigned, "the member got its partitions before it was killed");
}

#[tokio::test]
async fn a_static_member_that_was_killed_comes_back_within_one_session() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("static-kill", 2).await, unique("group"));
        fill(&topic, 2, 10);
        member_dies(&group, &topic, protocol, Some("me"));
        let began = Instant::now();
        let target = Recording::new();
        let (sink, again) =
            (target.clone(), config(&group, &topic, protocol).property("group.instance.id", "me"));
        let pipeline = Pipeline::builder("static")
            .source(move |task| Ok(KafkaSource::new(again.clone(), task)))
            .sink(move |_| Ok(sink.sink()))
            .build()
            .expect("a pipeline");
        let handle = pipeline.start();
        let delivered = handle.wait_until(|status| status.counts().delivered == 20);
        let status = tokio::time::timeout(Duration::from_secs(30), delivered).await.expect("it comes back");
        let took = began.elapsed();
        println!("{protocol}: {took:?}, {} restarts", status.tasks[0].restarts);
        if protocol == "classic" {
            assert_eq!(status.tasks[0].restarts, 0, "a classic group takes it back at once");
            assert!(took < Duration::from_secs(4), "{took:?}: it waited for the end of a session");
        } else {
            let why = status.tasks[0].last_error.clone().unwrap_or_default();
            assert!(why.contains("UnreleasedInstanceId"), "{why}");
            assert!(status.tasks[0].restarts > 0);
        }
        assert_eq!(handle.shutdown().await.state(), TaskState::Stopped);
    }
}

#[tokio::test]
async fn a_start_that_waits_for_a_member_that_was_killed_is_starting_and_leaves_the_group_when_stopped() {
    let (topic, group) = (topic("killed", 2).await, unique("group"));
    fill(&topic, 2, 10);
    let killed = || member_dies(&group, &topic, "classic", None);
    let pipeline = || {
        let target = Recording::new();
        let of_group = KafkaConfig::new(super::cluster::bootstrap(), &group, [&topic])
            .property("session.timeout.ms", SESSION_MS.to_string());
        Pipeline::builder("waits")
            .source(move |task| Ok(KafkaSource::new(of_group.clone(), task)))
            .sink(move |_| Ok(target.sink()))
            .build()
            .expect("a pipeline")
            .start()
    };
    killed();
    let handle = pipeline();
    // It has joined, and the group waits for the dead one.
    super::cluster::joining(&group).await;
    assert_eq!(handle.status().state(), TaskState::Starting);
    let stopped = handle.shutdown().await;
    assert_eq!(stopped.state(), TaskState::Stopped, "{stopped:?}");
    // Nobody is left once the dead one's session is over: whoever comes now gets all at once.
    super::cluster::empty(&group, Duration::from_millis(SESSION_MS)).await;
    let began = Instant::now();
    let handle = pipeline();
    let delivered = handle.wait_until(|status| status.counts().delivered == 20);
    let status = tokio::time::timeout(Duration::from_secs(30), delivered).await.expect("it reads");
    assert_eq!(status.state(), TaskState::Running);
    assert!(
        began.elapsed() < Duration::from_millis(SESSION_MS) / 2,
        "{:?}: nobody is waited for",
        began.elapsed()
    );
    assert_eq!(handle.shutdown().await.state(), TaskState::Stopped);
}
