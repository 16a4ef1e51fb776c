//! The operating system: fork, signals, descriptors, memory files, limits, clocks. The only
//! folder with `unsafe`; each site is listed here and carries its reason.
