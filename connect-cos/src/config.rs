//! The sink's configuration. Keys are Connect's S3 sink's where the meaning is the same.

use crate::{client::Location, format::JsonLines, naming::Stem, partitioner::Template, room::Allowed};
use connect_core::config::{ByteSize, Problems, Secret};
use jiff::tz::TimeZone;
use std::time::Duration;

connect_core::choices! {
    /// What happens to a record whose value is null.
    pub enum OnNull {
        /// It is poison: the pipeline's policy decides.
        Fail = "fail",
        /// It leaves no trace in the objects and counts as delivered.
        Ignore = "ignore",
    }
}

connect_core::choices! {
    /// What happens to open files when a partition is given up or the pipeline stops.
    pub enum OnRevoke {
        /// They are closed and completed, as far as the deadline allows.
        Finish = "finish",
        /// They are forgotten; the next owner reads their records again.
        Forget = "forget",
    }
}

connect_core::choices! {
    /// What happens if records that a standing note needs are no longer in the log.
    pub enum OnDataLoss {
        /// The task stops and says which objects are missing.
        Fail = "fail",
        /// What is missing is counted as lost in the log, the rest is delivered.
        Continue = "continue",
    }
}

connect_core::choices! {
    /// The checksum that goes with each write, for the store to verify.
    pub enum Checksum {
        /// None, until the store refuses a write for want of one; Content-MD5 from then on.
        Auto = "auto",
        /// None.
        None = "none",
        /// `Content-MD5`, which every store knows.
        Md5 = "md5",
        /// `x-amz-checksum-crc32c`, cheaper than MD5. S3 only.
        Crc32c = "crc32c",
    }
}

connect_core::config! {
    /// Writes records as objects: to Tencent COS, S3 and its kin, or a file system.
    pub struct CosConfig {
        /// Where objects go: `cos://<bucket-appid>/<prefix>`, `s3://<bucket>/<prefix>` or `file:///<directory>`.
        "store.url" => url: String, importance: High, group: "Store", url: true, check: |url: &String| known_url(url), allowed: "cos://bucket/prefix, s3://bucket/prefix or file:///directory";
        /// The store's address, such as `https://cos.ap-guangzhou.myqcloud.com`; for S3 AWS's own if not given.
        "store.endpoint" => endpoint: Option<String>, group: "Store", url: true;
        /// The region that requests are signed for, such as `ap-guangzhou`.
        "store.region" => region: Option<String>, group: "Store";
        /// The access key, or SecretId. Without it the environment, the profile and the machine's role are asked. Like the
        /// two keys below it is resolved again when the store refuses it, if it is a reference such as `${file:/path}`.
        "store.access.key.id" => access_key: Option<Secret>, group: "Store", importance: High;
        /// The secret key, or SecretKey.
        "store.secret.access.key" => secret_key: Option<Secret>, group: "Store", importance: High;
        /// The token that comes with temporary credentials.
        "store.session.token" => session_token: Option<Secret>, group: "Store";
        /// Whether the bucket is part of the path rather than of the host name. S3 only; COS refuses it.
        "s3.path.style.access.enabled" => path_style: bool = true, group: "Store";
        /// The checksum that goes with each write. Buckets with object lock demand one. `auto` sends none until the
        /// store demands one, and `Content-MD5` from then on.
        "store.checksum.algorithm" => checksum: Checksum = Checksum::Auto, group: "Store";
        /// The longest wait for the answer to one request.
        "request.timeout.ms" => request_timeout: Duration = Duration::from_secs(60), range: Duration::from_millis(100).., group: "Store";
        /// The longest wait until the store has put the parts of an object together, which takes COS minutes.
        "completion.timeout.ms" => completion_timeout: Duration = Duration::from_secs(600), range: Duration::from_millis(100).., group: "Store";

        /// The directory of all objects; may be empty.
        "topics.dir" => topics_dir: String = "topics".to_owned(), group: "Names", check: |dir: &String| relative(dir);
        /// The directory of a record: text and `{topic}`, `{partition}`, `{field:a.b}`, and parts of the time at
        /// which the record's range began: `{yyyy}`, `{MM}`, `{dd}`, `{HH}`, `{mm}`.
        "path.format" => path: String = "{topic}/partition={partition}".to_owned(), group: "Names", importance: High;
        /// The time zone of the time in a path.
        "timezone" => timezone: String = "UTC".to_owned(), group: "Names";
        /// Stands in a path for a field that is missing, null, or no text, number or boolean.
        "path.missing.field" => missing: String = "__missing__".to_owned(), group: "Names";

        /// Records in a file; 0: no limit. Connect's S3 sink has no default.
        "flush.size" => flush_size: u64 = 0, group: "Files", importance: High;
        /// Bytes in a file, before compression; exceeded by less than one record. Lenses' default is 500 MB.
        "file.bytes" => file_bytes: ByteSize = ByteSize::mib(128), range: ByteSize::kib(1)..=ByteSize::mib(65_536), group: "Files", importance: High;
        /// The age at which all files of a partition are closed, counted by the clock from its first record.
        "max.age.ms" => max_age: Duration = Duration::from_secs(600), range: Duration::from_millis(10).., group: "Files", importance: High;
        /// Files of one partition that are open at once; one more path closes all of them.
        "max.open.files" => max_open_files: usize = 256, range: 1.., group: "Files";
        /// Bytes of one part of a larger object; at most 1 MiB in a file system. Each open file holds up to two.
        "part.size.bytes" => part_size: ByteSize = ByteSize::mib(8), range: ByteSize::mib(5)..=ByteSize::mib(1024), group: "Files";
        /// Requests to the store that a task has in flight at once.
        "max.in.flight.requests" => uploads: usize = 4, range: 1..=256, group: "Files";

        /// Whether each value is checked to be JSON (about 1 GB/s); otherwise it is only checked to be one line.
        "validate.json" => validate_json: bool = false, group: "Records";
        /// What happens to a record whose value is null.
        "behavior.on.null.values" => on_null: OnNull = OnNull::Fail, group: "Records";
        /// What happens to open files when a partition is given up or the pipeline stops.
        "revoke.behavior" => on_revoke: OnRevoke = OnRevoke::Finish, group: "Records";
        /// What happens if records that a standing note needs are no longer in the log.
        "on.data.loss" => on_data_loss: OnDataLoss = OnDataLoss::Fail, group: "Records";
        /// Before the first repetition of a failed request; it doubles up to `retry.backoff.max.ms`.
        "retry.backoff.ms" => backoff: Duration = Duration::from_millis(100), group: "Records";
        /// The longest wait before a repetition; Connect's `errors.retry.delay.max.ms`.
        "retry.backoff.max.ms" => backoff_max: Duration = Duration::from_secs(60), group: "Records";
    } check whole
}

