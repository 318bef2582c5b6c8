//! Crankback: a call that the primary carrier cannot carry goes on through a backup carrier, inside the same call.
//!
//! The map of the house. Rooms know only what stands below them.
//!
//! Doors:
//!
//!
//! Use cases:
//!
//! Edges (everything that waits):
//!
//! Brain (pure, deterministic, `now` is an argument):

