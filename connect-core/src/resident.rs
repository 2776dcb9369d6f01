//! For tests of what is charged: how much memory this process takes, and a process in which nobody else takes any.

use std::process::Command;

/// Bytes in memory.
pub(crate) fn bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux says how large a process is");
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    4096 * resident.expect("the second number is what is resident")
}

/// Runs the ignored test `name` alone in a process of its own.
pub(crate) fn alone(name: &str) {
    let program = std::env::current_exe().expect("a test knows its program");
    let output = Command::new(program).args(["--exact", name, "--ignored", "--nocapture"]).output();
    let output = output.expect("a test's program can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
