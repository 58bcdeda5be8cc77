//! How much longer the newest burst took than the one before (draft-ietf-rmcat-gcc-02, section 5.2).

/// Packets that leave within this time of the first are one group.
const GROUP_US: u64 = 5_000;
/// Packets that a queue let go together are one group for this long at most.
const BURST_US: u64 = 100_000;
/// A peer's clock that jumps by more is another clock.
const JUMP_US: i64 = 3_000_000;
/// As is one that goes back this often in a row.
const MOST_BACKWARD: u32 = 3;

/// From one group to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Between the last packets' departures, in microseconds.
    pub(super) sent: i64,
    /// Between the last packets' arrivals, in microseconds.
    pub(super) arrival: i64,
    /// When the later group was complete, on the peer's clock, in microseconds.
    pub(super) at: u64,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: u64,
    last_sent: u64,
    first_arrival: u64,
    last_arrival: u64,
}

impl Group {
    fn new(sent: u64, arrival: u64) -> Self {
        Self { first_sent: sent, last_sent: sent, first_arrival: arrival, last_arrival: arrival }
    }

    fn takes(&self, sent: u64, arrival: u64) -> bool {
        if sent - self.first_sent <= GROUP_US {
            return true;
        }
        let arrivals = difference(arrival, self.last_arrival);
        let departures = difference(sent, self.last_sent);
        arrivals < departures
            && arrivals <= 5_000
            && difference(arrival, self.first_arrival) < i64::try_from(BURST_US).unwrap_or(0)
    }
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    former: Option<Group>,
    current: Option<Group>,
    backward: u32,
}

/// What a packet did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its group goes on.
    Same,
    /// The group before is complete.
    Step(Step),
    /// The peer's clock is another one: what was concluded from it is void.
    Reset,
}

impl Groups {
    /// A packet arrived; both times in microseconds, each on its own clock.
    pub(super) fn push(&mut self, sent: u64, arrival: u64) -> Progress {
        let Some(current) = &mut self.current else {
            self.current = Some(Group::new(sent, arrival));
            return Progress::Same;
        };
        if sent < current.first_sent {
            return Progress::Same; // It was overtaken.
        }
        if difference(arrival, current.last_arrival).abs() > JUMP_US
            && difference(sent, current.last_sent).abs() < JUMP_US / 2
        {
            return self.reset(sent, arrival);
        }
        if current.takes(sent, arrival) {
            current.last_sent = current.last_sent.max(sent);
            current.last_arrival = current.last_arrival.max(arrival);
            return Progress::Same;
        }
        let complete = *current;
        self.current = Some(Group::new(sent, arrival));
        let Some(former) = self.former.replace(complete) else {
            return Progress::Same;
        };
        let step = Step {
            sent: difference(complete.last_sent, former.last_sent),
            arrival: difference(complete.last_arrival, former.last_arrival),
            at: complete.last_arrival,
        };
        if step.arrival < 0 {
            self.backward += 1;
            if self.backward >= MOST_BACKWARD {
                return self.reset(sent, arrival);
            }
            return Progress::Same;
        }
        self.backward = 0;
        Progress::Step(step)
    }

    fn reset(&mut self, sent: u64, arrival: u64) -> Progress {
        *self = Self { current: Some(Group::new(sent, arrival)), ..Self::default() };
        Progress::Reset
    }
}

/// `later - earlier`, in microseconds; far values saturate.
pub(super) fn difference(later: u64, earlier: u64) -> i64 {
    i64::try_from(i128::from(later) - i128::from(earlier)).unwrap_or(i64::MAX)
}
