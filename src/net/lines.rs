//! Lines out of a stream of bytes: complete ones are taken, the rest waits, and what has no end is
//! noticed.

/// Bytes already taken that may stay in front of a part of a line.
const KEPT: usize = 1024;

/// Bytes received and not yet taken.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Bytes at the front that were taken already.
    taken: usize,
}

/// What [`Lines::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A line, without its end and spaces around it.
    Line(&'a [u8]),
    /// No complete line.
    Nothing,
    /// A line longer than allowed.
    TooLong,
}

impl Lines {
    /// Adds bytes that were received.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.taken)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether what waits begins with these bytes.
    #[must_use]
    pub fn starts_with(&self, bytes: &[u8]) -> bool {
        self.bytes.get(self.taken..).is_some_and(|rest| rest.starts_with(bytes))
    }

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// Takes bytes that are no line.
    pub fn skip(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes).min(self.bytes.len());
    }

    /// The next line. `limit` is the most bytes that a line may have, its end not counted.
    pub fn next(&mut self, limit: usize) -> Next<'_> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            let too_long = rest.len() > limit;
            if rest.is_empty() {
                // Idle connections are many: they keep no buffer.
                self.bytes = Vec::new();
                self.taken = 0;
            } else if self.taken > KEPT {
                // Nor may a byte after many lines keep the room of all those.
                self.bytes.drain(..self.taken);
                self.bytes.shrink_to_fit();
                self.taken = 0;
            }
            return if too_long { Next::TooLong } else { Next::Nothing };
        };
        if end > limit {
            return Next::TooLong;
        }
        let start = self.taken;
        self.taken = start.saturating_add(end).saturating_add(1);
        let line = self.bytes.get(start..start.saturating_add(end)).unwrap_or_default();
        Next::Line(line.trim_ascii())
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_and_in_order_however_they_arrive() {
        let mut lines = Lines::default();
        lines.push(b"first\r\nsec");
        assert_eq!(lines.next(10), Next::Line(b"first"));
        assert_eq!(lines.next(10), Next::Nothing);
        lines.push(b"ond \n\nthi");
        assert_eq!(lines.next(10), Next::Line(b"second"));
        assert_eq!(lines.next(10), Next::Line(b""));
        assert_eq!(lines.next(10), Next::Nothing);
        assert_eq!(lines.len(), 3);
        assert!(lines.starts_with(b"th") && !lines.starts_with(b"fi"));
        for byte in b"rd\n" {
            assert_eq!(lines.next(10), Next::Nothing);
            lines.push(&[*byte]);
        }
        assert_eq!(lines.next(10), Next::Line(b"third"));
        assert!(lines.is_empty());
    }

    /// Thousands of connections may each leave a byte behind a burst of lines.
    #[test]
    fn a_part_of_a_line_keeps_no_room_for_those_before() {
        let mut lines = Lines::default();
        lines.push(&[b"0123456789\n".repeat(6000), b"x".to_vec()].concat());
        while let Next::Line(line) = lines.next(100) {
            assert_eq!(line, b"0123456789");
        }
        assert!(lines.bytes.capacity() <= KEPT, "{} bytes kept", lines.bytes.capacity());
        lines.push(b"y\n");
        assert_eq!(lines.next(100), Next::Line(b"xy"));
    }

    #[test]
    fn a_line_over_the_limit_is_noticed_with_and_without_its_end() {
        let mut lines = Lines::default();
        lines.push(b"12345\n123456");
        assert_eq!(lines.next(5), Next::Line(b"12345"));
        assert_eq!(lines.next(5), Next::TooLong);
        lines.push(b"\n");
        assert_eq!(lines.next(5), Next::TooLong);
        assert_eq!(lines.next(6), Next::Line(b"123456"));
    }
}
