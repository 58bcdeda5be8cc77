//! What left lately, until feedback says what became of it.

use std::collections::VecDeque;

use super::super::probe::ClusterId;
use super::Reported;

/// Feedback that comes later is of no use for an estimate of now.
const LONGEST_US: u64 = 3_000_000;
/// How often the oldest are looked at: they are in no cache.
const LOOK_US: u64 = 50_000;
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
    pub(super) sequence: u16,
    /// On the estimator's clock.
    pub(super) sent_us: u64,
    pub(super) bytes: u32,
    pub(super) cluster: Option<ClusterId>,
}

/// The same in twelve bytes: there are thousands of it, and each is written and read once.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Lower bits of when it left.
    sent_us: u32,
    /// Of the probe that it belongs to, if it does.
    cluster: u32,
    bytes: u16,
    fate: Fate,
    is_probe: bool,
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
    packets: VecDeque<Entry>,
    /// Number of the oldest.
    first: u16,
    /// When the newest left.
    newest_us: u64,
    /// When the oldest are looked at again.
    look_at_us: u64,
}

impl History {
    #[inline]
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
        // After a pause the lower bits of their times do not tell how old they are.
        if sent_us.saturating_sub(self.newest_us) > LONGEST_US {
            self.packets.clear();
            self.first = sequence;
        }
        self.newest_us = self.newest_us.max(sent_us);
        self.packets.push_back(Entry {
            sent_us: sent_us as u32,
            cluster: cluster.map_or(0, |ClusterId(id)| id),
            // Datagrams are smaller.
            bytes: u16::try_from(bytes).unwrap_or(u16::MAX),
            fate: Fate::Unknown,
            is_probe: cluster.is_some(),
        });
        if self.packets.len() > MOST {
            self.drop_oldest();
        }
        if self.newest_us >= self.look_at_us {
            self.look_at_us = self.newest_us + LOOK_US;
            while self.packets.front().is_some_and(|p| age_us(self.newest_us, p) > LONGEST_US) {
                self.drop_oldest();
            }
        }
    }

    fn drop_oldest(&mut self) {
        self.packets.pop_front();
        self.first = self.first.wrapping_add(1);
    }

    /// Reads what the next [`Self::push`] is about to read.
    pub(super) fn look_at(&self) -> u64 {
        let last = self.packets.back().map_or(0, |entry| u64::from(entry.sent_us));
        last ^ self.newest_us ^ self.look_at_us
    }

    /// Takes what a peer says of a packet: nothing, if it never left, is forgotten, or this was said
    /// before.
    pub(super) fn report(&mut self, report: Reported) -> Option<News> {
        let index = usize::from(report.sequence.wrapping_sub(self.first));
        let entry = self.packets.get_mut(index)?;
        let packet = Packet {
            sequence: report.sequence,
            sent_us: self.newest_us - age_us(self.newest_us, entry),
            bytes: entry.bytes.into(),
            cluster: entry.is_probe.then_some(ClusterId(entry.cluster)),
        };
        match (report.arrival_us, entry.fate) {
            (Some(arrival_us), fate @ (Fate::Unknown | Fate::Lost)) => {
                entry.fate = Fate::Arrived;
                Some(News::Arrived { packet, arrival_us, was_lost: fate == Fate::Lost })
            }
            (None, Fate::Unknown) => {
                entry.fate = Fate::Lost;
                Some(News::Lost(packet))
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

/// How long before `newest_us` a packet left.
fn age_us(newest_us: u64, packet: &Entry) -> u64 {
    u64::from((newest_us as u32).wrapping_sub(packet.sent_us)).min(newest_us)
}
