//! `cargo run -p services -- start | stop | status`: servers for people, without containers.

mod args;
mod slot;

use std::process::ExitCode;
use std::thread;

use args::{Action, Command, Kind};
use slot::Slots;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let command = match args::parse(arguments) {
        Ok(Some(command)) => command,
        Ok(None) => {
            println!("{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("services: {problem}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&command) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("services: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<ExitCode, String> {
    let slots = Slots::open(&command.run_dir, command.action != Action::Status)?;
    let slots = &slots;
    let one = move |kind: Kind| match command.action {
        Action::Start => slots.start(kind, command),
        Action::Stop => slots.stop(kind, command.wipe),
        Action::Status => slots.status(kind),
    };
    // Side by side: two starts take little longer than one.
    let results: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = command.kinds.iter().map(|&kind| scope.spawn(move || one(kind))).collect();
        running.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut code = ExitCode::SUCCESS;
    for result in results {
        match result {
            Ok(Ok(line)) => println!("{line}"),
            Ok(Err(problem)) => {
                eprintln!("services: {problem}");
                code = ExitCode::FAILURE;
            }
            // The panic has printed its own message.
            Err(_) => code = ExitCode::FAILURE,
        }
    }
    Ok(code)
}
