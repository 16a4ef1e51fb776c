//! Randomness that nobody can guess, from the kernel.

use std::fs::File;
use std::io::{self, Read};

/// That many random bytes.
///
/// # Errors
/// When the kernel gives none: `/dev` is missing.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn no_two_are_equal() {
        assert_ne!(super::bytes::<32>().unwrap(), super::bytes::<32>().unwrap());
    }
}
