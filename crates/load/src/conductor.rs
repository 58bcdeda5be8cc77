//! Who joins and leaves when. Pure: time and randomness are given.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::client::Role;
use crate::plan::Seat;

/// How long everybody has to get in and see everything, after the last one began to join.
const SETTLING: Duration = Duration::from_secs(30);
/// After the last packet was sent: what is on its way arrives, what is missing is asked for again.
const DRAINING: Duration = Duration::from_millis(700);

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A new client takes this seat; numbers are never used again.
    Join {
        /// The client's number.
        number: usize,
        /// Its place.
        seat: Seat,
    },
    /// This client leaves.
    Leave(usize),
    /// Everybody is in: the measured time begins.
    Ready,
    /// Nobody sends any more.
    StopSending,
    /// It is over.
    Finish,
}

/// What the clients have come to, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Clients in their session.
    pub inside: usize,
    /// Clients that have everything.
    pub settled: usize,
    /// Subscriptions that carry packets.
    pub subscriptions: usize,
    /// Clients that failed so far.
    pub failed: usize,
}

/// When and how many.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// Joins per second; 0 for no limit.
    pub ramp: f64,
    /// Replacements per second.
    pub churn: f64,
    /// From a client's joining to its goodbye; none: it stays to the end. Nobody takes its seat.
    pub stay: Option<Duration>,
    /// From ready to the last packet.
    pub duration: Duration,
    /// Subscriptions that there will be.
    pub subscriptions: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Joining,
    Settling { since: Instant },
    Running { until: Instant, next_churn: Option<Instant> },
    Draining { until: Instant },
    Over,
}

/// Leads a run from the first join to the end.
#[derive(Debug)]
pub struct Conductor {
    schedule: Schedule,
    seats: Vec<Seat>,
    phase: Phase,
    started_at: Instant,
    next_number: usize,
    /// Clients that churn may take: numbers and seats.
    replaceable: Vec<(usize, Seat)>,
    /// Clients that leave by themselves, the first one first.
    leaving: VecDeque<(Instant, usize)>,
    /// The seat of the client that was just told to leave.
    vacant: Option<Seat>,
    random: fastrand::Rng,
    /// Clients that churn replaced.
    pub replaced: u64,
    /// Whether the time to get in ran out before everybody had everything.
    pub was_incomplete: bool,
}

impl Conductor {
    /// Begins now.
    #[must_use]
    pub fn new(schedule: Schedule, seats: Vec<Seat>, now: Instant, seed: u64) -> Self {
        Self {
            schedule,
            seats,
            phase: Phase::Joining,
            started_at: now,
            next_number: 0,
            replaceable: Vec::new(),
            leaving: VecDeque::new(),
            vacant: None,
            random: fastrand::Rng::with_seed(seed),
            replaced: 0,
            was_incomplete: false,
        }
    }

