//! Tests that cannot wait for a processor: real sockets, whose other end goes on. `scripts/test.py` runs them by this
//! module's name, with the priority of the rest.

mod program;
mod shards;
