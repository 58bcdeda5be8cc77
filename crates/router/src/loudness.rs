//! How loud a stream is, as far as that decides who is heard in a large session. Pure.
//!
//! What counts is what the publisher says of its sound (RFC 6464), so it is bounded: no level counts
//! above [`CEILING`], and a level that never falls wears out like the noise of a fan, which it most
//! likely is. See `docs/decisions/loudest-speakers.md`.

use std::time::{Duration, Instant};

/// -127 dBov is 0 here; louder than -20 dBov counts as -20 dBov.
const CEILING: f32 = 107.0;
/// What a stream that says no level counts as while it sends more than silence: -45 dBov.
const SUPPOSED: f32 = 82.0;
/// Opus says silence in at most 3 bytes (RFC 6716 section 3.1); a little room for what wraps it.
const SILENT_BYTES: usize = 8;
/// A sound that its encoder takes for no voice counts as so much quieter.
const NO_VOICE: f32 = 10.0;
/// Somebody speaks from here on: -55 dBov.
pub(crate) const SPEAKS: f32 = 72.0;
/// How fast the smoothed level follows a louder sound: two or three packets of 20 ms, and not one click.
const ATTACK_S: f32 = 0.01;
/// How fast it follows a quieter one: longer than the gaps between words.
const RELEASE_S: f32 = 0.35;
/// A publisher that has nothing to say may send nothing (DTX): after this it counts as silent,
const IDLE: Duration = Duration::from_millis(150);
/// and falls by so many dB per second.
const FALL: f32 = 200.0;
/// The floor under a sound that never falls rises by so many dB per second,
const WEAR: f32 = 3.0;
/// and takes away what it has above -50 dBov.
const FREE_FLOOR: f32 = 77.0;
/// No packet stands for more time than this.
const LONGEST_STEP_S: f32 = 0.06;

/// The loudness of one stream.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Loudness {
    smoothed: f32,
    floor: f32,
    last: Option<Instant>,
    /// Its packets say their level; those that do not were repaired.
    tells: bool,
}

impl Loudness {
    /// Notes a packet: its level in dBov, whether its encoder heard a voice, its payload's bytes.
    /// Returns whether the stream begins to speak with it.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        level_dbov: Option<i8>,
        voice: Option<bool>,
        bytes: usize,
    ) -> bool {
        let said = match level_dbov {
            Some(level) => {
                self.tells = true;
                let unheard = if voice == Some(false) { NO_VOICE } else { 0.0 };
                (f32::from(level) + 127.0).min(CEILING) - unheard
            }
            None if self.tells => return false,
            None if bytes > SILENT_BYTES => SUPPOSED,
            None => 0.0,
        };
        let before = self.score(now);
        let step = match self.last {
            Some(last) => now.saturating_duration_since(last).as_secs_f32().min(LONGEST_STEP_S),
            None => 0.02,
        };
        self.smoothed = self.faded(now);
        self.last = Some(now);
        let pace = if said > self.smoothed { ATTACK_S } else { RELEASE_S };
        self.smoothed += (said - self.smoothed) * step / (pace + step);
        self.floor = (self.floor + WEAR * step).min(self.smoothed);
        before < SPEAKS && self.score(now) >= SPEAKS
    }

    /// What it counts as now, in dB above -127 dBov.
    pub(crate) fn score(&self, now: Instant) -> f32 {
        self.faded(now) - (self.floor - FREE_FLOOR).max(0.0)
    }

    fn faded(&self, now: Instant) -> f32 {
        let idle = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let silent = idle.saturating_sub(IDLE).as_secs_f32();
        (self.smoothed - FALL * silent).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Duration = Duration::from_millis(20);

    /// Plays levels, one per 20 ms, and returns the score after each.
    fn play(loudness: &mut Loudness, now: &mut Instant, levels: &[i8]) -> Vec<f32> {
        let each = levels.iter().map(|level| {
            *now += PACKET;
            loudness.note(*now, Some(*level), Some(true), 80);
            loudness.score(*now)
        });
        each.collect()
    }

    #[test]
    fn a_voice_counts_within_three_packets_and_a_click_does_not() {
        let (mut voice, mut click, mut now) =
            (Loudness::default(), Loudness::default(), Instant::now());
        assert!(play(&mut voice, &mut now, &[-30, -30, -30]).iter().any(|score| *score >= SPEAKS));
        assert!(play(&mut click, &mut now, &[-20, -127, -127]).iter().all(|s| *s < SPEAKS));
    }

    #[test]
    fn gaps_between_words_do_not_end_it_and_silence_does() {
        let (mut loudness, mut now) = (Loudness::default(), Instant::now());
        play(&mut loudness, &mut now, &[-25; 50]);
        let gap = play(&mut loudness, &mut now, &[-90; 5]);
        assert!(gap.iter().all(|score| *score >= SPEAKS), "{gap:?}");
        let silence = play(&mut loudness, &mut now, &[-127; 100]);
        assert!(silence.last().is_some_and(|score| *score < SPEAKS), "{silence:?}");
    }

    #[test]
    fn a_publisher_that_sends_nothing_any_more_is_silent() {
        let (mut loudness, mut now) = (Loudness::default(), Instant::now());
        play(&mut loudness, &mut now, &[-25; 50]);
        assert!(loudness.score(now + Duration::from_millis(100)) >= SPEAKS);
        assert!(loudness.score(now + Duration::from_secs(1)) < SPEAKS);
    }

    #[test]
    fn nobody_is_the_loudest_for_ever() {
        let (mut liar, mut speaker, mut now) =
            (Loudness::default(), Loudness::default(), Instant::now());
        play(&mut liar, &mut now, &[0; 2000]);
        let claimed = liar.score(now);
        let words: Vec<i8> = (0..200).map(|i| if i % 50 < 35 { -35 } else { -80 }).collect();
        let spoken = play(&mut speaker, &mut now, &words);
        assert!(spoken.get(134).is_some_and(|score| *score > claimed + 6.0), "{claimed}");
        assert!(claimed >= SPEAKS, "alone it is still heard: {claimed}");
    }

    #[test]
    fn without_levels_size_tells_silence() {
        let (mut loudness, mut now) = (Loudness::default(), Instant::now());
        for _ in 0..10 {
            now += PACKET;
            loudness.note(now, None, None, 60);
        }
        assert!(loudness.score(now) >= SPEAKS);
        for _ in 0..50 {
            now += PACKET;
            loudness.note(now, None, None, 3);
        }
        assert!(loudness.score(now) < SPEAKS);
    }

    #[test]
    fn packets_that_were_repaired_say_nothing() {
        let (mut loudness, mut now) = (Loudness::default(), Instant::now());
        play(&mut loudness, &mut now, &[-127; 5]);
        for _ in 0..10 {
            now += PACKET;
            loudness.note(now, None, None, 80);
        }
        assert!(loudness.score(now) < SPEAKS);
    }
}