    /// When there is something to do at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let of_phase = match self.phase {
            Phase::Joining => self.time_of_join(self.next_number),
            Phase::Settling { since } => since + SETTLING,
            Phase::Running { until, next_churn } => next_churn.map_or(until, |at| at.min(until)),
            Phase::Draining { until } => until,
            Phase::Over => return None,
        };
        Some(self.leaving.front().map_or(of_phase, |(at, _)| of_phase.min(*at)))
    }

    /// A client ended by itself.
    pub fn handle_end(&mut self, number: usize) {
        self.replaceable.retain(|(other, _)| *other != number);
        self.leaving.retain(|(_, other)| *other != number);
    }

    /// The run is to end early.
    pub fn interrupt(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Draining { .. } | Phase::Over) {
            self.leaving.clear();
            self.phase = Phase::Running { until: now, next_churn: None };
        }
    }

    /// What is to be done now, one after the other until there is no more.
    pub fn poll(&mut self, now: Instant, progress: Progress) -> Option<Step> {
        if self.leaving.front().is_some_and(|(at, _)| *at <= now) {
            return self.leaving.pop_front().map(|(_, number)| Step::Leave(number));
        }
        match self.phase {
            Phase::Joining => self.poll_joining(now),
            Phase::Settling { since } => self.poll_settling(now, since, progress),
            Phase::Running { until, .. } if now >= until => {
                self.phase = Phase::Draining { until: now + DRAINING };
                Some(Step::StopSending)
            }
            Phase::Running { until, next_churn } => self.poll_churn(now, until, next_churn),
            Phase::Draining { until } if now >= until => {
                self.phase = Phase::Over;
                Some(Step::Finish)
            }
            Phase::Draining { .. } | Phase::Over => None,
        }
    }

    fn poll_joining(&mut self, now: Instant) -> Option<Step> {
        let Some(seat) = self.seats.get(self.next_number).copied() else {
            self.phase = Phase::Settling { since: now };
            return None;
        };
        (self.time_of_join(self.next_number) <= now).then(|| self.join(now, seat))
    }

    fn poll_settling(&mut self, now: Instant, since: Instant, progress: Progress) -> Option<Step> {
        if self.schedule.stay.is_some() {
            if !self.leaving.is_empty() {
                return None;
            }
            // All have come and gone.
            self.was_incomplete = progress.failed > 0;
            self.phase = Phase::Running { until: now, next_churn: None };
            return Some(Step::Ready);
        }
        let is_complete = progress.settled == self.seats.len()
            && progress.subscriptions >= self.schedule.subscriptions;
        // Those who are in have everything, and nobody else will come.
        let is_final = progress.failed > 0
            && progress.inside + progress.failed >= self.seats.len()
            && progress.settled == progress.inside;
        let is_late = now >= since + SETTLING;
        if !(is_complete || is_final || is_late) {
            return None;
        }
        self.was_incomplete = !is_complete;
        let next_churn = self.churn_interval().map(|interval| now + interval);
        self.phase = Phase::Running { until: now + self.schedule.duration, next_churn };
        Some(Step::Ready)
    }

    /// One leaves; in the next call another takes the seat.
    fn poll_churn(&mut self, now: Instant, until: Instant, next: Option<Instant>) -> Option<Step> {
        let (at, interval) = (next?, self.churn_interval()?);
        if let Some(seat) = self.vacant.take() {
            self.replaced += 1;
            return Some(self.join(now, seat));
        }
        if now < at {
            return None;
        }
        self.phase = Phase::Running { until, next_churn: Some(at + interval) };
        let index =
            (!self.replaceable.is_empty()).then(|| self.random.usize(..self.replaceable.len()))?;
        let (number, seat) = self.replaceable.swap_remove(index);
        self.vacant = Some(seat);
        Some(Step::Leave(number))
    }

    fn join(&mut self, now: Instant, seat: Seat) -> Step {
        let number = self.next_number;
        self.next_number += 1;
        self.leaving.extend(self.schedule.stay.map(|stay| (now + stay, number)));
        // Publishers stay, so that there is something to see.
        if seat.role != Role::Publisher {
            self.replaceable.push((number, seat));
        }
        Step::Join { number, seat }
    }

    fn time_of_join(&self, number: usize) -> Instant {
        if self.schedule.ramp > 0.0 {
            self.started_at + Duration::from_secs_f64(number as f64 / self.schedule.ramp)
        } else {
            self.started_at
        }
    }

    fn churn_interval(&self) -> Option<Duration> {
        (self.schedule.churn > 0.0).then(|| Duration::from_secs_f64(1.0 / self.schedule.churn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIBER: Seat = Seat { session: 0, role: Role::Subscriber };
    const PUBLISHER: Seat = Seat { session: 0, role: Role::Publisher };

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Everything that is due by `now`.
    fn due(conductor: &mut Conductor, now: Instant, progress: Progress) -> Vec<Step> {
        std::iter::from_fn(|| conductor.poll(now, progress)).collect()
    }

    fn schedule(ramp: f64, churn: f64) -> Schedule {
        Schedule { ramp, churn, stay: None, duration: seconds(10.0), subscriptions: 4 }
    }

    fn complete(inside: usize) -> Progress {
        Progress { inside, settled: inside, subscriptions: 4, failed: 0 }
    }

    #[test]
    fn clients_join_at_the_rate_that_was_asked_for() {
        let start = Instant::now();
        let seats = vec![SUBSCRIBER; 5];
        let mut conductor = Conductor::new(schedule(2.0, 0.0), seats, start, 1);
        let mut joined = Vec::new();
        while let Some(at) = conductor.deadline().filter(|at| *at < start + seconds(2.1)) {
            joined.extend(due(&mut conductor, at, Progress::default()).iter().map(|_| at - start));
        }
        assert_eq!(joined, [0.0, 0.5, 1.0, 1.5, 2.0].map(seconds));
        let mut at_once = Conductor::new(schedule(0.0, 0.0), vec![SUBSCRIBER; 5], start, 1);
        assert_eq!(due(&mut at_once, start, Progress::default()).len(), 5);
    }

    #[test]
    fn the_measured_time_begins_when_everybody_has_everything() {
        let start = Instant::now();
        let mut conductor = Conductor::new(schedule(0.0, 0.0), vec![SUBSCRIBER; 2], start, 1);
        due(&mut conductor, start, Progress::default());
        let half = Progress { settled: 1, ..complete(2) };
        assert_eq!(due(&mut conductor, start + seconds(1.0), half), []);
        assert_eq!(due(&mut conductor, start + seconds(2.0), complete(2)), [Step::Ready]);
        assert!(!conductor.was_incomplete);
        assert_eq!(due(&mut conductor, start + seconds(11.9), complete(2)), []);
        assert_eq!(due(&mut conductor, start + seconds(12.0), complete(2)), [Step::StopSending]);
        assert_eq!(due(&mut conductor, start + seconds(12.1), complete(2)), []);
        assert_eq!(due(&mut conductor, start + seconds(13.0), complete(2)), [Step::Finish]);
        assert_eq!(conductor.deadline(), None);
    }

    #[test]
    fn a_run_goes_on_without_those_who_failed_and_says_so() {
        let start = Instant::now();
        let mut conductor = Conductor::new(schedule(0.0, 0.0), vec![SUBSCRIBER; 3], start, 1);
        due(&mut conductor, start, Progress::default());
        let progress = Progress { inside: 2, settled: 2, subscriptions: 2, failed: 1 };
        assert_eq!(due(&mut conductor, start + seconds(1.0), progress), [Step::Ready]);
        assert!(conductor.was_incomplete);
    }

    #[test]
    fn nobody_waits_for_ever_for_those_who_never_settle() {
        let start = Instant::now();
        let mut conductor = Conductor::new(schedule(0.0, 0.0), vec![SUBSCRIBER; 3], start, 1);
        due(&mut conductor, start, Progress::default());
        let stuck = Progress { inside: 3, settled: 2, subscriptions: 2, failed: 0 };
        assert_eq!(due(&mut conductor, start + seconds(29.0), stuck), []);
        assert_eq!(due(&mut conductor, start + seconds(30.0), stuck), [Step::Ready]);
        assert!(conductor.was_incomplete);
    }

    #[test]
    fn churn_replaces_clients_one_by_one_and_never_a_publisher() {
        let start = Instant::now();
        let seats = vec![PUBLISHER, SUBSCRIBER, SUBSCRIBER];
        let mut conductor = Conductor::new(schedule(0.0, 4.0), seats, start, 1);
        due(&mut conductor, start, Progress::default());
        assert_eq!(due(&mut conductor, start, complete(3)), [Step::Ready]);
        let mut steps = Vec::new();
        while let Some(at) = conductor.deadline().filter(|at| *at < start + seconds(10.0)) {
            steps.extend(due(&mut conductor, at, complete(3)));
        }
        let left: Vec<_> = steps
            .iter()
            .filter_map(|s| if let Step::Leave(n) = s { Some(*n) } else { None })
            .collect();
        assert_eq!(left.len(), 39, "four a second, the first after a quarter");
        assert!(!left.contains(&0), "the publisher stays");
        assert_eq!(conductor.replaced, 39);
        for (number, pair) in (3..).zip(steps.chunks(2)) {
            let [Step::Leave(_), Step::Join { number: joined, seat }] = pair else {
                panic!("{pair:?}")
            };
            assert_eq!((*joined, *seat), (number, SUBSCRIBER));
        }
    }

    #[test]
    fn clients_that_stay_for_a_time_leave_one_by_one_and_the_run_ends_with_the_last() {
        let start = Instant::now();
        let schedule = Schedule { stay: Some(seconds(3.0)), ..schedule(2.0, 0.0) };
        let mut conductor = Conductor::new(schedule, vec![SUBSCRIBER; 4], start, 1);
        let mut steps = Vec::new();
        while let Some(at) = conductor.deadline() {
            let progress = Progress { inside: 1, ..Progress::default() };
            steps.extend(
                due(&mut conductor, at, progress).into_iter().map(|step| (at - start, step)),
            );
        }
        let left = |number: usize| (seconds(3.0 + 0.5 * number as f64), Step::Leave(number));
        let (joins, rest) = steps.split_at(4);
        assert!(joins.iter().all(|(_, step)| matches!(step, Step::Join { .. })));
        assert_eq!(rest[..4], [left(0), left(1), left(2), left(3)]);
        let end: Vec<_> = rest[4..].iter().map(|(_, step)| *step).collect();
        assert_eq!(end, [Step::Ready, Step::StopSending, Step::Finish]);
        assert!(!conductor.was_incomplete);
    }

    #[test]
    fn an_interrupted_run_ends_in_order() {
        let start = Instant::now();
        let mut conductor = Conductor::new(schedule(1.0, 0.0), vec![SUBSCRIBER; 50], start, 1);
        due(&mut conductor, start + seconds(3.0), Progress::default());
        conductor.interrupt(start + seconds(3.5));
        let now = start + seconds(3.5);
        assert_eq!(due(&mut conductor, now, complete(4)), [Step::StopSending]);
        conductor.interrupt(now);
        assert_eq!(due(&mut conductor, now + DRAINING, complete(4)), [Step::Finish]);
    }
}
