//! A transport with audio slots gets the loudest of its bound streams, and is told whose sound it is.

use std::collections::BTreeSet;
use std::time::Duration;

use str0m::rtp::ExtensionValues;
use tertulia_router_core::{
    AudioSlotEvent, Carried, Event, Generation, Pause, RouterError, SetAudioSlots, SlotIndex,
};

use crate::driver::{ClientId, World};

const SECOND: Duration = Duration::from_secs(1);
/// Speech, and the hum of a room.
const VOICE: i8 = -30;
const ROOM: i8 = -100;

struct Hall {
    world: World,
    /// The stream of each has its index and 1 as colour, and is bound to the pair with its index.
    publishers: Vec<ClientId>,
    subscriber: ClientId,
    /// The audio slots.
    slots: Vec<u32>,
}

impl Hall {
    /// So many publishers, and a subscriber to all of them.
    fn new(publishers: u8, audio_slots: u32) -> Self {
        let mut world = World::new();
        let publishers: Vec<_> = (0..publishers).map(|i| world.join(&[i + 1], 0)).collect();
        let bound = publishers.len() as u32;
        let subscriber = world.join(&[], bound + audio_slots);
        for (pair, publisher) in (0..).zip(&publishers) {
            world.bind(subscriber, pair, 1, (*publisher, 0));
        }
        Self { world, publishers, subscriber, slots: (bound..bound + audio_slots).collect() }
    }

    fn listening(publishers: u8, audio_slots: u32) -> Self {
        let mut hall = Self::new(publishers, audio_slots);
        hall.set(&hall.slots.clone()).expect("audio slots");
        hall
    }

    fn set(&mut self, slots: &[u32]) -> Result<(), RouterError> {
        let transport = self.world.clients[self.subscriber].id();
        let slots = slots.iter().copied().map(SlotIndex).collect();
        let outcome =
            self.world.router.set_audio_slots(self.world.now, &SetAudioSlots { transport, slots });
        self.world.settle();
        outcome
    }

    /// Every publisher sends sound for so long; these of them speak, each this loud.
    fn speak(&mut self, duration: Duration, loud: &[(usize, i8)]) {
        let end = self.world.now + duration;
        while self.world.now < end {
            for index in 0..self.publishers.len() {
                let level = loud.iter().find(|(who, _)| *who == index).map_or(ROOM, |(_, l)| *l);
                let extensions = ExtensionValues {
                    audio_level: Some(level),
                    voice_activity: Some(level == VOICE),
                    ..ExtensionValues::default()
                };
                self.world.send_audio(self.publishers[index], 0, extensions);
            }
            self.world.run_for(Duration::from_millis(20));
        }
    }

    /// What came since this many packets: the publishers, by index, on audio slots and in pairs.
    fn heard(&self, since: usize) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let client = &self.world.clients[self.subscriber];
        let mids: Vec<_> = self.slots.iter().map(|s| client.slot_mids(*s as usize).0).collect();
        let (mut slots, mut pairs) = (BTreeSet::new(), BTreeSet::new());
        for packet in &client.received[since..] {
            let set = if mids.contains(&packet.mid) { &mut slots } else { &mut pairs };
            set.insert(usize::from(packet.colour) - 1);
        }
        (slots, pairs)
    }

    fn count(&self) -> usize {
        self.world.clients[self.subscriber].received.len()
    }

    /// Who was told to be carried, by audio slot, now.
    fn told(&self) -> Vec<Option<usize>> {
        let events = self.events();
        let newest = |slot: &u32| {
            let event = events.iter().rev().find(|e| e.slot == SlotIndex(*slot))?;
            Some(event.of?.slot.0 as usize)
        };
        self.slots.iter().map(newest).collect()
    }

    fn events(&self) -> Vec<AudioSlotEvent> {
        self.world.events_of(|event| match event {
            Event::AudioSlot(told) => Some(*told),
            _ => None,
        })
    }

    fn pause(&mut self, pair: u32, audio_paused: bool) {
        let pause = Pause {
            transport: self.world.clients[self.subscriber].id(),
            slot: SlotIndex(pair),
            generation: Generation(1),
            audio_paused,
            video_paused: false,
        };
        self.world.router.pause(self.world.now, pause).expect("set");
        self.world.settle();
    }
}

fn set(publishers: &[usize]) -> BTreeSet<usize> {
    publishers.iter().copied().collect()
}

#[test]
fn only_the_loudest_are_heard_and_never_in_their_pairs() {
    let mut hall = Hall::listening(5, 2);
    hall.speak(SECOND, &[(1, -35), (3, VOICE), (4, -60)]);
    assert_eq!(hall.heard(0), (set(&[1, 3]), set(&[])));
    assert_eq!(hall.told().into_iter().flatten().collect::<BTreeSet<_>>(), set(&[1, 3]));
    let total: u64 = hall.world.clients[hall.subscriber].received.len() as u64;
    assert!((80..110).contains(&total), "two streams of 50 packets: {total}");
}

