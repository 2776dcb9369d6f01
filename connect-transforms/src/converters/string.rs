//! Text.

use super::{Converted, Converter, Of};
use crate::{
    InvalidUtf8,
    json::Scanner,
    json::escape::{quote, unescape},
};
use connect_core::Error;
use std::borrow::Cow;

connect_core::choices! {
    /// How text is encoded.
    pub enum Encoding {
        /// UTF-8.
        Utf8 = "UTF-8",
        /// One byte per character, up to `ÿ`.
        Latin1 = "ISO-8859-1",
        /// Seven bits per character.
        Ascii = "US-ASCII",
        /// Two bytes per unit, the greater one first.
        Utf16Be = "UTF-16BE",
        /// Two bytes per unit, the smaller one first.
        Utf16Le = "UTF-16LE",
    }
}

connect_core::choices! {
    /// What a text becomes.
    pub enum StringForm {
        /// A JSON string: what Connect's transforms see, and what its sinks write as JSON.
        Json = "json",
        /// The text itself: what sinks use as an id, and what other transforms parse.
        Text = "text",
    }
}

connect_core::config! {
    /// Text to and from bytes: Connect's StringConverter.
    pub struct StringConverterConfig {
        /// The encoding.
        "converter.encoding" => encoding: Encoding = Encoding::Utf8;
        /// Whether a text becomes a JSON string or stays text; not in Connect, whose data have types. Without it a
        /// value becomes a JSON string and a key stays text, since sinks use keys as ids.
        "string.form" => form: Option<StringForm>;
        /// What happens to bytes that are no text in that encoding: `replace` puts U+FFFD, as Connect does, and loses
        /// them. Not in Connect.
        "on.invalid.utf8" => invalid: InvalidUtf8 = InvalidUtf8::Replace, check: |policy: &InvalidUtf8| match policy {
            InvalidUtf8::Base64 => Err("base64 cannot be told from text: replace or fail".to_owned()),
            InvalidUtf8::Replace | InvalidUtf8::Fail => Ok(()),
        };
    }
}

/// `org.apache.kafka.connect.storage.StringConverter`: bytes are text.
///
/// | key | default | |
/// |---|---|---|
/// | `converter.encoding` | `UTF-8` | also `ISO-8859-1`, `US-ASCII`, `UTF-16BE`, `UTF-16LE` |
/// | `string.form` | values `json`, keys `text` | whether the text becomes a JSON string or stays text |
/// | `on.invalid.utf8` | `replace` | `fail` makes bytes that are no text poison instead of U+FFFD |
///
/// The value `say "hi"` becomes `"say \"hi\""`; the key `user-1` stays `user-1`. Back, a JSON string becomes its text,
/// and any other JSON text stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StringConverter(StringConverterConfig);

/// Why text cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum NotText {
    #[error("not text in {0}")]
    Bytes(Encoding),
    #[error("a character that {0} does not have")]
    Character(Encoding),
}

impl StringConverter {
    /// As the configuration says.
    #[must_use]
    pub fn new(config: StringConverterConfig) -> Self {
        Self(config)
    }

    fn form(&self, of: Of) -> StringForm {
        self.0.form.unwrap_or(match of {
            Of::Key => StringForm::Text,
            Of::Value => StringForm::Json,
        })
    }

    fn text_of<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, str>, NotText> {
        let encoding = self.0.encoding;
        let (text, sound) = match encoding {
            Encoding::Utf8 => {
                let text = String::from_utf8_lossy(bytes);
                let sound = matches!(text, Cow::Borrowed(_));
                (text, sound)
            }
            Encoding::Latin1 => (bytes.iter().map(|&byte| char::from(byte)).collect(), true),
            Encoding::Ascii => {
                let character =
                    |&byte: &u8| if byte < 0x80 { char::from(byte) } else { char::REPLACEMENT_CHARACTER };
                (bytes.iter().map(character).collect(), bytes.is_ascii())
            }
            Encoding::Utf16Be => utf16(bytes, u16::from_be_bytes),
            Encoding::Utf16Le => utf16(bytes, u16::from_le_bytes),
        };
        match self.0.invalid {
            InvalidUtf8::Fail if !sound => Err(NotText::Bytes(encoding)),
            _ => Ok(text),
        }
    }

    fn write(&self, text: &str, out: &mut Vec<u8>) -> Result<(), NotText> {
        let encoding = self.0.encoding;
        let narrow = |limit: u32, out: &mut Vec<u8>| {
            text.chars().try_for_each(|character| match u8::try_from(u32::from(character)) {
                Ok(byte) if u32::from(byte) < limit => {
                    out.push(byte);
                    Ok(())
                }
                // As Java's encoders do.
                _ if self.0.invalid == InvalidUtf8::Replace => {
                    out.push(b'?');
                    Ok(())
                }
                _ => Err(NotText::Character(encoding)),
            })
        };
        match encoding {
            Encoding::Utf8 => out.extend_from_slice(text.as_bytes()),
            Encoding::Latin1 => narrow(0x100, out)?,
            Encoding::Ascii => narrow(0x80, out)?,
            Encoding::Utf16Be => text.encode_utf16().for_each(|unit| out.extend(unit.to_be_bytes())),
            Encoding::Utf16Le => text.encode_utf16().for_each(|unit| out.extend(unit.to_le_bytes())),
        }
        Ok(())
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (Cow<'static, str>, bool) {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut sound = rest.is_empty();
    let decoded = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
    let mut text: String = decoded
        .map(|character| {
            character.unwrap_or_else(|_| {
                sound = false;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    (text.into(), sound)
}

impl Converter for StringConverter {
    fn decode(&self, of: Of, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        let text = self.text_of(bytes).map_err(|e| Error::poison("deserialize the string", e))?;
        match (self.form(of), text) {
            (StringForm::Text, Cow::Borrowed(_)) => return Ok(Converted::Same),
            (StringForm::Text, Cow::Owned(text)) => out.extend_from_slice(text.as_bytes()),
            (StringForm::Json, text) => quote(&text, out),
        }
        Ok(Converted::Written)
    }

    fn encode(&self, of: Of, json: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        let failed = |e: NotText| Error::poison("serialize the string", e);
        let refused = |e| Error::poison("serialize the string", e);
        if self.form(of) == StringForm::Json {
            let mut scanner = Scanner::new(json).map_err(refused)?;
            if scanner.peek() == Some(b'"') {
                let body = scanner.string().map_err(refused)?;
                scanner.end().map_err(refused)?;
                let mut text = String::new();
                unescape(body.text, &mut text);
                self.write(&text, out).map_err(failed)?;
                return Ok(Converted::Written);
            }
        }
        if self.0.encoding == Encoding::Utf8 {
            return Ok(Converted::Same);
        }
        self.write(&String::from_utf8_lossy(json), out).map_err(failed)?;
        Ok(Converted::Written)
    }

    fn describe(&self) -> String {
        let form = self.0.form.map_or("default", StringForm::as_str);
        let (encoding, invalid) = (self.0.encoding, self.0.invalid);
        format!("StringConverter converter.encoding={encoding} string.form={form} on.invalid.utf8={invalid}")
    }
}
