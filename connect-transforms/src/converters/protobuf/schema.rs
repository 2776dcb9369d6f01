//! Schemas in Protobuf's own language, and the message in them that a record means.

use connect_core::schema_registry::{RegisteredSchema, SchemaKind};
use prost_reflect::{FileDescriptor, MessageDescriptor};
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};
use std::collections::HashMap;

/// The file that a schema is compiled as.
const ROOT: &str = "schema.proto";
/// Messages do not nest deeper in a schema.
const INDEXES_MAX: usize = 100;

/// What Confluent's types are.
const CONFLUENT: [(&str, &str); 2] = [
    (
        "confluent/meta.proto",
        r#"syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }"#,
    ),
    (
        "confluent/type/decimal.proto",
        r#"syntax = "proto3"; package confluent.type; message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }"#,
    ),
];
const GOOGLE: [(&str, &str); 2] = [
    (
        "google/type/date.proto",
        r#"syntax = "proto3"; package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }"#,
    ),
    (
        "google/type/timeofday.proto",
        r#"syntax = "proto3"; package google.type; message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }"#,
    ),
];

/// Why a record's Protobuf cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtobufError {
    #[error("the place of the message in its schema ends too early or is no number")]
    Indexes,
    #[error("the schema has no message at {0:?}")]
    NoMessage(Vec<usize>),
    #[error("a {0} that no calendar has")]
    Time(&'static str),
    #[error("a decimal that is too long, or has a negative scale")]
    Decimal,
}

/// A schema that was compiled.
#[derive(Debug)]
pub(super) struct Messages(FileDescriptor);

/// Files from a registry, and those that its schemas may import without a reference.
struct Sources(HashMap<String, String>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

impl Messages {
    pub(super) fn parse(schema: &RegisteredSchema) -> Result<Self, String> {
        if schema.kind != SchemaKind::Protobuf {
            return Err(format!("it is in {}, not in Protobuf", schema.kind));
        }
        let builtin =
            CONFLUENT.into_iter().chain(GOOGLE).map(|(name, text)| (name.to_owned(), text.to_owned()));
        let mut sources: HashMap<String, String> = builtin.collect();
        sources.extend(schema.references.iter().map(|given| (given.name.clone(), given.text.clone())));
        sources.insert(ROOT.to_owned(), schema.text.clone());
        let mut resolver = ChainFileResolver::new();
        resolver.add(Sources(sources));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler.include_imports(true).open_file(ROOT).map_err(|error| error.to_string())?;
        let pool = compiler.descriptor_pool();
        pool.get_file_by_name(ROOT).map(Self).ok_or_else(|| "it was not compiled".to_owned())
    }

    /// The message at this place: a number among the messages of the file, then of each message in turn.
    pub(super) fn find(&self, indexes: &[usize]) -> Result<MessageDescriptor, ProtobufError> {
        let missing = || ProtobufError::NoMessage(indexes.to_vec());
        let (first, rest) = indexes.split_first().ok_or_else(missing)?;
        let mut message = self.0.messages().nth(*first).ok_or_else(missing)?;
        for index in rest {
            let child = message.child_messages().nth(*index).ok_or_else(missing)?;
            message = child;
        }
        Ok(message)
    }
}

/// The place of the message, as zigzag numbers with their count in front, and what follows; a count of zero means the
/// first message.
pub(super) fn split_indexes(bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), ProtobufError> {
    let (count, mut rest) = zigzag(bytes)?;
    if count == 0 {
        return Ok((vec![0], rest));
    }
    if count > INDEXES_MAX {
        return Err(ProtobufError::Indexes);
    }
    let mut indexes = Vec::with_capacity(count);
    for _ in 0..count {
        let (index, behind) = zigzag(rest)?;
        indexes.push(index);
        rest = behind;
    }
    Ok((indexes, rest))
}

/// A number of at most five bytes that is not negative.
fn zigzag(bytes: &[u8]) -> Result<(usize, &[u8]), ProtobufError> {
    let mut number = 0_u64;
    for (at, &byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            if number & 1 == 1 {
                break;
            }
            let number = usize::try_from(number >> 1).map_err(|_| ProtobufError::Indexes)?;
            return Ok((number, &bytes[at + 1..]));
        }
    }
    Err(ProtobufError::Indexes)
}
