//! The operating system: fork, signals, descriptors, memory files, limits, clocks, the log.
//!
//! The only folder with `unsafe`. Every site:
//!
//! | file | what | why it is sound |
//! |---|---|---|
//! | `clock.rs` | `clock_gettime` | writes one `timespec` that we own |
//! | `cpu.rs` | calls of functions for AVX2 and AVX-512 | the processor was asked for them |
//! | `descriptors.rs` | `OwnedFd::from_raw_fd` | descriptors that `recvmsg` has just made for us |
//! | `fork.rs` | `fork` | only with one thread, all signals blocked |
//! | `signals.rs` | `signal(SIGPIPE, SIG_DFL)`, `signal(SIGXFSZ, SIG_IGN)` | no handler of ours, before any thread |
//! | `shared.rs` | `mmap` and references into it | memory files of ours, shared, of atomics only, never unmapped while borrowed |
//! | `systemd.rs` | `BorrowedFd::borrow_raw`, `OwnedFd::from_raw_fd` | descriptors that systemd announced to this process, taken once, before it has any of its own |

pub mod clock;
pub mod cpu;
pub mod descriptors;
pub mod failpoint;
pub mod fork;
pub mod holder;
pub mod limits;
pub mod log;
pub mod memfd;
pub mod privileges;
pub mod process;
pub mod random;
pub mod room;
pub mod shared;
pub mod signals;
mod stderr;
pub mod systemd;
pub mod terminal;
