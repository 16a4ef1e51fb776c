//! The tally: current rounds, counters, found blocks; a view of the journals in SQLite or Redis.
