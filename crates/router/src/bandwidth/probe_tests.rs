//! When clusters start, and what leaves in them.

use super::*;

const ESTIMATE: Bitrate = Bitrate::from_kbps(600);
const MUCH: Bitrate = Bitrate::from_kbps(10_000);

/// Lets `s` pass with one estimate; returns each cluster's start and rate in kbit/s.
fn play(prober: &mut Prober, from: &mut Instant, s: u64, wanted: Bitrate) -> Vec<(u64, u64)> {
    let start = *from;
    let mut clusters = Vec::new();
    for tick in 0..(s * 200) {
        if tick % 40 == 0 {
            let was_idle = prober.running.is_none();
            prober.update(*from, ESTIMATE, wanted);
            if let Some(running) = prober.running.filter(|_| was_idle) {
                let after = u64::try_from((*from - start).as_millis()).unwrap_or(0);
                clusters.push((after, running.cluster.rate.bps() / 1_000));
            }
        }
        while prober.bytes_due(*from) > 0 {
            let bytes = prober.bytes_due(*from).min(1_100);
            prober.handle_sent(*from, u32::try_from(bytes).unwrap_or(0));
        }
        *from += Duration::from_millis(5);
    }
    clusters
}

#[test]
fn two_clusters_at_the_start_and_then_fewer_and_fewer_while_limited() {
    let (mut prober, mut now) = (Prober::default(), Instant::now());
    let clusters = play(&mut prober, &mut now, 60, MUCH);
    let rates: Vec<_> = clusters.iter().map(|(_, rate)| *rate).collect();
    assert_eq!(rates[..3], [1_800, 3_600, 1_200]);
    let gaps: Vec<_> = clusters.windows(2).map(|w| w[1].0 - w[0].0).collect();
    assert!(gaps[0] < 1_000, "{gaps:?}");
    assert!(gaps[2..].iter().all(|gap| *gap >= 4_000), "{gaps:?}");
    assert!(clusters.len() < 12, "{clusters:?}");
}

#[test]
fn nothing_is_asked_while_all_that_is_wanted_fits() {
    let (mut prober, mut now) = (Prober::default(), Instant::now());
    assert_eq!(play(&mut prober, &mut now, 20, Bitrate::from_kbps(400)), []);
}

#[test]
fn no_more_is_asked_for_than_is_wanted() {
    let (mut prober, mut now) = (Prober::default(), Instant::now());
    let clusters = play(&mut prober, &mut now, 20, Bitrate::from_kbps(800));
    assert!(clusters.iter().all(|(_, rate)| *rate == 1_200), "{clusters:?}");
}

#[test]
fn more_that_is_wanted_is_asked_for_at_once() {
    let (mut prober, mut now) = (Prober::default(), Instant::now());
    play(&mut prober, &mut now, 30, Bitrate::from_kbps(700));
    let clusters = play(&mut prober, &mut now, 2, MUCH);
    assert!(clusters.first().is_some_and(|(after, _)| *after <= 1_200), "{clusters:?}");
}

#[test]
fn media_counts_and_padding_only_fills() {
    let (mut prober, start) = (Prober::default(), Instant::now());
    prober.update(start, ESTIMATE, MUCH);
    let total = prober.running.map_or(0, |r| r.cluster.bytes);
    let id = prober.handle_sent(start, 2_000);
    assert!(id.is_some());
    assert_eq!(prober.bytes_due(start), 0);
    let at = prober.deadline().expect("it runs");
    assert!(prober.bytes_due(at) > 0);
    assert_eq!(prober.handle_sent(at, u32::try_from(total).unwrap_or(0)), id);
    assert_eq!(prober.handle_sent(at, 100), None, "it is complete");
    assert_eq!((prober.bytes_due(at), prober.deadline()), (0, None));
}

#[test]
fn a_cluster_that_cannot_be_sent_is_given_up() {
    let (mut prober, start) = (Prober::default(), Instant::now());
    prober.update(start, ESTIMATE, MUCH);
    prober.update(start + Duration::from_secs(2), ESTIMATE, MUCH);
    assert_eq!(prober.bytes_due(start + Duration::from_secs(2)), 0);
}
