//! The command line.

use std::{fs, io, path::PathBuf};

const USAGE: &str = "usage: quickstart [--keep] [--port <port>] [--folder <empty folder>]";

/// Where everything goes unless a folder is given. Whatever an earlier run left there is removed.
const FOLDER: &str = "run/quickstart";

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether the index is served until Ctrl-C.
    pub keep: bool,
    /// The index's port; 0: any that is free.
    pub port: u16,
    folder: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments of this process.
    ///
    /// # Errors
    /// How it is used, if an argument is not known.
    pub fn parse() -> Result<Self, String> {
        Self::of(std::env::args().skip(1))
    }

    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(USAGE);
            match argument.as_str() {
                "--keep" => options.keep = true,
                "--port" => options.port = value()?.parse().map_err(|e| format!("--port: {e}"))?,
                "--folder" => options.folder = Some(value()?.into()),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }

    /// The folder, empty and with its full path.
    ///
    /// # Errors
    /// If a folder that was given is not empty, and what the file system says.
    pub fn fresh_folder(&self) -> io::Result<PathBuf> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => {
                let ours = PathBuf::from(FOLDER);
                if ours.exists() {
                    fs::remove_dir_all(&ours)?;
                }
                ours
            }
        };
        fs::create_dir_all(&folder)?;
        match fs::read_dir(&folder)?.next() {
            Some(_) => Err(io::Error::other(format!("{} is not empty", folder.display()))),
            None => folder.canonicalize(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Result<Options, String> {
        Options::of(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn arguments_are_read_and_what_is_not_known_is_refused() {
        let read = options(&["--keep", "--port", "9200"]).unwrap();
        assert_eq!((read.keep, read.port, read.folder), (true, 9200, None));
        for wrong in [&["--port"][..], &["--port", "x"], &["--kep"]] {
            assert!(options(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { folder: Some(folder.path().into()), ..Options::default() };
        options.fresh_folder().unwrap();
        fs::write(folder.path().join("mine"), "x").unwrap();
        assert!(options.fresh_folder().unwrap_err().to_string().ends_with("is not empty"));
        assert!(folder.path().join("mine").exists());
    }
}
