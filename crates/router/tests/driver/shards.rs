//! All shards of a router behind the face of one, as the program runs them: every message and every
//! packet between them arrives, in order.

use std::net::SocketAddr;
use std::time::Instant;

use tertulia_router_core::{
    Bind, Bound, Budget, CloseTransport, Config, Counters, Datagram, Drops, EngineFactory, Event,
    Foreign, Generation, Layer, Listing, LocalAddress, Networks, OpenTransport, Opened, Pause,
    Prefer, ReceivedAt, Recipient, Renegotiate, Renegotiated, RequestKeyFrame, Router, RouterError,
    SetAudioSlots, ShardIndex, SlotIndex, Transmit, TransportId, Unbind,
};

/// The shards.
pub struct Shards {
    routers: Vec<Router>,
    opened: usize,
    /// Media packets that went from one shard to another.
    pub media_handed_over: usize,
}

impl Shards {
    pub fn new(
        now: Instant,
        count: u16,
        local: &[LocalAddress],
        mut engines: impl FnMut() -> Box<dyn EngineFactory>,
    ) -> Self {
        let shard = |index| {
            let config =
                Config { shard: ShardIndex(index), shards: count, ..Config::new(local.to_vec()) };
            Router::new(now, config, engines(), 7 + u64::from(index))
        };
        Self { routers: (0..count).map(shard).collect(), opened: 0, media_handed_over: 0 }
    }

    fn of(&mut self, id: TransportId) -> &mut Router {
        let index = usize::from(id.shard().0).min(self.routers.len() - 1);
        &mut self.routers[index]
    }

