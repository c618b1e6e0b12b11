//! Texts whose length input drives.

use super::{Failure, Host};

/// Bytes of a piece.
const PIECE: usize = 1 << 20;

/// A text that grows. What is long is kept in pieces and put together at the end: a buffer that grows copies all it has
/// again and again, and nobody looks at the clock meanwhile.
#[derive(Default)]
pub(crate) struct Text {
    done: Vec<Vec<u8>>,
    last: Vec<u8>,
}

impl Text {
    /// Appends some bytes, which are accounted for before.
    ///
    /// # Errors
    /// A limit is hit.
    pub(crate) fn push(&mut self, host: &mut dyn Host, bytes: &[u8]) -> Result<(), Failure> {
        host.charge(bytes.len())?;
        if !self.last.is_empty() && self.last.len() + bytes.len() > PIECE {
            self.done.push(std::mem::take(&mut self.last));
        }
        self.last.extend_from_slice(bytes);
        Ok(())
    }

    /// The whole.
    ///
    /// # Errors
    /// A limit is hit.
    pub(crate) fn whole(self, host: &mut dyn Host) -> Result<Vec<u8>, Failure> {
        let Text { done, last } = self;
        if done.is_empty() {
            return Ok(last);
        }
        let size = done.iter().map(Vec::len).sum::<usize>() + last.len();
        // It is there twice for a while, and copied once more when it becomes a value.
        host.charge(size)?;
        let mut whole = Vec::with_capacity(size);
        // Each is given back as soon as it is copied.
        for piece in done.into_iter().chain([last]) {
            append(host, &mut whole, &piece)?;
        }
        Ok(whole)
    }
}

/// Copies bytes that are accounted for; looks at the clock on the way.
///
/// # Errors
/// The time is up.
pub(crate) fn append(host: &mut dyn Host, to: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Failure> {
    for part in bytes.chunks(PIECE) {
        host.work(part.len())?;
        to.extend_from_slice(part);
    }
    Ok(())
}
