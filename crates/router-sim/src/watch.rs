//! What must hold, whatever happens.
//!
//! - A subscriber's line carries packets of the source that it is bound to, and of nobody else; nothing
//!   new while it is paused, nothing at all when it is free, what is sent again included.
//!   What redundant audio repeats is no exception.
//! - No sequence number of a line is used for two packets; those of a binding follow those before, and
//!   packets of one source leave in its order.
//! - Timestamps of a binding begin where it was promised, after all before.
//! - Of sound nothing is missing that came, and no number that its source had not.
//! - What is bound to a live source gets media in time, or control was told why not; and on a good
//!   network the best of it, if its subscriber wishes for nothing less.
//! - What is left out for its subscriber's network carries nothing, and is back when there is room.
//! - An audio slot carries the stream that control was told of, and nobody else. Who hears the loudest
//!   only hears somebody, and hears no seam.
//!
//! That a narrow link is not overfilled: [`crate::load`].
//! That no frame leaves without the one that it needs: [`crate::pictures`].
//! That no index of SRTP and SRTCP is used twice, and that all can be opened: [`crate::witness`].
//! That nothing outlives its transport is checked at the end of a run.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use tertulia_router_core::{Kind, Mid, TransportId};

use crate::sound::Sound;
use crate::stream::Best;
use crate::wire::{Mark, Packet};

/// How long a live audio source may be silent for a subscriber: fifteen packets.
const AUDIO_PATIENCE: Duration = Duration::from_secs(3);
/// The same of video: a request and a key frame may be lost, and are asked for every half second.
const VIDEO_PATIENCE: Duration = Duration::from_secs(11);

/// How long a video may stay left out on a link that carries everything again.
const BACK_PATIENCE: Duration = Duration::from_secs(20);

/// How long a subscriber may wait for the best picture of a source, and miss it meanwhile.
const BEST_PATIENCE: Duration = Duration::from_secs(8);
const BEST_MISSED: Duration = Duration::from_secs(3);
/// How long a size may rest that somebody wishes for.
const REST_PATIENCE: Duration = Duration::from_secs(5);
/// The same where nothing but wishes changes.
const STILL_BEST_PATIENCE: Duration = Duration::from_secs(4);
const STILL_REST_PATIENCE: Duration = Duration::from_millis(1_500);
/// What left so lately flows: a picture comes every 200 ms.
const FLOWING: Duration = Duration::from_millis(500);
/// A video is left out after five seconds; one that was sent for longer, and is so much later still sent, fitted.
const BEFORE_LEFT_OUT: Duration = Duration::from_secs(6);
const AFTER_LEFT_OUT: Duration = Duration::from_secs(3);

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
    /// It is never left out for its subscriber's network.
    pub(crate) is_kept: bool,
    /// Control knows that its network may not bear it.
    pub(crate) is_warned: bool,
    /// Since when control knows that its network does not bear it.
    pub(crate) left_out_since: Option<Instant>,
    /// How often it was left out.
    pub(crate) times_left_out: u32,
    last_media: Option<Instant>,
    first_sequence: u64,
    promised: Option<u32>,
    newest_before: Option<u32>,
    earliest: Option<u32>,
    /// What left of the source that is forwarded now, by its own numbers.
    run: (u32, BTreeMap<u64, Left>),
    /// When it last carried what is wished for.
    best_at: Option<Instant>,
    /// From this number of the source on everything is to leave that comes.
    whole_from: Option<(u64, Instant)>,
}

impl Watched {
    /// Media is due from now on.
    pub(crate) fn begin(&mut self, now: Instant) {
        (self.since, self.whole_from) = (now, None);
    }
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

/// Somebody who hears the loudest only.
#[derive(Debug)]
struct Listener {
    /// The audio slots, and what each carries.
    seats: HashMap<Mid, Option<Turn>>,
    /// When something came on one of them, or it began to listen.
    last: Instant,
}

/// What control was told of an audio slot.
#[derive(Debug, Clone, Copy)]
struct Turn {
    line: u32,
    first_timestamp: u32,
    first_sequence: u64,
}

/// Watches every slot line of a run.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    lines: HashMap<LineKey, Line>,
    listeners: HashMap<TransportId, Listener>,
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
            is_kept: false,
            is_warned: false,
            left_out_since: None,
            times_left_out: 0,
            last_media: None,
            first_sequence: line.sent.last_key_value().map_or(0, |(number, _)| number + 1),
            promised: None,
            newest_before: line.newest_timestamp,
            earliest: None,
            best_at: None,
            run: (0, BTreeMap::new()),
            whole_from: None,
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
        self.listeners.remove(&transport);
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

