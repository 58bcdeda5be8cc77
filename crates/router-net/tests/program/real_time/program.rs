//! The program by itself: its link, its answers to strangers, its bad starts.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use crate::harness::{Call, Control, Folder, RunningRouter, run_to_end};
use serde_json::json;

#[test]
fn a_stream_goes_through_the_program_and_back() {
    let router = RunningRouter::start();
    let mut control = Control::greet(&router.link);
    let mut call = Call::open(&mut control, router.udp_port);
    call.run_until(|call| call.is_connected);
    let bound = control.request(
        "bind",
        &json!({
            "transport": call.transport, "slot": 0, "generation": 1,
            "source": {"transport": call.transport, "audio_mid": call.sends.0, "video_mid": call.sends.1},
            "audio_paused": false, "video_paused": false,
        }),
    );
    let first = bound["result"]["video_rtp_timestamp"].as_u64().expect("a timestamp") as u32;
    call.run_until(|call| call.audio_received >= 20 && call.video_timestamps.len() >= 10);
    assert!(call.video_timestamps.iter().all(|t| t.wrapping_sub(first) < 90_000 * 60));

    control.wait_for_event("transport_state", |e| e["state"] == "connected");
    control.wait_for_event("track", |e| e["track"]["codec"] == "vp8");
    control.wait_for_event("binding_started", |e| e["kind"] == "video");
    control.wait_for_event("router_statistics", |e| {
        let total = |name: &str| -> u64 {
            let shards = e["shards"].as_array().expect("shards").iter();
            shards.map(|shard| shard[name].as_u64().expect("a number")).sum()
        };
        total("transports") == 1 && total("packets_received") > 30 && total("bytes_sent") > 1000
    });
    let list = control.request("list", &json!({}));
    assert_eq!(list["result"]["transports"][0]["state"], "connected");
    assert_eq!(list["result"]["transports"][0]["seat"], "a seat");

    let stop = json!({"transport": call.transport, "slot": 0, "generation": 1});
    assert_eq!(control.request("unbind", &stop)["result"], json!({}));
    let close = json!({"transport": call.transport});
    assert_eq!(control.request("close_transport", &close)["result"], json!({}));
    control.wait_for_event("transport_state", |e| e["state"] == "closed");
    call.run_until(|call| call.is_closed);
    assert_eq!(router.terminate(), Some(0));
}

#[test]
fn clients_are_told_when_the_program_ends() {
    let router = RunningRouter::start();
    let mut control = Control::greet(&router.link);
    let mut call = Call::open(&mut control, router.udp_port);
    call.run_until(|call| call.is_connected);
    let link = router.link.clone();
    assert_eq!(router.terminate(), Some(0));
    call.run_until(|call| call.is_closed);
    assert!(!link.exists(), "the socket file is removed");
}

#[test]
fn media_goes_on_without_control_and_the_next_control_finds_it() {
    let router = RunningRouter::start();
    let mut control = Control::greet(&router.link);
    let mut call = Call::open(&mut control, router.udp_port);
    call.run_until(|call| call.is_connected);
    let source = json!({"transport": call.transport, "audio_mid": call.sends.0});
    let bind = json!({
        "transport": call.transport, "slot": 0, "generation": 7, "source": source,
        "audio_paused": false, "video_paused": true,
    });
    control.request("bind", &bind);
    drop(control);
    let before = call.audio_received;
    call.run_until(|call| call.audio_received >= before + 30);
    let mut control = Control::greet(&router.link);
    let list = control.request("list", &json!({}));
    let slot = &list["result"]["transports"][0]["slots"][0];
    assert_eq!((&slot["generation"], &slot["source"]), (&json!(7), &source));
}

#[test]
fn the_newest_control_is_served_and_the_older_one_closed() {
    let router = RunningRouter::start();
    let mut older = Control::greet(&router.link);
    let mut newer = Control::greet(&router.link);
    assert!(older.is_at_end());
    assert_eq!(newer.request("list", &json!({}))["result"], json!({"transports": []}));
}

#[test]
fn a_control_that_does_not_greet_or_fit_is_refused() {
    let router = RunningRouter::start();
    let mut control = Control::connect(&router.link);
    let code = |reply: &serde_json::Value| reply["error"]["code"].as_str().map(ToOwned::to_owned);
    assert_eq!(code(&control.request("list", &json!({}))).as_deref(), Some("invalid_request"));
    let future = control.request("hello", &json!({"version": 9, "oldest_version": 7}));
    assert_eq!(code(&future).as_deref(), Some("version_not_supported"));
    let newer = control.request("hello", &json!({"version": 2, "oldest_version": 1}));
    assert_eq!(newer["result"]["version"], 1);
    assert_eq!(newer["result"]["udp_port"], router.udp_port);
    assert_eq!(newer["result"]["public_addresses"], json!(["127.0.0.1"]));
    assert_eq!(code(&control.request("dance", &json!({}))).as_deref(), Some("unknown_request"));
    assert_eq!(code(&control.request("bind", &json!({}))).as_deref(), Some("invalid_request"));
    control.send_raw(&[0xff, 0xff, 0xff, 0xff]);
    assert!(control.is_at_end(), "a frame that is too long ends the connection");
}

#[test]
fn a_stranger_gets_no_answer() {
    let router = RunningRouter::start();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    socket.send_to(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], ("127.0.0.1", router.udp_port)).unwrap();
    socket.send_to(&[0x80; 100], ("127.0.0.1", router.udp_port)).unwrap();
    assert!(socket.recv_from(&mut [0; 100]).is_err());
}

#[test]
fn the_link_is_private_quick_and_replaces_a_stale_one() {
    let folder = Folder::new();
    let link = folder.0.join("link.sock");
    drop(UnixListener::bind(&link).unwrap());
    let start = Instant::now();
    let router = RunningRouter::start_in(folder);
    let elapsed = start.elapsed();
    let mode = std::fs::metadata(&link).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
    drop(Control::greet(&router.link));
}

#[test]
fn every_bad_start_has_a_sentence_and_a_status() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = Folder::new();
    let link = folder.0.join("link.sock");
    let link = link.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--link", link, "--bind", "127.0.0.1", "--port", &port], 3, "is in use"),
        (&["--link", link, "--bind", "192.0.2.254", "--port", "0"], 3, "cannot be opened"),
        (
            &["--link", "/nowhere/at/all", "--bind", "127.0.0.1", "--port", "0"],
            4,
            "cannot be created",
        ),
        (&["--port", "0"], 2, "--bind is missing"),
        (&["--frobnicate"], 2, "--frobnicate"),
    ];
    for (flags, status, words) in cases {
        let (code, stderr) = run_to_end(flags);
        assert_eq!(code, Some(status), "{stderr}");
        let sentence = stderr.lines().last().unwrap_or_default();
        assert!(sentence.starts_with("tertulia-router: ") && sentence.contains(words), "{stderr}");
    }
    let router = RunningRouter::start();
    let link = router.link.to_str().unwrap();
    let (code, stderr) = run_to_end(&["--link", link, "--bind", "127.0.0.1", "--port", "0"]);
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("another router already serves"));
}
