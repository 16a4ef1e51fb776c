//! The bookkeeper role.
