//! The Kafka source, sink and dead letter queue against one real broker.

mod cluster;
mod corrupt;
mod driver;
mod groups;
mod members;
mod memory;
mod proxy;
mod reading;
mod security;
mod writing;
