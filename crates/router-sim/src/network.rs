//! A link between a peer and the router: late, out of order, lost, twice.

use std::time::{Duration, Instant};

use fastrand::Rng;

/// How a link is for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) latency: Duration,
    /// Added at random to each datagram; more than the time between two puts them out of order.
    pub(crate) jitter: Duration,
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
    /// What it carries to the peer, in bit/s; none: everything.
    pub(crate) narrow_bps: Option<u64>,
    /// Nothing gets through until then.
    pub(crate) dead_until: Option<Instant>,
}

/// Longest that a datagram waits before a narrow link; it is dropped then.
const QUEUE: Duration = Duration::from_millis(400);

/// What waits before a narrow link.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    busy_until: Option<Instant>,
}

impl Queue {
    /// How long a datagram waits that is sent now; none: there is no room for it.
    pub(crate) fn pass(
        &mut self,
        now: Instant,
        weather: &Weather,
        bytes: usize,
    ) -> Option<Duration> {
        let Some(bps) = weather.narrow_bps else { return Some(Duration::ZERO) };
        let free = self.busy_until.map_or(now, |until| until.max(now));
        if free - now > QUEUE {
            return None;
        }
        let until = free + Duration::from_micros(8_000_000 * (bytes as u64 + 28) / bps);
        self.busy_until = Some(until);
        Some(until - now)
    }
}

impl Weather {
    pub(crate) fn fair() -> Self {
        Self {
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            narrow_bps: None,
            dead_until: None,
        }
    }

    /// Whether it neither loses nor holds back anything.
    pub(crate) fn is_wide(&self, now: Instant) -> bool {
        let is_dead = self.dead_until.is_some_and(|until| now < until);
        self.narrow_bps.is_none() && self.loss == 0.0 && self.jitter.is_zero() && !is_dead
    }

    /// What it carries to the peer, in bit/s, if that is little and all that is wrong with it.
    pub(crate) fn bears(&self, now: Instant) -> Option<u64> {
        let is_dead = self.dead_until.is_some_and(|until| now < until);
        self.narrow_bps.filter(|_| !is_dead)
    }

    pub(crate) fn random(rng: &mut Rng) -> Self {
        let ms = |rng: &mut Rng, most| Duration::from_millis(rng.u64(..=most));
        match rng.u8(..4) {
            0 => Self::fair(),
            1 => Self { latency: ms(rng, 150), ..Self::fair() },
            2 => Self { jitter: ms(rng, 150), duplication: 0.1, ..Self::fair() },
            _ => Self {
                latency: ms(rng, 80),
                jitter: ms(rng, 80),
                loss: rng.f64() * 0.15,
                duplication: rng.f64() * 0.05,
                narrow_bps: None,
                dead_until: None,
            },
        }
    }

    /// When a datagram that is sent now arrives: never, once or twice.
    pub(crate) fn arrivals(&self, now: Instant, rng: &mut Rng) -> [Option<Instant>; 2] {
        if self.dead_until.is_some_and(|until| now < until) || rng.f64() < self.loss {
            return [None; 2];
        }
        let mut arrival = || now + self.latency + self.jitter.mul_f64(rng.f64());
        let first = arrival();
        let second = arrival();
        [Some(first), (rng.f64() < self.duplication).then_some(second)]
    }
}
