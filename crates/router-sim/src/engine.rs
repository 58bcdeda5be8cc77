//! An engine without ICE and DTLS: checks are true, and keys are known from the beginning. All media of
//! it is the router's own plane.
//!
//! It keeps what the router relies on: nothing is said before a check came, and nothing is sealed
//! before the handshake would be over.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::media::Rid;
use tertulia_router_core::rtp::srtp::Role;
use tertulia_router_core::{
    Answer, Datagram, Datagrams, Description, DropCause, Engine, EngineError, EngineFactory,
    Format, Kind, LineDescription, LinkState, Mid, Output, Payload, PayloadDescription,
    PeerAddress, Plane, Reception, RtpOut, SentPacket, SourceDescription, Transmit, Urgency,
};

use crate::keys::{self, AV1, OPUS, RED, VP8, VP9, repair_of, repaired_by};
use crate::wire::{Message, is_media};

/// Without checks for this long the peer is away, and later gone.
const AWAY: Duration = Duration::from_secs(3);
const GONE: Duration = Duration::from_secs(8);
/// Of the router's lines; each has this and the next for what it sends again.
const FIRST_SSRC: u32 = 0x00c0_ffee;

/// Makes engines; their ICE user names are the shard's letter and a number.
pub struct ScriptedEngines {
    shard: u16,
    made: u32,
}

impl ScriptedEngines {
    /// For one shard.
    pub fn new(shard: u16) -> Self {
        Self { shard, made: 0 }
    }
}

impl EngineFactory for ScriptedEngines {
    fn create(&mut self, now: Instant) -> Result<Box<dyn Engine>, EngineError> {
        self.made += 1;
        Ok(Box::new(ScriptedEngine {
            name: format!("s{}e{}", self.shard, self.made),
            restarts: 0,
            peer_ufrag: String::new(),
            lines: BTreeMap::new(),
            sources: BTreeMap::new(),
            plane: Plane::new(now, 1 << 50),
            address: None,
            link: Link::New,
            last_check: now,
            outputs: VecDeque::new(),
        }))
    }
}

#[derive(PartialEq, Eq)]
enum Link {
    New,
    Up,
    Away,
    Over,
}

struct ScriptedEngine {
    name: String,
    restarts: u32,
    peer_ufrag: String,
    lines: BTreeMap<String, Vec<Payload>>,
    /// What each line sends with, whatever the next offer says.
    sources: BTreeMap<String, u32>,
    plane: Plane,
    address: Option<PeerAddress>,
    link: Link,
    last_check: Instant,
    outputs: VecDeque<Output>,
}

impl ScriptedEngine {
    fn say(&mut self, contents: Vec<u8>) {
        if let Some(PeerAddress { socket, source: destination }) = self.address {
            let urgency = Urgency::Control;
            let transmit = Transmit { socket, destination, contents, urgency };
            self.outputs.push_back(Output::Transmit(transmit));
        }
    }

    fn check(&mut self, now: Instant, (socket, source): (usize, SocketAddr)) {
        self.last_check = now;
        let from = PeerAddress { socket, source };
        let former = self.address.replace(from);
        match self.link {
            Link::New => {
                let (profile, material) = keys::material(&self.name);
                let opened = self.plane.open(now, profile, &material, Role::Server);
                opened.expect("keys of the right length");
                self.state(Link::Up, LinkState::Connected);
            }
            Link::Away => self.state(Link::Up, LinkState::Recovered),
            Link::Up | Link::Over => {}
        }
        if former.is_some_and(|former| former != from) {
            self.outputs.push_back(Output::Moved);
        }
        self.say(Message::Alive.to_bytes());
    }

    fn state(&mut self, link: Link, state: LinkState) {
        self.link = link;
        self.outputs.push_back(Output::State(state));
    }

    fn describe(&mut self, offer: &str) -> Description {
        let mut lines = Vec::new();
        for section in offer.split("\r\nm=").skip(1) {
            let Some(mid) = attribute(section, "a=mid:").next() else { continue };
            let types = attribute(section, "a=rtpmap:");
            let types: Vec<u8> =
                types.filter_map(|map| map.split_once(' ')?.0.parse().ok()).collect();
            let media = types.iter().filter_map(|payload_type| {
                let format = match *payload_type {
                    OPUS => Format::Opus,
                    VP8 => Format::Vp8,
                    VP9 => Format::Vp9 { profile: 0 },
                    AV1 => Format::Av1,
                    _ => return None,
                };
                Some(Payload { payload_type: *payload_type, format })
            });
            self.lines.insert(mid.to_owned(), media.collect());
            let is_audio = section.starts_with("audio");
            let has_nack = !is_audio || section.contains("a=rtcp-fb:111 nack");
            let next = FIRST_SSRC + 2 * self.sources.len() as u32;
            let own = section.contains("a=recvonly").then(|| {
                let ssrc = *self.sources.entry(mid.to_owned()).or_insert(next);
                let has_repair = types.iter().any(|t| repaired_by(*t).is_some());
                SourceDescription { ssrc, repair: has_repair.then_some(ssrc + 1) }
            });
            lines.push(LineDescription {
                mid: Mid::parse(mid).expect("a mid"),
                kind: if is_audio { Kind::Audio } else { Kind::Video },
                is_received: section.contains("a=sendonly"),
                extensions: keys::extensions(),
                payloads: types.iter().map(|t| payload(*t, has_nack)).collect(),
                sources: Vec::new(),
                own,
            });
        }
        Description { lines, cname: self.name.clone() }
    }
}

