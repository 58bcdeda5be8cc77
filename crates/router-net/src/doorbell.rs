//! Waking a thread that sleeps in its poll, and only then.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use mio::Waker;

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const RUNG: u8 = 2;

/// Rung by whoever has put something where the sleeper will look. The sleeper goes to bed with
/// [`Self::lie_down`], and after [`Self::get_up`] looks everywhere.
pub struct Doorbell {
    waker: Waker,
    state: AtomicU8,
}

impl Doorbell {
    /// A bell for the thread that polls with this waker's registry.
    #[must_use]
    pub fn new(waker: Waker) -> Self {
        Self { waker, state: AtomicU8::new(AWAKE) }
    }

    /// Wakes the thread if it sleeps; a system call only then. It sees what was put before.
    pub fn ring(&self) -> io::Result<()> {
        match self.state.swap(RUNG, Ordering::AcqRel) {
            ASLEEP => self.waker.wake(),
            _ => Ok(()),
        }
    }

    /// The thread wants to sleep. Returns whether it may: nobody rang since it got up.
    #[must_use]
    pub fn lie_down(&self) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        self.state.compare_exchange(AWAKE, ASLEEP, success, failure).is_ok()
    }

    /// The thread is awake, and sees what was put before any ring so far.
    pub fn get_up(&self) {
        self.state.swap(AWAKE, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    fn bell() -> (Poll, Doorbell) {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        (poll, Doorbell::new(waker))
    }

    #[test]
    fn a_sleeper_is_woken_once_and_one_that_was_rung_for_does_not_lie_down() {
        let (mut poll, bell) = bell();
        let mut events = Events::with_capacity(4);
        let mut is_woken = |poll: &mut Poll| {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            !events.is_empty()
        };
        bell.ring().unwrap();
        assert!(!is_woken(&mut poll), "no system call for a thread that is awake");
        assert!(!bell.lie_down());
        bell.get_up();
        assert!(bell.lie_down());
        bell.ring().unwrap();
        bell.ring().unwrap();
        assert!(is_woken(&mut poll));
        assert!(!is_woken(&mut poll));
    }

    #[test]
    fn nothing_that_was_put_before_a_ring_is_slept_over() {
        const COUNT: usize = 20_000;
        let (mut poll, bell) = bell();
        let bell = Arc::new(bell);
        let (put, queue) = channel();
        let ringer = Arc::clone(&bell);
        let thread = thread::spawn(move || {
            for number in 0..COUNT {
                put.send(number).unwrap();
                ringer.ring().unwrap();
            }
        });
        let mut taken = 0;
        let mut events = Events::with_capacity(4);
        while taken < COUNT {
            let may_sleep = bell.lie_down();
            let timeout = if may_sleep { Duration::from_secs(20) } else { Duration::ZERO };
            poll.poll(&mut events, Some(timeout)).unwrap();
            assert!(!may_sleep || !events.is_empty(), "slept over {} things", COUNT - taken);
            bell.get_up();
            taken += queue.try_iter().count();
        }
        thread.join().unwrap();
    }
}
