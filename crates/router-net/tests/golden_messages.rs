//! The golden messages of the contract, which the Python side tests against too.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tertulia_router::link::message::{
    Empty, EventBatch, HelloReply, MAX_FRAME_BYTES, Refusal, Reply, Request, encode_events,
    encode_reply,
};
use tertulia_router_core::{
    BindingInfo, Bound, Config, Generation, Kind, Listing, Mid, Opened, Renegotiated, SlotIndex,
    Source, TrackInfo, TransportId, TransportInfo, TransportState, Wishes,
};

#[derive(Deserialize)]
struct Golden {
    name: String,
    message: Value,
    msgpack_hex: String,
}

impl Golden {
    fn bytes(&self) -> Vec<u8> {
        let digits = self.msgpack_hex.as_bytes();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn id(&self) -> u64 {
        self.message["id"].as_u64().unwrap()
    }
}

fn goldens() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contract/examples/router-link");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let golden: Golden = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(path.file_stem().unwrap().to_str(), Some(golden.name.as_str()));
        golden
    };
    fs::read_dir(folder).unwrap().map(read).collect()
}

fn parse<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).unwrap()
}

#[derive(Deserialize)]
struct Frame<T> {
    result: T,
}

/// Decodes the result both ways, compares, and wraps it for encoding.
fn result<T: DeserializeOwned + PartialEq + std::fmt::Debug>(
    golden: &Golden,
    wrap: impl Fn(T) -> Reply,
) -> Reply {
    let from_bytes: Frame<T> = rmp_serde::from_slice(&golden.bytes()).unwrap();
    let from_json: T = parse(&golden.message["result"]);
    assert_eq!(from_bytes.result, from_json, "{}", golden.name);
    wrap(from_json)
}

fn check_request(golden: &Golden) {
    let (id, request) = Request::decode(&golden.bytes()).unwrap();
    assert_eq!(id, golden.id());
    let m = &golden.message;
    let expected = match m["type"].as_str().unwrap() {
        "hello" => Request::Hello(parse(m)),
        "open_transport" => Request::OpenTransport(parse(m)),
        "renegotiate" => Request::Renegotiate(parse(m)),
        "close_transport" => Request::CloseTransport(parse(m)),
        "bind" => Request::Bind(parse(m)),
        "unbind" => Request::Unbind(parse(m)),
        "pause" => Request::Pause(parse(m)),
        "prefer" => Request::Prefer(parse(m)),
        "set_audio_slots" => Request::SetAudioSlots(parse(m)),
        "request_key_frame" => Request::RequestKeyFrame(parse(m)),
        "list" => Request::List,
        other => panic!("no such request: {other}"),
    };
    assert_eq!(request, expected, "{}", golden.name);
    assert_eq!(request.encode(id).unwrap(), golden.bytes(), "{}", golden.name);
}

fn check_reply(golden: &Golden) {
    let request = golden.name.strip_prefix("reply_").unwrap();
    let reply = match request {
        "hello" => result::<HelloReply>(golden, Reply::Hello),
        "open_transport" => result::<Opened>(golden, Reply::Opened),
        "renegotiate" => result::<Renegotiated>(golden, Reply::Renegotiated),
        name if name.starts_with("bind") => result::<Bound>(golden, Reply::Bound),
        name if name.starts_with("list") => result::<Listing>(golden, Reply::Listing),
        _ => result::<Empty>(golden, Reply::Empty),
    };
    assert_eq!(encode_reply(golden.id(), &Ok(reply)).unwrap(), golden.bytes(), "{}", golden.name);
}

fn check_error(golden: &Golden) {
    #[derive(Deserialize)]
    struct ErrorFrame {
        error: Refusal,
    }
    let from_bytes: ErrorFrame = rmp_serde::from_slice(&golden.bytes()).unwrap();
    let refusal: Refusal = parse(&golden.message["error"]);
    assert_eq!(from_bytes.error, refusal, "{}", golden.name);
    assert_eq!(
        encode_reply(golden.id(), &Err(refusal)).unwrap(),
        golden.bytes(),
        "{}",
        golden.name
    );
}

fn check_events(golden: &Golden) {
    let from_bytes: EventBatch = rmp_serde::from_slice(&golden.bytes()).unwrap();
    let batch: EventBatch = parse(&golden.message);
    assert_eq!(from_bytes, batch, "{}", golden.name);
    assert_eq!(encode_events(&batch).unwrap(), golden.bytes(), "{}", golden.name);
}

#[test]
fn every_golden_message_is_read_and_written_to_the_byte() {
    let goldens = goldens();
    for golden in &goldens {
        match golden.name.split_once('_').unwrap().0 {
            "request" => check_request(golden),
            "reply" => check_reply(golden),
            "error" => check_error(golden),
            "event" => check_events(golden),
            other => panic!("no such kind of message: {other}"),
        }
    }
    let count = |prefix| goldens.iter().filter(|g| g.name.starts_with(prefix)).count();
    assert!(count("request_") >= 9 && count("reply_") >= 9, "one of each request and reply");
    assert!(count("error_") >= 11 && count("event_") >= 7, "one of each error and event");
}

#[test]
fn unknown_fields_are_ignored() {
    let bytes = rmp_serde::to_vec_named(&serde_json::json!({
        "type": "unbind", "id": 1, "transport": 2, "slot": 0, "generation": 1, "colour": "red",
    }))
    .unwrap();
    assert!(matches!(Request::decode(&bytes), Ok((1, Request::Unbind(_)))));
}

/// A transport that publishes, and watches so many streams.
fn watching(streams: usize) -> TransportInfo {
    let mid = |number: usize| Mid::parse(&number.to_string()).unwrap();
    let track = |number, kind| TrackInfo {
        mid: mid(number),
        kind,
        codec: Some("vp8".to_owned()),
        receiving: true,
        paused_rids: Some(vec!["f".to_owned(), "h".to_owned()]),
    };
    let transport = TransportId(u64::MAX);
    let slot = |slot: usize| BindingInfo {
        slot: SlotIndex(slot as u32),
        audio_mid: mid(2 * slot + 2),
        video_mid: mid(2 * slot + 3),
        generation: Generation(u32::MAX),
        source: Some(Source { transport, audio_mid: Some(mid(0)), video_mid: Some(mid(1)) }),
        audio_paused: false,
        video_paused: false,
        wishes: Wishes { width: Some(1_280), height: Some(720), frame_rate: None },
        video_fallback: None,
    };
    TransportInfo {
        transport,
        seat: "c3a1a6f0-4f3b-4f0e-9d0c-0d6d3c1a2b4f".to_owned(),
        epoch: u32::MAX,
        state: TransportState::Connected,
        tracks: vec![track(0, Kind::Audio), track(1, Kind::Video)],
        slots: (0..streams).map(slot).collect(),
        audio_slots: Vec::new(),
    }
}

#[test]
fn the_listing_of_a_full_router_fits_into_a_frame() {
    let Config { max_transports, max_slots, .. } = Config::new(Vec::new());
    let length = |transports| {
        let transports = vec![watching(max_slots); transports];
        encode_reply(1, &Ok(Reply::Listing(Listing { transports }))).unwrap().len()
    };
    let each = length(2) - length(1);
    assert!(each * max_transports + 1_024 <= MAX_FRAME_BYTES, "{each} bytes for each transport");
}