    /// A media packet left the router for a subscriber. `sound` is what came to its shard.
    pub(crate) fn media(
        &mut self,
        key: LineKey,
        packet: &Packet,
        now: Instant,
        sound: &Sound,
    ) -> Verdict {
        let Some(mark) = packet.mark else {
            return Err(format!("{key:?} carries a packet that nobody sent"));
        };
        let number = packet.sequence_number;
        if self.listeners.get(&key.0).is_some_and(|one| one.seats.contains_key(&key.1)) {
            return self.heard(key, packet, mark, now);
        }
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
        if binding.left_out_since.is_some() {
            return Err(format!("{key:?} is left out and carries a packet of line {}", mark.line));
        }
        if self.listeners.contains_key(&key.0) && packet.is_audio {
            return Err(format!("{key:?} is heard by its loudness only, and not on its pair"));
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
            binding.whole_from = None;
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
        if packet.is_audio {
            let first = *binding.whole_from.get_or_insert((mark.sequence_number, now));
            let shard = usize::from(key.0.shard().0);
            let mut came = sound.before(shard, mark.ssrc, first, mark.sequence_number);
            if let Some(missing) = came.find(|number| !binding.run.1.contains_key(number)) {
                return Err(format!(
                    "{key:?} carries packet {} of line {}, and not {missing}, which came",
                    mark.sequence_number, mark.line
                ));
            }
        }
        binding.last_media = Some(now);
        if line.newest_timestamp.is_none_or(|newest| is_before(newest, out)) {
            line.newest_timestamp = Some(out);
        }
        Ok(())
    }

    /// A transport hears the loudest on these lines; none: it hears everybody.
    pub(crate) fn listen(&mut self, transport: TransportId, mids: Vec<Mid>, now: Instant) {
        if mids.is_empty() {
            self.listeners.remove(&transport);
        } else {
            let seats = mids.into_iter().map(|mid| (mid, None)).collect();
            self.listeners.insert(transport, Listener { seats, last: now });
        }
        let lines = self.lines.iter_mut().filter(|((of, _), _)| *of == transport);
        for binding in lines.filter_map(|(_, line)| line.binding.as_mut()) {
            binding.begin(now);
        }
    }

    /// Control was told that an audio slot carries this line, from this timestamp on; or nothing.
    pub(crate) fn seat(&mut self, key: LineKey, carried: Option<(u32, u32)>) -> Verdict {
        let Some(listener) = self.listeners.get_mut(&key.0) else {
            // The slots went away, and with them what they carried.
            return match carried {
                None => Ok(()),
                Some(_) => Err(format!("{key:?} is no audio slot and was told to carry something")),
            };
        };
        let line = self.lines.entry(key).or_default();
        let first_sequence = line.sent.last_key_value().map_or(0, |(number, _)| number + 1);
        let turn =
            carried.map(|(line, first_timestamp)| Turn { line, first_timestamp, first_sequence });
        listener.seats.insert(key.1, turn);
        match turn.zip(line.newest_timestamp) {
            Some((turn, newest)) if !is_before(newest, turn.first_timestamp) => Err(format!(
                "a turn of {key:?} was promised to begin at timestamp {}, which is not after {newest}",
                turn.first_timestamp
            )),
            _ => Ok(()),
        }
    }

    /// Whether control knows that a subscriber's network does not bear something, or may not, or wants
    /// something sent whatever it bears.
    pub(crate) fn is_told_of_narrowness(&self, transport: TransportId) -> bool {
        let mut all = self.lines.iter().filter(|((of, _), _)| *of == transport);
        all.any(|(_, line)| {
            let binding = line.binding.as_ref();
            binding.is_some_and(|b| b.is_kept || b.is_warned || b.left_out_since.is_some())
        })
    }

    /// Since `due` the best of a source could come, and has been wished for: it must come by now, or come back.
    pub(crate) fn is_best(
        &mut self,
        key: LineKey,
        (best, upper_at, rests): (Best, Option<Instant>, bool),
        is_still: bool,
        due: Instant,
        now: Instant,
    ) -> Verdict {
        let Some(binding) = self.binding(key) else { return Ok(()) };
        let due = due.max(binding.since);
        let is_best = match best {
            Best::Source(ssrc) => binding.run.0 == ssrc,
            Best::Upper => {
                upper_at.is_some_and(|at| now.saturating_duration_since(at) < BEST_MISSED)
            }
        };
        if is_best && !rests {
            binding.best_at = Some(now);
            return Ok(());
        }
        let waited = now.saturating_duration_since(binding.best_at.map_or(due, |at| due.max(at)));
        // To end a rest takes no more than a word to another shard.
        let patience = match (is_still, rests) {
            (true, true) if best == Best::Upper => STILL_REST_PATIENCE,
            (true, false) => STILL_BEST_PATIENCE,
            (_, true) => REST_PATIENCE,
            (false, false) => BEST_PATIENCE,
        };
        if binding.is_paused || binding.left_out_since.is_some() || waited <= patience {
            return Ok(());
        }
        Err(format!(
            "{key:?} is on a good network, wishes for {best:?} of line {} and has not got it for {:.1} s{}",
            binding.source,
            waited.as_secs_f64(),
            if rests { "; it rests" } else { "" }
        ))
    }

    /// The line that a line is bound to, if something of it came just now.
    pub(crate) fn flowing(&self, key: LineKey, now: Instant) -> Option<u32> {
        let binding = self.lines.get(&key)?.binding.as_ref()?;
        let last = binding.last_media.filter(|_| !binding.is_paused)?;
        (now.saturating_duration_since(last) < FLOWING).then_some(binding.source)
    }

    /// The line that a line has been bound to since then.
    pub(crate) fn settled(&self, key: LineKey, since: Instant) -> Option<u32> {
        let binding = self.lines.get(&key)?.binding.as_ref()?;
        let is_sent = !binding.is_paused && binding.left_out_since.is_none();
        (is_sent && binding.since <= since).then_some(binding.source)
    }

    /// Since when a video has been left out, if that is the first time.
    pub(crate) fn first_left_out(&self, key: LineKey) -> Option<Instant> {
        let binding = self.lines.get(&key)?.binding.as_ref()?;
        binding.left_out_since.filter(|_| binding.times_left_out == 1 && !binding.is_paused)
    }

    /// Whether this video was and is sent while another was left out, and could be left out as well.
    pub(crate) fn is_preferred(
        &self,
        key: LineKey,
        left_out: Instant,
        changed: Instant,
        now: Instant,
    ) -> bool {
        let binding = self.lines.get(&key).and_then(|line| line.binding.as_ref());
        binding.is_some_and(|binding| {
            let may_go = !(binding.is_kept || binding.is_paused || binding.is_warned);
            let is_sent =
                binding.last_media.is_some_and(|at| now.saturating_duration_since(at) < FLOWING);
            let before = binding.since.max(changed) + BEFORE_LEFT_OUT;
            let is_long = left_out + AFTER_LEFT_OUT < now;
            may_go && is_sent && binding.times_left_out == 0 && before < left_out && is_long
        })
    }

    pub(crate) fn listens(&self, transport: TransportId) -> bool {
        self.listeners.contains_key(&transport)
    }

    /// An audio slot carries a packet: of somebody whom the subscriber wants to hear, and numbers go on
    /// whoever it is.
    fn heard(&mut self, key: LineKey, packet: &Packet, mark: Mark, now: Instant) -> Verdict {
        let mut all = self.lines.iter().filter(|((of, _), _)| *of == key.0);
        let is_wanted = all.any(|(_, line)| {
            let binding = line.binding.as_ref().filter(|binding| binding.source == mark.line);
            binding.is_some_and(|binding| packet.is_repeated || !binding.is_paused)
        });
        if !is_wanted {
            return Err(format!(
                "{key:?} is an audio slot and carries line {}, which nobody there wants to hear",
                mark.line
            ));
        }
        let line = self.lines.entry(key).or_default();
        let Some(listener) = self.listeners.get_mut(&key.0) else { return Ok(()) };
        let turn = listener.seats.get(&key.1).copied().flatten();
        let Some(turn) = turn.filter(|turn| turn.line == mark.line) else {
            return Err(format!(
                "{key:?} is an audio slot, carries line {} and was told to carry {turn:?}",
                mark.line
            ));
        };
        let number = packet.sequence_number;
        if number < turn.first_sequence {
            return Err(format!("{key:?} carries {number}, a number of the turn before"));
        }
        for (number, former) in &packet.former {
            let is_of_the_turn = *number >= turn.first_sequence;
            if !is_of_the_turn || *former != line.sent.get(number).copied() {
                return Err(format!("{key:?} repeats {number} as {former:?} in redundant audio"));
            }
        }
        if packet.is_repeated {
            return match line.sent.get(&number) {
                Some(former) if *former == mark => Ok(()),
                other => Err(format!("{key:?} repeats {number} as {mark:?}, and it was {other:?}")),
            };
        }
        if is_before(packet.timestamp, turn.first_timestamp) {
            return Err(before_promise(key, packet.timestamp, turn.first_timestamp));
        }
        listener.last = now;
        if let Some(former) = line.sent.insert(packet.sequence_number, mark) {
            let number = packet.sequence_number;
            return Err(format!("{key:?} uses {number} for {former:?} and for {mark:?}"));
        }
        let before = line.sent.range(..packet.sequence_number).next_back().map(|(_, mark)| *mark);
        if let Some(newest) = line.newest_timestamp
            && before.is_some_and(|before| before.ssrc != mark.ssrc)
            && is_before(packet.timestamp, newest)
        {
            let out = packet.timestamp;
            return Err(format!("{key:?}: the timestamp goes back from {newest} to {out}"));
        }
        if line.newest_timestamp.is_none_or(|newest| is_before(newest, packet.timestamp)) {
            line.newest_timestamp = Some(packet.timestamp);
        }
        Ok(())
    }

    /// Somebody whom a transport wants to hear speaks, and has done so since `due`: the transport must
    /// have heard somebody.
    pub(crate) fn is_heard(&mut self, key: LineKey, due: Instant, now: Instant) -> Verdict {
        let Some(binding) = self.lines.get(&key).and_then(|line| line.binding.as_ref()) else {
            return Ok(());
        };
        let Some(Listener { last, .. }) = self.listeners.get(&key.0) else { return Ok(()) };
        let waited = now.saturating_duration_since(due.max(binding.since).max(*last));
        if binding.is_paused || waited <= AUDIO_PATIENCE {
            return Ok(());
        }
        Err(format!(
            "line {} has spoken for {:.1} s, and no audio slot of {:?} has carried anything",
            binding.source,
            waited.as_secs_f64(),
            key.0
        ))
    }

    /// The networks of both sides have carried everything since then: what was left out is back.
    pub(crate) fn is_back(&self, key: LineKey, wide: Instant, now: Instant) -> Verdict {
        let binding = self.lines.get(&key).and_then(|line| line.binding.as_ref());
        // Each time it stays away for longer.
        let binding = binding.filter(|binding| binding.times_left_out < 2);
        let since = binding.and_then(|binding| binding.left_out_since);
        let Some(since) = since.map(|since| since.max(wide)) else { return Ok(()) };
        if now.saturating_duration_since(since) > BACK_PATIENCE {
            return Err(format!("{key:?} has been left out for long, though there is room"));
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
        if binding.is_paused || binding.left_out_since.is_some() || waited <= patience {
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
        if second.sequence_number - first.sequence_number > b - a {
            return Err(format!(
                "between packets {a} and {b} of one source are more numbers, {} to {}",
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