    /// The kernel picks a socket by address: here always one that is not the next transport's.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) {
        let source = datagram.source;
        let last = match source.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3],
            std::net::IpAddr::V6(ip) => ip.octets()[15],
        };
        let entry = usize::from(last) % self.routers.len();
        let foreign = self.routers[entry].handle_datagram(now, datagram);
        if let Some(Foreign { shard, is_known }) = foreign {
            let from = ShardIndex(entry as u16);
            self.routers[usize::from(shard.0)]
                .handle_foreign_datagram(now, from, is_known, datagram);
        }
        self.exchange(now);
    }

    /// A datagram comes to the only shard, which sends at once what follows from it. Returns how many
    /// datagrams that was; they are lost.
    #[allow(dead_code, reason = "only where there is one shard")]
    pub fn forward_at_once(&mut self, now: Instant, source: SocketAddr, contents: &[u8]) -> usize {
        let [router] = self.routers.as_mut_slice() else { panic!("one shard") };
        router.handle_datagram(now, Datagram { socket: 0, source, contents });
        router.flush(now);
        let mut left = 0;
        while let Some(datagrams) = router.datagrams() {
            left += datagrams.departures().len();
            router.sent();
        }
        left
    }

    /// As the former, of a datagram that is followed. Returns how many of those that leave tell when it came.
    #[allow(dead_code, reason = "only where there is one shard")]
    pub fn follow(&mut self, now: Instant, source: SocketAddr, contents: &[u8]) -> usize {
        let [router] = self.routers.as_mut_slice() else { panic!("one shard") };
        let received = ReceivedAt::new(7).unwrap();
        router.handle_followed_datagram(now, received, Datagram { socket: 0, source, contents });
        router.flush(now);
        let mut left = 0;
        while let Some(datagrams) = router.datagrams() {
            left += datagrams.departures().iter().filter(|d| d.received == Some(received)).count();
            router.sent();
        }
        left
    }

    pub fn flush(&mut self, now: Instant) {
        self.exchange(now);
        for shard in &mut self.routers {
            shard.flush(now);
        }
        self.exchange(now);
    }

    /// Carries what the shards have for each other until they are quiet.
    fn exchange(&mut self, now: Instant) {
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            for from in 0..self.routers.len() {
                let index = ShardIndex(from as u16);
                while let Some((recipient, message)) = self.routers[from].poll_message() {
                    for to in (0..self.routers.len()).filter(|to| *to != from) {
                        let is_for = match recipient {
                            Recipient::Shard(shard) => usize::from(shard.0) == to,
                            Recipient::Everybody => true,
                        };
                        if is_for {
                            self.routers[to].handle_message(now, index, message.clone());
                            is_quiet = false;
                        }
                    }
                }
                while let Some((to, media)) = self.routers[from].poll_media() {
                    self.media_handed_over += 1;
                    let packet = media.header.packet(media.payload);
                    self.routers[usize::from(to.0)].handle_media(now, &media.header, &packet);
                    is_quiet = false;
                }
            }
        }
        for shard in &mut self.routers {
            shard.flush(now);
        }
    }

    /// What all of them dropped.
    pub fn drops(&self) -> Drops {
        self.routers.iter().fold(Drops::default(), |mut all, shard| {
            all.add_all(&shard.drops());
            all
        })
    }

    /// What each knows of its subscribers' networks.
    pub fn networks(&self) -> impl Iterator<Item = &Networks> {
        self.routers.iter().map(Router::networks)
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.routers.iter_mut().find_map(Router::poll_transmit)
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.routers.iter_mut().find_map(Router::poll_event)
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.routers.iter().filter_map(Router::next_deadline).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        for shard in &mut self.routers {
            shard.handle_timeout(now);
        }
        self.exchange(now);
    }

    /// Each transport goes to the shard after that of the former.
    pub fn open_transport(
        &mut self,
        now: Instant,
        command: OpenTransport,
    ) -> Result<Opened, RouterError> {
        let index = self.opened % self.routers.len();
        let opened = self.routers[index].open_transport(now, command)?;
        assert_eq!(usize::from(opened.transport.shard().0), index);
        self.opened += 1;
        self.exchange(now);
        Ok(opened)
    }

    pub fn renegotiate(
        &mut self,
        now: Instant,
        command: &Renegotiate,
    ) -> Result<Renegotiated, RouterError> {
        let outcome = self.of(command.transport).renegotiate(now, command);
        self.exchange(now);
        outcome
    }

    pub fn close_transport(
        &mut self,
        now: Instant,
        command: CloseTransport,
    ) -> Result<(), RouterError> {
        let outcome = self.of(command.transport).close_transport(now, command);
        self.exchange(now);
        outcome
    }

    pub fn bind(&mut self, now: Instant, command: &Bind) -> Result<Bound, RouterError> {
        const TICKET: u64 = 77;
        if let Some(outcome) = self.of(command.transport).start_bind(now, command, TICKET) {
            self.exchange(now);
            return outcome;
        }
        self.exchange(now);
        let (ticket, outcome) = self.of(command.transport).poll_bound().expect("an answer");
        assert_eq!(ticket, TICKET);
        outcome
    }

    pub fn unbind(&mut self, now: Instant, command: Unbind) -> Result<(), RouterError> {
        let outcome = self.of(command.transport).unbind(now, command);
        self.exchange(now);
        outcome
    }

    pub fn pause(&mut self, now: Instant, command: Pause) -> Result<(), RouterError> {
        let outcome = self.of(command.transport).pause(now, command);
        self.exchange(now);
        outcome
    }

    pub fn prefer(&mut self, now: Instant, command: Prefer) -> Result<(), RouterError> {
        let outcome = self.of(command.transport).prefer(now, command);
        self.exchange(now);
        outcome
    }

    /// What a slot may choose from.
    pub fn layers(&mut self, transport: TransportId, slot: SlotIndex) -> Vec<Layer> {
        let choices = self.of(transport).choices(transport, slot);
        choices.map_or_else(Vec::new, |(layers, _)| layers.to_vec())
    }

    pub fn set_audio_slots(
        &mut self,
        now: Instant,
        command: &SetAudioSlots,
    ) -> Result<(), RouterError> {
        let outcome = self.of(command.transport).set_audio_slots(now, command);
        self.exchange(now);
        outcome
    }

    pub fn set_budget(
        &mut self,
        now: Instant,
        (transport, slot, generation): (TransportId, SlotIndex, Generation),
        budget: Budget,
    ) -> Result<(), RouterError> {
        let outcome = self.of(transport).set_budget(now, transport, slot, generation, budget);
        self.exchange(now);
        outcome
    }

    pub fn request_key_frame(
        &mut self,
        now: Instant,
        command: RequestKeyFrame,
    ) -> Result<(), RouterError> {
        let outcome = self.of(command.transport).request_key_frame(now, command);
        self.exchange(now);
        outcome
    }

    pub fn list(&self) -> Listing {
        let mut transports: Vec<_> =
            self.routers.iter().flat_map(|shard| shard.list().transports).collect();
        transports.sort_unstable_by_key(|t| (t.transport.0 >> 8, t.transport.shard().0));
        Listing { transports }
    }

    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for counters in self.routers.iter().map(Router::counters) {
            sum.unknown_datagrams += counters.unknown_datagrams;
            sum.refused_datagrams += counters.refused_datagrams;
            sum.without_sink += counters.without_sink;
        }
        sum
    }

    pub fn retransmissions(&self) -> u64 {
        self.routers.iter().map(Router::retransmissions).sum()
    }
}
