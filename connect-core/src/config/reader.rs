//! Reading several declarations from one map, every problem at once.

use std::collections::BTreeSet;

use super::{
    Config,
    definition::Definition,
    nearest::nearest,
    passthrough::Passthrough,
    problems::{Problem, Problems},
    report::Report,
    secret::REDACTED,
    settings::Settings,
    slot::Slot,
    value::{ClassName, Value},
};

/// Unknown keys for which a near one is looked for: nobody reads more suggestions, and each costs a comparison with
/// every known key.
const GUESSES_MAX: usize = 100;

/// Reads declarations from one map and collects everything that is wrong. A key is unknown only if none of
/// the declarations that were read knows it.
///
/// ```
/// use connect_core::config::{Config as _, Reader, Settings};
///
/// connect_core::config! {
///     /// What every sink has.
///     pub struct Common {
///         /// How many tasks share the work.
///         "tasks.max" => tasks_max: u32 = 1, range: 1..=1000;
///     }
/// }
/// connect_core::config! {
///     /// One of the transforms.
///     pub struct Mask {
///         /// The field that is masked.
///         "field" => field: String;
///     }
/// }
///
/// let settings = Settings::literal([("tasks.max", "2"), ("transforms.m.field", "phone")]);
/// let mut reader = Reader::new(&settings);
/// let common = reader.read::<Common>();
/// let mask = reader.within("transforms.m.", Reader::read::<Mask>);
/// let (common, mask) = reader.finish().result(common.zip(mask))?;
/// assert_eq!((common.tasks_max, mask.field.as_str()), (2, "phone"));
/// # Ok::<_, connect_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Reader<'a> {
    settings: &'a Settings,
    prefix: String,
    claimed: Vec<String>,
    definitions: Vec<Definition>,
    problems: Problems,
}

