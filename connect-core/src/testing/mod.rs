//! Test doubles for plugins and pipelines.

mod gate;
pub mod http;

pub use gate::Gate;
