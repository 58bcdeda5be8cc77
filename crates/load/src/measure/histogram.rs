//! Times in buckets that grow by an eighth of a power of two, so that a percentile is at most 7 % too high.

use std::time::Duration;

/// Eight buckets per power of two of microseconds, up to 2^40 us.
const PER_OCTAVE: u32 = 8;
const BUCKETS: usize = 41 * PER_OCTAVE as usize;

/// A distribution of durations of constant size.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    greatest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, greatest: Duration::ZERO }
    }
}

impl Histogram {
    /// Adds one sample.
    pub fn add(&mut self, sample: Duration) {
        if let Some(bucket) = self.buckets.get_mut(index_of(sample.as_nanos() as u64)) {
            *bucket += 1;
        }
        self.count += 1;
        self.greatest = self.greatest.max(sample);
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Self) {
        for (own, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += more;
        }
        self.count += other.count;
        self.greatest = self.greatest.max(other.greatest);
    }

    /// Samples so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest sample, exactly.
    #[must_use]
    pub fn greatest(&self) -> Duration {
        self.greatest
    }

    /// The upper end of the bucket in which `share` (0 to 1) of all samples is reached; `None` without samples.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut passed = 0;
        self.buckets.iter().enumerate().find_map(|(index, samples)| {
            passed += samples;
            (passed >= wanted && self.count > 0).then(|| end_of(index).min(self.greatest))
        })
    }
}

/// Bucket 0 is all below 1/8 us; then a linear part up to 1 us, then eight per octave.
fn index_of(nanoseconds: u64) -> usize {
    // In eighths of a microsecond the first octave is linear: value v below 8 has bucket v.
    let eighths = nanoseconds / 125;
    if eighths < u64::from(PER_OCTAVE) {
        return eighths as usize;
    }
    let octave = eighths.ilog2() - PER_OCTAVE.ilog2();
    let within = (eighths >> octave) - u64::from(PER_OCTAVE);
    ((octave + 1) * PER_OCTAVE) as usize + within as usize
}

fn end_of(index: usize) -> Duration {
    let (octave, within) = (index as u32 / PER_OCTAVE, index as u64 % u64::from(PER_OCTAVE));
    let eighths = match octave.checked_sub(1) {
        None => within + 1,
        Some(shift) => (within + 1 + u64::from(PER_OCTAVE)) << shift,
    };
    Duration::from_nanos(eighths.saturating_mul(125))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_at_most_an_eighth_too_high_and_never_too_low() {
        for exact in [1_u64, 124, 125, 999, 1_000, 1_001, 33_333, 1_000_000, 7_654_321_000] {
            let mut histogram = Histogram::default();
            histogram.add(Duration::from_nanos(exact));
            histogram.add(Duration::from_secs(9_000));
            let told = histogram.percentile(0.5).unwrap().as_nanos() as u64;
            assert!(told >= exact, "{told} for {exact}");
            assert!(told <= exact + exact / 8 + 125, "{told} for {exact}");
        }
    }

    #[test]
    fn percentiles_of_many_and_of_none() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(0.5), None);
        for ms in 1..=100 {
            histogram.add(Duration::from_millis(ms));
        }
        let mut both = Histogram::default();
        both.merge(&histogram);
        assert_eq!(both.count(), 100);
        assert_eq!(both.greatest(), Duration::from_millis(100));
        let at = |share| both.percentile(share).unwrap().as_secs_f64() * 1000.0;
        assert!((50.0..56.3).contains(&at(0.5)), "{}", at(0.5));
        assert!((99.0..=100.0).contains(&at(0.99)), "{}", at(0.99));
        assert!((at(1.0) - 100.0).abs() < f64::EPSILON);
    }
}
