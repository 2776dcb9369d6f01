//! What is known about a key, and Connect's JSON form of it.

use serde_json::json;

use super::value::Type;

/// How likely somebody has to set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Look at it before the first start.
    High,
    /// Worth knowing.
    Medium,
    /// For special cases.
    Low,
}

impl Importance {
    /// The name in REST answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// How wide a form should make the field of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// No wish.
    None,
    /// A number.
    Short,
    /// A word or two.
    Medium,
    /// A list or a sentence.
    Long,
}

impl Width {
    /// The name in REST answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Short => "SHORT",
            Self::Medium => "MEDIUM",
            Self::Long => "LONG",
        }
    }

    pub(super) fn of(kind: Type) -> Self {
        match kind {
            Type::Int | Type::Long | Type::Double | Type::Boolean => Self::Short,
            Type::String | Type::Class | Type::Password => Self::Medium,
            Type::List => Self::Long,
        }
    }
}

/// All that a declaration says about one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The key in full; of a pass-through prefix, the prefix.
    pub name: String,
    /// Connect's type.
    pub kind: Type,
    /// Whether there is neither a default nor a way to do without.
    pub required: bool,
    /// The text of the default, redacted if secret.
    pub default: Option<String>,
    /// How likely somebody has to set it.
    pub importance: Importance,
    /// What it means.
    pub documentation: String,
    /// The heading it stands under.
    pub group: String,
    /// Its place in its group, from 1.
    pub order: usize,
    /// How wide its field should be.
    pub width: Width,
    /// Its name for people.
    pub display_name: String,
    /// Keys whose meaning depends on it.
    pub dependents: Vec<String>,
    /// What may be written, in words.
    pub allowed: Option<String>,
    /// What may be written, if it is a fixed list.
    pub choices: Vec<String>,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether its value is a URL or several: shown without user, query and fragment.
    pub url: bool,
    /// Whether it stands for all keys that begin with its name, each passed on as it is.
    pub prefix: bool,
    /// For such a prefix: the properties below it whose values may be shown. All others may be mistyped secrets.
    pub known: &'static [&'static str],
    /// JSON Schema of its value.
    pub schema: serde_json::Value,
}

impl Definition {
    /// The form of Connect's `GET /connector-plugins/{name}/config`.
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "type": self.kind.name(),
            "required": self.required,
            "default_value": self.default,
            "importance": self.importance.name(),
            "documentation": self.documentation,
            "group": self.group,
            "order": self.order,
            "width": self.width.name(),
            "display_name": self.display_name,
            "dependents": self.dependents,
        })
    }
}

/// `batch.size` as `Batch size`.
pub(super) fn display_name(key: &str) -> String {
    let words = key.trim_end_matches('.').replace(['.', '_'], " ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Documentation from the lines of a doc comment, the blank that follows `///` removed.
pub(super) fn documentation(doc: &str) -> String {
    let lines: Vec<_> = doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}
