//! Memory that a process shares with the children it forks, and with whoever is given its file.

#![allow(unsafe_code)] // Shared memory has no safe interface.

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;
use std::io;
use std::mem::{align_of, needs_drop, size_of};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// A slice in memory that stays common to this process, every process forked later, and those that
/// attach its file.
///
/// `T` must consist of atomics only: all processes hold the same bytes, but each has its own heap,
/// so that a pointer stored by one means nothing to another.
#[derive(Debug)]
pub struct Shared<T> {
    first: NonNull<T>,
    length: usize,
    bytes: NonZeroUsize,
    file: OwnedFd,
}

// SAFETY: it gives out only `&T`, and `new` asks for `T: Sync`.
unsafe impl<T: Sync> Sync for Shared<T> {}
// SAFETY: memory is not tied to a thread; `T: Sync` as above.
unsafe impl<T: Sync> Send for Shared<T> {}

impl<T: Default + Sync + 'static> Shared<T> {
    /// `length` values, each the default. `name` shows in `/proc`.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(name: &str, length: usize) -> io::Result<Self> {
        let shared = Self::made(name, length)?;
        for index in 0..length {
            // SAFETY: within the mapping just made (length * size bytes), page-aligned, ours alone.
            unsafe { shared.first.add(index).write(T::default()) };
        }
        Ok(shared)
    }
}

impl<const N: usize> Shared<[AtomicU64; N]> {
    /// `length` values of all zeros. Memory is taken up where it was read or written only, so that
    /// a table may be much larger than what is used of it. `name` shows in `/proc`.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn zeroed(name: &str, length: usize) -> io::Result<Self> {
        Self::made(name, length)
    }
}

impl<T: Sync + 'static> Shared<T> {
    const PLAIN: () = assert!(!needs_drop::<T>() && align_of::<T>() <= 4096 && size_of::<T>() > 0);

    /// What another process has made with as many values of the same kind, by its file.
    ///
    /// # Errors
    /// When the file has another size.
    pub fn attach(file: OwnedFd, length: usize) -> io::Result<Self> {
        let size = usize::try_from(fstat(&file)?.st_size).map_err(io::Error::other)?;
        if size != Self::bytes(length)?.get() {
            return Err(io::Error::other("shared memory of another shape"));
        }
        Self::map(file, length)
    }

    fn bytes(length: usize) -> io::Result<NonZeroUsize> {
        let bytes = size_of::<T>().checked_mul(length).and_then(NonZeroUsize::new);
        bytes.ok_or_else(|| io::Error::other("shared memory of no size"))
    }

    /// A new memory file of zeros: of one the kernel sets nothing aside before it is used.
    fn made(name: &str, length: usize) -> io::Result<Self> {
        let file = memfd_create(name, MFdFlags::MFD_CLOEXEC)?;
        let bytes = Self::bytes(length)?.get();
        ftruncate(&file, i64::try_from(bytes).map_err(io::Error::other)?)?;
        Self::map(file, length)
    }

    fn map(file: OwnedFd, length: usize) -> io::Result<Self> {
        let () = Self::PLAIN;
        let bytes = Self::bytes(length)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses, of a memory file of just
        // that size; any bytes are values of atomic integers, of which `T` consists.
        let start = unsafe { mmap(None, bytes, protection, MapFlags::MAP_SHARED, &file, 0) }?;
        Ok(Self { first: start.cast(), length, bytes, file })
    }
}

impl<T> Shared<T> {
    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: the mapping has `length` values and lives as long as `self`; other processes change
        // it only through atomics (see the type).
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl<T> AsFd for Shared<T> {
    /// Its file, for another process to attach.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `map`, with its length; no reference outlives `self`. Other
        // processes keep their own mapping of the memory.
        let _ = unsafe { munmap(self.first.cast(), self.bytes.get()) };
    }
}