impl CosConfig {
    /// The template of `path.format` and `timezone`.
    pub(crate) fn template(&self) -> Result<Template, String> {
        let zone = TimeZone::get(&self.timezone).map_err(|e| format!("time zone {}: {e}", self.timezone))?;
        Template::parse(&self.path, zone, &self.missing)
    }
}

fn known_url(url: &str) -> Result<(), String> {
    Location::parse(url).map(drop)
}

fn relative(dir: &str) -> Result<(), String> {
    let sound =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.chars().any(char::is_control);
    if dir.is_empty() || dir.split('/').all(sound) {
        return Ok(());
    }
    Err("not a relative directory without empty or hidden parts".into())
}

fn whole(config: &CosConfig, problems: &mut Problems) {
    if let Err(e) = TimeZone::get(&config.timezone) {
        problems.add("timezone", e.to_string());
    } else if let Err(e) = config.template() {
        problems.add("path.format", e);
    }
    if config.access_key.is_some() != config.secret_key.is_some() {
        problems.add(
            "store.secret.access.key",
            "give both store.access.key.id and store.secret.access.key, or none",
        );
    }
    if config.session_token.is_some() && config.access_key.is_none() {
        problems.add("store.session.token", "it belongs to store.access.key.id, which is not given");
    }
    if let Ok(location) = Location::parse(&config.url) {
        location.check(config, problems);
        names_fit(config, &location, problems);
    }
    if config.file_bytes.len() / config.part_size.len().max(1) >= 10_000 {
        problems.add("part.size.bytes", "an object has at most 10,000 parts; enlarge it or lower file.bytes");
    }
}

