//! Words that go through the same steps side by side: plain arrays, written so that the compiler
//! makes vector instructions of them.

use std::array::from_fn;
use std::ops::{Add, BitAnd, BitOr, BitXor, Not};

/// N words of 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Lanes<const N: usize>(pub(super) [u32; N]);

impl<const N: usize> Lanes<N> {
    /// Every word rotated to the left.
    #[inline(always)]
    pub(super) fn rotl(self, by: u32) -> Self {
        Self(from_fn(|i| self.0[i].rotate_left(by)))
    }

    /// Every word shifted to the left.
    #[inline(always)]
    pub(super) fn shl(self, by: u32) -> Self {
        Self(from_fn(|i| self.0[i] << by))
    }

    /// Word i of the result is word i ^ mask of this.
    #[inline(always)]
    pub(super) fn swap(self, mask: usize) -> Self {
        Self(from_fn(|i| self.0[(i ^ mask) % N]))
    }

    /// Word i of the result is word i + by of this, around the end.
    #[inline(always)]
    pub(super) fn turn(self, by: usize) -> Self {
        Self(from_fn(|i| self.0[(i + by) % N]))
    }
}

impl<const N: usize> Add for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }
}

impl<const N: usize> BitXor for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] ^ other.0[i]))
    }
}

impl<const N: usize> BitAnd for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] & other.0[i]))
    }
}

impl<const N: usize> BitOr for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] | other.0[i]))
    }
}

impl<const N: usize> Not for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Self(from_fn(|i| !self.0[i]))
    }
}
