//! An engine that panics, floods or fails takes its own transport with it and nothing else.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use str0m::media::Rid;
use tertulia_router_core::{
    Answer, Datagram, Datagrams, Engine, EngineError, EngineFactory, Event, LocalAddress, Mid, Output,
    Payload, Reception, RtpOut, SentPacket, Str0mEngines, TransportState,
};

use crate::driver::{Change, ClientOptions, World, router_address};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Offer,
    Datagram,
    Timeout,
    Poll,
    Send,
    Flood,
    PollAndDrop,
}

/// What goes wrong from now on in the engine with this number, from 0.
type Plan = Arc<Mutex<Option<(usize, Fault)>>>;

#[derive(Clone)]
struct FaultyEngines {
    inner: Str0mEngines,
    plan: Plan,
    made: Arc<Mutex<usize>>,
}

struct FaultyEngine {
    inner: Box<dyn Engine>,
    plan: Plan,
    number: usize,
}

impl FaultyEngine {
    fn has(&self, fault: Fault) -> bool {
        *self.plan.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
            == Some((self.number, fault))
    }

    fn trip(&self, fault: Fault) {
        assert!(!self.has(fault), "planned panic");
    }
}

impl Drop for FaultyEngine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.trip(Fault::PollAndDrop);
        }
    }
}

impl EngineFactory for FaultyEngines {
    fn create(&mut self, now: Instant) -> Result<Box<dyn Engine>, EngineError> {
        let (inner, plan) = (self.inner.create(now)?, Arc::clone(&self.plan));
        let mut made = self.made.lock().unwrap();
        *made += 1;
        Ok(Box::new(FaultyEngine { inner, plan, number: *made - 1 }))
    }
}

impl Engine for FaultyEngine {
    fn accept_offer(
        &mut self,
        now: Instant,
        offer: &str,
        slots: &[Mid],
    ) -> Result<Answer, EngineError> {
        self.trip(Fault::Offer);
        self.inner.accept_offer(now, offer, slots)
    }

    fn payloads(&self, mid: Mid) -> Vec<Payload> {
        self.inner.payloads(mid)
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
    ) -> Result<Reception, EngineError> {
        self.trip(Fault::Datagram);
        self.inner.handle_datagram(now, datagram)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError> {
        self.trip(Fault::Timeout);
        self.inner.handle_timeout(now)
    }

    fn poll(&mut self) -> Result<Output, EngineError> {
        self.trip(Fault::Poll);
        self.trip(Fault::PollAndDrop);
        if self.has(Fault::Flood) {
            return Ok(Output::Report(tertulia_router_core::EngineReport::default()));
        }
        self.inner.poll()
    }

    fn send(&mut self, mid: Mid, packet: RtpOut) -> Result<(), EngineError> {
        self.trip(Fault::Send);
        self.inner.send(mid, packet)
    }

    fn transmit(&mut self, now: Instant, datagrams: &mut Datagrams) -> Result<bool, EngineError> {
        self.inner.transmit(now, datagrams)
    }

    fn sent(&self) -> &[SentPacket] {
        self.inner.sent()
    }

    fn probe(&mut self, bytes: usize) -> Result<bool, EngineError> {
        self.inner.probe(bytes)
    }

    fn pace(&mut self, bits_per_second: Option<u64>) {
        self.inner.pace(bits_per_second);
    }

    fn release_at(&self) -> Option<Instant> {
        self.inner.release_at()
    }

    fn let_out(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.inner.let_out(mid)
    }

    fn forget_sent(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.inner.forget_sent(mid)
    }

    fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> Result<(), EngineError> {
        self.inner.request_key_frame(mid, rid)
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.inner.close()
    }
}

fn world() -> (World, Plan) {
    let local = vec![LocalAddress {
        protocol: tertulia_router_core::Protocol::Udp,
        bound: router_address(),
        advertised: vec![router_address()],
    }];
    let plan = Plan::default();
    let inner = Str0mEngines::new(&local);
    let engines = FaultyEngines { inner, plan: Arc::clone(&plan), made: Arc::default() };
    (World::with_engines(&local, || Box::new(engines.clone())), plan)
}

fn ended(world: &World) -> Vec<(String, String)> {
    world.events_of(|event| match event {
        Event::TransportState { seat, state: TransportState::Failed, reason, .. } => {
            Some((seat.clone(), reason.clone().unwrap_or_default()))
        }
        _ => None,
    })
}

/// A publisher, the subscriber whose engine fails, and one that must not notice.
fn fail_the_subscriber(fault: Fault) -> (World, usize) {
    let (mut world, plan) = world();
    let publisher = world.join(&[1], 0);
    let victim = world.join(&[], 1);
    let witness = world.join(&[], 1);
    world.bind(victim, 0, 1, (publisher, 0));
    world.bind(witness, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(100));
    let before = world.clients[witness].received.len();
    *plan.lock().unwrap() = Some((1, fault));
    // An engine is called without input every second at least.
    world.play(Duration::from_millis(1100));
    let gained = world.clients[witness].received.len() - before;
    (world, gained)
}

#[test]
fn every_fault_ends_one_transport_with_a_reason() {
    for fault in [
        Fault::Datagram,
        Fault::Timeout,
        Fault::Poll,
        Fault::Send,
        Fault::Flood,
        Fault::PollAndDrop,
    ] {
        let (world, gained) = fail_the_subscriber(fault);
        let ended = ended(&world);
        assert_eq!(ended.len(), 1, "{fault:?}");
        assert_eq!(ended[0].0, "seat-1", "{fault:?}");
        let expected = if fault == Fault::Flood { "10000 outputs" } else { "planned panic" };
        assert!(ended[0].1.contains(expected), "{fault:?}: {}", ended[0].1);
        assert!(gained >= 80, "{fault:?}: the others go on ({gained} packets)");
        assert_eq!(world.router.list().transports.len(), 2, "{fault:?}");
    }
}

#[test]
fn a_publisher_that_fails_leaves_its_subscribers_alone() {
    let (mut world, plan) = world();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(100));
    *plan.lock().unwrap() = Some((0, Fault::Poll));
    world.play(Duration::from_millis(100));
    assert_eq!(ended(&world).len(), 1);
    let other = world.join(&[2], 0);
    world.unbind(subscriber, 0, 1);
    world.bind(subscriber, 0, 2, (other, 0));
    world.play(Duration::from_millis(200));
    assert_eq!(world.clients[subscriber].received.last().map(|r| r.colour), Some(2));
}

#[test]
fn a_panic_over_an_offer_is_an_answer_and_not_an_end() {
    let (mut world, plan) = world();
    let client = world.join(&[1], 0);
    *plan.lock().unwrap() = Some((0, Fault::Offer));
    let (offer, _pending) = world.clients[client].offer(&Change { slots: 1, ..Change::default() });
    let slots = world.clients[client].slots.clone();
    let transport = world.clients[client].id();
    let command = tertulia_router_core::Renegotiate { transport, offer, slots };
    let error = world.router.renegotiate(world.now, &command).expect_err("refused");
    assert_eq!(error.code(), "transport_failed");
    world.settle();
    assert_eq!(ended(&world).len(), 1);
    *plan.lock().unwrap() = None;
    world.clients[client].streams.clear();
    world.open(ClientOptions::default(), &Change { slots: 1, ..Change::default() });
}