/// Records with the shortest values have names that the store takes, whatever their topic is called.
fn names_fit(config: &CosConfig, location: &Location, problems: &mut Problems) {
    let allowed = location.allowed();
    let long = config.topics_dir.split('/').any(|dir| dir.len() > allowed.segment);
    let room = allowed.room(&config.topics_dir, &Stem::longest(), JsonLines::EXTENSION);
    let Some(room) = room.filter(|_| !long) else {
        let Allowed { store, whole, segment, .. } = allowed;
        let what = format!(
            "too long for names in {store}: at most {segment} bytes in a directory and {whole} with the name of the \
             file and what store.url puts in front"
        );
        return problems.add("topics.dir", what);
    };
    if let Ok(template) = config.template()
        && let Err(e) = template.fits(&room)
    {
        problems.add("path.format", e.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::config::{Config, Settings};

    #[test]
    fn the_least_configuration_is_a_url() {
        let config = CosConfig::parse(&Settings::literal([("store.url", "file:///data")])).unwrap();
        assert_eq!(config, CosConfig::new("file:///data".into()));
        config.validate().unwrap();
    }

    #[test]
    fn what_looks_like_a_query_of_a_url_is_not_shown() {
        let settings = Settings::literal([("store.url", "file:///data?secret=hunter2")]);
        let config = CosConfig::parse(&settings).unwrap();
        let shown = format!("{:?} {}", config.to_settings(), CosConfig::infos("cos", &settings));
        assert!(shown.contains("file:///data?[redacted]") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(config.to_settings_exposed()["store.url"], "file:///data?secret=hunter2");
    }

    #[test]
    fn all_problems_are_reported_at_once_and_secrets_are_not() {
        let settings = Settings::literal([
            ("store.url", "ftp://x"),
            ("topics.dir", "../up"),
            ("flush.sizes", "3"),
            ("part.size.bytes", "1KiB"),
            ("store.secret.access.key", "hunter2"),
        ]);
        let error = CosConfig::parse(&settings).unwrap_err().to_string();
        for part in ["store.url", "topics.dir", "flush.size", "part.size.bytes"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn text_that_makes_every_name_too_long_is_refused() {
        for (url, dir, path, problem) in [
            ("file:///d", 256, 1, "too long for names in a file system: at most 255 bytes in a directory"),
            ("file:///d", 255, 256, "ppp` of path.format makes a directory of 256 bytes"),
            ("s3://b", 256, 256, ""),
            ("s3://b", 1_000, 1, "too long for names in S3"),
            ("s3://b", 1, 1_000, "and S3 allows 1024"),
        ] {
            let (dir, path) = ("d".repeat(dir), "p".repeat(path));
            let settings = [("store.url", url), ("topics.dir", &dir), ("path.format", &path)];
            let error = CosConfig::parse(&Settings::literal(settings)).err().map(|e| e.to_string());
            assert_eq!(error.is_none(), problem.is_empty(), "{error:?}");
            let error = error.unwrap_or_default();
            assert!(error.contains(problem), "{problem} is not in {error}");
        }
    }

    #[test]
    fn what_concerns_several_keys_is_checked() {
        for (settings, part) in [
            ([("path.format", "{week}"), ("timezone", "UTC")], "{week}"),
            (
                [("path.format", "'year'=YYYY/'month'=MM"), ("timezone", "UTC")],
                "write `{topic}/year={yyyy}/month={MM}`",
            ),
            ([("timezone", "Mars/Base"), ("topics.dir", "x")], "Mars/Base"),
            ([("store.access.key.id", "k"), ("topics.dir", "x")], "give both"),
            ([("store.session.token", "k"), ("topics.dir", "x")], "belongs to"),
            ([("file.bytes", "64GiB"), ("part.size.bytes", "5MiB")], "10,000 parts"),
            ([("store.region", "x"), ("topics.dir", "x")], "store.region"),
            ([("store.url", "s3://b"), ("store.endpoint", "s3.example.com")], "write the scheme too"),
            ([("store.url", "cos://b"), ("store.checksum.algorithm", "crc32c")], "auto, none or md5"),
            ([("store.url", "s3://b"), ("store.endpoint", "http://u:hunter2@s3")], "a user does not belong"),
            (
                [("store.url", "s3://b"), ("store.endpoint", "http://s3?key=hunter2")],
                "no query and no fragment",
            ),
            (
                [("store.url", "s3://b?secret=hunter2"), ("topics.dir", "x")],
                "store.url = \"s3://b?[redacted]\"",
            ),
            ([("store.url", "hunter2"), ("topics.dir", "x")], "store.url = \"[redacted]\": it has no scheme"),
        ] {
            let all = Settings::literal([("store.url", "file:///data")].into_iter().chain(settings));
            let error = CosConfig::parse(&all).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{part} is not in {error}");
            let infos = CosConfig::infos("cos", &all).to_string();
            assert!(!infos.contains("hunter2"), "{infos}");
        }
    }
}