#[test]
fn whoever_hears_everybody_hides_nobody_from_those_who_hear_the_loudest() {
    let mut hall = Hall::new(4, 2);
    for _ in 0..2 {
        let plain = hall.world.join(&[], 4);
        for (pair, publisher) in (0..).zip(&hall.publishers) {
            hall.world.bind(plain, pair, 1, (*publisher, 0));
        }
    }
    hall.set(&hall.slots.clone()).expect("audio slots");
    let since = hall.count();
    hall.speak(SECOND, &[(0, VOICE), (1, VOICE)]);
    assert_eq!(hall.heard(since).0, set(&[0, 1]));
}

#[test]
fn whoever_comes_later_without_audio_slots_hears_everybody() {
    let mut hall = Hall::listening(4, 2);
    hall.speak(SECOND, &[(0, VOICE)]);
    let plain = [0, 1].map(|_| hall.world.join(&[], 4));
    for subscriber in plain {
        for (pair, publisher) in (0..).zip(&hall.publishers) {
            hall.world.bind(subscriber, pair, 1, (*publisher, 0));
        }
    }
    hall.speak(SECOND, &[(0, VOICE)]);
    for subscriber in plain {
        let received = &hall.world.clients[subscriber].received;
        let heard = received.iter().map(|packet| usize::from(packet.colour) - 1);
        assert_eq!(heard.collect::<BTreeSet<_>>(), set(&[0, 1, 2, 3]));
    }
}

#[test]
fn a_line_goes_on_without_a_seam_when_another_takes_the_seat() {
    let mut hall = Hall::listening(3, 1);
    hall.speak(SECOND, &[(0, VOICE)]);
    hall.speak(2 * SECOND, &[]);
    hall.speak(SECOND, &[(2, VOICE)]);
    let events = hall.events();
    let turns: Vec<_> = events.iter().map(|e| (e.turn.0, e.of.map(|of| of.slot.0))).collect();
    assert_eq!(turns, [(1, Some(0)), (2, Some(2))]);
    let client = &hall.world.clients[hall.subscriber];
    let packets = client.received_on(client.slot_mids(3).0);
    assert!(packets.len() > 150);
    let from = events[1].audio_rtp_timestamp.expect("told");
    for pair in packets.windows(2) {
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
        assert_eq!(pair[1].sequence_number, pair[0].sequence_number + 1);
        assert!((pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32) > 0);
    }
    for packet in packets {
        let is_later = (packet.timestamp.wrapping_sub(from) as i32) >= 0;
        assert_eq!(packet.colour, if is_later { 3 } else { 1 }, "the timestamp tells whose it is");
    }
}

#[test]
fn whoever_speaks_keeps_the_seat_through_a_breath() {
    let mut hall = Hall::listening(3, 1);
    hall.speak(2 * SECOND, &[(0, VOICE)]);
    hall.speak(SECOND, &[(1, VOICE)]);
    hall.speak(SECOND, &[(0, VOICE), (1, VOICE)]);
    let before = hall.events().len();
    hall.speak(3 * SECOND, &[(0, VOICE), (1, -32)]);
    assert_eq!(hall.events().len(), before, "nobody is clearly louder");
    hall.speak(SECOND, &[(1, VOICE), (2, VOICE)]);
    let count = hall.count();
    hall.speak(2 * SECOND, &[]);
    assert_eq!(hall.heard(count).0.len(), 1, "who spoke last stays, silent");
}

#[test]
fn nobody_hears_whom_it_muted_or_let_go_of() {
    let mut hall = Hall::listening(4, 2);
    let all = [(0, VOICE), (1, VOICE), (2, -45), (3, -45)];
    hall.speak(SECOND, &all);
    assert_eq!(hall.heard(0).0, set(&[0, 1]));
    hall.pause(0, true);
    hall.world.unbind(hall.subscriber, 1, 1);
    hall.world.run_for(Duration::from_millis(20));
    let count = hall.count();
    hall.speak(SECOND, &all);
    assert_eq!(hall.heard(count), (set(&[2, 3]), set(&[])));
    hall.pause(0, false);
    let count = hall.count();
    hall.speak(2 * SECOND, &all);
    assert!(hall.heard(count).0.contains(&0), "who is unmuted is heard again");
    assert!(!hall.heard(count).0.contains(&1));
}

#[test]
fn nobody_hears_a_stream_that_it_never_subscribed_to() {
    let mut hall = Hall::listening(2, 2);
    let stranger = hall.world.join(&[9], 0);
    hall.publishers.push(stranger);
    hall.speak(SECOND, &[(0, VOICE), (2, VOICE)]);
    assert_eq!(hall.heard(0), (set(&[0]), set(&[])));
}

