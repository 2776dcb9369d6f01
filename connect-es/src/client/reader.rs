//! Bodies of answers, as they arrive, without their compression.

use super::no_answer;
use crate::{
    config::NodeUrl,
    error::{Failure, shortened},
};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use reqwest::{Response, header::CONTENT_ENCODING};
use std::io::{self, Write};

/// Compressed bytes that are unpacked at once: 1 KiB becomes 1 MiB at most.
const STEP_BYTES: usize = 1 << 10;

/// The body of an answer. A gateway may compress it though `Accept-Encoding` says that nobody wants that.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    url: &'a NodeUrl,
    response: Response,
    gzip: Option<Gzip>,
}

/// A body in gzip, and the part of it that is not unpacked yet.
#[derive(Debug)]
struct Gzip {
    /// As the server calls it.
    name: String,
    decoder: MultiGzDecoder<Vec<u8>>,
    packed: Bytes,
    ended: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(url: &'a NodeUrl, response: Response) -> Result<Self, Failure> {
        let gzip = match encoding(&response) {
            None => None,
            Some(name) if ["gzip", "x-gzip"].iter().any(|known| name.eq_ignore_ascii_case(known)) => {
                Some(Gzip::new(name))
            }
            Some(encoding) => {
                let reason = "only gzip and identity are".to_owned();
                return Err(Failure::NotDecoded { node: url.to_string(), encoding, reason });
            }
        };
        Ok(Self { url, response, gzip })
    }

    /// The next part of the body, of bounded size; `None` at its end.
    ///
    /// # Cancel safety
    /// Not safe to drop: a part may be lost.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(gzip) = &mut self.gzip else {
            return self.response.chunk().await.map_err(|e| no_answer(self.url, &e));
        };
        loop {
            if gzip.packed.is_empty() && !gzip.ended {
                let chunk = self.response.chunk().await.map_err(|e| no_answer(self.url, &e))?;
                gzip.ended = chunk.is_none();
                gzip.packed = chunk.unwrap_or_default();
            }
            let plain = gzip.step().map_err(|e| Failure::NotDecoded {
                node: self.url.to_string(),
                encoding: gzip.name.clone(),
                reason: e.to_string(),
            })?;
            match plain {
                plain if !plain.is_empty() => return Ok(Some(plain)),
                _ if gzip.ended && gzip.packed.is_empty() => return Ok(None),
                _ => {}
            }
        }
    }
}

impl Gzip {
    fn new(name: String) -> Self {
        Self { name, decoder: MultiGzDecoder::new(Vec::new()), packed: Bytes::new(), ended: false }
    }

    /// Unpacks a little of what is there, or finishes.
    fn step(&mut self) -> io::Result<Bytes> {
        if self.packed.is_empty() && self.ended {
            self.decoder.try_finish()?;
        }
        let step = self.packed.split_to(self.packed.len().min(STEP_BYTES));
        self.decoder.write_all(&step)?;
        Ok(std::mem::take(self.decoder.get_mut()).into())
    }
}

/// What the body is encoded as; `None`: not at all.
fn encoding(response: &Response) -> Option<String> {
    let value = response.headers().get(CONTENT_ENCODING)?;
    let name = shortened(String::from_utf8_lossy(value.as_bytes()).trim());
    (!name.is_empty() && !name.eq_ignore_ascii_case("identity")).then_some(name)
}
