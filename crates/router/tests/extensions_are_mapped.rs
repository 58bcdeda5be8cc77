//! Header extensions keep their meaning although every client numbers them differently, and
//! publishers get transport-wide feedback.

use std::time::{Duration, SystemTime};

use str0m::rtp::{AbsCaptureTime, ExtensionValues, VideoOrientation};

use crate::driver::{Change, ClientOptions, World};

#[test]
fn values_arrive_under_the_numbers_of_the_subscriber() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let options = ClientOptions { extension_shift: 5, ..ClientOptions::default() };
    let subscriber = world.join_with(options, &Change { slots: 1, ..Change::default() });
    world.bind(subscriber, 0, 1, (publisher, 0));
    let capture_time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    let sent = ExtensionValues {
        audio_level: Some(-33),
        voice_activity: Some(true),
        video_orientation: Some(VideoOrientation::Deg90),
        abs_capture_time: Some(AbsCaptureTime { capture_time, clock_offset: None }),
        ..ExtensionValues::default()
    };
    for _ in 0..5 {
        world.send_audio(publisher, 0, sent.clone());
        world.send_video(publisher, 0, sent.clone());
        world.run_for(Duration::from_millis(20));
    }

    let client = &world.clients[subscriber];
    let (audio, video) = client.slot_mids(0);
    let (heard, seen) = (client.received_on(audio), client.received_on(video));
    assert!(heard.len() == 5 && seen.len() == 5);
    let heard = &heard[0].extensions;
    assert_eq!((heard.audio_level, heard.voice_activity), (Some(-33), Some(true)));
    assert_eq!(heard.mid, Some(audio), "the line of the subscriber, not of the publisher");
    let seen = &seen[0].extensions;
    assert_eq!(seen.video_orientation, Some(VideoOrientation::Deg90));
    assert_eq!(seen.mid, Some(video));
    let captured = seen.abs_capture_time.expect("a capture time").capture_time;
    let error = captured.duration_since(capture_time).unwrap_or_else(|e| e.duration());
    assert!(error < Duration::from_millis(1));
    assert!(seen.transport_cc.is_some(), "numbered for the subscriber's own feedback");
}

#[test]
fn publishers_get_transport_wide_feedback() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    world.play(Duration::from_secs(1));
    let feedbacks = world.clients[publisher].transport_feedbacks;
    assert!((10..=30).contains(&feedbacks), "{feedbacks} in a second");
}
