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
    /// Nothing gets through until then.
    pub(crate) dead_until: Option<Instant>,
}

impl Weather {
    pub(crate) fn fair() -> Self {
        Self {
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            dead_until: None,
        }
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
