//! What comes: each datagram is opened, each packet told apart, noted and put out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::incoming::Role;
use super::reception::Place;
use super::{Keys, MediaBytes, Plane, SOURCES};
use crate::engine::{Extensions as Values, Output, RtpIn};
use crate::rtp::srtp::{self, OpenError};
use crate::rtp::{self, Header, is_rtcp, red, rtx};
use crate::statistics::DropCause;

/// A client that starts streams all day gets one more per this time.
const SOURCE_INTERVAL: Duration = Duration::from_secs(10);

impl Plane {
    pub(super) fn take(
        &mut self,
        now: Instant,
        datagram: &[u8],
        buffer: &mut Arc<[u8]>,
    ) -> Result<(), DropCause> {
        let Some(Keys { opener, since, .. }) = &mut self.keys else {
            return Err(DropCause::Refused);
        };
        let packet = Arc::get_mut(buffer).and_then(|all| all.get_mut(..datagram.len()));
        let packet = packet.ok_or(DropCause::Malformed)?;
        packet.copy_from_slice(datagram);
        if is_rtcp(packet) {
            let length = opener.open_rtcp(packet).map_err(drop_cause)?;
            self.intake.note_control(now);
            self.take_control(now, buffer.get(..length).unwrap_or_default());
            return Ok(());
        }
        let header = Header::parse(packet).map_err(|_| DropCause::Malformed)?;
        let mut opened = opener.open_rtp(packet, &header);
        if opened == Err(OpenError::TooManySources) {
            let age = now.saturating_duration_since(*since).as_secs();
            opener.set_max_sources(SOURCES + (age / SOURCE_INTERVAL.as_secs()) as usize);
            opened = opener.open_rtp(packet, &header);
        }
        let opened = opened.map_err(drop_cause)?;
        self.intake.note_media(now, datagram.len());
        let payload = header.payload_range(packet.get(..opened.length).unwrap_or_default());
        self.take_packet(now, &header, opened, payload.ok(), buffer);
        Ok(())
    }

