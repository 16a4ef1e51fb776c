//! Which daemon gives the templates.
