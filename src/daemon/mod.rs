//! Coin daemons over JSON-RPC: one client, typed calls, several daemons as one.
