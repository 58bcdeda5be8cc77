//! What a member says to a server, and what it makes of the answers, without a socket.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tertulia_load::client::{Context, Member, MemberOptions, Outcome, PeerFactory, Phase, Role};
use tertulia_load::measure::Tally;
use tertulia_load::media::AudioOptions;
use tertulia_load::reach::Reach;

/// A member, a server that says what the test wants, and a clock.
struct Scene {
    member: Member,
    tally: Tally,
    peers: PeerFactory,
    now: Instant,
    number: u64,
}

impl Scene {
    fn new(role: Role) -> Self {
        let now = Instant::now();
        let options = MemberOptions {
            role,
            token: "a token".into(),
            video: None,
            audio: Some(AudioOptions { packet_bytes: 100, frame_ms: 20 }),
            max_streams: 3,
            knows_audio_slots: true,
            expected_streams: 1,
        };
        let mut member = Member::new(options, now, 1);
        member.set_local("127.0.0.1:9".parse().unwrap());
        let (tally, peers) = (Tally::default(), PeerFactory::new(Reach::ThisMachine));
        Self { member, tally, peers, now, number: 0 }
    }

    /// A scene in which the member is inside; it and its first words.
    fn inside(role: Role, streams: &[&str]) -> (Self, Vec<(u64, Value)>) {
        let mut scene = Self::new(role);
        assert_eq!(kinds(&scene.said()), ["join"]);
        let streams: Vec<_> = streams.iter().map(|id| stream(id)).collect();
        scene.hear(&json!({
            "type": "joined", "connection": {"id": "own"}, "streams": streams, "number": 0,
            "resumeKey": "key 1", "reconnectWindowS": 60,
        }));
        let said = scene.said();
        (scene, said)
    }

