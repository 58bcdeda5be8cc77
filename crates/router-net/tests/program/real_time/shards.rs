//! Several shards and both carriers, as clients meet them: real sockets against the real program.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::harness::{Call, Control, RunningRouter, Ways, run_all_until};
use serde_json::{Value, json};

fn bind(control: &mut Control, subscriber: &Call, generation: u32, source: &Value) -> Value {
    let fields = json!({
        "transport": subscriber.transport, "slot": 0, "generation": generation, "source": source,
        "audio_paused": false, "video_paused": false,
    });
    control.request("bind", &fields)
}

/// A number of the newest statistics, summed over all shards.
fn total(event: &Value, name: &str) -> u64 {
    let shards = event["shards"].as_array().expect("shards");
    shards.iter().map(|shard| shard[name].as_u64().expect("a number")).sum()
}

fn dropped(event: &Value, cause: &str) -> u64 {
    let shards = event["shards"].as_array().expect("shards").iter();
    let drops = shards.flat_map(|shard| shard["drops"].as_array().expect("drops"));
    drops.filter(|d| d["cause"] == cause).map(|d| d["count"].as_u64().expect("a number")).sum()
}

/// A check with this user name that nobody signed.
fn unsigned_check(ufrag: &str) -> Vec<u8> {
    let user = format!("{ufrag}:them");
    let mut attributes = vec![0, 6, 0, user.len() as u8];
    attributes.extend(user.as_bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0x00, 0x24, 0, 4, 0x7e, 0, 0, 1]);
    attributes.extend([0x00, 0x08, 0, 20]);
    attributes.extend([7; 20]);
    let mut check = vec![0, 1, 0, attributes.len() as u8, 0x21, 0x12, 0xa4, 0x42];
    check.extend([7; 12]);
    check.extend(attributes);
    check
}

#[test]
fn a_stream_crosses_shards_and_survives_rebinding_ports_and_an_ice_restart() {
    let router = RunningRouter::start_with_shards(2);
    let mut control = Control::greet(&router.link);
    let mut open = |group| {
        let ways = Ways { group: Some(group), ..Ways::default() };
        Call::open_by(&mut control, router.udp_port, ways)
    };
    let (mut ana, mut ben) = (open("one"), open("other"));
    assert_ne!(ana.transport & 0xff, ben.transport & 0xff, "groups are on different shards");
    run_all_until(&mut [&mut ana, &mut ben], |calls| calls.iter().all(|c| c.is_connected));
    let source = ana.source();
    let bound = bind(&mut control, &ben, 1, &source);
    let first = bound["result"]["video_rtp_timestamp"].as_u64().expect("a timestamp") as u32;
    let gains = |ana: &mut Call, ben: &mut Call, count: usize| {
        let before = (ben.audio_received, ben.video_timestamps.len());
        run_all_until(&mut [ana, ben], |calls| {
            let ben = &calls[1];
            ben.audio_received >= before.0 + count && ben.video_timestamps.len() >= before.1 + count
        });
    };
    gains(&mut ana, &mut ben, 20);
    assert!(ben.video_timestamps.iter().all(|t| t.wrapping_sub(first) < 90_000 * 60));
    assert_eq!(ana.audio_received, 0, "nothing is bound for the publisher");
    control.wait_for_event("binding_started", |e| e["kind"] == "video");

    for _ in 0..3 {
        ana.move_to_another_port();
        ben.move_to_another_port();
        gains(&mut ana, &mut ben, 1);
    }
    ana.restart_ice(&mut control);
    ben.restart_ice(&mut control);
    gains(&mut ana, &mut ben, 100);

    let list = control.request("list", &json!({}));
    let transports = list["result"]["transports"].as_array().expect("a list");
    assert_eq!(transports.len(), 2);
    assert_eq!(transports[1]["slots"][0]["source"], source);
    let stop = json!({"transport": ben.transport, "slot": 0, "generation": 1});
    assert_eq!(control.request("unbind", &stop)["result"], json!({}));
    let told = control.wait_for_event("router_statistics", |e| {
        total(e, "handed_over") >= 240 && total(e, "transports") == 2
    });
    assert_eq!(dropped(&told, "ring_full"), 0);
    let refused = bind(&mut control, &ben, 2, &json!({"transport": 99, "audio_mid": "0"}));
    assert_eq!(refused["error"]["code"], "transport_not_found");
    assert_eq!(router.terminate(), Some(0));
}

