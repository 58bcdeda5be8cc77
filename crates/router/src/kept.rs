//! Packets of an encoding that somebody waits for and could not begin with: kept, because the one with which one
//! begins may only have been lost, and comes late when it is sent again. Then those who wait begin with it and get what
//! followed at once. Without this they would wait for another key frame, at a loss of a third of a second or more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::fanout::{Arrived, Group};
use crate::ids::{Mid, TransportId};
use crate::layers::Encodings;
use crate::line::Incoming;
use crate::router::Router;

/// Packets; what follows the beginning of a large key frame while it is asked for again.
const MOST: usize = 128;
/// What would come later than this after it was sent is of less use than the next key frame.
const LONGEST: Duration = Duration::from_millis(400);

/// Whether what came was kept for somebody who waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Part {
    /// It was not.
    #[default]
    None,
    /// A beginning that comes late; all that followed it was kept and comes next.
    Beginning,
    /// It followed such a beginning, and all who do not wait have it.
    Following,
}

/// In the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    packets: VecDeque<(Instant, Incoming)>,
    /// Of what came after this one nothing is missing here.
    after: u64,
}

impl Kept {
    /// Somebody waits and could not begin with this.
    fn push(&mut self, at: Instant, incoming: &Incoming) {
        let number = incoming.packet.sequence_number;
        let goes_on = self.packets.back().is_some_and(|(_, kept)| {
            kept.packet.ssrc == incoming.packet.ssrc
                && (incoming.is_late || kept.packet.sequence_number == incoming.newest_before)
        });
        if !goes_on {
            self.packets.clear();
            self.after = incoming.newest_before;
        }
        if number <= self.after {
            return;
        }
        let place = self.packets.partition_point(|(_, kept)| kept.packet.sequence_number < number);
        self.packets.insert(place, (at, incoming.clone()));
        while self.packets.len() > MOST
            || self.packets.front().is_some_and(|(kept_at, _)| at >= *kept_at + LONGEST)
        {
            let Some((_, left)) = self.packets.pop_front() else { break };
            self.after = left.packet.sequence_number;
        }
    }

    /// What followed packet `number` of a source, if something did and all of it was kept.
    fn following(&mut self, ssrc: u32, number: u64) -> VecDeque<(Instant, Incoming)> {
        let Self { mut packets, after } = std::mem::take(self);
        let is_of_source = packets.front().is_some_and(|(_, kept)| kept.packet.ssrc == ssrc);
        if number <= after || !is_of_source {
            return VecDeque::new();
        }
        packets.retain(|(_, kept)| kept.packet.sequence_number > number);
        packets
    }
}

/// Of encodings that somebody waits for these packets are kept; of others nothing is any more.
pub(crate) fn keep<'k>(
    kept: impl Iterator<Item = (u8, &'k mut Kept)>,
    awaited: Encodings,
    group: Group<'_>,
) {
    for (encoding, kept) in kept {
        if !awaited.has(encoding) {
            if !kept.packets.is_empty() {
                *kept = Kept::default();
            }
            continue;
        }
        for Arrived { at, incoming, .. } in group.packets() {
            // Where layers can be inside, a late one may be of a structure that is over.
            let is_simple = matches!(incoming.format.codec(), Codec::Vp8 | Codec::H264);
            if incoming.encoding == encoding && is_simple && incoming.part == Part::None {
                kept.push(*at, incoming);
            }
        }
    }
}

impl Router {
    /// A packet is to be handed on; if it begins a key frame late, those who wait begin with it if all that followed
    /// was kept, which is handed on after it.
    pub(crate) fn hand_on_in_order(&mut self, mut arrived: Arrived) {
        let Incoming { is_late, frame, encoding, ref packet, .. } = arrived.incoming;
        if !is_late || !frame.starts_key_frame {
            self.hand_on(arrived);
            return;
        }
        let (at, publisher, kind) = (arrived.at, arrived.publisher, arrived.kind);
        let (mid, ssrc, number) = (packet.mid, packet.ssrc, packet.sequence_number);
        // What came with it may be to be kept.
        self.fan_out();
        let following = if self.is_local(publisher) {
            self.following_of_local((publisher, mid, encoding), ssrc, number)
        } else {
            let kept = self.kept_of_remote((publisher, mid), encoding);
            kept.map(|kept| kept.following(ssrc, number)).unwrap_or_default()
        };
        if !following.is_empty() {
            arrived.incoming.part = Part::Beginning;
        }
        self.hand_on(arrived);
        for (_, incoming) in following {
            // How long it was kept is not the time that the router takes.
            let incoming = Incoming { part: Part::Following, received: None, ..incoming };
            self.hand_on(Arrived { at, publisher, kind, incoming });
        }
    }

    fn following_of_local(
        &mut self,
        (publisher, mid, encoding): (TransportId, Mid, u8),
        ssrc: u32,
        number: u64,
    ) -> VecDeque<(Instant, Incoming)> {
        let track = self.transports.get_mut(&publisher).and_then(|t| t.track_mut(mid));
        let encoding = track.and_then(|t| t.encodings.get_mut(usize::from(encoding)));
        let Some(encoding) = encoding else {
            return VecDeque::new();
        };
        let following = encoding.kept.following(ssrc, number);
        if !following.is_empty() {
            encoding.throttle.key_frame_started();
        }
        following
    }
}
