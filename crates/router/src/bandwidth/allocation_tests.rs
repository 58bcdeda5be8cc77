//! How an estimate is shared.

use super::*;

const CAMERA: [Bitrate; 3] =
    [Bitrate::from_kbps(100), Bitrate::from_kbps(400), Bitrate::from_kbps(1_500)];

fn camera(pixels: u32) -> Demand<'static> {
    Demand { steps: &CAMERA, pixels, ..Demand::default() }
}

fn shared(budget_kbps: u64, demands: &[Demand<'_>]) -> Vec<Share> {
    let shares = allocate(Bitrate::from_kbps(budget_kbps), demands);
    assert_eq!(shares.len(), demands.len());
    shares
}

fn steps(budget_kbps: u64, demands: &[Demand<'_>]) -> Vec<Option<usize>> {
    shared(budget_kbps, demands).iter().map(|share| share.step).collect()
}

#[test]
fn every_video_gets_its_lowest_step_before_any_gets_its_next() {
    let demands = [camera(900_000), camera(10_000), camera(10_000)];
    assert_eq!(steps(650, &demands), [Some(0), Some(0), Some(0)]);
    assert_eq!(steps(660, &demands), [Some(1), Some(0), Some(0)]);
}

#[test]
fn the_larger_video_is_raised_first_and_equals_alike() {
    assert_eq!(steps(1_000, &[camera(100), camera(900)]), [Some(1), Some(1)]);
    assert_eq!(steps(700, &[camera(100), camera(900)]), [Some(0), Some(1)]);
    assert_eq!(steps(4_000, &[camera(5), camera(5)]), [Some(2), Some(2)]);
}

#[test]
fn a_screen_comes_before_cameras() {
    let screen = Demand { is_screen: true, ..camera(100) };
    assert_eq!(steps(1_900, &[camera(900), screen]), [Some(0), Some(2)]);
    assert!(!shared(100, &[camera(900), screen])[0].fits);
    assert!(shared(100, &[camera(900), screen])[1].fits);
}

#[test]
fn the_lowest_step_is_sent_though_it_does_not_fit() {
    let shares = shared(50, &[camera(1)]);
    assert_eq!(shares, [Share { step: Some(0), fits: false }]);
}

#[test]
fn a_stopped_video_takes_nothing_and_fits_only_with_room_to_spare() {
    let stopped = Demand { stay: Stay::Stopped, ..camera(1) };
    assert_eq!(shared(120, &[stopped]), [Share { step: None, fits: false }]);
    assert_eq!(shared(131, &[stopped]), [Share { step: None, fits: true }]);
    // Those who are sent come first.
    assert!(!shared(180, &[stopped, camera(1)])[0].fits);
    assert!(shared(180, &[stopped, camera(1)])[1].fits);
}

#[test]
fn a_step_up_needs_more_room_than_staying() {
    let at = |current| Demand { current: Some(current), ..camera(1) };
    assert_eq!(steps(420, &[at(0)]), [Some(0)]);
    assert_eq!(steps(420, &[at(1)]), [Some(1)]);
    assert_eq!(steps(460, &[at(0)]), [Some(1)]);
}

#[test]
fn a_held_video_does_not_rise_but_falls() {
    let held = Demand { current: Some(1), stay: Stay::Held, ..camera(1) };
    assert_eq!(steps(9_000, &[held]), [Some(1)]);
    assert_eq!(steps(200, &[held]), [Some(0)]);
}

#[test]
fn without_known_layers_nothing_is_said() {
    assert_eq!(shared(0, &[Demand::default()]), [Share { step: None, fits: true }]);
}

#[test]
fn what_is_given_fits_or_is_the_least() {
    for seed in 1..400u64 {
        let mut chance = super::super::simulation::Chance(seed);
        let mut pick = |most: u64| chance.next() % most;
        let ladders: Vec<Vec<Bitrate>> = (0..pick(8))
            .map(|_| {
                let mut rate = 0;
                (0..pick(5))
                    .map(|_| {
                        rate += 1 + pick(800);
                        Bitrate::from_kbps(rate)
                    })
                    .collect()
            })
            .collect();
        let demands: Vec<_> = ladders
            .iter()
            .map(|steps| Demand {
                steps,
                current: (pick(2) == 0).then(|| usize::try_from(pick(6)).unwrap_or(0)),
                pixels: u32::try_from(pick(2_000_000)).unwrap_or(0),
                is_screen: pick(4) == 0,
                stay: [Stay::Sent, Stay::Held, Stay::Stopped]
                    [usize::try_from(pick(3)).unwrap_or(0)],
            })
            .collect();
        let budget = pick(5_000);
        let shares = shared(budget, &demands);
        let of = |step: fn(usize) -> usize| {
            let given = demands.iter().zip(&shares);
            given.filter_map(|(d, s)| Some(d.steps[step(s.step?)].bps())).sum::<u64>()
        };
        let least = of(|_| 0);
        assert!(of(|step| step) <= least.max(budget * 1_000), "seed {seed}");
        assert_eq!(shares, shared(budget, &demands), "seed {seed}");
    }
}
