//! The names of Kafka Connect's classes.

use super::{
    Cast, CastConfig, DropHeaders, DropHeadersConfig, ExtractField, ExtractFieldConfig, Filter, HasHeaderKey,
    HasHeaderKeyConfig, HeaderFrom, HeaderFromConfig, HoistField, HoistFieldConfig, InsertField,
    InsertFieldConfig, InsertHeader, InsertHeaderConfig, MaskField, MaskFieldConfig, RecordIsTombstone,
    RegexRouter, RegexRouterConfig, ReplaceField, ReplaceFieldConfig, SetSchemaMetadata,
    SetSchemaMetadataConfig, TimestampConverter, TimestampConverterConfig, TimestampRouter,
    TimestampRouterConfig, TopicNameMatches, TopicNameMatchesConfig, ValueToKey, ValueToKeyConfig,
};
use connect_core::{
    Error, Predicate, Transform,
    config::Config,
    registry::{DuplicateName, Plugin, Registry},
};
use std::sync::Arc;

const TRANSFORMS: &str = "org.apache.kafka.connect.transforms.";
type Made = Result<Arc<dyn Transform>, Error>;
type Transforms = Registry<Arc<dyn Transform>>;

/// Adds Kafka Connect's transforms, `Flatten` excepted.
pub(crate) fn register_transforms(registry: &mut Transforms) -> Result<(), DuplicateName> {
    both(registry, "Cast", |c: CastConfig| made(Cast::value(&c)), |c| made(Cast::key(&c)))?;
    both(
        registry,
        "ExtractField",
        |c: ExtractFieldConfig| made(ExtractField::value(&c)),
        |c| made(ExtractField::key(&c)),
    )?;
    both(
        registry,
        "HeaderFrom",
        |c: HeaderFromConfig| made(HeaderFrom::value(&c)),
        |c| made(HeaderFrom::key(&c)),
    )?;
    both(
        registry,
        "HoistField",
        |c: HoistFieldConfig| made(Ok(HoistField::value(&c))),
        |c| made(Ok(HoistField::key(&c))),
    )?;
    both(
        registry,
        "InsertField",
        |c: InsertFieldConfig| made(InsertField::value(&c)),
        |c| made(InsertField::key(&c)),
    )?;
    both(
        registry,
        "MaskField",
        |c: MaskFieldConfig| made(MaskField::value(&c)),
        |c| made(MaskField::key(&c)),
    )?;
    both(
        registry,
        "ReplaceField",
        |c: ReplaceFieldConfig| made(ReplaceField::value(&c)),
        |c| made(ReplaceField::key(&c)),
    )?;
    both(
        registry,
        "SetSchemaMetadata",
        |c: SetSchemaMetadataConfig| made(SetSchemaMetadata::value(&c)),
        |c| made(SetSchemaMetadata::key(&c)),
    )?;
    both(
        registry,
        "TimestampConverter",
        |c: TimestampConverterConfig| made(TimestampConverter::value(&c)),
        |c| made(TimestampConverter::key(&c)),
    )?;
    one(registry, "DropHeaders", |c: DropHeadersConfig| made(Ok(DropHeaders::new(&c))))?;
    one(registry, "Filter", |(): ()| made(Ok(Filter)))?;
    one(registry, "InsertHeader", |c: InsertHeaderConfig| made(Ok(InsertHeader::new(&c))))?;
    one(registry, "RegexRouter", |c: RegexRouterConfig| made(RegexRouter::new(&c)))?;
    one(registry, "TimestampRouter", |c: TimestampRouterConfig| made(TimestampRouter::new(&c)))?;
    one(registry, "ValueToKey", |c: ValueToKeyConfig| made(ValueToKey::new(&c)))
}

fn made(transform: Result<impl Transform + 'static, Error>) -> Made {
    Ok(Arc::new(transform?))
}

/// A transform of values and one of keys; without `$Key` or `$Value` the name means the value.
fn both<C: Config>(
    registry: &mut Transforms,
    name: &str,
    value: impl Fn(C) -> Made + Send + Sync + 'static,
    key: impl Fn(C) -> Made + Send + Sync + 'static,
) -> Result<(), DuplicateName> {
    let class = format!("{TRANSFORMS}{name}");
    registry.add(Plugin::new(format!("{class}$Value"), value).alias(&class).alias(name))?;
    registry.add(Plugin::new(format!("{class}$Key"), key))
}

fn one<C: Config>(
    registry: &mut Transforms,
    name: &str,
    make: impl Fn(C) -> Made + Send + Sync + 'static,
) -> Result<(), DuplicateName> {
    registry.add(Plugin::new(format!("{TRANSFORMS}{name}"), make))
}

const PREDICATES: &str = "org.apache.kafka.connect.transforms.predicates.";

/// Adds all predicates of this crate under Kafka Connect's class names, each also by its simple name.
///
/// # Errors
/// If one of the names is taken.
pub fn register_predicates(registry: &mut Registry<Arc<dyn Predicate>>) -> Result<(), DuplicateName> {
    let class = |name: &str| format!("{PREDICATES}{name}");
    registry.add(Plugin::new(class("HasHeaderKey"), |config: HasHeaderKeyConfig| {
        Ok(Arc::new(HasHeaderKey::new(&config.name)) as Arc<dyn Predicate>)
    }))?;
    registry.add(Plugin::new(class("RecordIsTombstone"), |(): ()| {
        Ok(Arc::new(RecordIsTombstone) as Arc<dyn Predicate>)
    }))?;
    registry.add(Plugin::new(class("TopicNameMatches"), |config: TopicNameMatchesConfig| {
        Ok(Arc::new(TopicNameMatches::new(&config.pattern)?) as Arc<dyn Predicate>)
    }))
}
