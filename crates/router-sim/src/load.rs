//! How much is sent to one peer over a narrow link: after a while no more than it carries, or control
//! was told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::wire::Heard;

/// How long more may be sent than the link carries.
const PATIENCE: Duration = Duration::from_secs(7);
/// So many looks, of half a second each, are taken together.
const LOOKS: usize = 4;
const SECONDS: f64 = 2.0;
/// The router never takes a link for narrower, in bit/s: sound needs that.
const NARROWEST: u64 = 40_000;
/// So much more of new media than the link carries may be sent, as a part and in bytes: key frames, and
/// what is sent until the next look.
const MARGIN: f64 = 2.0;
const BEYOND: f64 = 6_000.0;
/// What is repeated and what probes takes no more bytes in as much time: some probes, and what is repeated before
/// it is known that repeats do not come.
const REPEATS: u64 = 200_000;

/// Bytes, headers of UDP and IP included.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    media: u64,
    repeats: u64,
}

/// Of one peer.
#[derive(Debug, Default)]
pub(crate) struct Load {
    sent: Sent,
    former: VecDeque<Sent>,
    /// Since when too much has been sent, and nobody was told.
    overfilled_since: Option<Instant>,
}

impl Load {
    /// A datagram leaves for the peer.
    pub(crate) fn note(&mut self, heard: &Heard, bytes: usize) {
        let Heard::Media(packet) = heard else { return };
        let sum = if packet.is_repeated { &mut self.sent.repeats } else { &mut self.sent.media };
        *sum += bytes as u64 + 28;
    }

    /// Half a second is over, and the link carries so many bit/s; none: everything, or nothing.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        narrow_bps: Option<u64>,
        is_told: bool,
    ) -> Result<(), String> {
        if self.former.len() == LOOKS {
            self.former.pop_front();
        }
        self.former.push_back(std::mem::take(&mut self.sent));
        let sum = |part: fn(&Sent) -> u64| self.former.iter().map(part).sum::<u64>();
        let (media, repeats) = (sum(|s| s.media), sum(|s| s.repeats));
        let overfilled = narrow_bps.filter(|bps| {
            let most = SECONDS * (*bps).max(NARROWEST) as f64 / 8.0 * MARGIN + BEYOND;
            !is_told && media as f64 > most
        });
        if narrow_bps.is_some() && repeats > REPEATS {
            return Err(format!(
                "{repeats} bytes of repeats left in two seconds for {narrow_bps:?} bit/s"
            ));
        }
        let Some(bps) = overfilled else {
            self.overfilled_since = None;
            return Ok(());
        };
        let since = *self.overfilled_since.get_or_insert(now);
        if now.saturating_duration_since(since) < PATIENCE {
            return Ok(());
        }
        Err(format!(
            "a link of {bps} bit/s has been overfilled for {PATIENCE:?}, lately with {media} bytes of \
             media and {repeats} of repeats in two seconds; nobody was told that it is too narrow"
        ))
    }
}