#[test]
fn the_threshold_may_be_crossed_both_ways_in_mid_call() {
    let mut hall = Hall::new(3, 1);
    hall.speak(SECOND, &[(0, VOICE)]);
    assert_eq!(hall.heard(0), (set(&[]), set(&[0, 1, 2])));
    let slots = hall.slots.clone();
    hall.set(&slots).expect("set");
    hall.set(&slots).expect("the same again changes nothing");
    hall.speak(Duration::from_millis(60), &[(0, VOICE)]);
    assert_eq!(hall.told(), [Some(0)], "who speaks is seated at once");
    let count = hall.count();
    hall.speak(SECOND, &[(0, VOICE)]);
    assert_eq!(hall.heard(count), (set(&[0]), set(&[])));
    hall.set(&[]).expect("set");
    assert_eq!(hall.told(), [None]);
    hall.world.run_for(Duration::from_millis(20));
    let count = hall.count();
    hall.speak(SECOND, &[(0, VOICE)]);
    assert_eq!(hall.heard(count), (set(&[]), set(&[0, 1, 2])));
    let client = &hall.world.clients[hall.subscriber];
    for pair in 0..3 {
        let packets = client.received_on(client.slot_mids(pair).0);
        for two in packets.windows(2) {
            assert_eq!(two[1].sequence_number, two[0].sequence_number + 1);
        }
    }
}

#[test]
fn a_pair_that_was_an_audio_slot_is_bound_like_any_other() {
    let mut hall = Hall::listening(3, 1);
    hall.speak(Duration::from_millis(60), &[(0, VOICE)]);
    hall.speak(SECOND, &[]);
    hall.speak(SECOND, &[(1, VOICE)]);
    assert_eq!(hall.told(), [Some(1)], "it carried one, and then another");
    hall.set(&[]).expect("set");
    let (pair, source) = (hall.slots[0], hall.world.source(hall.publishers[2], 0));
    let bound = hall.world.try_bind(hall.subscriber, pair, 1, source);
    assert!(bound.is_ok(), "turns are no bindings: {bound:?}");
}

#[test]
fn who_comes_later_may_be_heard_and_a_publisher_that_ends_leaves_the_seat() {
    let mut hall = Hall::listening(2, 1);
    hall.world.unbind(hall.subscriber, 1, 1);
    hall.speak(SECOND, &[(0, VOICE), (1, VOICE)]);
    assert_eq!(hall.heard(0).0, set(&[0]));
    hall.world.bind(hall.subscriber, 1, 2, (hall.publishers[1], 0));
    hall.world.unbind(hall.subscriber, 0, 1);
    let count = hall.count();
    hall.speak(SECOND, &[(0, VOICE), (1, VOICE)]);
    assert_eq!(hall.heard(count), (set(&[1]), set(&[])));
}

#[test]
fn video_stays_in_its_pair() {
    let mut hall = Hall::listening(2, 1);
    hall.world.play(SECOND);
    let client = &hall.world.clients[hall.subscriber];
    for pair in 0..2 {
        let (audio, video) = client.slot_mids(pair);
        assert!(client.received_on(video).len() > 20);
        assert!(client.received_on(audio).is_empty());
    }
}

#[test]
fn audio_slots_are_checked_and_listed() {
    let mut hall = Hall::new(2, 2);
    assert!(matches!(hall.set(&[0]), Err(RouterError::SlotBound { .. })), "a bound pair is none");
    assert!(matches!(hall.set(&[2, 2]), Err(RouterError::InvalidRequest(_))));
    assert!(matches!(hall.set(&[2, 77]), Err(RouterError::SlotNotFound(_))));
    let many: Vec<_> = (0..17).collect();
    assert!(matches!(hall.set(&many), Err(RouterError::LimitReached(_))));
    hall.set(&[2, 3]).expect("set");
    let source = hall.world.source(hall.publishers[0], 0);
    let refused = hall.world.try_bind(hall.subscriber, 2, 5, source);
    assert!(matches!(refused, Err(RouterError::SlotBound { .. })), "an audio slot is not bound");
    hall.speak(SECOND, &[(1, VOICE)]);
    let transports = hall.world.router.list().transports;
    let id = hall.world.clients[hall.subscriber].id();
    let listed = transports.into_iter().find(|t| t.transport == id).expect("listed").audio_slots;
    let of: Vec<_> = listed.iter().map(|slot| slot.of).collect();
    assert_eq!(of, [Some(Carried { slot: SlotIndex(1), generation: Generation(1) }), None]);
    assert_eq!(listed[0].audio_rtp_timestamp, hall.events()[0].audio_rtp_timestamp);
}
