//! One of two places for `unsafe` (the other is `topic_ids.rs`): librdkafka's batch call on a queue into which partitions are forwarded, and what else
//! rdkafka has no safe call for.
//!
//! rdkafka's safe calls hand over one message at a time, at 1.6 times the CPU of the batch call. The batch call
//! cannot be used on a subscribed consumer's own queue (it would serve rebalances itself and unassign), hence a queue
//! of our own.
//!
//! Lifetimes carry librdkafka's rules: [`BatchQueue`] and [`Messages`] borrow the consumer, because destroying a
//! client while a queue or message of it lives hangs for ever. Neither is `Send`: one thread makes all calls.
//!
//! Run under valgrind's memcheck (`kafka::reading::keys_*`, `held_*` and `kafka::groups::reassigned_*` of the integration
//! tests, librdkafka 2.12.1): no invalid access, no use of uninitialised memory, and no leak but rdkafka's own, one
//! queue handle of 24 bytes per client.
#![expect(unsafe_code, reason = "rdkafka has no safe wrapper of the batch call and of queue forwarding")]

use rdkafka::{
    TopicPartitionList, bindings as sys,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::RDKafkaErrorCode,
};
use std::{
    ffi::{CStr, CString, c_char, c_void},
    marker::PhantomData,
    ptr::{self, NonNull},
    slice,
    time::Duration,
};

/// A record whose value ends this many bytes, at most, in front of the next record's key or value is its neighbour in
/// the same buffer: what stands between two values without keys and headers takes at most 33 bytes.
const NEIGHBOUR: usize = 64;

/// The queue that all assigned partitions are forwarded to.
pub(super) struct BatchQueue<'c> {
    queue: NonNull<sys::rd_kafka_queue_t>,
    client: NonNull<sys::rd_kafka_t>,
    consumer: PhantomData<&'c ()>,
}

impl<'c> BatchQueue<'c> {
    /// A new, empty queue of `consumer`.
    pub(super) fn new<C: ConsumerContext>(consumer: &'c BaseConsumer<C>) -> Self {
        let client = NonNull::new(consumer.client().native_ptr()).expect("a consumer has a client");
        // SAFETY: the client lives as long as the consumer, which `'c` borrows.
        let queue = unsafe { sys::rd_kafka_queue_new(client.as_ptr()) };
        let queue = NonNull::new(queue).expect("librdkafka aborts rather than return no queue");
        Self { queue, client, consumer: PhantomData }
    }

    /// Sends the messages of a partition here from now on. To be called before each assignment of it: unassigning
    /// ends the forwarding, and assigned without it the partition delivers nothing.
    pub(super) fn forward(&self, topic: &str, partition: i32) {
        let topic = CString::new(topic).expect("names of topics hold no zero byte");
        // SAFETY: client and queue are alive (`'c`, and the queue is destroyed on drop only); the name is a C string
        // that librdkafka copies. The call returns a reference of its own, which is given back below; the forwarding
        // keeps references to both queues.
        unsafe {
            let source = sys::rd_kafka_queue_get_partition(self.client.as_ptr(), topic.as_ptr(), partition);
            if !source.is_null() {
                sys::rd_kafka_queue_forward(source, self.queue.as_ptr());
                sys::rd_kafka_queue_destroy(source);
            }
        }
    }

