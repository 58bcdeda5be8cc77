//! A router process, a control that speaks the link, and a client with a real socket.

mod call;
mod control;
mod process;

use std::time::Duration;

/// How long anything is waited for: many times what it takes, as other programs may want the processors.
const PATIENCE: Duration = Duration::from_secs(30);

pub use call::{Call, Ways, run_all_until};
pub use control::Control;
pub use process::{Folder, RunningRouter, run_to_end};
