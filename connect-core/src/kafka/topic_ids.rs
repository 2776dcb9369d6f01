//! Ids of topics (KIP-516), which tell a topic from another one of the same name. rdkafka has no safe call for them.
//!
//! Of librdkafka's admin API this is the one call that the reader needs; its answers are polled from a queue of their own,
//! so that nothing waits for them.
#![expect(unsafe_code, reason = "rdkafka has no safe wrapper of DescribeTopics")]

use rdkafka::{
    bindings as sys,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
};
use std::{
    collections::HashMap,
    ffi::{CStr, CString, c_char},
    marker::PhantomData,
    ptr::{self, NonNull},
    slice,
    sync::Arc,
    time::Duration,
};

/// The two halves of an id; never both zero.
pub(super) type TopicId = (i64, i64);

/// Questions for the ids of topics, one at a time.
pub(super) struct TopicIds<'c> {
    queue: NonNull<sys::rd_kafka_queue_t>,
    client: NonNull<sys::rd_kafka_t>,
    asked: bool,
    consumer: PhantomData<&'c ()>,
}

impl<'c> TopicIds<'c> {
    /// Nothing is asked yet.
    pub(super) fn new<C: ConsumerContext>(consumer: &'c BaseConsumer<C>) -> Self {
        let client = NonNull::new(consumer.client().native_ptr()).expect("a consumer has a client");
        // SAFETY: the client lives as long as the consumer, which `'c` borrows.
        let queue = unsafe { sys::rd_kafka_queue_new(client.as_ptr()) };
        let queue = NonNull::new(queue).expect("librdkafka aborts rather than return no queue");
        Self { queue, client, asked: false, consumer: PhantomData }
    }

    /// Asks for the ids of these topics, unless an answer is awaited.
    pub(super) fn ask(&mut self, topics: &[Arc<str>]) {
        if self.asked || topics.is_empty() {
            return;
        }
        let names: Vec<CString> = topics
            .iter()
            .map(|name| CString::new(&**name).expect("names of topics hold no zero byte"))
            .collect();
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: the names outlive the first call, which copies them; the collection is ours, copied by the second call
        // and destroyed once; client and queue are alive, and the request keeps a reference of its own to the queue.
        unsafe {
            let all = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            sys::rd_kafka_DescribeTopics(self.client.as_ptr(), all, ptr::null(), self.queue.as_ptr());
            sys::rd_kafka_TopicCollection_destroy(all);
        }
        self.asked = true;
    }

    /// The answer, if it comes within `wait`: the ids of those topics that exist. Empty where the broker knows no ids.
    pub(super) fn take(&mut self, wait: Duration) -> Option<HashMap<String, TopicId>> {
        if !self.asked {
            return None;
        }
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive. The event is ours until it is destroyed, once, after everything that it holds was
        // copied.
        unsafe {
            let event = NonNull::new(sys::rd_kafka_queue_poll(self.queue.as_ptr(), wait))?;
            self.asked = false;
            let found = described(event);
            sys::rd_kafka_event_destroy(event.as_ptr());
            Some(found)
        }
    }
}

impl Drop for TopicIds<'_> {
    fn drop(&mut self) {
        // SAFETY: this is the only handle on the queue, and the client is still alive (`'c`).
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// # Safety
/// The event is alive.
unsafe fn described(event: NonNull<sys::rd_kafka_event_t>) -> HashMap<String, TopicId> {
    let mut count = 0;
    // SAFETY: the result belongs to the event, and the array of `count` topics to the result; both are null for an event
    // of another kind and for one that failed. Names and ids belong to their topics.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.as_ptr());
        if result.is_null() {
            return HashMap::new();
        }
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count == 0 {
            return HashMap::new();
        }
        let topics = slice::from_raw_parts(topics, count).iter();
        topics
            .filter_map(|topic| {
                let error = sys::rd_kafka_TopicDescription_error(*topic);
                let exists =
                    sys::rd_kafka_error_code(error) == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
                let id = sys::rd_kafka_TopicDescription_topic_id(*topic);
                if !exists || id.is_null() {
                    return None;
                }
                let id = (
                    sys::rd_kafka_Uuid_most_significant_bits(id),
                    sys::rd_kafka_Uuid_least_significant_bits(id),
                );
                let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(*topic));
                (id != (0, 0)).then(|| (name.to_string_lossy().into_owned(), id))
            })
            .collect()
    }
}
