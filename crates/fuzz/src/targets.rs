//! What is fuzzed, and what must hold whatever comes.

mod datagrams;
mod dependencies;
mod descriptors;
mod link;
mod offers;
mod plane;
mod rtcp;
mod rtp;
mod sealed;
mod srtp;
mod tcp;

use crate::mutation::Structure;

/// Tries one input; an error is what should not have happened.
pub(crate) type Check = Box<dyn FnMut(&[u8]) -> Result<(), String>>;

/// One parser and everything behind it.
#[derive(Debug)]
pub struct Target {
    /// Names the folder of its corpus, too.
    pub name: &'static str,
    /// What its inputs are made of.
    pub(crate) structure: Structure,
    /// Real inputs, besides the corpus.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Begins with a fresh state.
    pub(crate) start: fn() -> Check,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    datagrams::TARGET,
    sealed::TARGET,
    plane::TARGET,
    tcp::TARGET,
    offers::TARGET,
    link::TARGET,
    descriptors::TARGET,
    dependencies::TARGET,
    rtp::TARGET,
    rtcp::TARGET,
    srtp::TARGET,
];
