//! Memory that a process shares with the children it forks.

#![allow(unsafe_code)] // Shared anonymous memory has no safe interface.

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use nix::unistd::ftruncate;
use std::io;
use std::mem::{align_of, needs_drop, size_of};
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// A slice in memory that stays common to this process and every process forked later.
///
/// `T` must consist of atomics only: all processes hold the same bytes, but each has its own heap,
/// so that a pointer stored by one means nothing to another.
#[derive(Debug)]
pub struct Shared<T> {
    first: NonNull<T>,
    length: usize,
    bytes: usize,
}

// SAFETY: it gives out only `&T`, and `new` asks for `T: Sync`.
unsafe impl<T: Sync> Sync for Shared<T> {}
// SAFETY: memory is not tied to a thread; `T: Sync` as above.
unsafe impl<T: Sync> Send for Shared<T> {}

impl<T: Default + Sync + 'static> Shared<T> {
    const PLAIN: () = assert!(!needs_drop::<T>() && align_of::<T>() <= 4096 && size_of::<T>() > 0);

    /// `length` values, each the default.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(length: usize) -> io::Result<Self> {
        let () = Self::PLAIN;
        let bytes = size_of::<T>()
            .checked_mul(length)
            .and_then(NonZeroUsize::new)
            .ok_or_else(|| io::Error::other("shared memory of no size"))?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new anonymous mapping at an address that the kernel chooses touches nothing.
        let start = unsafe { mmap_anonymous(None, bytes, protection, MapFlags::MAP_SHARED) }?;
        let first = start.cast::<T>();
        for index in 0..length {
            // SAFETY: within the mapping just made (length * size bytes), page-aligned, ours alone.
            unsafe { first.add(index).write(T::default()) };
        }
        Ok(Self { first, length, bytes: bytes.get() })
    }
}

impl<const N: usize> Shared<[AtomicU64; N]> {
    /// `length` values of all zeros. Memory is taken up where it was read or written only, so that
    /// a table may be much larger than what is used of it. `name` shows in `/proc`.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn zeroed(name: &str, length: usize) -> io::Result<Self> {
        let bytes = size_of::<[AtomicU64; N]>()
            .checked_mul(length)
            .and_then(NonZeroUsize::new)
            .ok_or_else(|| io::Error::other("shared memory of no size"))?;
        // Of a memory file the kernel sets nothing aside before it is used.
        let file = memfd_create(name, MFdFlags::MFD_CLOEXEC)?;
        ftruncate(&file, i64::try_from(bytes.get()).map_err(io::Error::other)?)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping of a file of ours at an address that the kernel chooses; its bytes
        // are zeros, which is a value of an atomic integer.
        let start = unsafe { mmap(None, bytes, protection, MapFlags::MAP_SHARED, &file, 0) }?;
        Ok(Self { first: start.cast(), length, bytes: bytes.get() })
    }
}

impl<T> Shared<T> {
    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: `new` has initialised `length` values; the mapping lives as long as `self`;
        // other processes change it only through atomics (see the type).
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `new`, with its length; no reference outlives `self`. Other
        // processes keep their own mapping of the memory.
        let _ = unsafe { munmap(self.first.cast(), self.bytes) };
    }
}
