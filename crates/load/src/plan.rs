//! Who is to join what: one JSON document on standard input, because tokens have no place on a command line.

use std::io::Read;

use serde::Deserialize;

use crate::client::Role;

/// Larger documents are refused; 10,000 sessions with a token each fit.
const MAX_BYTES: u64 = 16 << 20;

/// `{"sessions": [{"token": "…", "publishers": 1, "subscribers": 10, "participants": 0}, …]}`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// At least one.
    pub sessions: Vec<SessionPlan>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPlan {
    /// Lets every client of this session in; names the session.
    pub token: String,
    /// Clients that only publish.
    #[serde(default)]
    pub publishers: usize,
    /// Clients that only subscribe.
    #[serde(default)]
    pub subscribers: usize,
    /// Clients that publish, and subscribe to all others.
    #[serde(default)]
    pub participants: usize,
}

/// A client that is to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Index of its session.
    pub session: usize,
    /// What it does there.
    pub role: Role,
}

impl Plan {
    /// Reads and checks. The error is a sentence.
    pub fn read(input: impl Read) -> Result<Self, String> {
        let mut text = String::new();
        input
            .take(MAX_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| format!("the plan on standard input cannot be read ({error})"))?;
        let plan: Self = serde_json::from_str(&text).map_err(|error| {
            // The document holds tokens: only the place of the mistake is told.
            format!(
                "the plan on standard input is not understood (line {}, column {}); see --help",
                error.line(),
                error.column()
            )
        })?;
        if plan.seats().is_empty() {
            return Err("the plan has no clients; name publishers, subscribers or pairs".into());
        }
        Ok(plan)
    }

    /// All clients in the order of joining: those who publish first, over all sessions in turn.
    #[must_use]
    pub fn seats(&self) -> Vec<Seat> {
        let count = |role: Role, session: &SessionPlan| match role {
            Role::Publisher => session.publishers,
            Role::Subscriber => session.subscribers,
            Role::Participant => session.participants,
        };
        let mut seats = Vec::new();
        for role in [Role::Publisher, Role::Participant, Role::Subscriber] {
            let most = self.sessions.iter().map(|session| count(role, session)).max();
            for place in 0..most.unwrap_or(0) {
                let with_room = (0..).zip(&self.sessions).filter(|(_, s)| place < count(role, s));
                seats.extend(with_room.map(|(session, _)| Seat { session, role }));
            }
        }
        seats
    }

    /// All clients in the order of joining where each stays for a time: session by session, those who publish first.
    #[must_use]
    pub fn seats_by_session(&self) -> Vec<Seat> {
        let mut seats = self.seats();
        // Stable: who publishes stays first.
        seats.sort_by_key(|seat| seat.session);
        seats
    }

    /// Streams that a client will see.
    #[must_use]
    pub fn streams_for(&self, seat: Seat) -> usize {
        let Some(session) = self.sessions.get(seat.session) else { return 0 };
        match seat.role {
            Role::Publisher => 0,
            Role::Subscriber => session.publishers + session.participants,
            Role::Participant => session.publishers + session.participants - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<Plan, String> {
        Plan::read(text.as_bytes())
    }

    #[test]
    fn publishers_come_first_and_sessions_take_turns() {
        let plan = plan(
            r#"{"sessions": [{"token": "a", "publishers": 1, "subscribers": 2},
                             {"token": "b", "participants": 2}]}"#,
        )
        .unwrap();
        let seat = |session, role| Seat { session, role };
        let expected = [
            seat(0, Role::Publisher),
            seat(1, Role::Participant),
            seat(1, Role::Participant),
            seat(0, Role::Subscriber),
            seat(0, Role::Subscriber),
        ];
        assert_eq!(plan.seats(), expected);
        let in_turn = [expected[0], expected[3], expected[4], expected[1], expected[2]];
        assert_eq!(plan.seats_by_session(), in_turn);
        let streams: Vec<_> = expected.iter().map(|seat| plan.streams_for(*seat)).collect();
        assert_eq!(streams, [0, 1, 1, 1, 1]);
    }

    #[test]
    fn nonsense_is_named_without_its_content() {
        assert!(plan("").unwrap_err().contains("line 1"));
        let secret = plan(r#"{"sessions": [{"token": 7, "hush": "secret"}]}"#).unwrap_err();
        assert!(!secret.contains("secret"), "{secret}");
        assert!(plan(r#"{"sessions": []}"#).unwrap_err().contains("no clients"));
        assert!(plan(r#"{"sessions": [{"token": "a"}]}"#).unwrap_err().contains("no clients"));
    }
}