    /// Moves up to `max` messages to `messages`, which must be empty, waiting `wait` for that many.
    pub(super) fn take(&self, messages: &mut Messages<'c>, wait: Duration, max: usize) {
        debug_assert!(messages.is_empty(), "messages are used up before more are taken");
        messages.destroy_used();
        messages.pointers.clear();
        (messages.next, messages.destroyed) = (0, 0);
        messages.pointers.reserve(max);
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the vector has room for `max` pointers, of which the call fills as many as it returns with messages
        // that are ours to destroy. A negative count is an error and fills none.
        unsafe {
            let array = messages.pointers.as_mut_ptr().cast();
            let taken = sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait, array, max);
            messages.pointers.set_len(usize::try_from(taken).unwrap_or(0).min(max));
        }
    }

    /// Starts to commit; the result comes by the consumer's own queue, as `ConsumerContext::commit_callback`. (rdkafka's
    /// asynchronous `commit` tells nobody how it ended: it sets no callback and names no queue.)
    pub(super) fn commit(&self, offsets: &TopicPartitionList) -> Result<(), RDKafkaErrorCode> {
        let client = self.client.as_ptr();
        // SAFETY: the client is alive (`'c`); the list is alive and copied by the call. The reference to the consumer's
        // queue is given back below, and the request keeps one of its own until it is answered.
        let result = unsafe {
            let queue = sys::rd_kafka_queue_get_consumer(client);
            if queue.is_null() {
                return Err(RDKafkaErrorCode::UnknownGroup);
            }
            let result = sys::rd_kafka_commit_queue(client, offsets.ptr(), queue, None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(queue);
            result
        };
        match result {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            error => Err(error.into()),
        }
    }

    /// Number of messages that wait.
    pub(super) fn len(&self) -> usize {
        // SAFETY: the queue is alive until drop.
        unsafe { sys::rd_kafka_queue_length(self.queue.as_ptr()) }
    }

    /// Sets `fetch.max.bytes` for the requests that follow. False: librdkafka refuses the value.
    ///
    /// librdkafka has no call for that and calls the configuration of a client read-only. It is an `int` which
    /// `rd_kafka_broker_fetch_toppars` reads for each request (2.12), so the next request has the old or the new value.
    /// `kafka::memory` fails if a later librdkafka does without the value.
    pub(super) fn limit_answers(&self, bytes: usize) -> bool {
        let value = CString::new(bytes.to_string()).expect("digits hold no zero byte");
        // SAFETY: the client is alive (`'c`), and its configuration, which is part of it and no constant, lives as long;
        // name and value are C strings that the call does not keep. One thread makes this call. It writes the aligned
        // integer and the bit "was set", which is set already: librdkafka's threads read the former only, and any value
        // of it is one that a request may have.
        let result = unsafe {
            let conf = sys::rd_kafka_conf(self.client.as_ptr()).cast_mut();
            sys::rd_kafka_conf_set(conf, c"fetch.max.bytes".as_ptr(), value.as_ptr(), ptr::null_mut(), 0)
        };
        result == sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK
    }

    /// The partition's low and high watermark as last seen in a fetch; no request is made.
    pub(super) fn watermarks(&self, topic: &str, partition: i32) -> Option<(i64, i64)> {
        let topic = CString::new(topic).expect("names of topics hold no zero byte");
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is alive (`'c`), the name is a C string, and both results outlive the call.
        let result = unsafe {
            let client = self.client.as_ptr();
            sys::rd_kafka_get_watermark_offsets(client, topic.as_ptr(), partition, &mut low, &mut high)
        };
        (result == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some((low, high))
    }
}

impl Drop for BatchQueue<'_> {
    fn drop(&mut self) {
        // SAFETY: this is the only handle on the queue, and the client is still alive (`'c`).
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// Messages taken from a queue. The array is reused.
///
/// What is used up is destroyed later, many in a row: destroyed between copies of payloads, each message costs the time
/// that it takes to get to the cache.
pub(super) struct Messages<'c> {
    pointers: Vec<NonNull<sys::rd_kafka_message_t>>,
    /// The first that is not used up.
    next: usize,
    /// The first that is not destroyed; never behind `next`.
    destroyed: usize,
    consumer: PhantomData<&'c ()>,
}

impl<'c> Messages<'c> {
    /// No messages yet.
    pub(super) fn new() -> Self {
        Self { pointers: Vec::new(), next: 0, destroyed: 0, consumer: PhantomData }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next == self.pointers.len()
    }

    /// The first message that is not used up.
    pub(super) fn front(&self) -> Option<Message<'_>> {
        // SAFETY: pointers at or after `next` are messages that were not destroyed; destroying needs `&mut self`, so none
        // is while the references live.
        let message = |at: usize| self.pointers.get(at).map(|message| unsafe { message.as_ref() });
        message(self.next).map(|raw| Message { raw, following: message(self.next + 1) })
    }

    /// The first message is used up.
    pub(super) fn pop_front(&mut self) {
        self.next = (self.next + 1).min(self.pointers.len());
    }

    /// Destroys what is used up.
    pub(super) fn destroy_used(&mut self) {
        for message in &self.pointers[self.destroyed..self.next] {
            // SAFETY: ours, alive, and in front of `next`, so never seen again; its client is alive (`'c`).
            unsafe { sys::rd_kafka_message_destroy(message.as_ptr()) };
        }
        self.destroyed = self.next;
    }

    /// Destroys all messages for which `gone` is true.
    pub(super) fn discard(&mut self, gone: impl Fn(Message<'_>) -> bool) {
        self.destroy_used();
        let (mut kept, mut used) = (Vec::new(), Vec::new());
        while let Some(message) = self.front() {
            let list = if gone(message) { &mut used } else { &mut kept };
            list.push(self.pointers[self.next]);
            self.pop_front();
        }
        (self.next, self.destroyed) = (used.len(), 0);
        self.pointers = used;
        self.pointers.append(&mut kept);
        self.destroy_used();
    }
}

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        self.next = self.pointers.len();
        self.destroy_used();
    }
}

/// A message or partition error, borrowed from librdkafka's buffers.
#[derive(Clone, Copy)]
pub(super) struct Message<'m> {
    raw: &'m sys::rd_kafka_message_t,
    /// The message behind it in the same call's answer.
    following: Option<&'m sys::rd_kafka_message_t>,
}

impl<'m> Message<'m> {
    /// A partition error, of which [`text`](Self::text) says more.
    pub(super) fn error(self) -> Option<RDKafkaErrorCode> {
        match self.raw.err {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            error => Some(error.into()),
        }
    }

    /// Equal for messages of equal topics as long as the topic is assigned; never 0.
    pub(super) fn topic_token(self) -> usize {
        self.raw.rkt.addr()
    }

