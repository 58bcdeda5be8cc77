//! A packet that is forwarded costs no memory: what a router needs it has after a while.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use str0m::rtp::ExtensionValues;

use tertulia_router_core::{SetAudioSlots, SlotIndex};

use crate::driver::layered::Layered;
use crate::driver::{Change, ClientOptions, Picture, World};

thread_local! {
    /// What this thread allocated while it was counted; nothing otherwise.
    static COUNTED: Cell<Option<usize>> = const { Cell::new(None) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    let _ = COUNTED.try_with(|counted| counted.set(counted.get().map(|count| count + 1)));
}

// SAFETY: everything is left to the system's allocator; the counter is a plain cell of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, bytes) }
    }
}

/// How often memory was asked for in there.
fn allocations<T>(run: impl FnOnce() -> T) -> (usize, T) {
    COUNTED.set(Some(0));
    let result = run();
    (COUNTED.take().unwrap_or_default(), result)
}

#[test]
fn memory_that_is_asked_for_is_counted() {
    let (none, _) = allocations(|| 1 + 1);
    let (some, _) = allocations(|| vec![1_u8; 100]);
    assert_eq!((none, some), (0, 1));
}

#[test]
fn after_a_while_no_packet_needs_memory() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscribers: Vec<_> = (0..10).map(|_| world.join(&[], 1)).collect();
    for subscriber in &subscribers {
        world.bind(*subscriber, 0, 1, (publisher, 0));
    }
    // Longer than anything is kept.
    world.play(Duration::from_secs(6));

    let (mut forwarded, mut needed) = (0, 0);
    for tick in 0..100 {
        let now = world.now;
        let client = &mut world.clients[publisher];
        client.send_audio(now, 0, ExtensionValues::default());
        if tick % 2 == 0 {
            client.send_video(now, 0, ExtensionValues::default());
        }
        client.drive(now);
        while let Some(packet) = world.clients[publisher].outgoing.pop_front() {
            let source = world.clients[publisher].outside;
            let (count, left) = allocations(|| world.router.forward_at_once(now, source, &packet));
            forwarded += left;
            needed += count;
        }
        world.run_for(Duration::from_millis(20));
    }
    assert!(forwarded >= 1400, "{forwarded} packets");
    // The pool may lack a buffer where packets that are kept stand before those that are not.
    assert!(needed <= 10, "{needed} allocations for {forwarded} packets");
}

#[test]
fn every_copy_of_a_packet_that_is_followed_tells_when_it_came() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    for _ in 0..3 {
        let subscriber = world.join(&[], 1);
        world.bind(subscriber, 0, 1, (publisher, 0));
    }
    world.play(Duration::from_secs(1));
    let (now, client) = (world.now, &mut world.clients[publisher]);
    client.send_audio(now, 0, ExtensionValues::default());
    client.drive(now);
    let packet = client.outgoing.pop_front().unwrap();
    let source = client.outside;
    assert_eq!(world.router.follow(now, source, &packet), 3);
}

#[test]
fn nor_does_one_that_an_audio_slot_carries_or_that_nobody_hears() {
    let mut world = World::new();
    let publishers: Vec<_> = (1..=8).map(|colour| world.join(&[colour], 0)).collect();
    let subscribers: Vec<_> = (0..5).map(|_| world.join(&[], 10)).collect();
    for subscriber in &subscribers {
        for (pair, publisher) in (0..).zip(&publishers) {
            world.bind(*subscriber, pair, 1, (*publisher, 0));
        }
        let transport = world.clients[*subscriber].id();
        let slots = vec![SlotIndex(8), SlotIndex(9)];
        let command = SetAudioSlots { transport, slots };
        world.router.set_audio_slots(world.now, &command).expect("set");
    }
    // Sound alone, for longer than anything is kept.
    let (mut forwarded, mut needed) = (0, 0);
    for tick in 0..500 {
        if tick == 400 {
            (forwarded, needed) = (0, 0);
        }
        for publisher in &publishers {
            let now = world.now;
            let client = &mut world.clients[*publisher];
            client.send_audio(now, 0, ExtensionValues::default());
            client.drive(now);
            while let Some(packet) = world.clients[*publisher].outgoing.pop_front() {
                let source = world.clients[*publisher].outside;
                let run = || world.router.forward_at_once(now, source, &packet);
                let (count, left) = allocations(run);
                forwarded += left;
                // Connectivity checks are not forwarded.
                needed += if packet.first() >= Some(&128) { count } else { 0 };
            }
        }
        world.run_for(Duration::from_millis(20));
    }
    assert!((900..1200).contains(&forwarded), "two streams to five: {forwarded} packets");
    assert!(needed <= 10, "{needed} allocations for {forwarded} packets");
}

#[test]
fn after_a_while_no_packet_with_layers_inside_needs_memory() {
    let mut world = World::new();
    let options = ClientOptions { has_dependencies: true, ..ClientOptions::default() };
    let publish = Change { publish: vec![(1, Picture::Av1)], ..Change::default() };
    let publisher = world.join_with(options.clone(), &publish);
    let slots = Change { slots: 1, ..Change::default() };
    let subscribers: Vec<_> = (0..10).map(|_| world.join_with(options.clone(), &slots)).collect();
    for subscriber in &subscribers {
        world.bind(*subscriber, 0, 1, (publisher, 0));
    }
    let mut stream = Layered::new(Picture::Av1);
    let (mut forwarded, mut needed) = (0, 0);
    for picture in 0..250 {
        let now = world.now;
        let client = &mut world.clients[publisher];
        stream.send(client, now, picture % 50 == 0);
        client.drive(now);
        while let Some(packet) = world.clients[publisher].outgoing.pop_front() {
            let source = world.clients[publisher].outside;
            let (count, left) = allocations(|| world.router.forward_at_once(now, source, &packet));
            // Longer than anything is kept; and no reports, which are for one.
            if picture >= 150 && left > 1 {
                forwarded += left;
                needed += count;
            }
        }
        world.run_for(Duration::from_millis(40));
    }
    assert!(forwarded >= 1900, "{forwarded} packets");
    // As above; what only some subscribers need is kept for less long.
    assert!(needed <= 20, "{needed} allocations for {forwarded} packets");
}
