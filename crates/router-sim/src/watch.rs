//! What must hold, whatever happens.
//!
//! - A subscriber's line carries packets of the source that it is bound to, and of nobody else; nothing
//!   new while it is paused, nothing at all when it is free, what is sent again included.
//!   What redundant audio repeats is no exception.
//! - No sequence number of a line is used for two packets; those of a binding follow those before, and
//!   packets of one source leave in its order.
//! - Timestamps of a binding begin where it was promised, after all before.
//! - What is bound to a live source gets media in time, or control was told why not.
//!
//! That no index of SRTP and SRTCP is used twice, and that all can be opened: [`crate::witness`].
//! That nothing outlives its transport is checked at the end of a run.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use tertulia_router_core::{Kind, Mid, TransportId};

use crate::wire::{Mark, Packet};

/// How long a live audio source may be silent for a subscriber: fifteen packets.
const AUDIO_PATIENCE: Duration = Duration::from_secs(3);
/// The same of video: a request and a key frame may be lost, and are asked for every half second.
const VIDEO_PATIENCE: Duration = Duration::from_secs(8);

/// A slot line of a subscriber.
pub(crate) type LineKey = (TransportId, Mid);

/// A binding of one line, as control knows it.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The publisher's line.
    pub(crate) source: u32,
    pub(crate) is_paused: bool,
    /// Since when media is due: the binding, or the end of a pause.
    pub(crate) since: Instant,
    /// Control was told that the subscriber cannot have it.
    pub(crate) is_unsupported: bool,
    /// Control was told that its network does not bear it.
    pub(crate) is_left_out: bool,
    last_media: Option<Instant>,
    first_sequence: u64,
    promised: Option<u32>,
    newest_before: Option<u32>,
    earliest: Option<u32>,
    /// What left of the source that is forwarded now, by its own numbers.
    run: (u32, BTreeMap<u64, Left>),
}

#[derive(Debug, Clone, Copy)]
struct Left {
    sequence_number: u64,
    timestamp_in: u32,
    timestamp_out: u32,
}

#[derive(Debug, Default)]
struct Line {
    sent: BTreeMap<u64, Mark>,
    newest_timestamp: Option<u32>,
    binding: Option<Watched>,
}

/// Watches every slot line of a run.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    lines: HashMap<LineKey, Line>,
}

type Verdict = Result<(), String>;

impl Watch {
    pub(crate) fn bind(&mut self, key: LineKey, source: u32, is_paused: bool, now: Instant) {
        let line = self.lines.entry(key).or_default();
        line.binding = Some(Watched {
            source,
            is_paused,
            since: now,
            is_unsupported: false,
            is_left_out: false,
            last_media: None,
            first_sequence: line.sent.last_key_value().map_or(0, |(number, _)| number + 1),
            promised: None,
            newest_before: line.newest_timestamp,
            earliest: None,
            run: (0, BTreeMap::new()),
        });
    }

    pub(crate) fn unbind(&mut self, key: LineKey) {
        if let Some(line) = self.lines.get_mut(&key) {
            line.binding = None;
        }
    }

    /// The transport has ended.
    pub(crate) fn forget(&mut self, transport: TransportId) {
        self.lines.retain(|(of, _), _| *of != transport);
    }

    pub(crate) fn binding(&mut self, key: LineKey) -> Option<&mut Watched> {
        self.lines.get_mut(&key)?.binding.as_mut()
    }

    /// The router promised the first timestamp of a binding.
    pub(crate) fn promise(&mut self, key: LineKey, first: u32) -> Verdict {
        let Some(binding) = self.binding(key) else { return Ok(()) };
        binding.promised = Some(first);
        if let Some(before) = binding.newest_before.filter(|before| !is_before(*before, first)) {
            return Err(format!(
                "the binding of {key:?} was promised to begin at timestamp {first}, which is not \
                 after {before}, where the one before ended"
            ));
        }
        match binding.earliest.filter(|earliest| is_before(*earliest, first)) {
            Some(earliest) => Err(before_promise(key, earliest, first)),
            None => Ok(()),
        }
    }