    pub(super) fn topic(self) -> &'m str {
        if self.raw.rkt.is_null() {
            return "";
        }
        // SAFETY: a message keeps its topic object alive, and the name is a C string inside it.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.raw.rkt)) };
        name.to_str().expect("names of topics are ASCII")
    }

    pub(super) fn partition(self) -> i32 {
        self.raw.partition
    }

    pub(super) fn offset(self) -> i64 {
        self.raw.offset
    }

    pub(super) fn key(self) -> Option<&'m [u8]> {
        bytes(self.raw.key, self.raw.key_len)
    }

    pub(super) fn value(self) -> Option<&'m [u8]> {
        bytes(self.raw.payload, self.raw.len)
    }

    /// The text of an error, which stands where a value would.
    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(self.value().unwrap_or_default()).into_owned()
    }

    pub(super) fn timestamp_ms(self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive (`'m`), the result outlives the call.
        let timestamp = unsafe { sys::rd_kafka_message_timestamp(self.raw, &mut kind) };
        (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE).then_some(timestamp)
    }

    /// Parsed when the first is asked for: by then the caller has copied the value, so that the end of the record,
    /// where headers stand, is in the cache. That is a fifth of the CPU of a pass-through pipeline.
    pub(super) fn headers(self) -> MessageHeaders<'m> {
        MessageHeaders { message: self, state: Headers::Unparsed }
    }

    fn find_headers(self) -> Headers {
        if self.ends_without_headers() {
            debug_assert!(
                matches!(self.parse_headers(), Headers::None),
                "a record ends in its headers' count"
            );
            return Headers::None;
        }
        self.parse_headers()
    }

    /// Whether the record surely has no headers. librdkafka makes and frees a buffer for each record that is asked for
    /// headers, even where there are none: a tenth of the CPU of a pass-through pipeline.
    ///
    /// A record is `… value, count of headers, headers` (KIP-98), librdkafka's value points into the response or its
    /// uncompressed copy, and a count of 0 is one zero byte. Older formats have no headers at all, and neither has a
    /// broken record that ends with its value: whatever the byte behind a value is, a zero never hides a header.
    fn ends_without_headers(self) -> bool {
        let (Some(value @ [.., _]), Some(following)) = (self.value(), self.following) else { return false };
        let count = value.as_ptr_range().end;
        let next = if following.key.is_null() { following.payload } else { following.key };
        if !(1..=NEIGHBOUR).contains(&next.addr().wrapping_sub(count.addr())) {
            return false;
        }
        // SAFETY: the byte can be read, whoever made the record: it lies right behind a byte of this message and less
        // than a page in front of one of the next message, both alive (`'m`), and memory is mapped by the page, so it
        // is in the page of the one or of the other. It is read as volatile because, for a broken record, nothing says
        // that it belongs to librdkafka's buffer and is not written to.
        unsafe { count.read_volatile() == 0 }
    }

    fn parse_headers(self) -> Headers {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive (`'m`) and owns what it returns; the first call parses in place, which is
        // sound because one thread uses the message.
        let result = unsafe { sys::rd_kafka_message_headers(self.raw, &mut headers) };
        match NonNull::new(headers) {
            Some(all) if result == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                Headers::Some { all, next: 0 }
            }
            _ => Headers::None,
        }
    }
}

fn bytes<'m>(start: *mut c_void, len: usize) -> Option<&'m [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: only called with the two halves of a key or value of a message that `'m` keeps alive and unchanged.
    Some(unsafe { slice::from_raw_parts(start.cast_const().cast(), len) })
}

/// The headers of a message, in order.
pub(super) struct MessageHeaders<'m> {
    /// Keeps the headers alive, which belong to it.
    message: Message<'m>,
    state: Headers,
}

enum Headers {
    Unparsed,
    None,
    Some { all: NonNull<sys::rd_kafka_headers_t>, next: usize },
}

impl<'m> Iterator for MessageHeaders<'m> {
    type Item = (&'m str, Option<&'m [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Headers::Unparsed = self.state {
            self.state = self.message.find_headers();
        }
        let Headers::Some { all, next } = &mut self.state else { return None };
        let (mut name, mut value, mut len): (*const c_char, *const c_void, usize) =
            (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers belong to a message that `'m` keeps alive; all results outlive the call, and on success
        // name and value point into the headers. The index only ends the iteration.
        let name = unsafe {
            match sys::rd_kafka_header_get_all(all.as_ptr(), *next, &mut name, &mut value, &mut len) {
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => CStr::from_ptr(name),
                _ => return None,
            }
        };
        *next += 1;
        Some((text_prefix(name.to_bytes()), bytes(value.cast_mut(), len)))
    }
}

/// Names of headers are text by protocol. What is not text in one that breaks this rule is cut off.
fn text_prefix(name: &[u8]) -> &str {
    let valid = match std::str::from_utf8(name) {
        Ok(name) => return name,
        Err(e) => e.valid_up_to(),
    };
    std::str::from_utf8(&name[..valid]).unwrap_or_default()
}
