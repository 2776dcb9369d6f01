use super::*;
use crate::{Batch, BatchBuilder, Chain, Entry, PartitionId, config::Settings, registry::Plugin};

crate::config! {
    /// Adds a text to values.
    struct AddConfig {
        /// The text.
        "text" => text: String;
    }
}

crate::config! {
    /// Holds for values that begin so.
    struct BeginsConfig {
        /// How they begin.
        "with" => with: String;
    }
}

struct Add(String);

impl Transform for Add {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let value = [record.value().unwrap_or_default(), self.0.as_bytes()].concat();
        out.derive(record).value(Some(&value)).emit();
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some(format!("Add {:?}", self.0))
    }
}

struct Begins(String);

impl Predicate for Begins {
    fn test(&self, record: Record<'_>) -> Result<bool, Error> {
        match record.value() {
            Some(value) => Ok(value.starts_with(self.0.as_bytes())),
            None => Err(Error::poison("look at the value", "it is null")),
        }
    }

    fn describe(&self) -> Option<String> {
        Some(format!("Begins {:?}", self.0))
    }
}

fn read(settings: &[(&str, &str)]) -> Result<Chain, String> {
    let mut transforms = Registry::new("transform");
    let add = Plugin::new("x.Add", |config: AddConfig| Ok(Arc::new(Add(config.text)) as Arc<dyn Transform>));
    transforms.add(add).unwrap();
    let mut predicates = Registry::new("predicate");
    let begins = Plugin::new("x.Begins", |config: BeginsConfig| {
        Ok(Arc::new(Begins(config.with)) as Arc<dyn Predicate>)
    });
    predicates.add(begins).unwrap();
    let settings = Settings::literal(settings.iter().copied());
    let mut reader = Reader::new(&settings);
    let factories = read_transforms(&transforms, &predicates, &mut reader);
    let factories = reader.finish().result(factories).map_err(|e| e.to_string())?;
    Ok(Chain::new(factories.iter().map(|make| make().unwrap()).collect()))
}

fn values(chain: &Chain, values: &[Option<&str>]) -> (Vec<String>, usize) {
    let mut builder = BatchBuilder::new();
    for (offset, value) in (0..).zip(values) {
        let entry = Entry { offset, value: value.map(str::as_bytes), ..Entry::default() };
        builder.push(PartitionId::new(0, 1), &"t".into(), 0, entry, []);
    }
    let done = chain.apply(builder.finish(), 0);
    let text = |batch: &Batch| {
        batch
            .iter()
            .map(|record| String::from_utf8_lossy(record.value().unwrap_or_default()).into_owned())
            .collect()
    };
    (text(&done.batch), done.rejected.len())
}

const PREDICATE: [(&str, &str); 3] =
    [("predicates", "p"), ("predicates.p.type", "Begins"), ("predicates.p.with", "a")];

#[test]
fn a_transform_applies_where_its_predicate_holds() {
    let mut settings = vec![("transforms", "x,y"), ("transforms.x.type", "Add"), ("transforms.x.text", "1")];
    settings.extend([
        ("transforms.x.predicate", "p"),
        ("transforms.y.type", "Add"),
        ("transforms.y.text", "2"),
    ]);
    settings.extend(PREDICATE);
    let chain = read(&settings).unwrap();
    assert_eq!(values(&chain, &[Some("a"), Some("b")]).0, ["a12", "b2"]);
    assert_eq!(chain.describe().unwrap(), "Add \"1\" if Begins \"a\"\nAdd \"2\"");
    settings.push(("transforms.x.negate", "true"));
    let chain = read(&settings).unwrap();
    assert_eq!(values(&chain, &[Some("a"), Some("b")]).0, ["a2", "b12"]);
    assert_eq!(chain.describe().unwrap(), "Add \"1\" if not Begins \"a\"\nAdd \"2\"");
}

#[test]
fn a_record_that_a_predicate_cannot_judge_is_refused() {
    let mut settings = vec![("transforms", "x"), ("transforms.x.type", "Add"), ("transforms.x.text", "1")];
    settings.push(("transforms.x.predicate", "p"));
    settings.extend(PREDICATE);
    assert_eq!(values(&read(&settings).unwrap(), &[None, Some("a")]), (vec!["a1".to_owned()], 1));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let error = read(&[
        ("transforms", "x,y,z,x"),
        ("transforms.x.type", "Add"),
        ("transforms.x.text", "1"),
        ("transforms.x.negate", "true"),
        ("transforms.y.type", "Add"),
        ("transforms.y.text", "1"),
        ("transforms.y.predicate", "q"),
        ("transforms.z.type", "Ad"),
        ("predicates", "p"),
        ("predicates.p.type", "Begins"),
    ])
    .unwrap_err();
    for part in [
        "transforms = \"x,y,z,x\": x stands there twice",
        "predicates.p.with: required",
        "transforms.x.negate = \"true\": there is no predicate to negate: give `predicate` too",
        "transforms.y.predicate = \"q\": not one of the predicates: add it to `predicates`; allowed: p",
        "transforms.z.type = \"Ad\": unknown transform",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn a_predicate_that_nobody_uses_is_checked_too() {
    assert!(read(&PREDICATE).is_ok());
    assert!(read(&PREDICATE[..2]).unwrap_err().contains("predicates.p.with"));
}
