//! The templates role.
