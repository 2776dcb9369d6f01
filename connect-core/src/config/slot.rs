//! What a declaration says about one field: [`Slot`] for a key, [`Prefix`] for keys that are passed on,
//! [`Nested`] for a group with a declaration of its own. The `config!` macro turns each option of a field
//! into a call of the method of that name.

use std::{fmt, marker::PhantomData, ops::RangeBounds};

use serde_json::json;

use super::{
    Config,
    definition::{Definition, Importance, Width, display_name, documentation},
    passthrough::Passthrough,
    reader::Reader,
    url,
    value::Value,
    writer::Writer,
};

type Check<T> = Box<dyn Fn(&T) -> Result<(), String>>;

/// The group of a key whose declaration names none.
const GROUP: &str = "General";

/// One key with a value.
pub struct Slot<T> {
    pub(super) key: &'static str,
    pub(super) default: Option<T>,
    checks: Vec<Check<T>>,
    pub(super) literal: bool,
    definition: Definition,
}

impl<T: Value> Slot<T> {
    /// A key of medium importance without default.
    pub fn new(key: &'static str, doc: &str) -> Self {
        let definition = Definition {
            name: key.to_owned(),
            kind: T::TYPE,
            required: T::absent().is_none(),
            default: None,
            importance: Importance::Medium,
            documentation: documentation(doc),
            group: GROUP.to_owned(),
            order: 0,
            width: Width::of(T::TYPE),
            display_name: display_name(key),
            dependents: Vec::new(),
            allowed: T::allowed(),
            choices: T::choices().iter().map(|choice| (*choice).to_owned()).collect(),
            secret: T::SECRET,
            url: T::URL,
            prefix: false,
            known: &[],
            schema: T::json_schema(),
        };
        Self { key, default: None, checks: Vec::new(), literal: false, definition }
    }

    /// The value when the key is not given.
    #[must_use]
    pub fn default(mut self, value: T) -> Self {
        self.definition.required = false;
        self.definition.default = (!value.is_absent()).then(|| value.show());
        self.default = Some(value);
        self
    }

    /// How likely somebody has to set it.
    #[must_use]
    pub fn importance(mut self, importance: Importance) -> Self {
        self.definition.importance = importance;
        self
    }

    /// The heading it stands under.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        group.clone_into(&mut self.definition.group);
        self
    }

    /// Its name for people, instead of one made from the key.
    #[must_use]
    pub fn display(mut self, name: &str) -> Self {
        name.clone_into(&mut self.definition.display_name);
        self
    }

    /// How wide its field should be, instead of what fits its type.
    #[must_use]
    pub fn width(mut self, width: Width) -> Self {
        self.definition.width = width;
        self
    }

    /// Keys whose meaning depends on this one.
    #[must_use]
    pub fn dependents(mut self, keys: &[&str]) -> Self {
        self.definition.dependents = keys.iter().map(|key| (*key).to_owned()).collect();
        self
    }

    /// What may be written, in words, for the error message; replaces the words of the type.
    #[must_use]
    pub fn allowed(mut self, words: &str) -> Self {
        self.definition.allowed = Some(words.to_owned());
        self
    }

    /// Whether the value has to be written out: it is printed, and what a reference stands for may be a secret.
    #[must_use]
    pub fn literal(mut self, literal: bool) -> Self {
        self.literal = literal;
        self
    }

    /// Whether the text is a URL or several, separated by commas, as [`Value::URL`] says it of a type.
    #[must_use]
    pub fn url(mut self, is_url: bool) -> Self {
        self.definition.url = is_url;
        self
    }

    /// The least and the greatest value allowed.
    #[must_use]
    pub fn range<R: RangeBounds<T> + 'static>(mut self, range: R) -> Self
    where
        T: PartialOrd,
    {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let (low, below) = match range.start_bound() {
            Included(low) | Excluded(low) => (Some(low.show()), "from"),
            Unbounded => (None, ""),
        };
        let (high, until) = match range.end_bound() {
            Included(high) => (Some(high.show()), "to"),
            Excluded(high) => (Some(high.show()), "to less than"),
            Unbounded => (None, ""),
        };
        self.definition.allowed = Some(match (&low, &high) {
            (Some(low), Some(high)) => format!("{below} {low} {until} {high}"),
            (Some(low), None) => format!("{low} or more"),
            (None, Some(high)) if until == "to" => format!("{high} or less"),
            (None, Some(high)) => format!("less than {high}"),
            (None, None) => "any".into(),
        });
        self.definition.limit("minimum", low);
        self.definition.limit("maximum", high);
        self.check(move |value: &T| match (range.start_bound(), range.end_bound()) {
            (Included(low), _) if value < low => Err("too small".into()),
            (_, Included(high)) if value > high => Err("too large".into()),
            (_, Excluded(high)) if value >= high => Err("too large".into()),
            _ => Ok(()),
        })
    }

    /// A check of one's own. Its message says what is wrong and does not repeat the value.
    #[must_use]
    pub fn check(mut self, check: impl Fn(&T) -> Result<(), String> + 'static) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// The value of a text that passes all checks. As in Kafka's `ConfigDef`, blanks and control characters around it are
    /// no part of it, whatever its type.
    pub(super) fn parse(&self, text: &str) -> Result<T, String> {
        let value = T::parse(text.trim_matches(|c| c <= ' '))?;
        if !value.is_absent() {
            self.checks.iter().try_for_each(|check| check(&value))?;
        }
        Ok(value)
    }

    pub(super) fn definition(&self) -> &Definition {
        &self.definition
    }

    #[doc(hidden)]
    pub fn define(self, reader: &mut Reader<'_>) {
        reader.define(self.definition);
    }

    #[doc(hidden)]
    pub fn read(self, reader: &mut Reader<'_>) -> Option<T> {
        reader.value(self)
    }

    #[doc(hidden)]
    pub fn write(self, value: &T, writer: &mut Writer) {
        if !value.is_absent() {
            let shown = if self.definition.url { url::shown(&value.show(), |_| false) } else { value.show() };
            writer.put(self.key, shown, value.clear_text());
        }
    }
}

