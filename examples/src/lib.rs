//! What the example binaries share: real records, servers within the process, and one way to run a pipeline from a
//! configuration file.
//!
//! The binaries in `src/bin` are what to copy from; this library only keeps them short.

pub mod app;
pub mod earthquakes;
pub mod elastic;
pub mod mock_kafka;
pub mod quickstart;
pub mod receiver;
pub mod stop;
pub mod usage;
