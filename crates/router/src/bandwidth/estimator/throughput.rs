//! A rate over a sliding window, in constant memory.

use super::super::bitrate::Bitrate;

const BUCKET_US: u64 = 25_000;
const BUCKETS: usize = 20;
/// A rate over less time says little.
const LEAST_BUCKETS: u64 = 6;
const RECENT: u64 = 8;

/// Bytes over the last 500 ms before the newest of them, on whichever clock.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    bytes: [u32; BUCKETS],
    /// Number of the newest bucket, and of the first since the clock started or jumped.
    newest: u64,
    first: Option<u64>,
    total: u64,
}

impl Throughput {
    /// Bytes at a time. What is older than the window is left out.
    pub(super) fn add(&mut self, at_us: u64, bytes: u32) {
        let bucket = at_us / BUCKET_US;
        let Some(first) = self.first else {
            self.first = Some(bucket);
            self.newest = bucket;
            self.put(bucket, bytes);
            return;
        };
        if bucket > self.newest {
            let steps = bucket - self.newest;
            if steps >= 2 * BUCKETS as u64 {
                *self = Self::default();
                return self.add(at_us, bytes);
            }
            for passed in (self.newest + 1)..=bucket {
                let old = self.place(passed).map(std::mem::take).unwrap_or_default();
                self.total -= u64::from(old);
            }
            self.newest = bucket;
        } else if self.newest - bucket >= BUCKETS as u64 || bucket < first {
            return;
        }
        self.put(bucket, bytes);
    }

    fn put(&mut self, bucket: u64, bytes: u32) {
        let Some(place) = self.place(bucket) else {
            return;
        };
        let before = *place;
        *place = before.saturating_add(bytes);
        let added = u64::from(*place - before);
        self.total += added;
    }

    fn place(&mut self, bucket: u64) -> Option<&mut u32> {
        self.bytes.get_mut(index(bucket))
    }

    fn bytes_of(&self, bucket: u64) -> u64 {
        self.bytes.get(index(bucket)).copied().map_or(0, u64::from)
    }

    /// The rate up to the newest byte; none until enough time was seen.
    pub(super) fn rate(&self) -> Option<Bitrate> {
        let first = self.first?;
        let seen = (self.newest - first + 1).min(BUCKETS as u64);
        // The newest bucket is not over: it is left out of both.
        let span = seen.checked_sub(1).filter(|span| *span >= LEAST_BUCKETS)?;
        let bytes = self.total - self.bytes_of(self.newest);
        Some(Bitrate::from_bps(bytes * 8_000_000 / (span * BUCKET_US)))
    }

    /// As [`Self::rate`], over the last 200 ms alone.
    pub(super) fn recent_rate(&self) -> Option<Bitrate> {
        let oldest =
            self.newest.checked_sub(RECENT).filter(|oldest| Some(*oldest) >= self.first)?;
        let bytes: u64 = (oldest..self.newest).map(|b| self.bytes_of(b)).sum();
        Some(Bitrate::from_bps(bytes * 8_000_000 / (RECENT * BUCKET_US)))
    }
}

fn index(bucket: u64) -> usize {
    (bucket % BUCKETS as u64) as usize
}
