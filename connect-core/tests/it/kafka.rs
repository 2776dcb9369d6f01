//! The Kafka source, sink and dead letter queue against one real broker.

mod cluster;
mod conformance;
mod corrupt;
mod driver;
mod groups;
mod members;
mod memory;
mod proxy;
mod reach;
mod reading;
mod rights;
mod security;
mod writing;
