//! What left lately, until feedback says what became of it.

use std::collections::VecDeque;

use super::super::probe::ClusterId;
use super::Reported;

/// Feedback that comes later is of no use for an estimate of now.
const LONGEST_US: u64 = 3_000_000;
/// Most packets that are remembered: 3 s of 30 Mbit/s. Far below 65,536, so that a number on the wire
/// names one of them at most.
const MOST: usize = 8_192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    Lost,
    Arrived,
}

/// A packet that left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    /// On the estimator's clock.
    pub(super) sent_us: u64,
    pub(super) bytes: u32,
    pub(super) cluster: Option<ClusterId>,
    fate: Fate,
}

/// What a report says that was not known.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    Arrived {
        packet: Packet,
        arrival_us: u64,
        /// It had been reported lost.
        was_lost: bool,
    },
    Lost(Packet),
}

/// Packets by number, without gaps, bounded by count and age.
#[derive(Debug, Default)]
pub(super) struct History {
    packets: VecDeque<Packet>,
    /// Number of the oldest.
    first: u16,
}

impl History {
    pub(super) fn push(
        &mut self,
        sequence: u16,
        sent_us: u64,
        bytes: u32,
        cluster: Option<ClusterId>,
    ) {
        let expected = self.first.wrapping_add(self.packets.len() as u16);
        if self.packets.is_empty() || sequence != expected {
            self.packets.clear();
            self.first = sequence;
        }
        self.packets.push_back(Packet { sent_us, bytes, cluster, fate: Fate::Unknown });
        while self.packets.len() > MOST
            || self.packets.front().is_some_and(|p| p.sent_us + LONGEST_US < sent_us)
        {
            self.packets.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// Takes what a peer says of a packet: nothing, if it never left, is forgotten, or this was said
    /// before.
    pub(super) fn report(&mut self, report: Reported) -> Option<News> {
        let index = usize::from(report.sequence.wrapping_sub(self.first));
        let packet = self.packets.get_mut(index)?;
        match (report.arrival_us, packet.fate) {
            (Some(arrival_us), fate @ (Fate::Unknown | Fate::Lost)) => {
                packet.fate = Fate::Arrived;
                Some(News::Arrived { packet: *packet, arrival_us, was_lost: fate == Fate::Lost })
            }
            (None, Fate::Unknown) => {
                packet.fate = Fate::Lost;
                Some(News::Lost(*packet))
            }
            _ => None,
        }
    }

    /// How many packets are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }
}
