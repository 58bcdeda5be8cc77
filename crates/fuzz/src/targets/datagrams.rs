//! The datagram entry, from strangers and from forged addresses: a client in mid-handshake and a call
//! of two. Nobody's transport may end, the engine may not panic, and strangers are not answered.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tertulia_router_core::Datagram;

use super::{Check, Target};
use crate::driver::forgery::{self, Dice};
use crate::driver::{Change, ClientOptions, Direction, World};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "datagrams", structure: Structure::Binary, seeds, start };

/// Inputs of one world.
const LIFETIME: u32 = 5000;
/// Inputs between two looks at the call.
const PERIOD: u32 = 1000;

/// An input is one byte that says whose address is forged, and a datagram.
fn start() -> Check {
    let mut scene = Scene::new();
    let mut count = 0;
    Box::new(move |input| {
        if count == LIFETIME {
            scene = Scene::new();
            count = 0;
        }
        count += 1;
        let (who, contents) = input.split_first().unwrap_or((&0, &[]));
        scene.forge(*who, contents)?;
        if count % PERIOD == 0 { scene.play() } else { Ok(()) }
    })
}

struct Scene {
    world: World,
}

const HALF: usize = 2;

impl Scene {
    fn new() -> Self {
        let mut world = World::new();
        let publisher = world.join(&[1], 0);
        let subscriber = world.join(&[], 1);
        world.bind(subscriber, 0, 1, (publisher, 0));
        world.play(Duration::from_millis(100));
        // Checks of the third get through, and nothing of its handshake.
        world.let_through(|direction, contents| {
            let is_dtls = contents.first().is_some_and(|first| (20..64).contains(first));
            !(is_dtls && matches!(direction, Direction::ToRouter(HALF)))
        });
        world.open(ClientOptions::default(), &Change { slots: 1, ..Change::default() });
        world.run_for(Duration::from_millis(200));
        Self { world }
    }

    fn forge(&mut self, who: u8, contents: &[u8]) -> Result<(), String> {
        let world = &mut self.world;
        let stranger = SocketAddr::from(([203, 0, 113, 66], 6666));
        let source = world.clients.get(usize::from(who % 4)).map_or(stranger, |c| c.address);
        let datagram = Datagram { socket: 0, source, contents };
        world.router.handle_datagram(world.now, datagram);
        world.settle();
        if !world.strays.is_empty() {
            return Err("a stranger was answered".into());
        }
        if world.router.list().transports.len() < 3 {
            return Err(format!("a transport ended: {:?}", world.events.last()));
        }
        Ok(())
    }

    fn play(&mut self) -> Result<(), String> {
        let before = self.world.clients[1].received.len();
        self.world.play(Duration::from_millis(200));
        let gained = self.world.clients[1].received.len() - before;
        if gained < 10 { Err(format!("the call got {gained} packets")) } else { Ok(()) }
    }
}

/// What clients send to join and in a call, and what forgers would.
fn seeds() -> Vec<Vec<u8>> {
    let mut world = World::new();
    let recorded = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&recorded);
    world.let_through(move |direction, contents| {
        let who = match direction {
            Direction::ToRouter(id) | Direction::ToClient(id) => id as u8,
        };
        sink.borrow_mut().push([&[who], contents].concat());
        true
    });
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(200));
    let mut seeds = recorded.take();
    seeds.truncate(80);
    let mut dice = Dice(1);
    for who in 0..4 {
        let random = dice.bytes(32);
        for hello in [
            forgery::hello(&random, &[], 0xfefd, 0xc02b),
            forgery::hello(&random, &random, 0xfefd, 0xc02b),
        ] {
            let message = forgery::handshake(1, u16::from(who % 2), &hello);
            seeds.push([&[who][..], &forgery::record(22, 0, 0, &message)].concat());
        }
        seeds.push([&[who][..], &forgery::check(&mut dice, "a:b")].concat());
        seeds.push([&[who][..], &forgery::rtp(&mut dice, 97, 1, "0")].concat());
    }
    seeds
}
