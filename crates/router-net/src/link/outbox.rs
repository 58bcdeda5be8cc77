//! What waits to be written to one control, in order and bounded.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tertulia_router_core::Event;

use super::message::{EventBatch, MAX_EVENTS};

/// Events that wait at most; at 10,000 transports a listing is as large.
const MAX_WAITING_EVENTS: usize = 8_192;
/// Replies that wait at most before no further request is read.
const MAX_WAITING_REPLIES: usize = 256;

/// A reply or events, whichever was first.
#[derive(Debug, PartialEq)]
pub enum Item {
    /// The body of a reply frame.
    Reply(Vec<u8>),
    /// A batch.
    Events(EventBatch),
}

#[derive(Debug)]
enum Entry {
    Reply(Vec<u8>),
    Event(Event),
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    events: usize,
    replies: usize,
    dropped: u64,
    is_closed: bool,
}

/// A queue from the shard thread to the writing thread of one connection. Pushing never waits:
/// when control reads too slowly, statistics and levels are lost first, and the loss is counted.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

impl Outbox {
    /// Queues the body of a reply frame.
    pub fn push_reply(&self, body: Vec<u8>) {
        let mut state = self.lock();
        state.entries.push_back(Entry::Reply(body));
        state.replies += 1;
        self.changed.notify_all();
    }

    /// Queues events.
    pub fn push_events(&self, events: impl IntoIterator<Item = Event>) {
        let mut state = self.lock();
        for event in events {
            state.push_event(event);
        }
        self.changed.notify_all();
    }

    /// Ends the queue: what is in it is lost.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next thing to write; `None` when the queue was closed.
    pub fn next(&self) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(item) = state.take() {
                self.changed.notify_all();
                return Some(item);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until few replies wait, so that a control that never reads cannot fill the memory.
    pub fn wait_for_room(&self) {
        let mut state = self.lock();
        while !state.is_closed && state.replies >= MAX_WAITING_REPLIES {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push_event(&mut self, event: Event) {
        if self.events >= MAX_WAITING_EVENTS {
            self.dropped += 1;
            let expendable = self
                .entries
                .iter()
                .position(|entry| matches!(entry, Entry::Event(e) if e.is_expendable()));
            match expendable {
                Some(place) if !event.is_expendable() => {
                    self.entries.remove(place);
                    self.events -= 1;
                }
                _ => return,
            }
        }
        self.entries.push_back(Entry::Event(event));
        self.events += 1;
    }

    fn take(&mut self) -> Option<Item> {
        if let Some(Entry::Reply(_)) = self.entries.front() {
            let Some(Entry::Reply(body)) = self.entries.pop_front() else {
                return None;
            };
            self.replies -= 1;
            return Some(Item::Reply(body));
        }
        let mut events = Vec::new();
        while events.len() < MAX_EVENTS {
            match self.entries.pop_front() {
                Some(Entry::Event(event)) => events.push(event),
                Some(reply) => {
                    self.entries.push_front(reply);
                    break;
                }
                None => break,
            }
        }
        if events.is_empty() {
            return None;
        }
        self.events -= events.len();
        let dropped = std::mem::take(&mut self.dropped);
        Some(Item::Events(EventBatch { events, dropped }))
    }
}

#[cfg(test)]
mod tests {
    use tertulia_router_core::{TransportId, TransportState};

    use super::*;

    fn level(id: u64) -> Event {
        Event::AudioLevels { transport: TransportId(id), levels: Vec::new() }
    }

    fn state(id: u64) -> Event {
        Event::TransportState {
            transport: TransportId(id),
            seat: String::new(),
            state: TransportState::Connected,
            reason: None,
        }
    }

    #[test]
    fn order_between_replies_and_events_is_kept() {
        let outbox = Outbox::default();
        outbox.push_events([state(1), state(2)]);
        outbox.push_reply(vec![1]);
        outbox.push_events([state(3)]);
        let Some(Item::Events(batch)) = outbox.next() else { panic!("events first") };
        assert_eq!(batch.events, [state(1), state(2)]);
        assert_eq!(outbox.next(), Some(Item::Reply(vec![1])));
        assert!(matches!(outbox.next(), Some(Item::Events(_))));
    }

    #[test]
    fn a_full_queue_loses_levels_before_states() {
        let outbox = Outbox::default();
        outbox.push_events([level(0)]);
        outbox.push_events((1..MAX_WAITING_EVENTS as u64).map(state));
        outbox.push_events([level(1), state(9_999)]);
        let mut events = Vec::new();
        let mut dropped = 0;
        while events.len() < MAX_WAITING_EVENTS {
            let Some(Item::Events(batch)) = outbox.next() else { panic!("events") };
            assert!(batch.events.len() <= MAX_EVENTS);
            dropped += batch.dropped;
            events.extend(batch.events);
        }
        assert_eq!(dropped, 2);
        assert!(events.iter().all(|e| !e.is_expendable()));
        assert_eq!(events.last(), Some(&state(9_999)));
    }

    #[test]
    fn a_closed_queue_ends_its_reader() {
        let outbox = Outbox::default();
        outbox.push_reply(vec![1]);
        outbox.close();
        assert_eq!(outbox.next(), None);
    }
}
