//! Everything that one thread counted; tallies of threads add up.

use std::collections::BTreeMap;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{Histogram, Receipt};

/// Different sentences of failure that are kept; more than that would tell nobody more.
const MAX_FAILURES: usize = 32;

/// Packets of one kind.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// Packets that publishers sent, retransmissions not included.
    pub sent: u64,
    /// Their payloads.
    pub sent_bytes: u64,
    /// Packets that subscribers got, whoever sent them.
    pub received: u64,
    /// Their payloads.
    pub received_bytes: u64,
    /// From the stamp to the arrival at the receiver's socket.
    pub latency: Histogram,
}

/// One source at one receiver.
#[derive(Debug, Clone)]
pub struct SourceReceipt {
    /// As in the stamps.
    pub source: u32,
    /// Whether the receiver was there when the source had sent its last packet.
    pub to_the_end: bool,
    /// What came.
    pub receipt: Receipt,
}

/// What one thread counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Members that joined.
    pub joined: u64,
    /// Members that said goodbye and were answered.
    pub left: u64,
    /// Members that ended otherwise, by the sentence that says how.
    pub failures: BTreeMap<String, u64>,
    /// Subscriptions that carried a packet.
    pub subscriptions_started: u64,
    /// Subscriptions that the server refused.
    pub subscriptions_refused: u64,
    /// Subscriptions that never carried a packet although there was time.
    pub subscriptions_silent: u64,
    /// Sockets that were lost, and came back.
    pub sockets_lost: u64,
    /// See `sockets_lost`.
    pub sockets_resumed: u64,
    /// Media transports that were replaced.
    pub media_replaced: u64,
    /// From opening the socket to `joined`.
    pub joining: Histogram,
    /// From opening the socket to a media transport with keys.
    pub connecting: Histogram,
    /// From the request to the first packet of a subscription.
    pub starting: Histogram,
    /// From opening the socket to the first packet of any subscription.
    pub arriving: Histogram,
    /// Audio.
    pub audio: Traffic,
    /// Video.
    pub video: Traffic,
    /// Key frames that publishers sent.
    pub key_frames: u64,
    /// Requests for key frames that publishers got.
    pub key_frame_requests: u64,
    /// Requests for key frames that receivers made.
    pub key_frames_asked_for: u64,
    /// Packets without a stamp: of other programs.
    pub foreign: u64,
    /// Datagrams that were dropped on purpose.
    pub dropped_on_purpose: u64,
    /// Datagrams that the kernel dropped because this program did not read in time.
    pub dropped_unread: u64,
    /// Datagrams that the kernel did not take.
    pub unsent: u64,
    /// How late this program sent what was due.
    pub sending_late: Histogram,
    /// How late this program read what had arrived.
    pub reading_late: Histogram,
    /// Frames that this program left out because it was far too late.
    pub frames_left_out: u64,
    /// How many packets each source sent in all, of those that ended in order.
    pub sources: FxHashMap<u32, u64>,
    /// Audio and video.
    pub receipts: Vec<SourceReceipt>,
}

impl Tally {
    /// A member ended otherwise than by a goodbye.
    pub fn fail(&mut self, sentence: String) {
        if self.failures.len() < MAX_FAILURES || self.failures.contains_key(&sentence) {
            *self.failures.entry(sentence).or_default() += 1;
        } else {
            *self.failures.entry("other failures".into()).or_default() += 1;
        }
    }

    /// Members that ended otherwise than by a goodbye.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: Self) {
        self.joined += other.joined;
        self.left += other.left;
        for (sentence, count) in other.failures {
            *self.failures.entry(sentence).or_default() += count;
        }
        self.subscriptions_started += other.subscriptions_started;
        self.subscriptions_refused += other.subscriptions_refused;
        self.subscriptions_silent += other.subscriptions_silent;
        self.sockets_lost += other.sockets_lost;
        self.sockets_resumed += other.sockets_resumed;
        self.media_replaced += other.media_replaced;
        self.key_frames += other.key_frames;
        self.key_frame_requests += other.key_frame_requests;
        self.key_frames_asked_for += other.key_frames_asked_for;
        self.foreign += other.foreign;
        self.dropped_on_purpose += other.dropped_on_purpose;
        self.dropped_unread += other.dropped_unread;
        self.unsent += other.unsent;
        self.frames_left_out += other.frames_left_out;
        self.joining.merge(&other.joining);
        self.connecting.merge(&other.connecting);
        self.starting.merge(&other.starting);
        self.arriving.merge(&other.arriving);
        self.sending_late.merge(&other.sending_late);
        self.reading_late.merge(&other.reading_late);
        self.audio.merge(&other.audio);
        self.video.merge(&other.video);
        self.sources.extend(other.sources);
        self.receipts.extend(other.receipts);
    }

    /// What all receivers together got of all sources.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        let mut sum = Delivery::default();
        for SourceReceipt { source, to_the_end, receipt } in &self.receipts {
            let sent = self.sources.get(source).copied().filter(|_| *to_the_end);
            sum.expected += receipt.expected(sent);
            sum.lost += receipt.lost(sent);
            sum.duplicates += receipt.duplicates;
            sum.reordered += receipt.reordered;
            sum.longest_gap = sum.longest_gap.max(receipt.longest_gap);
        }
        sum
    }
}

impl Traffic {
    fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.latency.merge(&other.latency);
    }
}

/// See [`Tally::delivery`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Packets that should have come.
    pub expected: u64,
    /// Packets that did not.
    pub lost: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// The longest time for which a receiver got nothing of a source that went on.
    pub longest_gap: Duration,
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn record(source: u32, numbers: std::ops::Range<u64>, to_the_end: bool) -> SourceReceipt {
        let now = Instant::now();
        let mut receipt = Receipt::new(numbers.start, now);
        numbers.skip(1).for_each(|number| {
            receipt.add(number, now);
        });
        SourceReceipt { source, to_the_end, receipt }
    }

    #[test]
    fn a_receiver_that_stayed_misses_what_was_sent_last_and_one_that_left_does_not() {
        let mut sender = Tally { sources: [(1, 100)].into_iter().collect(), ..Tally::default() };
        let receivers = Tally {
            receipts: vec![record(1, 0..90, true), record(1, 10..40, false), record(2, 0..5, true)],
            ..Tally::default()
        };
        sender.merge(receivers);
        let delivery = sender.delivery();
        assert_eq!((delivery.expected, delivery.lost), (100 + 30 + 5, 10));
    }

    #[test]
    fn different_failures_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..1_000 {
            tally.fail(format!("failure {number}"));
        }
        tally.fail("failure 0".into());
        assert_eq!(tally.failed(), 1_001);
        assert_eq!(tally.failures.len(), MAX_FAILURES + 1);
    }
}
