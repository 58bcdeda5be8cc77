//! Of several encodings the highest live one is forwarded, as one sender.

use std::time::Duration;

use str0m::media::{Rid, Simulcast, SimulcastLayer};
use str0m::rtp::RtpWrite;

use crate::driver::{Change, ClientId, ClientOptions, Picture, World};

/// Bytes of a frame of each encoding; the last byte of its payload says which.
const SIZES: [usize; 3] = [60, 300, 1000];
const RIDS: [&str; 3] = ["h", "q", "f"];

fn publisher(world: &mut World) -> ClientId {
    let mut simulcast = Simulcast::new();
    for rid in RIDS {
        simulcast.add_send_layer(SimulcastLayer::new(rid));
    }
    let change = Change {
        publish: vec![(9, Picture::Vp8)],
        simulcast: Some(simulcast),
        ..Change::default()
    };
    world.join_with(ClientOptions::default(), &change)
}

/// Sends 25 frames per second of the first `live` encodings.
fn play(world: &mut World, publisher: ClientId, live: usize, frames: u64, from: &mut u64) {
    for _ in 0..frames {
        *from += 1;
        let now = world.now;
        let client = &mut world.clients[publisher];
        for (layer, size) in SIZES.iter().enumerate().take(live) {
            let rid: Rid = RIDS[layer].into();
            let asked = client.key_frame_requests.iter().position(|(_, _, r)| *r == Some(rid));
            if let Some(place) = asked {
                client.key_frame_requests.remove(place);
            }
            let mut payload = vec![0x10, u8::from(asked.is_none() && *from > 1)];
            payload.resize(*size, layer as u8);
            let timestamp = 3600 * *from as u32 + 1_000_000 * layer as u32;
            let number = *from + 5000 * layer as u64;
            let packet = RtpWrite::new(97.into(), number.into(), timestamp, now, payload)
                .marker(true)
                .nackable(true);
            client.send(client.streams[0].video, Some(rid), packet);
        }
        client.drive(now);
        world.settle();
        world.run_for(Duration::from_millis(40));
    }
}

#[test]
fn the_largest_encoding_wins_and_the_next_one_takes_over() {
    let mut world = World::new();
    let publisher = publisher(&mut world);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    let mut frame = 0;
    play(&mut world, publisher, 3, 75, &mut frame);
    let layer_now = |world: &World| world.clients[subscriber].received.last().map(|r| r.colour);
    assert_eq!(layer_now(&world), Some(2));
    play(&mut world, publisher, 2, 75, &mut frame);
    assert_eq!(layer_now(&world), Some(1));

    let client = &world.clients[subscriber];
    let packets = client.received_on(client.slot_mids(0).1);
    for pair in packets.windows(2) {
        assert_eq!(pair[0].ssrc, pair[1].ssrc);
        assert_eq!(pair[1].sequence_number, pair[0].sequence_number + 1);
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!((1..900_000).contains(&step), "time goes on: {step}");
    }
}
