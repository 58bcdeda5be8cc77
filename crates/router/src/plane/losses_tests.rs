//! A publisher that a browser's rules govern, on simulated links.

use super::*;

const TICK: Duration = Duration::from_millis(50);
const PACKET: f32 = 1_000.0;
const TICKS: u32 = 2_400;
const MOST_BPS: f32 = 2_500_000.0;

/// What a link does to what is sent on it.
#[derive(Debug, Clone, Copy)]
enum Link {
    /// Loses this share.
    Random(f32),
    /// Carries so many bit/s; 200 ms of it may wait.
    TailDrop(f32),
    /// Carries so many bit/s and drops what is beyond at once.
    Policer(f32),
}

/// A linear congruential generator (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn share(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}

struct Outcome {
    /// Of the second half of the time, in bit/s.
    rate: f32,
    /// Of what was lost then, the share that was told.
    told: f32,
    most_allowance: f32,
}

/// Sends for two minutes as `GoogCC` does, as far as it goes by losses and queues: less above a tenth lost and with a
/// growing queue, more below 5 %.
fn run(link: impl Fn(u32) -> Link, seed: u64) -> Outcome {
    let start = Instant::now();
    let mut random = Random(seed);
    let mut losses = Losses::default();
    let (mut rate, mut queued, mut credit, mut due) = (300_000.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    let (mut sum, mut all_lost, mut all_told, mut most_allowance) = (0.0_f32, 0, 0, 0.0_f32);
    let (mut reported, mut reported_lost) = (0_u32, 0_u32);
    for tick in 0..TICKS {
        let now = start + TICK * tick;
        let seconds = TICK.as_secs_f32();
        due += rate * seconds / 8.0 / PACKET;
        let (sent, fraction) = (due as u32, due.fract());
        due = fraction;
        let mut gaps = Vec::new();
        let mut gap = 0_u64;
        let link = link(tick);
        let capacity = match link {
            Link::Random(_) => f32::INFINITY,
            Link::TailDrop(bps) | Link::Policer(bps) => bps * seconds / 8.0,
        };
        credit = (credit + capacity).min(capacity.max(4.0 * PACKET));
        for _ in 0..sent {
            let is_lost = match link {
                Link::Random(share) => random.share() < share,
                Link::TailDrop(bps) => {
                    let is_full = queued > bps / 8.0 * 0.2;
                    queued += if is_full { 0.0 } else { PACKET };
                    is_full
                }
                Link::Policer(_) => {
                    let is_over = credit < PACKET;
                    credit -= if is_over { 0.0 } else { PACKET };
                    is_over
                }
            };
            if is_lost {
                gap += 1;
            } else if gap > 0 {
                gaps.push(std::mem::take(&mut gap));
            }
        }
        gaps.extend((gap > 0).then_some(gap));
        let queue = match link {
            Link::TailDrop(bps) => {
                queued = (queued - capacity).max(0.0);
                queued / (bps / 8.0)
            }
            _ => 0.0,
        };
        let lost = gaps.iter().sum::<u64>() as u32;
        let bytes = u64::from(sent - lost) * PACKET as u64;
        let queue = Duration::from_secs_f32(queue);
        losses.note(now, sent - lost, lost, bytes, Some(queue));
        most_allowance = most_allowance.max(losses.allowance);
        let told: u64 = gaps.iter().filter(|gap| !losses.withhold(**gap)).sum();
        reported += sent - lost + told as u32;
        reported_lost += told as u32;
        if tick >= TICKS / 2 {
            sum += rate;
            all_lost += lost;
            all_told += told as u32;
        }
        if reported >= 40 {
            let share = reported_lost as f32 / reported as f32;
            (reported, reported_lost) = (0, 0);
            if share > 0.1 || queue > Duration::from_millis(60) {
                rate *= 1.0 - (0.5 * share).max(0.08);
            } else if share < 0.05 {
                rate *= 1.04;
            }
            rate = rate.clamp(40_000.0, MOST_BPS);
        }
    }
    Outcome {
        rate: sum / (TICKS / 2) as f32,
        told: all_told as f32 / all_lost.max(1) as f32,
        most_allowance,
    }
}

#[test]
fn loss_that_has_nothing_to_do_with_the_rate_does_not_lower_it() {
    for share in [0.02, 0.1, 0.2, 0.3] {
        for seed in 1..=5 {
            let Outcome { rate, told, .. } = run(|_| Link::Random(share), seed);
            assert!(rate > 0.8 * MOST_BPS, "{share}, seed {seed}: {rate} bit/s");
            assert!(told < 0.2, "{share}, seed {seed}: {told} told");
        }
    }
}

#[test]
fn loss_that_begins_in_a_call_is_recovered_from() {
    for seed in 1..=5 {
        // Everything that is known of lower rates is from before.
        let link = |tick| Link::Random(if tick < 800 { 0.0 } else { 0.2 });
        let Outcome { rate, .. } = run(link, seed);
        assert!(rate > 0.5 * MOST_BPS, "seed {seed}: {rate} bit/s");
    }
}

#[test]
fn loss_with_a_standing_queue_is_told() {
    let Outcome { rate, .. } = run(|_| Link::TailDrop(1_000_000.0), 1);
    assert!((600_000.0..1_150_000.0).contains(&rate), "{rate} bit/s");
    let mut losses = Losses::default();
    let start = Instant::now();
    for feedback in 0..200 {
        let queue = Some(Duration::from_millis(150));
        losses.note(start + TICK * feedback, 10, 2, 10_000, queue);
        assert!(!losses.withhold(1));
    }
}

#[test]
fn loss_that_grows_with_the_rate_is_told() {
    for seed in 1..=5 {
        let Outcome { rate, .. } = run(|_| Link::Policer(1_000_000.0), seed);
        assert!((600_000.0..1_350_000.0).contains(&rate), "seed {seed}: {rate} bit/s");
    }
}

#[test]
fn what_goes_unmentioned_is_bounded_whatever_is_lost() {
    let Outcome { most_allowance, .. } = run(|_| Link::Random(0.7), 1);
    assert!(most_allowance <= MAX_ALLOWANCE);
    let mut losses = Losses::default();
    let start = Instant::now();
    let (mut lost, mut withheld) = (0, 0);
    for feedback in 0..20_000 {
        losses.note(start + TICK * feedback, 5, 15, 5_000, None);
        for _ in 0..15 {
            lost += 1;
            withheld += u32::from(losses.withhold(1));
        }
        assert!(losses.spans.len() <= MAX_SPANS);
    }
    // Of 20 packets 15 are lost, and no more than 8 of them may go unmentioned.
    assert!(withheld <= lost * 8 / 15 + 16, "{withheld} of {lost}");
    assert!(!losses.withhold(1_000), "a long gap is told");
}

/// The first three seconds of a call, 50 packets of sound and 30 of video in each: the half second in which a browser
/// is told of more than a tenth, which it takes for congestion, if there is one. A queue is known after a second.
fn cut_in(share: f32, queue: Option<Duration>, seed: u64) -> Option<u32> {
    let start = Instant::now();
    // Generators whose seeds follow each other begin alike.
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut losses = Losses::default();
    (0..6).find(|half| {
        let (mut came, mut told) = (0, 0);
        for tick in half * 10..(half + 1) * 10 {
            let lost: [bool; 4] = std::array::from_fn(|_| random.share() < share);
            let missing = lost.iter().filter(|is_lost| **is_lost).count() as u32;
            let queue = queue.filter(|_| tick >= 20);
            let bytes = u64::from(4 - missing) * 450;
            losses.note(start + TICK * tick, 4 - missing, missing, bytes, queue);
            let gaps = lost.split(|is_lost| !is_lost).map(|gap| gap.len() as u64);
            told += gaps.filter(|gap| *gap > 0 && !losses.withhold(*gap)).sum::<u64>();
            came += u64::from(4 - missing);
        }
        told * 10 > told + came
    })
}

#[test]
fn a_call_that_begins_with_loss_is_not_cut_by_chance() {
    for share in [0.1, 0.2, 0.3] {
        let cut = (0..200).filter(|seed| cut_in(share, None, *seed).is_some()).count();
        assert!(cut <= 2, "{share}: {cut} of 200");
    }
}

#[test]
fn a_call_that_begins_with_congestion_is_told_so() {
    for seed in 0..200 {
        let of_narrow = cut_in(0.65, None, seed);
        assert!(of_narrow.is_some_and(|half| half <= 2), "a third passes: {of_narrow:?}");
        let of_queue = cut_in(0.3, Some(Duration::from_millis(150)), seed);
        assert!(of_queue.is_some_and(|half| half <= 2), "a queue stands: {of_queue:?}");
    }
}

#[test]
fn what_the_beginning_gave_is_gone_where_nothing_was_lost() {
    let mut losses = Losses::default();
    let start = Instant::now();
    for tick in 0..200 {
        losses.note(start + TICK * tick, 4, 0, 1_800, None);
    }
    let told = (0..16).filter(|_| !losses.withhold(1)).count();
    assert!(told >= 15, "{told} of 16");
}

#[test]
fn a_link_that_is_narrow_from_the_beginning_is_not_overfilled() {
    for bps in [100_000.0, 150_000.0, 250_000.0] {
        let Outcome { rate, .. } = run(|_| Link::TailDrop(bps), 1);
        assert!((0.6 * bps..1.15 * bps).contains(&rate), "a queue, {bps}: {rate} bit/s");
        // What was lost at every rate that there was is not known to be its fault.
        let Outcome { rate, .. } = run(|_| Link::Policer(bps), 1);
        assert!(rate < 1.9 * bps, "none, {bps}: {rate} bit/s");
    }
}
