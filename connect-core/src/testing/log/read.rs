//! Reading: what a member hears next.

use super::{
    Place,
    group::{Member, Owned},
    state::{Partition, State},
};
use crate::{BatchBuilder, Error, Event, PartitionId};

/// What of a source's settings matters for reading.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) struct Reading {
    pub(in crate::testing) room: usize,
    pub(in crate::testing) records_max: usize,
    /// Goes on after data loss instead of failing.
    pub(in crate::testing) go_on: bool,
}

impl State {
    /// The next event of a member, or `None` if it must wait.
    pub(in crate::testing) fn poll(
        &mut self,
        group: &str,
        number: usize,
        builder: &mut BatchBuilder,
        reading: Reading,
    ) -> Result<Option<Event>, Error> {
        let Self { partitions, groups, finished, .. } = self;
        let member = groups.get_mut(group).and_then(|group| group.members.get_mut(&number));
        let member = member.ok_or_else(|| Error::fatal("read the log", "the source has left the group"))?;
        if let Some(event) = member.take_event() {
            let rejoins = matches!(event, Event::Lost(_));
            if rejoins {
                self.rebalance(group);
            }
            return Ok(Some(event));
        }
        if reading.room > 0 {
            for (place, owned) in readable(member) {
                if let Some(gap) = out_of_range(&partitions[place], place, owned, reading.go_on)? {
                    return Ok(Some(gap));
                }
                read(&partitions[place], place, owned, builder, reading);
            }
            if !builder.is_empty() {
                return Ok(Some(Event::Records(builder.finish())));
            }
        }
        let ends: Vec<(PartitionId, i64)> =
            member.owned.iter_mut().filter_map(|(place, owned)| end(&partitions[place], owned)).collect();
        if !ends.is_empty() {
            return Ok(Some(Event::Ends(ends)));
        }
        let at_end = member.owned.iter().all(|(place, owned)| owned.position >= partitions[place].end);
        if *finished && at_end && !member.ended {
            member.ended = true;
            return Ok(Some(Event::End));
        }
        Ok(None)
    }
}

fn readable(member: &mut Member) -> impl Iterator<Item = (&Place, &mut Owned)> {
    member.owned.iter_mut().filter(|(_, owned)| !owned.held && owned.revoked.is_none())
}

fn out_of_range(
    partition: &Partition,
    (topic, number): &Place,
    owned: &mut Owned,
    go_on: bool,
) -> Result<Option<Event>, Error> {
    let Owned { id, position, .. } = owned;
    if (partition.start..=partition.end).contains(position) {
        return Ok(None);
    }
    let why = format!("offset {position} is out of range {}..{}", partition.start, partition.end);
    let error = Error::fatal("read the log", why).about(format_args!("{topic}-{number}"));
    // Beyond the end there is no way to go on: the topic was truncated or created again.
    if !go_on || *position > partition.end {
        return Err(error);
    }
    let lost = *position..partition.start;
    *position = partition.start;
    Ok(Some(Event::Gap(*id, lost, error)))
}

fn read(
    partition: &Partition,
    (topic, number): &Place,
    owned: &mut Owned,
    builder: &mut BatchBuilder,
    reading: Reading,
) {
    for (records, (&offset, message)) in partition.records.range(owned.position..).enumerate() {
        let fits = builder.is_empty() || builder.bytes() + message.bytes() <= reading.room;
        if builder.is_full() || !fits || records == reading.records_max {
            return;
        }
        message.push(builder, owned.id, topic, *number, offset);
        owned.position = offset + 1;
    }
    if owned.position < partition.end {
        owned.position = partition.end;
        builder.position(owned.id, topic, *number, partition.end);
    }
}

/// Where the partition ends, if that has not been told yet.
fn end(partition: &Partition, owned: &mut Owned) -> Option<(PartitionId, i64)> {
    (owned.revoked.is_none() && owned.end_told != partition.end).then(|| {
        owned.end_told = partition.end;
        (owned.id, partition.end)
    })
}
