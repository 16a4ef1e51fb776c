//! The table of paths and its description.
