//! What the router does, seen by scripted clients under virtual time.
//!
//! Each module is one behaviour. The clients are str0m peers; nothing here opens a socket, sleeps or
//! reads a clock beyond one starting point.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "the driver is written like a library")]

mod driver;

mod audio_and_video_are_forwarded;
mod closing_ends_a_transport;
mod codecs_are_matched;
mod commands_are_checked;
mod engine_failures_are_isolated;
mod extensions_are_mapped;
mod ice_restarts;
mod key_frame_requests_are_throttled;
mod levels_and_statistics_are_reported;
mod losses_are_repaired;
mod offers_are_checked;
mod pausing_holds_back;
mod rebinding_is_seamless;
mod sender_reports_keep_lip_sync;
mod simulcast_forwards_the_highest;
mod strangers_get_no_reply;