    /// A media packet left the router for a subscriber.
    pub(crate) fn media(&mut self, key: LineKey, packet: &Packet, now: Instant) -> Verdict {
        let Some(mark) = packet.mark else {
            return Err(format!("{key:?} carries a packet that nobody sent"));
        };
        let number = packet.sequence_number;
        let Some(line) = self.lines.get_mut(&key) else {
            return Err(format!(
                "{key:?} was never bound and carries a packet of line {}",
                mark.line
            ));
        };
        let Some(binding) = &mut line.binding else {
            return Err(format!("{key:?} is free and carries a packet of line {}", mark.line));
        };
        if binding.source != mark.line {
            return Err(format!(
                "{key:?} is bound to line {} and carries a packet of line {}",
                binding.source, mark.line
            ));
        }
        if number < binding.first_sequence {
            return Err(format!("{key:?} carries {number}, a number of the binding before"));
        }
        for (number, former) in &packet.former {
            let is_of_the_binding = *number >= binding.first_sequence;
            if !is_of_the_binding || *former != line.sent.get(number).copied() {
                return Err(format!("{key:?} repeats {number} as {former:?} in redundant audio"));
            }
        }
        if packet.is_repeated {
            return match line.sent.get(&number) {
                Some(former) if *former == mark => Ok(()),
                other => Err(format!("{key:?} repeats {number} as {mark:?}, and it was {other:?}")),
            };
        }
        if binding.is_paused {
            return Err(format!("{key:?} is paused and carries a packet of line {}", mark.line));
        }
        if let Some(former) = line.sent.insert(number, mark) {
            return Err(format!("{key:?} uses {number} for {former:?} and for {mark:?}"));
        }
        let out = packet.timestamp;
        if let Some(first) = binding.promised.filter(|first| is_before(out, *first)) {
            return Err(before_promise(key, out, first));
        }
        if binding.earliest.is_none_or(|earliest| is_before(out, earliest)) {
            binding.earliest = Some(out);
        }
        if binding.run.0 != mark.ssrc {
            binding.run = (mark.ssrc, BTreeMap::new());
            if let Some(newest) = line.newest_timestamp.filter(|newest| is_before(out, *newest)) {
                return Err(format!(
                    "{key:?}: the timestamp goes back from {newest} to {out} at another source"
                ));
            }
        }
        let left =
            Left { sequence_number: number, timestamp_in: mark.timestamp, timestamp_out: out };
        in_order(&binding.run.1, mark.sequence_number, left)
            .map_err(|e| format!("{key:?}: {e}"))?;
        binding.run.1.insert(mark.sequence_number, left);
        binding.last_media = Some(now);
        if line.newest_timestamp.is_none_or(|newest| is_before(newest, out)) {
            line.newest_timestamp = Some(out);
        }
        Ok(())
    }

    /// Media has been due on a line since `due`: it must have come by now.
    pub(crate) fn is_served(
        &mut self,
        key: LineKey,
        kind: Kind,
        due: Instant,
        now: Instant,
    ) -> Verdict {
        let Some(binding) = self.binding(key) else { return Ok(()) };
        let patience = if kind == Kind::Audio { AUDIO_PATIENCE } else { VIDEO_PATIENCE };
        let since = binding.last_media.map_or(due, |last| last.max(due)).max(binding.since);
        let waited = now.saturating_duration_since(since);
        if binding.is_paused || binding.is_left_out || waited <= patience {
            return Ok(());
        }
        Err(format!(
            "{key:?} is bound to line {}, which is live, and has carried no {kind} for {:.1} s; \
             nobody was told why",
            binding.source,
            waited.as_secs_f64()
        ))
    }
}

/// Whether a packet of a source stands where its number says, among those that left before.
fn in_order(run: &BTreeMap<u64, Left>, number: u64, left: Left) -> Verdict {
    let before = run.range(..number).next_back().map(|(n, l)| (*n, *l));
    let after = run.range(number..).next().map(|(n, l)| (*n, *l));
    for (first, second) in [(before, Some((number, left))), (Some((number, left)), after)] {
        let (Some((a, first)), Some((b, second))) = (first, second) else { continue };
        if first.sequence_number >= second.sequence_number {
            return Err(format!(
                "packets {a} and {b} of one source left as {} and {}",
                first.sequence_number, second.sequence_number
            ));
        }
        let is_back = is_before(second.timestamp_out, first.timestamp_out);
        if is_back && !is_before(second.timestamp_in, first.timestamp_in) {
            return Err(format!(
                "packets {a} and {b} of one source left with timestamps {} and {}",
                first.timestamp_out, second.timestamp_out
            ));
        }
    }
    Ok(())
}

fn before_promise(key: LineKey, timestamp: u32, first: u32) -> String {
    format!("{key:?} carries timestamp {timestamp}; its binding was promised to begin at {first}")
}

/// Whether `a` is earlier than `b` (mod 2^32).
fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}
