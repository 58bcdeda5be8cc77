//! An engine without cryptography: what it receives is true, what it sends can be read.
//!
//! It keeps what the router relies on: a packet comes out once, nothing is said before a check came,
//! what was forgotten is not sent again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use str0m::media::Rid;
use tertulia_router_core::{
    Answer, Datagram, Datagrams, DropCause, Engine, EngineError, EngineFactory, Extensions, Format,
    LinkState, Mid, Output, Payload, Reception, RtpIn, RtpOut, SentPacket, Transmit, Urgency,
};

use crate::wire::{Message, Packet};

/// Without checks for this long the peer is away, and later gone.
const AWAY: Duration = Duration::from_secs(3);
const GONE: Duration = Duration::from_secs(8);
/// Packets of a line that may be asked for again.
const HISTORY: usize = 64;
/// Packets of a source among which a repeated one is known.
const WINDOW: u64 = 256;

/// Payload types in offers of the simulator: Opus, VP8, VP9.
pub(crate) const OPUS: u8 = 111;
pub(crate) const VP8: u8 = 96;
pub(crate) const VP9: u8 = 98;

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
            address: None,
            link: Link::New,
            last_check: now,
            outputs: VecDeque::new(),
            queue: VecDeque::new(),
            history: BTreeMap::new(),
            seen: BTreeMap::new(),
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
    address: Option<(usize, SocketAddr)>,
    link: Link,
    last_check: Instant,
    outputs: VecDeque<Output>,
    queue: VecDeque<Packet>,
    history: BTreeMap<String, VecDeque<Packet>>,
    seen: BTreeMap<u32, (u64, BTreeSet<u64>)>,
}

impl ScriptedEngine {
    fn say(&mut self, message: &Message, urgency: Urgency) {
        if let Some((socket, destination)) = self.address {
            let contents = message.to_bytes();
            self.outputs.push_back(Output::Transmit(Transmit {
                socket,
                destination,
                contents,
                urgency,
            }));
        }
    }

    fn check(&mut self, now: Instant, from: (usize, SocketAddr)) {
        self.last_check = now;
        let former = self.address.replace(from);
        match self.link {
            Link::New => self.state(Link::Up, LinkState::Connected),
            Link::Away => self.state(Link::Up, LinkState::Recovered),
            Link::Up | Link::Over => {}
        }
        if former.is_some_and(|former| former != from) {
            self.outputs.push_back(Output::Moved);
        }
        self.say(&Message::Alive, Urgency::Control);
    }

    fn state(&mut self, link: Link, state: LinkState) {
        self.link = link;
        self.outputs.push_back(Output::State(state));
    }

    fn is_new(&mut self, ssrc: u32, number: u64) -> bool {
        let (newest, seen) = self.seen.entry(ssrc).or_default();
        *newest = (*newest).max(number);
        if number + WINDOW <= *newest {
            return false;
        }
        let is_new = seen.insert(number);
        while seen.first().is_some_and(|first| first + WINDOW <= *newest) {
            seen.pop_first();
        }
        is_new
    }

    fn take_media(&mut self, packet: &Packet) -> Reception {
        if !self.is_new(packet.ssrc, packet.sequence_number) {
            return Reception::Refused(DropCause::Refused);
        }
        self.outputs.push_back(Output::Packet(RtpIn {
            mid: packet.mid,
            rid: rid(packet.rid),
            ssrc: packet.ssrc,
            payload_type: packet.payload_type,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            marker: packet.marker,
            extensions: Extensions {
                audio_level_dbov: (packet.payload_type == OPUS).then_some(-20),
                ..Extensions::default()
            },
            payload: packet.payload.as_slice().into(),
        }));
        Reception::Taken
    }

