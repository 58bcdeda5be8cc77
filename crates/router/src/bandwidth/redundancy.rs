//! How many packets each one of audio repeats (RFC 2198), by what its subscriber loses.

use super::Bitrate;
use crate::plane::MAX_REDUNDANCY;

/// From these losses on one packet more is repeated: two leave one of 1,000 packets at 10 % loss, three one
/// of 600 at 20 %.
const MORE_FROM: [f64; 2] = [0.04, 0.12];
/// A depth is given up at this part of the loss that it began at, so that chance changes nothing.
const LESS_BELOW: f64 = 0.5;
/// Sound with all its repeats takes no more than this part of what the network bears.
const MOST_OF_ESTIMATE: f64 = 0.5;

/// The number of packets that each repeats, at least 1. `loss` is the part that does not arrive, `sound` the
/// rate of all audio without repeats.
pub(crate) fn depth(current: u8, loss: f64, estimate: Bitrate, sound: Bitrate) -> u8 {
    let (mut wanted, most) = (1, estimate.scaled(MOST_OF_ESTIMATE));
    for (more, from) in (2..=MAX_REDUNDANCY).zip(MORE_FROM) {
        let from = if more <= current { from * LESS_BELOW } else { from };
        if loss >= from && sound.scaled(f64::from(more + 1)) <= most {
            wanted = more;
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: Bitrate = Bitrate::from_kbps(60);
    const WIDE: Bitrate = Bitrate::from_kbps(2_000);

    #[test]
    fn more_is_repeated_where_more_is_lost_and_chance_changes_nothing() {
        let mut depths = Vec::new();
        let mut current = 1;
        for loss in [0.0, 0.03, 0.05, 0.03, 0.13, 0.1, 0.07, 0.05, 0.03, 0.01] {
            current = depth(current, loss, WIDE, SOUND);
            depths.push(current);
        }
        assert_eq!(depths, [1, 1, 2, 2, 3, 3, 3, 2, 2, 1]);
    }

    #[test]
    fn a_narrow_network_is_not_filled_with_repeats() {
        let of = |kbps| depth(1, 0.3, Bitrate::from_kbps(kbps), SOUND);
        assert_eq!([of(100), of(300), of(400), of(480)], [1, 1, 2, 3]);
    }
}
