//! What arrived: packets counted by their numbers, times kept in histograms. Pure.

mod histogram;
mod receipt;
mod tally;

pub use histogram::Histogram;
pub use receipt::Receipt;
pub use tally::{Delivery, SourceReceipt, Tally, Traffic};