impl<'a> Reader<'a> {
    /// Nothing is read yet.
    pub fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            prefix: String::new(),
            claimed: Vec::new(),
            definitions: Vec::new(),
            problems: Problems::default(),
        }
    }

    /// Reads one declaration. None if something of it is wrong, which [`Reader::finish`] will tell.
    pub fn read<C: Config>(&mut self) -> Option<C> {
        C::read(self)
    }

    /// Reads below a prefix: what `read` calls `type` is `transforms.a.type` under `transforms.a.`.
    pub fn within<T>(&mut self, prefix: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.prefix.len();
        self.prefix.push_str(prefix);
        let value = read(self);
        self.prefix.truncate(length);
        value
    }

    /// Reads what one `name` of the list at the key `list` stands for, below `list.name.`. A name that comes from a
    /// reference is hidden in the keys of problems and definitions, unless the map itself has such keys; where it has
    /// none, what they are called makes no difference to what is read.
    pub(crate) fn within_named<T>(&mut self, list: &str, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let prefix = format!("{list}.{name}.");
        let full = self.full(&prefix);
        if self.settings.is_reference(&self.full(list))
            && !self.settings.keys().any(|key| key.starts_with(&full))
        {
            return self.within(&format!("{list}.{REDACTED}."), read);
        }
        self.within(&prefix, read)
    }

    /// Says that somebody else reads the keys that begin with `prefix`.
    pub fn claim(&mut self, prefix: &str) {
        self.claimed.push(self.full(prefix));
    }

    /// Adds a problem with a key, for what a declaration cannot express. Do not repeat the value in `what`.
    pub fn problem(&mut self, key: &str, what: impl Into<String>, allowed: Option<String>) {
        let key = self.full(key);
        self.report(Problem::new(key, what.into(), allowed));
    }

    /// Declares a key that names a plugin and is read by hand.
    pub(crate) fn know(&mut self, key: &'static str, doc: &str) {
        self.define(Slot::<ClassName>::new(key, doc).definition().clone());
    }

    /// The map that is read.
    pub fn settings(&self) -> &'a Settings {
        self.settings
    }

    /// The value of a key at the level that is read now, however it is declared. Do not show it, nor make keys of it.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.settings.get(&self.full(key))
    }

    /// Looks for keys that nobody knows and ends the reading.
    pub fn finish(mut self) -> Report<'a> {
        self.find_unknown();
        Report::new(self.settings, self.definitions, self.problems)
    }

    /// Runs a check over a whole struct; its keys are those of the declaration.
    #[doc(hidden)]
    pub fn check<C>(&mut self, config: &C, check: impl FnOnce(&C, &mut Problems)) {
        let mut found = Problems::default();
        check(config, &mut found);
        for problem in found {
            let key = self.full(&problem.key);
            self.report(Problem { key, ..problem });
        }
    }

    pub(super) fn define(&mut self, mut definition: Definition) {
        definition.name = self.full(&definition.name);
        definition.dependents.iter_mut().for_each(|key| *key = format!("{}{key}", self.prefix));
        if let Some(known) = self.definitions.iter_mut().find(|known| known.name == definition.name) {
            // Two declarations share the key: what one of them hides stays hidden.
            known.secret |= definition.secret;
            known.url |= definition.url;
            return;
        }
        definition.order =
            self.definitions.iter().filter(|known| known.group == definition.group).count() + 1;
        self.definitions.push(definition);
    }

    pub(super) fn value<T: Value>(&mut self, slot: Slot<T>) -> Option<T> {
        let key = self.full(slot.key);
        let definition = slot.definition().clone();
        let allowed = definition.allowed.clone();
        self.define(definition);
        let given = self.settings.look_up(&key);
        let parsed = match given {
            None => match slot.default.or_else(T::absent) {
                Some(value) => return Some(value),
                None => Err("required, but not given".to_owned()),
            },
            Some(_) if slot.literal && self.settings.is_reference(&key) => {
                Err("a reference, but this value is printed in logs: write it out".to_owned())
            }
            Some(Err(why)) => Err(why.to_owned()),
            Some(Ok(text)) => slot.parse(text).map(|value| match self.settings.reference(&key) {
                Some(reference) => value.with_reference(reference),
                None => value,
            }),
        };
        let problem = |what| Problem { alone: true, ..Problem::new(key, what, allowed) };
        parsed.map_err(|what| self.report(problem(what))).ok()
    }

    pub(super) fn passthrough(&mut self, prefix: &str, known: &[&str]) -> Option<Passthrough> {
        let prefix = self.full(prefix);
        let settings = self.settings;
        let mut properties = Passthrough::default();
        let mut sound = true;
        for key in settings.keys() {
            let Some(rest) = key.strip_prefix(&prefix).filter(|rest| !rest.is_empty()) else { continue };
            match settings.look_up(key) {
                Some(Ok(text)) if settings.is_reference(key) => properties.set(rest, text),
                Some(Ok(text)) => properties.set_among(known, rest, text),
                Some(Err(why)) => {
                    sound = false;
                    self.report(Problem::new(key.to_owned(), why.to_owned(), None));
                }
                None => {}
            }
        }
        sound.then_some(properties)
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Adds a problem; the full key is as in the map. What may be seen of the value is known at the end only, when
    /// all declarations were read.
    fn report(&mut self, problem: Problem) {
        // Two declarations that share a key say the same of it.
        if !self.problems.iter().any(|known| known.key == problem.key && known.what == problem.what) {
            self.problems.push(problem);
        }
    }

    fn find_unknown(&mut self) {
        let (prefixes, keys): (Vec<_>, Vec<_>) = self.definitions.iter().partition(|known| known.prefix);
        let names: BTreeSet<&str> = keys.iter().map(|known| known.name.as_str()).collect();
        // The prefix alone names no property.
        let passed_on = |key: &str| {
            prefixes.iter().any(|known| key.len() > known.name.len() && key.starts_with(&known.name))
        };
        let claimed = |key: &str| self.claimed.iter().any(|prefix| key.starts_with(prefix.as_str()));
        let mut found = Vec::new();
        for key in self.settings.keys().filter(|key| !names.contains(key) && !claimed(key) && !passed_on(key))
        {
            let guess = (found.len() < GUESSES_MAX).then(|| nearest(key, names.iter().copied())).flatten();
            let what = match guess {
                Some(nearest) => format!("unknown key, did you mean {}?", self.settings.full_key(nearest)),
                None => "unknown key".into(),
            };
            // No value: what was mistyped may be the key of a secret.
            found.push(Problem { unknown: true, ..Problem::new(key.to_owned(), what, None) });
        }
        found.into_iter().for_each(|problem| self.problems.push(problem));
    }
}
