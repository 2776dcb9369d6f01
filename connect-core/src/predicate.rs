//! Conditions on records, and transforms that apply only where one holds.

use crate::{
    Batch, Error, Output, Preparation, Record, Transform,
    config::{Reader, Value},
    registry::{Factory, Registry},
};
use std::{collections::BTreeMap, sync::Arc};

/// A question about a record. Synchronous and pure, as a [`Transform`].
///
/// ```
/// use connect_core::{Error, Predicate, Record};
/// struct HasKey;
/// impl Predicate for HasKey {
///     fn test(&self, record: Record<'_>) -> Result<bool, Error> {
///         Ok(record.key().is_some())
///     }
/// }
/// ```
pub trait Predicate: Send + Sync {
    /// Whether it holds for `record`.
    ///
    /// # Errors
    /// Poison: the question has no answer for this record, which is then refused.
    fn test(&self, record: Record<'_>) -> Result<bool, Error>;

    /// What it asks, complete enough that an equal text means equal answers; see [`Transform::describe`].
    fn describe(&self) -> Option<String> {
        None
    }

    /// Whether equal records give equal answers on every run.
    fn deterministic(&self) -> bool {
        true
    }
}

/// A transform for the records for which a predicate holds (or, negated, does not); all others pass unchanged.
///
/// This is Kafka Connect's `transforms.<name>.predicate` and `transforms.<name>.negate`.
#[derive(Clone)]
pub struct Conditional {
    transform: Arc<dyn Transform>,
    predicate: Arc<dyn Predicate>,
    negate: bool,
}

impl Conditional {
    /// Applies `transform` where `predicate` holds.
    #[must_use]
    pub fn new(transform: Arc<dyn Transform>, predicate: Arc<dyn Predicate>) -> Self {
        Self { transform, predicate, negate: false }
    }

    /// Applies it where the predicate does not hold instead.
    #[must_use]
    pub fn negate(self) -> Self {
        Self { negate: !self.negate, ..self }
    }
}

impl Transform for Conditional {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        if self.predicate.test(record)? == self.negate {
            out.keep(record);
            return Ok(());
        }
        self.transform.apply(record, out)
    }

    fn prepare(&self, batch: &Batch) -> Option<Preparation> {
        // Also what other records of the batch would need: to ask the predicate twice would cost more.
        self.transform.prepare(batch)
    }

    fn describe(&self) -> Option<String> {
        let not = if self.negate { "not " } else { "" };
        Some(format!("{} if {not}{}", self.transform.describe()?, self.predicate.describe()?))
    }

    fn deterministic(&self) -> bool {
        self.transform.deterministic() && self.predicate.deterministic()
    }
}

impl std::fmt::Debug for Conditional {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conditional")
            .field("transform", &self.transform.describe())
            .field("predicate", &self.predicate.describe())
            .field("negate", &self.negate)
            .finish()
    }
}

crate::config! {
    /// The transforms that records pass, in order.
    pub struct TransformsConfig {
        /// Names of transforms in order; `transforms.<name>.type` and the keys beside it say what each of them is.
        "transforms" => transforms: Vec<String> = Vec::new(), group: "Transforms";
        /// Names of predicates that transforms refer to; `predicates.<name>.type` and the keys beside it say what each of them is.
        "predicates" => predicates: Vec<String> = Vec::new(), group: "Predicates";
    }
}

crate::config! {
    /// For which records a transform applies.
    struct Condition {
        /// The name of the predicate that has to hold for the transform to apply; for all records, if not given.
        "predicate" => predicate: Option<String>;
        /// Whether the transform applies where the predicate does not hold.
        "negate" => negate: bool = false;
    }
}

/// Reads a chain as Kafka Connect configures it: `transforms=a,b`, `transforms.a.type=…` and its keys,
/// `transforms.a.predicate=p`, `transforms.a.negate=true`, `predicates=p`, `predicates.p.type=…` and its keys. None if
/// the reader was told of a problem; everything that is wrong is told.
///
/// A predicate that no transform refers to is checked and not used, as in Connect.
pub fn read_transforms(
    transforms: &Registry<Arc<dyn Transform>>,
    predicates: &Registry<Arc<dyn Predicate>>,
    reader: &mut Reader<'_>,
) -> Option<Vec<Factory<Arc<dyn Transform>>>> {
    // By hand, so that what is wrong with the lists hides nothing that is wrong with what they name.
    let names = |reader: &Reader<'_>, key| {
        Vec::<String>::parse(reader.get(key).unwrap_or_default()).unwrap_or_default()
    };
    let (transform_names, predicate_names) = (names(reader, "transforms"), names(reader, "predicates"));
    let declared = reader.read::<TransformsConfig>();
    for (key, names) in [("transforms", &transform_names), ("predicates", &predicate_names)] {
        if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
            reader.problem(key, format!("{} stands there twice", names[twice]), None);
        }
    }
    let known: BTreeMap<&String, Option<Factory<Arc<dyn Predicate>>>> = predicate_names
        .iter()
        .map(|name| {
            let made = reader.within_named("predicates", name, |reader| predicates.read("type", reader));
            (name, made)
        })
        .collect();
    let made: Vec<_> = transform_names
        .iter()
        .map(|name| reader.within_named("transforms", name, |reader| read_one(transforms, &known, reader)))
        .collect();
    declared?;
    known.values().all(Option::is_some).then_some(())?;
    made.into_iter().collect()
}

fn read_one(
    transforms: &Registry<Arc<dyn Transform>>,
    predicates: &BTreeMap<&String, Option<Factory<Arc<dyn Predicate>>>>,
    reader: &mut Reader<'_>,
) -> Option<Factory<Arc<dyn Transform>>> {
    let condition = reader.read::<Condition>();
    let transform = transforms.read("type", reader);
    let (condition, transform) = (condition?, transform);
    let Some(name) = condition.predicate else {
        if reader.get("negate").is_some() {
            reader.problem("negate", "there is no predicate to negate: give `predicate` too", None);
            return None;
        }
        return transform;
    };
    let Some(predicate) = predicates.get(&name) else {
        let known = predicates.keys().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        reader.problem("predicate", "not one of the predicates: add it to `predicates`", Some(known));
        return None;
    };
    let (transform, predicate) = (transform?, Arc::clone(predicate.as_ref()?));
    Some(Arc::new(move || {
        let guarded = Conditional::new(transform()?, predicate()?);
        Ok(Arc::new(if condition.negate { guarded.negate() } else { guarded }) as Arc<dyn Transform>)
    }))
}

#[cfg(test)]
mod tests;
