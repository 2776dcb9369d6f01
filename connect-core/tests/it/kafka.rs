//! The Kafka source, sink and dead letter queue against one real broker.

mod cluster;
mod driver;
mod groups;
mod reading;
mod security;
mod writing;
