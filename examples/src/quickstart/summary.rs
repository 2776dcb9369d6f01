//! What was read, what became of it, and what the targets hold: counted by the targets, not by the pipelines.

use crate::{
    earthquakes,
    elastic::{Document, Elastic},
};
use connect_core::Status;
use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The end of a run.
#[derive(Debug)]
pub struct Summary {
    folder: PathBuf,
    url: String,
    search: Status,
    archive: Status,
    documents: Vec<(String, Document)>,
    objects: Vec<PathBuf>,
    /// In all objects together.
    lines: usize,
}

impl Summary {
    /// Looks into the targets, and writes what the index holds to `documents.ndjson` in the folder, in order of the
    /// ids, so that a script can compare.
    ///
    /// # Errors
    /// What the file system says.
    pub fn new(folder: &Path, elastic: &Elastic, search: &Status, archive: &Status) -> io::Result<Self> {
        let documents = elastic.documents(earthquakes::TOPIC);
        let mut file = io::BufWriter::new(fs::File::create(folder.join("documents.ndjson"))?);
        for (id, document) in &documents {
            writeln!(file, r#"{{"_id":{id:?},"_source":{}}}"#, document.source)?;
        }
        file.flush()?;
        let mut objects = Vec::new();
        find_files(&folder.join("objects"), &mut objects)?;
        objects.sort();
        let mut lines = 0;
        for object in &objects {
            lines += fs::read_to_string(object)?.lines().count();
        }
        Ok(Self {
            folder: folder.to_owned(),
            url: elastic.url(),
            search: search.clone(),
            archive: archive.clone(),
            documents,
            objects,
            lines,
        })
    }

    /// Whether everything that was sent is where it should be, once.
    ///
    /// # Errors
    /// What does not fit, and by how much.
    pub fn reconcile(&self) -> Result<(), String> {
        let sent = earthquakes::all().len();
        let mut problems = Vec::new();
        for (status, held) in [(&self.search, self.documents.len()), (&self.archive, self.lines)] {
            let (name, counts) = (&status.name, status.counts());
            if !counts.reconcile() || counts.in_flight > 0 {
                problems.push(format!("{name}: some of what was read is not accounted for: {counts:?}"));
            }
            if counts.delivered != sent as u64 {
                problems.push(format!("{name}: {sent} were sent, {} were delivered", counts.delivered));
            }
            if held != sent {
                problems.push(format!("{name}: {sent} were sent, the target holds {held}"));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

/// All files below `folder`; what begins with a dot is the sink's own.
fn find_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            _ if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
            kind if kind.is_dir() => find_files(&entry.path(), found)?,
            _ => found.push(entry.path()),
        }
    }
    Ok(())
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = [
            format!("{} documents", self.documents.len()),
            format!("{} lines in {} objects", self.lines, self.objects.len()),
        ];
        writeln!(f, "\n{} records were sent.", earthquakes::all().len())?;
        let titles = ["read", "delivered", "filtered", "dead letters", "skipped", "abandoned"];
        writeln!(f, "{:9}{}  the target holds", "", titles.map(|title| format!("{title:>13}")).concat())?;
        for (status, holds) in [&self.search, &self.archive].into_iter().zip(holds) {
            let c = status.counts();
            let counts = [c.read, c.delivered, c.filtered, c.dead_lettered, c.skipped, c.abandoned];
            writeln!(f, "{:9}{}  {holds}", status.name, counts.map(|count| format!("{count:>13}")).concat())?;
        }
        if let Some((id, document)) = self.documents.first() {
            writeln!(
                f,
                "\nA document, {}/{}/_doc/{id}\n{}\n(with --keep it can be asked for by curl)",
                self.url,
                earthquakes::TOPIC,
                document.source
            )?;
        }
        writeln!(f, "\nThe objects:")?;
        for object in self.objects.iter().take(5) {
            writeln!(f, "{}", object.display())?;
        }
        if self.objects.len() > 5 {
            writeln!(f, "and {} more", self.objects.len() - 5)?;
        }
        write!(f, "\nCompare without the library: examples/verify.py {}", self.folder.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::{Pipeline, testing::Recording};

    /// The status of a pipeline that has delivered all earthquakes.
    async fn delivered(name: &str) -> Status {
        let log = earthquakes::in_memory();
        Pipeline::builder(name)
            .source(move |_| Ok(log.source("group", &[earthquakes::TOPIC])))
            .sink(|_| Ok(Recording::new().sink()))
            .build()
            .unwrap()
            .start()
            .wait()
            .await
    }

    /// An index and objects that hold so many of them.
    async fn summary(documents: usize, lines: usize) -> Summary {
        let (folder, elastic) = (tempfile::tempdir().unwrap(), Elastic::start(0).await.unwrap());
        let record =
            |n: usize| format!("{{\"index\":{{\"_index\":\"earthquakes\",\"_id\":\"{n}\"}}}}\n{{}}\n");
        let body: String = (0..documents).map(record).collect();
        let post = reqwest::Client::new().post(format!("{}/_bulk", elastic.url())).body(body);
        assert!(post.send().await.unwrap().status().is_success());
        fs::create_dir_all(folder.path().join("objects/.connect")).unwrap();
        fs::write(folder.path().join("objects/.connect/proof"), "{}\n").unwrap();
        fs::write(folder.path().join("objects/a.json"), "{}\n".repeat(lines)).unwrap();
        let (search, archive) = (delivered("search").await, delivered("archive").await);
        Summary::new(folder.path(), &elastic, &search, &archive).unwrap()
    }

    #[tokio::test]
    async fn what_the_targets_hold_must_be_what_was_sent() {
        summary(1707, 1707).await.reconcile().unwrap();
        let error = summary(1706, 1708).await.reconcile().unwrap_err();
        let expected =
            "search: 1707 were sent, the target holds 1706; archive: 1707 were sent, the target holds 1708";
        assert_eq!(error, expected);
    }
}
