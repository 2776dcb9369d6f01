//! Bytes as they are.

use super::{Converted, Converter, Of};
use connect_core::Error;

/// `org.apache.kafka.connect.converters.ByteArrayConverter`: nothing is converted, in either direction, and a record
/// costs nothing. No keys.
///
/// In Connect bytes that a sink writes as JSON become base64; here they stay what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteArrayConverter;

impl Converter for ByteArrayConverter {
    fn decode(&self, _: Of, _: &[u8], _: &mut Vec<u8>) -> Result<Converted, Error> {
        Ok(Converted::Same)
    }

    fn encode(&self, _: Of, _: &[u8], _: &mut Vec<u8>) -> Result<Converted, Error> {
        Ok(Converted::Same)
    }

    fn describe(&self) -> String {
        "ByteArrayConverter".to_owned()
    }
}
