//! What is read: `delivery.md` §4 and §5.

use super::{
    cluster::{PROTOCOLS, committed, fill, topic, unique},
    driver::{Driver, config},
};

#[tokio::test]
async fn records_come_once_and_in_order_and_a_restart_goes_on_behind_the_commit() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("restart", 2).await, unique("group"));
        fill(&topic, 2, 1_500);
        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        driver.rows(3_000).await;
        let id = driver.id(1);
        driver.commit(id, 1_000, Some("{\"note\":1}")).await.expect("committed");
        driver.close().await;
        assert_eq!(committed(&group, &topic, 2)[&1], (1_000, "{\"note\":1}".to_owned()));

        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        driver.rows(1_500 + 500).await;
        let notes: Vec<_> =
            driver.held.values().map(|assigned| (assigned.partition, assigned.note.clone())).collect();
        assert_eq!(notes, [(0, None), (1, Some("{\"note\":1}".into()))]);
        driver.close().await;
    }
}
