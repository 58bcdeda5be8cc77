//! How long packets of one source wait on the way, beyond the shortest time that was seen lately.

use std::time::Duration;

/// The shortest way of each such time is remembered.
const SPAN_US: u64 = 1_000_000;
/// So many of them; clocks drift apart by 2 ms meanwhile at most.
const SPANS: usize = 20;
/// A timestamp that is off by more is of another beginning.
const LARGEST_JUMP_US: i64 = 5_000_000;

/// The way of a source's packets, by their timestamps.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// Arrival and timestamp that all ways are compared with.
    reference: Option<(u64, u32)>,
    span: u64,
    /// By span, in microseconds beyond that of the reference.
    shortest: [Option<i64>; SPANS],
}

impl Default for Standing {
    fn default() -> Self {
        Self { reference: None, span: 0, shortest: [None; SPANS] }
    }
}

impl Standing {
    /// A packet came for the first time; times are since any origin.
    pub(super) fn note(&mut self, since: Duration, timestamp: u32, clock_hz: u32) {
        let at = since.as_micros() as u64;
        let (first_at, first) = *self.reference.get_or_insert((at, timestamp));
        // The reference moves along, so that timestamps never get too far from it.
        let ticks = i64::from(timestamp.wrapping_sub(first) as i32);
        let passed = ticks * 1_000_000 / i64::from(clock_hz.max(1));
        let way = at as i64 - first_at as i64 - passed;
        if way.abs() > LARGEST_JUMP_US || passed.abs() > 3_600_000_000 {
            *self = Self { reference: Some((at, timestamp)), ..Self::default() };
            self.span = at / SPAN_US;
            self.keep(0);
            return;
        }
        let span = at / SPAN_US;
        for passed in (self.span + 1..=span).take(SPANS) {
            if let Some(shortest) = self.shortest.get_mut(passed as usize % SPANS) {
                *shortest = None;
            }
        }
        // Of a long silence the newest spans are to be empty.
        if span > self.span + SPANS as u64 {
            self.shortest = [None; SPANS];
        }
        self.span = self.span.max(span);
        self.keep(way);
    }

    fn keep(&mut self, way: i64) {
        if let Some(shortest) = self.shortest.get_mut(self.span as usize % SPANS) {
            *shortest = Some(shortest.map_or(way, |known| known.min(way)));
        }
    }

    /// What the packets of the last whole second waited at least; absent until there was one, or if it is
    /// over for more than a second.
    pub(super) fn queue(&self, since: Duration) -> Option<Duration> {
        let now = since.as_micros() as u64 / SPAN_US;
        let last = now.checked_sub(1)?;
        if self.span < last {
            return None;
        }
        let newest = (*self.shortest.get(last as usize % SPANS)?)?;
        let without_queue = self.shortest.iter().flatten().min()?;
        Some(Duration::from_micros((newest - without_queue).unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(v: u64) -> Duration {
        Duration::from_millis(v)
    }

    /// Audio packets, each `way(n)` ms on the way.
    fn run(standing: &mut Standing, packets: std::ops::Range<u64>, way: impl Fn(u64) -> u64) {
        for n in packets {
            standing.note(ms(20 * n + way(n)), (n as u32).wrapping_mul(960), 48_000);
        }
    }

    #[test]
    fn jitter_is_no_queue_and_a_queue_is() {
        let mut standing = Standing::default();
        run(&mut standing, 0..100, |n| 30 + n % 3 * 20);
        assert_eq!(standing.queue(ms(2_050)), Some(ms(0)));
        run(&mut standing, 100..200, |n| 150 + n % 3 * 20);
        assert_eq!(standing.queue(ms(4_050)), Some(ms(120)));
        run(&mut standing, 200..300, |_| 30);
        assert_eq!(standing.queue(ms(6_050)), Some(ms(0)));
        assert_eq!(standing.queue(ms(9_000)), None, "nothing came lately");
    }

    #[test]
    fn what_was_shortest_long_ago_counts_no_more_and_jumps_begin_anew() {
        let mut standing = Standing::default();
        run(&mut standing, 0..50, |_| 10);
        run(&mut standing, 50..1_200, |_| 100);
        assert_eq!(standing.queue(ms(24_050)), Some(ms(0)));
        // Timestamps that have nothing to do with the former ones.
        standing.note(ms(24_100), 0x8000_0000, 48_000);
        standing.note(ms(24_120), 0x8000_0000 + 960, 48_000);
        assert_eq!(standing.queue(ms(25_010)), Some(ms(0)));
        run(&mut standing, 5_000_000..5_000_001, |_| 10);
        assert_eq!(standing.queue(ms(100_000_300)), None);
    }
}
