//! The Elasticsearch sink against a scripted server, and against a real node.

mod cluster;
mod faults;
mod real;
mod scripted;
