//! The sources that a client sends: which line and encoding each belongs to, and what came of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use str0m::media::Rid;

use super::description::{Description, LineDescription, Redundancy};
use super::reception::Reception;
use super::standing::Standing;
use crate::ids::Mid;
use crate::rtp::{Extensions, Header};

/// Encodings of one line; browsers send at most three.
const MAX_ENCODINGS: usize = 4;
/// Sources that are known at once: 16 streams of three encodings, each with audio, video and
/// retransmission, are 112. More may come over time; those that send nothing any more are forgotten.
const MAX_ROLES: usize = 1024;
/// A source that was superseded is heard again once its successor is silent for this long, and what repeated its packets
/// after this long: it may have been the successor's.
const SILENCE: Duration = Duration::from_secs(1);
/// Longest `rid` that the router keeps (RFC 8851 has no bound).
const MAX_RID_BYTES: usize = 8;

/// What a source is to the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It sends the stream with this index.
    Media(usize),
    /// It repeats packets of the stream with this index.
    Repair(usize),
    /// Another source has its stream now.
    Superseded(usize),
    /// It repeated packets of a source that was superseded then.
    FormerRepair(usize, Instant),
}

/// One encoding of one line.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) mid: Mid,
    pub(super) rid: Option<Rid>,
    /// Its source now.
    pub(super) ssrc: u32,
    pub(super) repair: Option<u32>,
    pub(super) reception: Reception,
    pub(super) standing: Standing,
    pub(super) clock_hz: u32,
    pub(super) has_nack: bool,
    /// Its packets may repeat others (RFC 2198).
    pub(super) redundancy: Option<Redundancy>,
    /// Key frames are asked for by FIR, for want of PLI.
    pub(super) takes_only_fir: bool,
    /// Counts key-frame commands.
    pub(super) commands: u8,
    /// When a key frame was asked for to fill a hole.
    pub(super) asked_at: Option<Instant>,
    pub(super) last_packet: Instant,
    /// Its line is sent on, by the newest offer.
    pub(super) is_live: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// Keyed by a secret, so that a client cannot choose sources that collide.
    roles: HashMap<u32, Role>,
    pub(super) streams: Vec<Stream>,
}

impl Incoming {
    /// A later offer: streams whose line is sent on no more end; sources are learned anew.
    pub(super) fn describe(&mut self, description: &Description) {
        for stream in &mut self.streams {
            let line = description.lines.iter().find(|line| line.mid == stream.mid);
            let is_live = line.is_some_and(|line| line.is_received);
            stream.redundancy = line.and_then(LineDescription::redundancy);
            if !is_live {
                stream.reception.missing.clear();
            }
            stream.is_live = is_live;
        }
        let streams = &self.streams;
        self.roles.retain(|_, role| match role {
            Role::Media(index)
            | Role::Repair(index)
            | Role::Superseded(index)
            | Role::FormerRepair(index, _) => {
                streams.get(*index).is_some_and(|stream| stream.is_live)
            }
        });
    }

    /// The role of the source of a packet whose authenticity is proven. `None`: nothing says what it
    /// is of.
    pub(super) fn role(
        &mut self,
        now: Instant,
        header: &Header,
        extensions: &Extensions<'_>,
        description: &Description,
    ) -> Option<Role> {
        match self.roles.get(&header.ssrc).copied() {
            Some(Role::Superseded(index)) => {
                let successor = self.streams.get(index)?;
                if now < successor.last_packet + SILENCE {
                    return None;
                }
            }
            Some(Role::FormerRepair(_, since)) if now < since + SILENCE => return None,
            Some(Role::FormerRepair(..)) | None => {}
            Some(role) => return Some(role),
        }
        self.learn(now, header, extensions, description)
    }

    fn learn(
        &mut self,
        now: Instant,
        header: &Header,
        extensions: &Extensions<'_>,
        description: &Description,
    ) -> Option<Role> {
        let line = named_line(header, extensions, description)
            .or_else(|| self.only_line(header, extensions, description))?;
        let payload = line.payload(header.payload_type)?;
        if self.roles.len() >= MAX_ROLES {
            let is_over =
                |role: &Role| matches!(role, Role::Superseded(_) | Role::FormerRepair(..));
            self.roles.retain(|_, role| !is_over(role));
        }
        let role = if payload.repairs.is_some() {
            let index = self.repaired(header.ssrc, extensions, line)?;
            let stream = self.streams.get_mut(index)?;
            if let Some(former) = stream.repair.replace(header.ssrc) {
                self.roles.insert(former, Role::Superseded(index));
            }
            Role::Repair(index)
        } else {
            let index = self.stream(now, header, rid_of(extensions.rid), line)?;
            let stream = self.streams.get_mut(index)?;
            // Of redundant audio the codec in it is meant.
            let payload_type = payload.combines.unwrap_or(header.payload_type);
            let payload = line.payload(payload_type).copied().unwrap_or_default();
            stream.redundancy = line.redundancy();
            stream.has_nack = payload.has_nack;
            stream.takes_only_fir = payload.has_fir && !payload.has_pli;
            Role::Media(index)
        };
        self.roles.insert(header.ssrc, role);
        Some(role)
    }