    fn enter<T>(&mut self, call: impl FnOnce(&mut Member, &mut Context<'_>) -> T) -> T {
        let mut context = Context {
            now: self.now,
            wall_ns: 0,
            tally: &mut self.tally,
            send: &mut |_, _| (),
            peers: &self.peers,
        };
        call(&mut self.member, &mut context)
    }

    fn hear(&mut self, body: &Value) {
        let frame = serde_json::from_value(json!([0, body])).unwrap();
        self.enter(|member, context| member.handle_frame(context, frame));
    }

    fn hear_event(&mut self, body: &Value) {
        self.number += 1;
        let frame = serde_json::from_value(json!([self.number, body])).unwrap();
        self.enter(|member, context| member.handle_frame(context, frame));
    }

    /// What the member has to say: ids and bodies.
    fn said(&mut self) -> Vec<(u64, Value)> {
        let parse = |frame: String| serde_json::from_str::<(u64, u64, Value)>(&frame).unwrap();
        self.member.take_outbox().into_iter().map(parse).map(|(id, _, body)| (id, body)).collect()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.enter(Member::handle_timeout);
    }

    fn failure(&self) -> &str {
        match self.member.outcome() {
            Some(Outcome::Failed(sentence)) => sentence,
            other => panic!("it did not fail: {other:?}"),
        }
    }
}

fn stream(id: &str) -> Value {
    json!({"id": id, "connectionId": format!("of {id}")})
}

fn kinds(said: &[(u64, Value)]) -> Vec<&str> {
    said.iter().map(|(_, body)| body["type"].as_str().unwrap()).collect()
}

fn error(message: &str) -> Value {
    json!({"name": "OT_ERROR", "code": 1, "message": message})
}

#[test]
fn a_refused_token_is_told_in_the_servers_words() {
    let mut scene = Scene::new(Role::Subscriber);
    scene.hear(&json!({"type": "refused", "error": error("The token has expired.")}));
    assert_eq!(scene.failure(), "the server refused a client: The token has expired (OT_ERROR)");
    assert_eq!(scene.tally.failed(), 1);
}

#[test]
fn a_client_says_whether_it_knows_of_audio_slots() {
    let said = Scene::new(Role::Subscriber).said();
    assert_eq!((kinds(&said), &said[0].1["audioSlots"]), (vec!["join"], &json!(true)));
}

#[test]
fn a_refused_offer_is_told_in_the_servers_words() {
    let (mut scene, said) = Scene::inside(Role::Publisher, &[]);
    assert_eq!(kinds(&said), ["publish"]);
    scene.hear(&json!({"type": "reply", "id": said[0].0, "error": error("Too many lines.")}));
    assert_eq!(scene.failure(), "the server refused an offer: Too many lines (OT_ERROR)");
}

#[test]
fn an_answer_with_a_router_elsewhere_asks_for_permission() {
    let (mut scene, said) = Scene::inside(Role::Publisher, &[]);
    let answer = "v=0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    scene.hear(&json!({"type": "reply", "id": said[0].0, "result": {"answer": answer}}));
    assert!(scene.failure().contains("--i-have-permission"));
}

#[test]
fn a_subscriber_takes_every_stream_but_its_own_up_to_its_limit() {
    let (mut scene, said) = Scene::inside(Role::Subscriber, &["a", "b"]);
    assert_eq!(kinds(&said), ["negotiate", "subscribe", "subscribe"]);
    assert_eq!(said[0].1["slots"].as_array().unwrap().len(), 2);
    let own = json!({"id": "mine", "connectionId": "own"});
    scene.hear_event(&json!({"type": "streamCreated", "stream": own}));
    scene.hear_event(&json!({"type": "streamCreated", "stream": stream("a")}));
    assert_eq!(kinds(&scene.said()), [""; 0]);
    scene.hear_event(&json!({"type": "streamCreated", "stream": stream("c")}));
    scene.hear_event(&json!({"type": "streamCreated", "stream": stream("d")}));
    let said = scene.said();
    assert_eq!(kinds(&said), ["subscribe"]);
    assert_eq!(said[0].1["streamId"], "c");
}

#[test]
fn a_publisher_subscribes_to_nothing() {
    let (mut scene, said) = Scene::inside(Role::Publisher, &["a"]);
    assert_eq!(kinds(&said), ["publish"]);
    scene.hear_event(&json!({"type": "streamCreated", "stream": stream("b")}));
    assert_eq!(kinds(&scene.said()), [""; 0]);
}

#[test]
fn a_slot_that_was_taken_away_is_released() {
    let (mut scene, _) = Scene::inside(Role::Subscriber, &["a"]);
    scene.hear(&json!({"type": "unbound", "subscriptionId": 1, "slot": 0, "generation": 4}));
    let said = scene.said();
    assert_eq!(said[0].1, json!({"type": "releaseSlot", "slot": 0, "generation": 4}));
}

#[test]
fn a_lost_socket_is_replaced_and_what_was_not_answered_is_said_again() {
    let (mut scene, before) = Scene::inside(Role::Publisher, &[]);
    scene.enter(|member, context| member.handle_lost(context, Some(1006), "it broke"));
    assert_eq!(scene.member.phase(), Phase::Resuming);
    assert!(scene.member.take_retry(scene.now), "at once");
    assert!(!scene.member.take_retry(scene.now), "once");
    let said = scene.said();
    assert_eq!(said[0].1["type"], "resume");
    assert_eq!(said[0].1["resumeKey"], "key 1");
    // The second attempt waits.
    scene.enter(|member, context| member.handle_lost(context, None, "away"));
    assert!(!scene.member.take_retry(scene.now));
    assert!(scene.member.take_retry(scene.now + Duration::from_millis(250)));
    scene.said();
    scene.hear(&json!({"type": "resumed", "resumeKey": "key 2", "epoch": 0, "bindings": []}));
    assert_eq!(scene.member.phase(), Phase::Inside);
    assert_eq!(scene.said(), before, "the offer, with its number");
    assert_eq!((scene.tally.sockets_lost, scene.tally.sockets_resumed), (1, 1));
}

#[test]
fn a_server_that_stays_away_is_given_up_when_the_window_ends() {
    let (mut scene, _) = Scene::inside(Role::Subscriber, &[]);
    scene.enter(|member, context| member.handle_lost(context, None, "it broke"));
    scene.pass(Duration::from_secs(59));
    assert_eq!(scene.member.phase(), Phase::Resuming);
    scene.pass(Duration::from_secs(1));
    assert!(scene.failure().contains("did not come back"));
}

#[test]
fn a_failed_transport_is_replaced_and_the_stream_published_again() {
    let (mut scene, said) = Scene::inside(Role::Publisher, &[]);
    scene.hear(&json!({"type": "mediaFailed", "epoch": 1}));
    let replaced = scene.said();
    assert_eq!(kinds(&replaced), ["publish"], "the stream was not published yet");
    assert_eq!(replaced[0].1["epoch"], 2);
    let late = json!({"stream": stream("mine"), "answer": "of the former transport"});
    scene.hear(&json!({"type": "reply", "id": said[0].0, "result": late}));
    scene.hear(&json!({"type": "mediaFailed", "epoch": 1}));
    assert_eq!(kinds(&scene.said()), [""; 0], "an old failure is over");
    scene.hear(&json!({"type": "mediaFailed", "epoch": 2}));
    let again = scene.said();
    assert_eq!(kinds(&again), ["republish"]);
    assert_eq!((&again[0].1["streamId"], &again[0].1["epoch"]), (&json!("mine"), &json!(3)));
}

#[test]
fn every_wait_ends() {
    let mut joining = Scene::new(Role::Subscriber);
    joining.pass(Duration::from_secs(15));
    assert!(joining.failure().contains("did not answer in time"));

    let (mut unanswered, _) = Scene::inside(Role::Subscriber, &[]);
    unanswered.pass(Duration::from_secs(15));
    assert!(unanswered.failure().contains("did not answer a request"));

    let (mut leaving, _) = Scene::inside(Role::Subscriber, &[]);
    leaving.enter(Member::leave);
    assert_eq!(kinds(&leaving.said()), ["leave"]);
    leaving.pass(Duration::from_secs(3));
    assert!(leaving.failure().contains("goodbye"));
}

#[test]
fn a_goodbye_that_is_answered_is_no_failure() {
    let (mut scene, _) = Scene::inside(Role::Subscriber, &[]);
    scene.enter(Member::leave);
    let (id, _) = scene.said().remove(0);
    scene.hear(&json!({"type": "reply", "id": id, "result": {}}));
    assert_eq!(scene.member.outcome(), Some(&Outcome::Left));
    assert_eq!((scene.tally.left, scene.tally.failed()), (1, 0));
}

#[test]
fn a_member_that_is_sent_away_says_why() {
    let (mut scene, _) = Scene::inside(Role::Subscriber, &[]);
    scene.hear(&json!({"type": "disconnected", "reason": "forceDisconnected"}));
    assert!(scene.failure().contains("forceDisconnected"));
}
