//! The examples, run as people run them: as processes.

mod config;
mod embed;
mod process;
mod quickstart;
