//! A rate of data.

use std::fmt;
use std::time::Duration;

/// Bits per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bitrate(u64);

impl Bitrate {
    /// Nothing.
    pub(crate) const ZERO: Self = Self(0);

    /// From bits per second.
    #[must_use]
    pub(crate) const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// From kilobits (1,000 bits) per second.
    #[must_use]
    pub(crate) const fn from_kbps(kbps: u64) -> Self {
        Self(kbps * 1000)
    }

    /// What `bytes` in `time` make; nothing if no time passed.
    #[must_use]
    pub(crate) fn of(bytes: u64, time: Duration) -> Self {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bits = bytes.saturating_mul(8_000_000);
        Self(bits.checked_div(us).unwrap_or(0))
    }

    /// In bits per second.
    #[must_use]
    pub(crate) const fn bps(self) -> u64 {
        self.0
    }

    /// How long `bytes` take at this rate, rounded up; without a rate for ever ([`Duration::MAX`]).
    #[must_use]
    pub(crate) fn time_of(self, bytes: u64) -> Duration {
        if self.0 == 0 {
            return Duration::MAX;
        }
        Duration::from_micros(bytes.saturating_mul(8_000_000).div_ceil(self.0))
    }

    /// How many bytes pass in this time.
    #[must_use]
    pub(crate) fn bytes_in(self, time: Duration) -> u64 {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        u64::try_from(u128::from(self.0) * u128::from(us) / 8_000_000).unwrap_or(u64::MAX)
    }

    /// A multiple or part of it; `factor` below 0 counts as 0.
    #[must_use]
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor.max(0.0)) as u64)
    }

    /// The sum.
    #[must_use]
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left, or nothing.
    #[must_use]
    pub(crate) const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s", self.0 / 1000)
    }
}