#[test]
fn a_check_finds_its_shard_whichever_socket_the_kernel_picks() {
    let router = RunningRouter::start_with_shards(2);
    let mut control = Control::greet(&router.link);
    let mut call = Call::open(&mut control, router.udp_port);
    let check = unsigned_check(&call.remote_ufrag());
    // Each comes from another port: about half of them to the wrong socket.
    for _ in 0..40 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&check, ("127.0.0.1", router.udp_port)).unwrap();
    }
    let told = control.wait_for_event("router_statistics", |e| {
        dropped(e, "refused") >= 40 && total(e, "packets_received") >= 40
    });
    assert!((1..40).contains(&total(&told, "handed_over")), "{told}");
    call.run_until(|call| call.is_connected);
}

#[cfg(target_os = "linux")]
#[test]
fn what_comes_to_the_wrong_shard_comes_to_the_right_one_soon() {
    let router = RunningRouter::start_with_shards(2);
    let mut control = Control::greet(&router.link);
    // All on one shard, so nothing is handed over but what the kernel gave to the other.
    let open = |_| {
        let ways = Ways { group: Some("one"), ..Ways::default() };
        Call::open_by(&mut control, router.udp_port, ways)
    };
    let mut calls: Vec<_> = (0..12).map(open).collect();
    let mut calls: Vec<_> = calls.iter_mut().collect();
    run_all_until(&mut calls, |calls| calls.iter().all(|call| call.is_connected));
    for call in &calls {
        bind(&mut control, call, 1, &call.source());
    }
    let is_settled = |pair: &[&Value]| {
        let grown = |name| total(pair[1], name) - total(pair[0], name);
        total(pair[1], "handed_over") > 0
            && grown("handed_over") == 0
            && grown("packets_received") >= 100
    };
    let rounds = (1..=20).find(|round| {
        run_all_until(&mut calls, |calls| calls.iter().all(|c| c.audio_received >= 50 * round));
        control.request("list", &json!({}));
        let told: Vec<_> = control.events_of("router_statistics").collect();
        told.windows(2).any(is_settled)
    });
    assert!(rounds.is_some(), "the other shard still gets some of it");
}

#[test]
fn one_shard_does_what_two_do() {
    let router = RunningRouter::start_with_shards(1);
    let mut control = Control::greet(&router.link);
    let mut call = Call::open(&mut control, router.udp_port);
    call.run_until(|call| call.is_connected);
    let source = call.source();
    bind(&mut control, &call, 1, &source);
    call.run_until(|call| call.audio_received >= 20 && call.video_timestamps.len() >= 10);
    call.move_to_another_port();
    call.run_until(|call| call.audio_received >= 60);
    let told = control.wait_for_event("router_statistics", |e| total(e, "packets_sent") > 100);
    assert_eq!(told["shards"].as_array().map(Vec::len), Some(1));
    assert_eq!(total(&told, "handed_over"), 0);
}