    /// The only line that has the payload type of a packet that names none (RFC 9143 section 9.2),
    /// unless something else is sent on it.
    fn only_line<'a>(
        &self,
        header: &Header,
        extensions: &Extensions<'_>,
        description: &'a Description,
    ) -> Option<&'a LineDescription> {
        let lines = description.lines.iter().filter(|line| line.is_received);
        let mut fitting = lines.filter(|line| line.payload(header.payload_type).is_some());
        let line = fitting.next().filter(|_| extensions.mid.is_none())?;
        let is_only = fitting.next().is_none();
        let is_repair = line.payload(header.payload_type)?.repairs.is_some();
        let is_taken = self.streams.iter().any(|s| s.is_live && s.mid == line.mid);
        (is_only && is_taken == is_repair).then_some(line)
    }

    /// The stream of this line and encoding, whose source is the packet's from now on.
    fn stream(
        &mut self,
        now: Instant,
        header: &Header,
        rid: Option<Rid>,
        line: &LineDescription,
    ) -> Option<usize> {
        let of_line = |stream: &&Stream| stream.mid == line.mid;
        let place = self.streams.iter().position(|s| s.mid == line.mid && s.rid == rid);
        let reception = Reception::new(header.sequence_number.into(), line.kind.clock_hz());
        if let Some(index) = place {
            let stream = self.streams.get_mut(index)?;
            let former = std::mem::replace(&mut stream.ssrc, header.ssrc);
            if former != header.ssrc {
                self.roles.insert(former, Role::Superseded(index));
                // What it repeats has numbers of the former source.
                if let Some(repair) = stream.repair.take() {
                    self.roles.insert(repair, Role::FormerRepair(index, now));
                }
                stream.reception = reception;
                stream.standing = Standing::default();
            }
            stream.is_live = true;
            return Some(index);
        }
        if self.streams.iter().filter(of_line).count() >= MAX_ENCODINGS {
            return None;
        }
        self.streams.push(Stream {
            mid: line.mid,
            rid,
            ssrc: header.ssrc,
            repair: None,
            reception,
            standing: Standing::default(),
            clock_hz: line.kind.clock_hz(),
            has_nack: false,
            redundancy: None,
            takes_only_fir: false,
            commands: 0,
            asked_at: None,
            last_packet: now,
            is_live: true,
        });
        Some(self.streams.len() - 1)
    }

    /// The stream whose packets this source repeats: the one that the packet names, the one that the
    /// offer names, or the only one of the line.
    fn repaired(
        &self,
        ssrc: u32,
        extensions: &Extensions<'_>,
        line: &LineDescription,
    ) -> Option<usize> {
        let of_line = |stream: &Stream| stream.is_live && stream.mid == line.mid;
        if let Some(repaired) = rid_of(extensions.repaired_rid) {
            return self.streams.iter().position(|s| of_line(s) && s.rid == Some(repaired));
        }
        if let Some(named) = line.sources.iter().find(|source| source.repair == Some(ssrc)) {
            return self.streams.iter().position(|s| of_line(s) && s.ssrc == named.ssrc);
        }
        let mut all = self.streams.iter().enumerate().filter(|(_, stream)| of_line(stream));
        let (index, _) = all.next()?;
        all.next().is_none().then_some(index)
    }
}

/// The line that a packet says it is of, or that the offer names its source for.
fn named_line<'a>(
    header: &Header,
    extensions: &Extensions<'_>,
    description: &'a Description,
) -> Option<&'a LineDescription> {
    let mut lines = description.lines.iter().filter(|line| line.is_received);
    if let Some(mid) = extensions.mid {
        return lines.find(|line| line.mid.as_str().as_bytes() == mid);
    }
    let ssrc = header.ssrc;
    lines.find(|line| line.sources.iter().any(|s| s.ssrc == ssrc || s.repair == Some(ssrc)))
}

fn rid_of(identifier: Option<&[u8]>) -> Option<Rid> {
    let text = std::str::from_utf8(identifier?).ok()?;
    (text.len() <= MAX_RID_BYTES).then(|| text.into())
}
