//! Bytes of an input as decisions: numbers and pieces from the front, zeros when they are used up.

/// What is left of an input.
#[derive(Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes([0; 8].map(|_: u8| self.u8()))
    }

    /// At most so many bytes.
    pub(crate) fn piece(&mut self, most: usize) -> &'a [u8] {
        let (piece, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        piece
    }

    /// A piece whose length is its first byte, as text.
    pub(crate) fn text(&mut self) -> String {
        let length = usize::from(self.u8());
        String::from_utf8_lossy(self.piece(length)).into_owned()
    }
}
