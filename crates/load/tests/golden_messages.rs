//! The golden messages of the contract, which every other side tests against too.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tertulia_load::signalling::{
    ClientMessage, ClientName, Dimensions, ServerFrame, ServerMessage, SlotPair,
};

/// The frame of one example.
fn golden(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contract/examples/signalling");
    let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let mut example: Value = serde_json::from_str(&text).unwrap();
    example["frame"].take()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn pairs(body: &Value) -> Vec<SlotPair> {
    let pair = |pair: &Value| SlotPair {
        slot: pair["slot"].as_u64().unwrap() as u32,
        audio_mid: text(&pair["audioMid"]),
        video_mid: text(&pair["videoMid"]),
    };
    body["slots"].as_array().unwrap().iter().map(pair).collect()
}

fn assert_says(message: &ClientMessage, frame: &Value) {
    let (id, ack) = (frame[0].as_u64().unwrap(), frame[1].as_u64().unwrap());
    let said: Value = serde_json::from_str(&message.frame(id, ack)).unwrap();
    assert_eq!((&said[0], &said[1]), (&frame[0], &frame[1]));
    // Fields that are added to the wire are optional, and a load generator need not know them.
    for (field, value) in said[2].as_object().unwrap() {
        assert_eq!(*value, frame[2][field], "{field}");
    }
}

#[test]
fn what_clients_say_is_what_the_contract_says() {
    let mut frame = golden("join_token_alone");
    let token = text(&frame[2]["token"]);
    frame[2]["client"] = json!({"name": "tertulia-load", "version": env!("CARGO_PKG_VERSION")});
    assert_says(
        &ClientMessage::Join { token, client: ClientName::OWN, audio_slots: false },
        &frame,
    );

    let frame = golden("resume_audio_slots");
    let message = ClientMessage::Resume {
        connection_id: text(&frame[2]["connectionId"]),
        resume_key: text(&frame[2]["resumeKey"]),
        after: 41,
        audio_slots: true,
    };
    assert_says(&message, &frame);

    let frame = golden("negotiate");
    let (offer, slots) = (text(&frame[2]["offer"]), pairs(&frame[2]));
    assert_says(&ClientMessage::Negotiate { epoch: 1, offer, slots }, &frame);

    let frame = golden("republish");
    let message = ClientMessage::Republish {
        epoch: 2,
        offer: text(&frame[2]["offer"]),
        slots: pairs(&frame[2]),
        stream_id: text(&frame[2]["streamId"]),
        audio_mid: Some("4".into()),
        video_mid: Some("5".into()),
    };
    assert_says(&message, &frame);

    let frame = golden("publish_audio_only");
    let message = ClientMessage::Publish {
        epoch: 1,
        offer: text(&frame[2]["offer"]),
        slots: Vec::new(),
        audio_mid: Some("4".into()),
        video_mid: None,
        name: String::new(),
        has_audio: true,
        has_video: false,
        video_type: None,
        video_dimensions: Dimensions { width: 0, height: 0 },
        frame_rate: None,
    };
    assert_says(&message, &frame);

    let frame = golden("subscribe");
    let stream_id = text(&frame[2]["streamId"]);
    assert_says(&ClientMessage::Subscribe { stream_id, audio: true, video: true }, &frame);
    assert_says(&ClientMessage::ReleaseSlot { slot: 0, generation: 1 }, &golden("releaseSlot"));
    assert_says(&ClientMessage::Pong {}, &golden("pong"));
    assert_says(&ClientMessage::Leave {}, &golden("leave"));
}

#[test]
fn what_a_client_must_react_to_is_understood() {
    for name in [
        "joined",
        "joined_alone",
        "resumed",
        "resumed_with_snapshot",
        "refused",
        "ping",
        "bound",
        "bound_audio_only",
        "unbound",
        "slotsNeeded",
        "mediaFailed",
        "disconnected",
        "streamCreated",
        "streamDestroyed",
        "reply_negotiate",
        "reply_publish",
        "reply_subscribe",
        "reply_leave",
        "reply_error_permission_denied",
    ] {
        let (_, message): ServerFrame = serde_json::from_value(golden(name)).unwrap();
        assert!(!matches!(message, ServerMessage::Other), "{name}");
    }
}

#[test]
fn everything_else_that_a_server_says_is_no_error() {
    for name in ["connectionCreated", "connectionDestroyed", "signal_event", "subscriptionVideo"] {
        let (_, message): ServerFrame = serde_json::from_value(golden(name)).unwrap();
        assert!(matches!(message, ServerMessage::Other), "{name}");
    }
    let unknown = serde_json::from_str::<ServerFrame>(r#"[7, {"type": "ofTomorrow", "x": 1}]"#);
    assert_eq!(unknown.unwrap().0, 7);
}
