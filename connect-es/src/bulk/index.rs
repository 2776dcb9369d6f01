//! Index names: a template, and Elasticsearch's rules.

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;
const TOPIC: &str = "${topic}";

/// A name, or a template of one: the text before, between and after each `${topic}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexName {
    parts: Vec<String>,
}

impl IndexName {
    /// Reads a template.
    pub(crate) fn parse(template: &str) -> Result<Self, String> {
        let parts: Vec<String> = template.split(TOPIC).map(str::to_owned).collect();
        if parts.iter().any(|part| part.contains("${")) {
            return Err(format!("only {TOPIC} can stand in an index name"));
        }
        let name = Self { parts };
        // A topic that changes nothing shows what is wrong with the text around it.
        name.of("x")?;
        Ok(name)
    }

    /// The name, if it is the same for all records.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match &*self.parts {
            [name] => Some(name),
            _ => None,
        }
    }

    /// The name for a record of this topic. The topic is taken in lower case, and a name does not begin with what
    /// Elasticsearch refuses there; as Connect does.
    pub(crate) fn of(&self, topic: &str) -> Result<String, String> {
        let name = self.parts.join(&topic.to_lowercase());
        let name = if self.parts[0].is_empty() { name.trim_start_matches(['-', '_', '+']) } else { &name };
        valid(name).map(|()| name.to_owned())
    }
}

/// <https://www.elastic.co/guide/en/elasticsearch/reference/7.17/indices-create-index.html#indices-create-api-path-params>
fn valid(name: &str) -> Result<(), String> {
    let what = match name {
        "" => "it is empty",
        "." | ".." => "it is a dot or two",
        _ if name.len() > NAME_BYTES_MAX => "it is longer than 255 bytes",
        _ if name.starts_with(['-', '_', '+']) => "it begins with -, _ or +",
        _ if name.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':']) => {
            "it has one of \\ / * ? \" < > | , # : or a blank"
        }
        _ if name.chars().any(char::is_control) => "it has a control character",
        _ if name.chars().any(char::is_uppercase) => "it must be in lower case",
        _ => return Ok(()),
    };
    Err(format!("`{name}` is no index name: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fixed_or_made_from_the_topic() {
        let check = |template: &str, topic: &str, name: &str| {
            assert_eq!(IndexName::parse(template).unwrap().of(topic).as_deref(), Ok(name));
        };
        check("${topic}", "Orders.EU", "orders.eu");
        check("${topic}", "_internal", "internal");
        check("logs-${topic}-${topic}", "A", "logs-a-a");
        check("logs", "anything", "logs");
        assert_eq!(IndexName::parse("logs").unwrap().fixed(), Some("logs"));
        assert_eq!(IndexName::parse("${topic}").unwrap().fixed(), None);
    }

    #[test]
    fn names_that_elasticsearch_refuses_are_refused_here() {
        for template in ["", "Logs", "_logs", "a b", "a/b", "a*", "..", "a:b", "x-${date}", "a\nb"] {
            assert!(IndexName::parse(template).is_err(), "{template}");
        }
        let name = IndexName::parse("${topic}").unwrap();
        for topic in ["", "__", "a b", "..", "é".repeat(128).as_str()] {
            assert!(name.of(topic).is_err(), "{topic}");
        }
    }
}
