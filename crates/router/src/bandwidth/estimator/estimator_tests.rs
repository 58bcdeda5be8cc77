//! The estimator on a simulated bottleneck in virtual time. `cargo test bandwidth -- --nocapture` prints
//! the figures of docs/decisions/bandwidth.md.

use std::time::Duration;

use super::super::simulation::{Chance, Link, Sample, Sender, World, kbps};
use super::*;

const SEEDS: [u64; 3] = [1, 2, 3];

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn milliseconds(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn link_of(capacity_kbps: u32) -> Link {
    Link { capacity: Bitrate::from_kbps(u64::from(capacity_kbps)), ..Link::default() }
}

/// Runs one sender that always has more to send for 30 s, prints and returns the mean estimate and
/// what arrived, from the fifth second on, in parts of the capacity.
fn settle(name: &str, seed: u64, link: Link) -> (f64, f64) {
    settle_with(name, seed, link, Sender::default())
}

fn settle_with(name: &str, seed: u64, link: Link, sender: Sender) -> (f64, f64) {
    let mut world = World::new(name, seed, link, &[sender]);
    world.run(seconds(30));
    let capacity = kbps(link.capacity);
    let reached = world.first_within(0, seconds(0), 0.85 * capacity, 1.05 * capacity);
    let mean = world.mean_kbps(0, seconds(5)) / capacity;
    let arrived = world.goodput_kbps(0, seconds(5)) / capacity;
    let waits: Vec<_> = world.since(0, seconds(5)).map(|s| s.wait).collect();
    let mean_wait = waits.iter().sum::<Duration>() / u32::try_from(waits.len()).unwrap_or(1);
    println!(
        "{name}: reached after {reached:?}, then mean {mean:.2}, arrived {arrived:.2}, \
         mean wait {mean_wait:.0?}, longest {:?}",
        waits.iter().max()
    );
    (mean, arrived)
}

#[test]
fn an_estimate_settles_between_85_and_105_percent_of_the_capacity() {
    for capacity in [300, 1_000, 3_000, 10_000] {
        let link = link_of(capacity);
        let name = format!("{capacity} kbit/s");
        let mut world = World::new(&name, 1, link, &[Sender::default()]);
        world.run(seconds(10));
        let reached = world.first_within(
            0,
            seconds(0),
            0.85 * kbps(link.capacity),
            1.05 * kbps(link.capacity),
        );
        assert!(reached.is_some_and(|at| at < seconds(5)), "{name}: {reached:?}");
        let (mean, _) = settle(&name, 1, link);
        assert!((0.85..=1.05).contains(&mean), "{name}: {mean}");
    }
}

#[test]
fn jitter_and_a_long_way_are_no_congestion() {
    for seed in SEEDS {
        for link in [
            Link { jitter: milliseconds(15), ..link_of(1_000) },
            Link { jitter: milliseconds(30), ..link_of(3_000) },
            Link { delay: milliseconds(150), queue: seconds(2), ..link_of(1_000) },
        ] {
            let (mean, _) = settle(&format!("{link:?}"), seed, link);
            assert!((0.8..=1.1).contains(&mean), "{mean}");
        }
    }
}

#[test]
fn random_loss_alone_does_not_lower_an_estimate() {
    for seed in SEEDS {
        for loss in [0.05, 0.1, 0.2, 0.3] {
            let link = Link { loss, ..link_of(2_000) };
            let (_, arrived) = settle(&format!("{loss} lost at random"), seed, link);
            assert!(arrived > 0.7, "{loss}: {arrived}");
        }
    }
}

#[test]
fn random_loss_on_a_wide_link_leaves_what_is_wanted() {
    for seed in SEEDS {
        let wanted = Bitrate::from_kbps(1_500);
        let sender = Sender { wanted, asks: wanted, ..Sender::default() };
        let link = Link { loss: 0.2, ..link_of(50_000) };
        let mut world = World::new("20 % of a wide link", seed, link, &[sender]);
        world.run(seconds(30));
        let arrived = world.goodput_kbps(0, seconds(5));
        assert!(arrived > 0.8 * 0.85 * 1_500.0, "{arrived}");
    }
}

#[test]
fn random_loss_of_few_packets_is_not_taken_for_a_limit() {
    // Sound and a small picture; each observation is of about 25 packets.
    let (wanted, frame) = (Bitrate::from_kbps(180), milliseconds(13));
    let sender = Sender { wanted, asks: wanted, frame, packet: 280, ..Sender::default() };
    for (loss, stall) in [(0.1, 0), (0.2, 0), (0.3, 0), (0.3, 200)] {
        let mut parts = Vec::new();
        for seed in 1..=100 {
            let stall = milliseconds(stall);
            let link = Link { loss, report_loss: loss, stall, ..link_of(50_000) };
            let mut world = World::new("few packets", seed, link, &[sender]);
            world.run(seconds(25));
            let samples = || world.since(0, seconds(3)).filter(|sample| !sample.is_trying);
            let is_low = |sample: &&Sample| kbps(sample.estimate.target) < 150.0;
            parts.push(samples().filter(is_low).count() as f64 / samples().count() as f64);
        }
        let often = parts.iter().filter(|part| **part > 0.1).count();
        let worst = parts.iter().copied().fold(0.0, f64::max);
        println!(
            "{loss} lost: too low for a tenth of the time in {often} of 100 calls, at most {worst:.2}"
        );
        assert!(often <= 4 && worst < 0.3, "{loss}: {often}, {worst}");
    }
}

#[test]
fn a_queue_too_short_for_delay_is_found_by_its_losses() {
    for (capacity, queue) in [(1_000, 30), (1_000, 50), (3_000, 20)] {
        let link = Link { queue: milliseconds(queue), ..link_of(capacity) };
        // A frame that leaves at once is longer than such a queue.
        let sender = Sender { frame: milliseconds(5), ..Sender::default() };
        let (mean, arrived) = settle_with(&format!("queue of {queue} ms"), 1, link, sender);
        assert!((0.85..=1.1).contains(&mean), "{mean}");
        assert!(arrived > 0.85, "{arrived}");
    }
}

#[test]
fn a_limit_is_known_once_it_was_met_and_forgotten_later() {
    let wanted = Bitrate::from_kbps(1_500);
    let sender = Sender { wanted, asks: wanted, ..Sender::default() };
    let mut world = World::new("the limit", 1, link_of(50_000), &[sender]);
    world.run(seconds(20));
    assert!(!world.has_met_limit(0), "there is room for all");
    world.link.capacity = Bitrate::from_kbps(500);
    world.run(seconds(5));
    assert!(world.has_met_limit(0));
    world.link.capacity = Bitrate::from_kbps(50_000);
    world.run(seconds(60));
    assert!(!world.has_met_limit(0), "it was long ago");
}

#[test]
fn a_narrower_link_is_noticed_within_two_seconds_and_its_queue_emptied() {
    for (from, to) in [(3_000_u32, 1_000_u32), (1_000, 300), (5_000, 500)] {
        let link = Link { queue: seconds(1), ..link_of(from) };
        let name = format!("{from} to {to} kbit/s");
        let mut world = World::new(&name, 1, link, &[Sender::default()]);
        world.run(seconds(15));
        world.link.capacity = Bitrate::from_kbps(u64::from(to));
        world.run(seconds(15));
        let limit = 1.05 * f64::from(to);
        let below = world.since(0, seconds(15)).find(|s| kbps(s.estimate.target) < limit);
        let below = below.map(|s| s.at.saturating_sub(seconds(15)));
        let emptied = world.since(0, seconds(16)).find(|s| s.wait < milliseconds(100));
        let emptied = emptied.map(|s| s.at.saturating_sub(seconds(15)));
        println!("{name}: below after {below:?}, queue under 100 ms after {emptied:?}");
        assert!(below.is_some_and(|after| after <= seconds(2)), "{name}: {below:?}");
        assert!(emptied.is_some_and(|after| after <= seconds(5)), "{name}: {emptied:?}");
        let later: Vec<_> = world.since(0, seconds(21)).map(|s| s.wait).collect();
        let mean = later.iter().sum::<Duration>() / u32::try_from(later.len()).unwrap_or(1);
        assert!(mean < milliseconds(80), "{name}: a queue of {mean:?} stands");
        let estimate = world.mean_kbps(0, seconds(20)) / f64::from(to);
        assert!((0.7..=1.05).contains(&estimate), "{name}: {estimate}");
    }
}

#[test]
fn a_wider_link_is_found_by_probes() {
    let mut world = World::new("500 to 3000 kbit/s", 1, link_of(500), &[Sender::default()]);
    world.run(seconds(15));
    world.link.capacity = Bitrate::from_kbps(3_000);
    world.run(seconds(20));
    let found = world.first_within(0, seconds(15), 2_500.0, 3_300.0);
    println!("found after {found:?}");
    assert!(found.is_some_and(|after| after < seconds(18)), "{found:?}");
}

#[test]
fn a_wider_link_is_found_although_reports_are_lost() {
    for seed in 1..=8 {
        let link = Link { loss: 0.3, report_loss: 0.3, ..link_of(500) };
        let mut world = World::new("reports are lost", seed, link, &[Sender::default()]);
        world.run(seconds(15));
        world.link.capacity = Bitrate::from_kbps(3_000);
        world.run(seconds(45));
        let found = world.first_within(0, seconds(15), 2_000.0, 6_000.0);
        println!("seed {seed}: found after {found:?}");
        assert!(found.is_some(), "seed {seed}");
    }
}

#[test]
fn a_receiver_that_is_busy_for_moments_is_no_narrow_network() {
    for seed in 1..=8 {
        let wanted = Bitrate::from_kbps(200);
        let frame = milliseconds(20);
        let sender = Sender { wanted, asks: wanted, frame, ..Sender::default() };
        let (loss, stall) = (0.3, milliseconds(80));
        let jitter = milliseconds(5);
        let link = Link { loss, report_loss: loss, stall, jitter, ..link_of(50_000) };
        let mut world = World::new("moments", seed, link, &[sender]);
        world.run(seconds(60));
        let all = world.since(0, seconds(5)).count();
        let low = world.since(0, seconds(5)).filter(|s| kbps(s.estimate.target) < 200.0).count();
        println!("seed {seed}: below what is sent in {low} of {all} samples");
        assert!(low * 10 < all, "seed {seed}: {low} of {all}");
    }
}

#[test]
fn two_estimates_share_a_link() {
    for capacity in [1_000, 3_000] {
        let senders = [Sender::default(), Sender { starts: seconds(5), ..Sender::default() }];
        let link = Link { jitter: milliseconds(2), ..link_of(capacity) };
        let mut world = World::new(&format!("two on {capacity} kbit/s"), 7, link, &senders);
        world.run(seconds(60));
        let first = world.goodput_kbps(0, seconds(20));
        let second = world.goodput_kbps(1, seconds(20));
        println!("{first:.0} and {second:.0} kbit/s");
        assert!(first < 2.5 * second && second < 2.5 * first, "{first} and {second}");
        assert!(first + second > 0.75 * f64::from(capacity), "{first} and {second}");
    }
}

#[test]
fn an_estimate_does_not_rise_far_beyond_what_is_sent() {
    let little = Bitrate::from_kbps(200);
    let sender = Sender { wanted: little, asks: little, ..Sender::default() };
    let mut world = World::new("little is sent", 1, link_of(50_000), &[sender]);
    world.run(seconds(60));
    let estimate = world.samples[0].last().map(|s| kbps(s.estimate.target));
    assert!(estimate.is_some_and(|e| e <= 700.0), "{estimate:?}");
}

#[test]
fn a_network_that_was_away_for_two_seconds_costs_half_the_estimate_at_most() {
    let mut world = World::new("away", 1, link_of(2_000), &[Sender::default()]);
    world.run(seconds(15));
    let before = world.mean_kbps(0, seconds(14));
    world.is_feedback_cut = true;
    world.run(seconds(2));
    world.is_feedback_cut = false;
    world.run(seconds(1));
    let after = world.samples[0].last().map_or(0.0, |s| kbps(s.estimate.target));
    assert!(after > 0.45 * before, "{before} before, {after} after");
}

/// Sends 100 packets a second; `say` makes the feedback for those up to a number, four times a second.
fn with_peer(for_s: u64, mut say: impl FnMut(u16, u64) -> Vec<Reported>) -> Estimator {
    let start = Instant::now();
    let mut estimator = Estimator::new(Limits::default());
    for number in 0..(for_s * 100) {
        let now = start + milliseconds(number * 10);
        let sequence = u16::try_from(number % 65_536).unwrap_or(0);
        let cluster = None;
        estimator.handle_sent(Sent { sequence, at: now, bytes: 1_000, cluster });
        if number % 25 == 24 {
            let reports = say(sequence, number * 10_000);
            estimator.handle_feedback(now, None, reports);
            estimator.handle_timeout(now);
        }
    }
    estimator
}

#[test]
fn a_peer_that_never_acknowledges_is_sent_the_least() {
    let estimator = with_peer(30, |_, _| Vec::new());
    assert_eq!(estimator.estimate().target, Limits::default().min);
    // 3 s, and as long as the oldest are not looked at.
    assert!(estimator.history.len() <= 306, "{}", estimator.history.len());
}

#[test]
fn a_peer_that_says_that_all_is_lost_is_sent_the_least() {
    let estimator = with_peer(30, |newest, _| {
        let numbers = (0..25).rev().map(|back| newest.wrapping_sub(back));
        numbers.map(|sequence| Reported { sequence, arrival_us: None }).collect()
    });
    assert!(estimator.estimate().target < Bitrate::from_kbps(60), "{:?}", estimator.estimate());
}

#[test]
fn what_was_never_sent_or_is_repeated_changes_nothing() {
    let honest = |newest: u16, now_us: u64| -> Vec<_> {
        (0..25u16)
            .rev()
            .map(|back| Reported {
                sequence: newest.wrapping_sub(back),
                arrival_us: Some(5_020_000 + now_us - u64::from(back) * 10_000),
            })
            .collect()
    };
    let plain = with_peer(20, honest);
    let noisy = with_peer(20, |newest, now_us| {
        let mut reports = honest(newest, now_us);
        reports.extend(honest(newest.wrapping_add(10_000), now_us)); // From the future.
        reports.extend(honest(newest, now_us + 400_000)); // Once more, and later.
        reports.extend(honest(newest.wrapping_sub(20_000), 0)); // Long forgotten.
        reports
    });
    assert_eq!(plain.estimate(), noisy.estimate());
}

#[test]
fn a_peer_that_lies_about_its_clock_gains_little_and_breaks_nothing() {
    for seed in 1..20 {
        let mut chance = Chance(seed);
        let estimator = with_peer(20, |newest, _| {
            (0..60u16)
                .map(|_| Reported {
                    sequence: newest.wrapping_sub(u16::try_from(chance.next() % 300).unwrap_or(0)),
                    arrival_us: (chance.part() < 0.8)
                        .then(|| chance.next() >> (chance.next() % 64)),
                })
                .collect()
        });
        let target = estimator.estimate().target;
        let sent = Bitrate::from_kbps(800);
        assert!(target >= Limits::default().min, "seed {seed}: {target}");
        assert!(target <= sent.scaled(1.6), "seed {seed}: {target}");
    }
    // Everything arrives in no time.
    let estimator = with_peer(20, |newest, _| {
        let numbers = (0..25).rev().map(|back| newest.wrapping_sub(back));
        numbers.map(|sequence| Reported { sequence, arrival_us: Some(1) }).collect()
    });
    assert!(estimator.estimate().target <= Bitrate::from_kbps(1_280));
}
