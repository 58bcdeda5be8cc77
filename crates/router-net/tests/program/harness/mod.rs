//! A router process, a control that speaks the link, and a client with a real socket.

mod call;
mod control;
mod process;

pub use call::{Call, Ways, run_all_until};
pub use control::Control;
pub use process::{Folder, RunningRouter, run_to_end};