impl Definition {
    /// A bound in the JSON Schema, if it is a number there.
    fn limit(&mut self, name: &str, bound: Option<String>) {
        let number = bound.and_then(|bound| bound.parse::<serde_json::Number>().ok());
        if let (serde_json::Value::Object(schema), Some(number)) = (&mut self.schema, number)
            && schema.contains_key("type")
        {
            schema.insert(name.to_owned(), number.into());
        }
    }
}

/// All keys that begin with a prefix, passed on as they are, without it.
pub struct Prefix {
    definition: Definition,
    key: &'static str,
}

impl Prefix {
    /// Keys of low importance, none of which is known.
    pub fn new(key: &'static str, doc: &str) -> Self {
        let mut definition = Slot::<Option<String>>::new(key, doc).definition;
        definition.importance = Importance::Low;
        definition.prefix = true;
        definition.schema = json!({ "type": ["string", "number", "boolean"] });
        Self { definition, key }
    }

    /// How likely somebody has to set one.
    #[must_use]
    pub fn importance(mut self, importance: Importance) -> Self {
        self.definition.importance = importance;
        self
    }

    /// The heading they stand under.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        group.clone_into(&mut self.definition.group);
        self
    }

    /// The properties, without the prefix, whose values may be shown. No value of another one is, since it may be
    /// the mistyped name of a secret.
    #[must_use]
    pub fn known(mut self, properties: &'static [&'static str]) -> Self {
        self.definition.known = properties;
        self
    }

    #[doc(hidden)]
    pub fn define(self, reader: &mut Reader<'_>) {
        reader.define(self.definition);
    }

    #[doc(hidden)]
    pub fn read(self, reader: &mut Reader<'_>) -> Option<Passthrough> {
        let (key, known) = (self.key, self.definition.known);
        reader.define(self.definition);
        reader.passthrough(key, known)
    }

    #[doc(hidden)]
    pub fn write(self, value: &Passthrough, writer: &mut Writer) {
        for (key, text) in value.iter() {
            writer.put(&format!("{}{key}", self.key), value.shown(key), text.clone());
        }
    }
}

/// A group of keys below a prefix that has its own declaration; an empty prefix shares the keys' level.
pub struct Nested<C> {
    prefix: &'static str,
    of: PhantomData<C>,
}

impl<C: Config> Nested<C> {
    /// The group below `prefix`. Its documentation is that of its own keys.
    pub fn new(prefix: &'static str, _doc: &str) -> Self {
        Self { prefix, of: PhantomData }
    }

    #[doc(hidden)]
    pub fn define(self, reader: &mut Reader<'_>) {
        reader.within(self.prefix, C::define);
    }

    #[doc(hidden)]
    pub fn read(self, reader: &mut Reader<'_>) -> Option<C> {
        reader.within(self.prefix, C::read)
    }

    #[doc(hidden)]
    pub fn write(self, value: &C, writer: &mut Writer) {
        writer.within(self.prefix, |writer| value.write(writer));
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.definition, f)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.definition, f)
    }
}

impl<C> fmt::Debug for Nested<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix)
    }
}
