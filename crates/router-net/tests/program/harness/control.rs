//! The control side of the link, untyped on purpose: it shares no code with the router.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::PATIENCE;

/// A connection to the link.
pub struct Control {
    stream: UnixStream,
    last_id: u64,
    events: Vec<Value>,
}

impl Control {
    pub fn connect(link: &Path) -> Self {
        let stream = UnixStream::connect(link).expect("the link is served");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, last_id: 0, events: Vec::new() }
    }

    pub fn greet(link: &Path) -> Self {
        let mut control = Self::connect(link);
        assert_eq!(control.hello()["result"]["version"], 1);
        control
    }

    pub fn hello(&mut self) -> Value {
        self.request("hello", &json!({"version": 1, "oldest_version": 1}))
    }

    /// Sends a request and waits for its reply; events that come first are kept.
    pub fn request(&mut self, kind: &str, fields: &Value) -> Value {
        self.last_id += 1;
        let mut message = fields.clone();
        message["type"] = json!(kind);
        message["id"] = json!(self.last_id);
        let body = rmp_serde::to_vec_named(&message).expect("encodable");
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend(body);
        self.stream.write_all(&frame).expect("written");
        loop {
            let message = self.read().expect("a reply");
            if message["type"] == "reply" {
                assert_eq!(message["id"], self.last_id);
                return message;
            }
            self.keep(&message);
        }
    }

    /// Waits for an event that fits, among those that came already and those that come.
    pub fn wait_for_event(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.events.iter().find(|e| e["type"] == kind && fits(e)) {
                return event.clone();
            }
            assert!(Instant::now() < deadline, "`{kind}` comes in time");
            let message = self.read().expect("an event");
            self.keep(&message);
        }
    }

    /// What was told so far, the oldest first.
    pub fn events_of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["type"] == kind)
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("written");
    }

    /// Whether the router ended the connection; waits for it.
    pub fn is_at_end(&mut self) -> bool {
        loop {
            match self.read() {
                Some(message) => self.keep(&message),
                None => return true,
            }
        }
    }

    fn keep(&mut self, message: &Value) {
        assert_eq!(message["type"], "events");
        assert_eq!(message["dropped"], 0);
        self.events.extend(message["events"].as_array().expect("a list").iter().cloned());
    }

    fn read(&mut self) -> Option<Value> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came in time"),
            Err(_) => return None,
        }
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body).ok()?;
        Some(rmp_serde::from_slice(&body).expect("decodable"))
    }
}
