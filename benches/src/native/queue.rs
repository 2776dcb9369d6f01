//! librdkafka's batch call on one queue that every assigned partition forwards to.

use crate::BoxError;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka_sys as sys;
use std::{
    ffi::{CStr, CString, c_int},
    fmt,
    ptr::{self, NonNull},
    slice,
    time::Duration,
};

/// A queue of a consumer, filled by the partitions that were forwarded to it.
///
/// It borrows the consumer and so is destroyed before it: the other way round librdkafka waits for ever.
pub struct ForwardedQueue<'c, C: ConsumerContext> {
    consumer: &'c BaseConsumer<C>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    slots: Vec<*mut sys::rd_kafka_message_t>,
}

impl<C: ConsumerContext> fmt::Debug for ForwardedQueue<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardedQueue").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

impl<'c, C: ConsumerContext> ForwardedQueue<'c, C> {
    /// An empty queue that hands out at most `batch` messages a call.
    ///
    /// # Errors
    ///
    /// librdkafka has no memory for a queue.
    pub fn new(consumer: &'c BaseConsumer<C>, batch: usize) -> Result<Self, BoxError> {
        // SAFETY: the client lives as long as the borrow of the consumer.
        let queue = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let queue = NonNull::new(queue).ok_or("librdkafka gave no queue")?;
        Ok(Self { consumer, queue, slots: vec![ptr::null_mut(); batch] })
    }

    /// Sends a partition's messages here; to be called for each partition of each assignment, before the
    /// assignment takes effect.
    ///
    /// # Errors
    ///
    /// The topic's name holds a zero byte, or librdkafka does not know the partition.
    pub fn forward(&self, topic: &str, partition: i32) -> Result<(), BoxError> {
        let name = CString::new(topic)?;
        // SAFETY: the client is alive (borrowed), the name is a C string that outlives the call.
        let source = unsafe {
            sys::rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), name.as_ptr(), partition)
        };
        let source =
            NonNull::new(source).ok_or_else(|| format!("no queue for partition {partition} of {topic}"))?;
        // SAFETY: both queues are alive; librdkafka counts its own reference on the target, and the
        // reference that `get_partition` gave us is returned once.
        unsafe {
            sys::rd_kafka_queue_forward(source.as_ptr(), self.queue.as_ptr());
            sys::rd_kafka_queue_destroy(source.as_ptr());
        }
        Ok(())
    }

    /// Takes up to `most` messages, waiting at most `wait` for them.
    pub fn read(&mut self, most: usize, wait: Duration) -> Messages<'_> {
        let most = most.min(self.slots.len());
        let wait = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the queue is ours and alive; `slots` has room for `most` pointers.
        let got = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait, self.slots.as_mut_ptr(), most)
        };
        // -1 is for queues that are not there; the next poll reports what is wrong with the client.
        let got = usize::try_from(got).unwrap_or(0);
        Messages(&self.slots[..got])
    }
}

impl<C: ConsumerContext> Drop for ForwardedQueue<'_, C> {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed only here, and the consumer it belongs to is still borrowed.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// The messages of one call; given back to librdkafka on drop.
#[derive(Debug)]
pub struct Messages<'q>(&'q [*mut sys::rd_kafka_message_t]);

impl Messages<'_> {
    /// The messages, in the order of their partitions' offsets.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> {
        // SAFETY: the batch call filled these slots with messages that live until `drop` gives them back.
        self.0.iter().map(|&message| Message(unsafe { &*message }))
    }
}

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        for &message in self.0 {
            // SAFETY: each came from one batch call and is destroyed only here; no borrow outlives `self`.
            unsafe { sys::rd_kafka_message_destroy(message) }
        }
    }
}

/// One message, borrowed from librdkafka's fetch buffer.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m>(&'m sys::rd_kafka_message_t);

impl<'m> Message<'m> {
    /// What went wrong, if this is an error and not a record: partition errors come with the data.
    pub fn error(self) -> Option<String> {
        if self.0.err == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: librdkafka returns a static C string for every code.
        let text = unsafe { CStr::from_ptr(sys::rd_kafka_err2str(self.0.err)) };
        Some(text.to_string_lossy().into_owned())
    }

    /// The partition.
    pub fn partition(self) -> i32 {
        self.0.partition
    }

    /// The offset.
    pub fn offset(self) -> i64 {
        self.0.offset
    }

    /// The value; `None` is a tombstone.
    pub fn payload(self) -> Option<&'m [u8]> {
        if self.0.payload.is_null() {
            return None;
        }
        // SAFETY: librdkafka's payload is `len` bytes, readable until the message is destroyed, which `'m`
        // does not outlive.
        Some(unsafe { slice::from_raw_parts(self.0.payload.cast::<u8>(), self.0.len) })
    }
}
