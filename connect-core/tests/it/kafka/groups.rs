//! Members of a group: `delivery.md` §2 and §3.

use super::{
    cluster::{PROTOCOLS, fill, topic, unique},
    driver::{Driver, ROOM, config},
};
use connect_core::Source;

#[tokio::test]
async fn a_newcomer_gets_partitions_after_their_last_commit() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("handover", 4).await, unique("group"));
        fill(&topic, 4, 100);
        let mut first = Driver::open(config(&group, &topic, protocol)).await;
        first.rows(400).await;
        let mut second = Driver::open_as(config(&group, &topic, protocol), 1).await;
        first.release = false;
        let revoked = async {
            first.until("revocation", ROOM, |first| first.revoked.len() == 2).await;
            let revoked = first.revoked.clone();
            for id in &revoked {
                first.commit(*id, 100, None).await.expect("committed within the revocation");
            }
            first.source.release(&revoked);
            loop {
                first.step(ROOM).await.expect("the first member lives on");
            }
        };
        tokio::select! {
            () = revoked => {}
            () = second.assigned(2) => {}
        }
        assert!(second.held.values().all(|assigned| assigned.offset == 100), "{:?}", second.held);
        assert!(first.lost.is_empty());
        first.close().await;
        second.close().await;
    }
}