fn payload(payload_type: u8, has_nack: bool) -> PayloadDescription {
    let repairs = repaired_by(payload_type);
    let is_media = repairs.is_none() && payload_type != RED;
    PayloadDescription {
        payload_type,
        repairs,
        combines: (payload_type == RED).then_some(OPUS),
        has_nack: has_nack && is_media,
        has_pli: payload_type != VP9,
        has_fir: true,
        has_transport_feedback: true,
    }
}

impl Engine for ScriptedEngine {
    fn accept_offer(
        &mut self,
        _now: Instant,
        offer: &str,
        _slots: &[Mid],
    ) -> Result<Answer, EngineError> {
        if offer.contains("a=refuse-me") {
            return Err(EngineError::Refused("as it wished".into()));
        }
        let peer = attribute(offer, "a=ice-ufrag:").next().unwrap_or_default();
        if self.peer_ufrag != peer {
            self.restarts += 1;
            self.peer_ufrag = peer.into();
        }
        self.lines.clear();
        let description = self.describe(offer);
        self.plane.describe(description);
        let ufrag = format!("{}r{}", self.name, self.restarts);
        Ok(Answer { sdp: format!("v=0\r\na=ice-ufrag:{ufrag}\r\n"), ufrag })
    }

    fn payloads(&self, mid: Mid) -> Vec<Payload> {
        self.lines.get(mid.as_str()).cloned().unwrap_or_default()
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
    ) -> Result<Reception, EngineError> {
        if is_media(datagram.contents) {
            let taken = self.plane.handle_datagram(now, datagram.contents);
            return Ok(taken.map_or_else(Reception::Refused, |()| Reception::Taken));
        }
        let Some(message) = Message::parse(datagram.contents) else {
            return Ok(Reception::Refused(DropCause::Malformed));
        };
        if let Message::Check { .. } = message {
            self.check(now, (datagram.socket, datagram.source));
            return Ok(Reception::Taken);
        }
        if self.link == Link::New {
            return Ok(Reception::Refused(DropCause::OutOfPlace));
        }
        match message {
            Message::Bye => self.state(Link::Over, LinkState::Closed),
            Message::Poison => return Err(EngineError::Failed("poisoned".into())),
            Message::Check { .. } | Message::Alive => {}
        }
        Ok(Reception::Taken)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError> {
        self.plane.handle_timeout(now);
        if self.link == Link::Up && now >= self.last_check + AWAY {
            self.state(Link::Away, LinkState::Disconnected);
        }
        if self.link == Link::Away && now >= self.last_check + GONE {
            return Err(EngineError::Failed("no check for too long".into()));
        }
        Ok(())
    }

    fn transmit(&mut self, now: Instant, datagrams: &mut Datagrams) -> Result<bool, EngineError> {
        if let Some(to) = self.address {
            self.plane.transmit(now, to, datagrams);
        }
        Ok(self.plane.has_waiting())
    }

    fn sent(&self) -> &[SentPacket] {
        self.plane.sent()
    }

    fn poll(&mut self) -> Result<Output, EngineError> {
        if let Some(output) = self.outputs.pop_front().or_else(|| self.plane.poll()) {
            return Ok(output);
        }
        if let Some(contents) = self.plane.poll_control() {
            self.say(contents);
            if let Some(output) = self.outputs.pop_front() {
                return Ok(output);
            }
        }
        let patience = match self.link {
            Link::Up => AWAY,
            Link::Away => GONE,
            Link::New | Link::Over => Duration::from_secs(3600),
        };
        let deadline = self.last_check + patience;
        Ok(Output::Deadline(self.plane.deadline().map_or(deadline, |at| at.min(deadline))))
    }

    fn send(&mut self, mid: Mid, packet: RtpOut) -> Result<(), EngineError> {
        self.plane.send(mid, packet);
        Ok(())
    }

    fn probe(&mut self, bytes: usize) -> Result<bool, EngineError> {
        Ok(self.plane.probe(bytes))
    }

    fn pace(&mut self, bits_per_second: Option<u64>) {
        self.plane.pace(bits_per_second);
    }

    fn release_at(&self) -> Option<Instant> {
        self.plane.release_at()
    }

    fn set_redundancy(&mut self, packets: u8) {
        self.plane.set_redundancy(packets);
    }

    fn rest(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.plane.rest(mid);
        Ok(())
    }

    fn let_out(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.plane.let_out(mid);
        Ok(())
    }

    fn forget_sent(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.plane.forget_sent(mid);
        Ok(())
    }

    fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> Result<(), EngineError> {
        self.plane.request_key_frame(mid, rid);
        Ok(())
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.say(Message::Bye.to_bytes());
        Ok(())
    }
}

fn attribute<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(name)).map(str::trim)
}

/// Every payload type that an offer names, with what is repeated by it.
pub(crate) fn with_repair(types: &[u8], has_repair: bool) -> Vec<u8> {
    let mut all = types.to_vec();
    if has_repair {
        all.extend(types.iter().map(|payload_type| repair_of(*payload_type)));
    }
    all
}