    /// A packet that is authentic. What it lacks is its sender's business.
    fn take_packet(
        &mut self,
        now: Instant,
        header: &Header,
        opened: srtp::Opened,
        payload: Option<std::ops::Range<usize>>,
        buffer: &Arc<[u8]>,
    ) {
        let all: &[u8] = buffer;
        let read = rtp::Extensions::read(&self.extensions, header.elements(all));
        if let Some(number) = read.transport_sequence {
            self.arrivals.note(now, number, opened.length);
        }
        let Some(payload) = payload else {
            self.output(Output::Dropped(DropCause::Malformed));
            return;
        };
        let role = self.incoming.role(now, header, &read, &self.description);
        let mut repeating = None;
        let (index, number, payload_type, payload, is_repair) = 'role: {
            match role {
                Some(Role::Media(index)) => {
                    let combined = self.combined(index, header.payload_type);
                    let Some(combined) = combined.filter(|_| !payload.is_empty()) else {
                        break 'role (index, None, header.payload_type, payload, false);
                    };
                    let newest = red::newest(all.get(payload.clone()).unwrap_or_default());
                    let Some(newest) = newest.ok().filter(|n| n.payload_type == combined) else {
                        self.output(Output::Dropped(DropCause::Malformed));
                        return;
                    };
                    let start = payload.start + newest.start;
                    repeating = Some(payload.clone());
                    (index, None, combined, start..payload.end, false)
                }
                Some(Role::Repair(index)) => {
                    // Nothing but padding only probes for bandwidth.
                    if payload.len() < rtx::OVERHEAD {
                        return;
                    }
                    let original = all.get(payload.start..).and_then(<[u8]>::first_chunk);
                    let number = original.map(|bytes| u16::from_be_bytes(*bytes));
                    let payload_type = self.repaired_type(index, header.payload_type);
                    let (Some(number), Some(payload_type)) = (number, payload_type) else {
                        return;
                    };
                    let rest = payload.start + rtx::OVERHEAD..payload.end;
                    (index, Some(number), payload_type, rest, true)
                }
                Some(Role::Superseded(_) | Role::FormerRepair(..)) | None => {
                    if !payload.is_empty() {
                        self.output(Output::Dropped(DropCause::NotNegotiated));
                    }
                    return;
                }
            }
        };
        let Some(stream) = self.incoming.streams.get_mut(index) else {
            return;
        };
        let number = number.map_or(opened.index, |number| stream.reception.extend(number));
        match stream.reception.note(number) {
            Place::Known => return,
            // Of a repair too: browsers fill their probes with repeats of what they just sent.
            Place::Ahead { missing_from } if stream.has_nack => {
                stream.reception.missing.note_gap(now, missing_from, number);
            }
            Place::Late => {
                if let Some(sample) = stream.reception.missing.note_found(now, number)
                    && is_repair
                {
                    self.note_round_trip(sample);
                }
            }
            Place::Ahead { .. } | Place::Restart => {}
        }
        let Some(stream) = self.incoming.streams.get_mut(index) else {
            return;
        };
        stream.last_packet = now;
        if !is_repair {
            let since = now.saturating_duration_since(self.start);
            stream.reception.note_time(since, header.timestamp);
            if read.transport_sequence.is_some() {
                stream.standing.note(since, header.timestamp, stream.clock_hz);
            }
        }
        if let Some(range) = repeating {
            self.recover(now, index, header, number, range, buffer);
        }
        let Some(stream) = self.incoming.streams.get_mut(index) else {
            return;
        };
        let packet = RtpIn {
            mid: stream.mid,
            rid: stream.rid,
            ssrc: stream.ssrc,
            payload_type,
            sequence_number: number,
            timestamp: header.timestamp,
            marker: header.marker,
            extensions: Values::of(&read, buffer),
            payload: MediaBytes::new(Arc::clone(buffer), payload),
        };
        self.output(Output::Packet(packet));
    }

    /// What packets of this payload type combine, if they do.
    fn combined(&self, stream: usize, payload_type: u8) -> Option<u8> {
        let redundancy = self.incoming.streams.get(stream)?.redundancy?;
        (redundancy.payload_type == payload_type).then_some(redundancy.combined)
    }

    /// Packets that did not come, by what this one repeats of them; they go out before it.
    fn recover(
        &mut self,
        now: Instant,
        index: usize,
        header: &Header,
        number: u64,
        range: std::ops::Range<usize>,
        buffer: &Arc<[u8]>,
    ) {
        let combined = self.combined(index, header.payload_type);
        let payload = buffer.get(range.clone()).unwrap_or_default();
        for block in red::blocks(payload).into_iter().flatten() {
            let earlier = number.checked_sub(block.distance.into());
            let (Some(earlier), Some(stream)) = (earlier, self.incoming.streams.get_mut(index))
            else {
                return;
            };
            if block.distance == 0
                || block.payload.is_empty()
                || Some(block.payload_type) != combined
                || !stream.reception.note_recovered(earlier)
            {
                continue;
            }
            stream.reception.missing.note_found(now, earlier);
            let start = range.start + block.start;
            let packet = RtpIn {
                mid: stream.mid,
                rid: stream.rid,
                ssrc: stream.ssrc,
                payload_type: block.payload_type,
                sequence_number: earlier,
                timestamp: header.timestamp.wrapping_sub(block.timestamp_offset.into()),
                marker: false,
                extensions: Values::default(),
                payload: MediaBytes::new(Arc::clone(buffer), start..start + block.payload.len()),
            };
            self.output(Output::Packet(packet));
        }
    }

    /// What packets of a repair stream are packets of.
    fn repaired_type(&self, stream: usize, payload_type: u8) -> Option<u8> {
        let mid = self.incoming.streams.get(stream)?.mid;
        let line = self.description.lines.iter().find(|line| line.mid == mid)?;
        line.payload(payload_type)?.repairs
    }
}

fn drop_cause(cause: OpenError) -> DropCause {
    match cause {
        OpenError::Malformed => DropCause::Malformed,
        OpenError::TooManySources => DropCause::TooManySources,
        _ => DropCause::Refused,
    }
}