    fn repeat(&mut self, mid: Mid, number: u64) {
        let history = self.history.get(mid.as_str());
        let found = history.and_then(|h| h.iter().find(|p| p.sequence_number == number)).cloned();
        if let Some(packet) = found {
            let packet = Packet { is_repeated: true, ..packet };
            self.say(&Message::Media(packet), Urgency::Video);
        }
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
        self.lines = offer.split("\r\nm=").skip(1).filter_map(line).collect();
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
            Message::Media(packet) => return Ok(self.take_media(&packet)),
            Message::KeyFrame { mid, .. } => {
                self.outputs.push_back(Output::KeyFrameRequested(mid));
            }
            Message::Nack { mid, sequence_number } => self.repeat(mid, sequence_number),
            Message::SenderReport { mid, rid: number, ntp_ms, timestamp } => {
                let ntp = SystemTime::UNIX_EPOCH + Duration::from_millis(ntp_ms);
                self.outputs.push_back(Output::SenderReport {
                    mid,
                    rid: rid(number),
                    ntp,
                    timestamp,
                });
            }
            Message::Bye => self.state(Link::Over, LinkState::Closed),
            Message::Poison => return Err(EngineError::Failed("poisoned".into())),
            Message::Check { .. } | Message::Alive => {}
        }
        Ok(Reception::Taken)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError> {
        if self.link == Link::Up && now >= self.last_check + AWAY {
            self.state(Link::Away, LinkState::Disconnected);
        }
        if self.link == Link::Away && now >= self.last_check + GONE {
            return Err(EngineError::Failed("no check for too long".into()));
        }
        Ok(())
    }

    fn transmit(&mut self, _now: Instant, datagrams: &mut Datagrams) -> Result<bool, EngineError> {
        while let Some(packet) = self.queue.pop_front() {
            let history = self.history.entry(packet.mid.as_str().to_owned()).or_default();
            if history.len() == HISTORY {
                history.pop_front();
            }
            history.push_back(packet.clone());
            let urgency = if packet.payload_type == OPUS { Urgency::Audio } else { Urgency::Video };
            if let Some((socket, destination)) = self.address {
                let contents = Message::Media(packet).to_bytes();
                datagrams.add(&Transmit { socket, destination, contents, urgency });
            }
        }
        Ok(false)
    }

    fn sent(&self) -> &[SentPacket] {
        &[]
    }

    fn poll(&mut self) -> Result<Output, EngineError> {
        Ok(self.outputs.pop_front().unwrap_or_else(|| {
            let patience = match self.link {
                Link::Up => AWAY,
                Link::Away => GONE,
                Link::New | Link::Over => Duration::from_secs(3600),
            };
            Output::Deadline(self.last_check + patience)
        }))
    }

    fn send(&mut self, mid: Mid, packet: RtpOut) -> Result<(), EngineError> {
        let mut payload = packet.payload.to_vec();
        packet.rewrite.apply(&mut payload);
        self.queue.push_back(Packet {
            mid,
            rid: 0,
            ssrc: 0,
            payload_type: packet.payload_type,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            marker: packet.marker,
            is_repeated: false,
            payload,
        });
        Ok(())
    }

    /// These peers report on nothing, so nothing is ever probed.
    fn probe(&mut self, _bytes: usize) -> Result<bool, EngineError> {
        Ok(false)
    }

    fn forget_sent(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.history.remove(mid.as_str());
        Ok(())
    }

    fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> Result<(), EngineError> {
        let rid = rid.map_or(0, |rid| rid.bytes().next().map_or(0, |byte| byte - b'0'));
        self.say(&Message::KeyFrame { mid, rid }, Urgency::Control);
        Ok(())
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.say(&Message::Bye, Urgency::Control);
        Ok(())
    }
}

fn rid(number: u8) -> Option<Rid> {
    (number > 0).then(|| number.to_string().as_str().into())
}

fn attribute<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(name)).map(str::trim)
}

fn line(section: &str) -> Option<(String, Vec<Payload>)> {
    let mid = attribute(section, "a=mid:").next()?;
    let payloads = attribute(section, "a=rtpmap:").filter_map(|map| {
        let (payload_type, name) = map.split_once(' ')?;
        let format = match name.split('/').next()? {
            "opus" => Format::Opus,
            "VP8" => Format::Vp8,
            _ => Format::Vp9 { profile: 0 },
        };
        Some(Payload { payload_type: payload_type.parse().ok()?, format })
    });
    Some((mid.to_owned(), payloads.collect()))
}