#[test]
fn a_client_without_udp_has_its_call_by_tcp() {
    let router = RunningRouter::start();
    let mut control = Control::greet(&router.link);
    let ways = Ways { tcp: true, no_udp: true, ..Ways::default() };
    let mut call = Call::open_by(&mut control, router.udp_port, ways);
    call.run_until(|call| call.is_connected);
    let source = call.source();
    bind(&mut control, &call, 1, &source);
    call.run_until(|call| call.audio_received >= 50 && call.video_timestamps.len() >= 50);
    control.wait_for_event("router_statistics", |e| total(e, "tcp_connections") == 1);
    let close = json!({"transport": call.transport});
    assert_eq!(control.request("close_transport", &close)["result"], json!({}));
    call.run_until(|call| call.is_closed);
    control.wait_for_event("router_statistics", |e| total(e, "tcp_connections") == 0);
}

#[test]
fn media_goes_on_by_tcp_when_udp_is_blocked_in_mid_call_and_by_udp_again_later() {
    let router = RunningRouter::start();
    let mut control = Control::greet(&router.link);
    let ways = Ways { tcp: true, ..Ways::default() };
    let mut call = Call::open_by(&mut control, router.udp_port, ways);
    call.run_until(|call| call.is_connected);
    let source = call.source();
    bind(&mut control, &call, 1, &source);
    call.run_until(|call| call.audio_received >= 20);
    call.is_udp_blocked = true;
    let before = (call.audio_received, call.frames_by_tcp);
    // The client notices within a few seconds; the router follows it at once.
    call.run_until(|c| c.audio_received >= before.0 + 100 && c.frames_by_tcp >= before.1 + 200);
}

/// What a connection gets before it is closed; fails if it stays open.
fn until_closed(mut stream: &TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("it stays open"),
        _ => bytes,
    }
}

#[test]
fn a_tcp_connection_that_does_not_begin_with_a_known_check_is_closed_without_a_word() {
    let router = RunningRouter::start();
    let mut control = Control::greet(&router.link);
    let mut call = Call::open(&mut control, router.udp_port);
    let framed = |contents: &[u8]| {
        let mut bytes = (contents.len() as u16).to_be_bytes().to_vec();
        bytes.extend_from_slice(contents);
        bytes
    };
    let attacks = [
        ("an HTTP request", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a handshake", framed(&[22, 254, 253, 0, 0, 0, 0])),
        ("media", framed(&[0x80; 100])),
        ("an empty frame", framed(&[])),
        ("a frame that is too large", vec![0xff, 0xff]),
        ("a check of nobody", framed(&unsigned_check("nobody"))),
        ("a check that nobody signed", framed(&unsigned_check(&call.remote_ufrag()))),
    ];
    let count = attacks.len() as u64;
    for (name, bytes) in attacks {
        let mut stream = TcpStream::connect(("127.0.0.1", router.udp_port)).unwrap();
        stream.write_all(&bytes).unwrap();
        let started = Instant::now();
        assert_eq!(until_closed(&stream), b"", "{name}");
        assert!(started.elapsed() < Duration::from_secs(4), "{name}: it is closed at once");
    }
    let told = control.wait_for_event("router_statistics", |e| dropped(e, "tcp_refused") >= count);
    assert_eq!(total(&told, "tcp_connections"), 0);
    call.run_until(|call| call.is_connected);
}

#[test]
fn silent_tcp_connections_are_closed_in_time_and_the_oldest_of_a_source_first() {
    let router = RunningRouter::start();
    let connect = || TcpStream::connect(("127.0.0.1", router.udp_port)).unwrap();
    let started = Instant::now();
    let oldest = connect();
    let others: Vec<_> = (0..16).map(|_| connect()).collect();
    assert_eq!(until_closed(&oldest), b"");
    assert!(started.elapsed() < Duration::from_secs(4), "the seventeenth takes its place");
    let mut control = Control::greet(&router.link);
    let ways = Ways { tcp: true, no_udp: true, ..Ways::default() };
    let mut call = Call::open_by(&mut control, router.udp_port, ways);
    call.run_until(|call| call.is_connected);
    for silent in &others {
        assert_eq!(until_closed(silent), b"");
    }
    assert!(started.elapsed() >= Duration::from_secs(5), "they had their time");
}
