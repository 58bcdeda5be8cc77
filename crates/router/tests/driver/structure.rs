//! Dependency descriptors of streams with two spatial and two temporal layers, or with the temporal ones alone
//! (AV1 RTP specification, appendix A).

/// Fields of so many bits, after each other.
pub fn fields(fields: impl IntoIterator<Item = (u32, u32)>) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    for (count, value) in fields {
        bits.extend((0..count).rev().map(|place| value >> place & 1 == 1));
    }
    let byte =
        |bits: &[bool]| (0..).zip(bits).fold(0, |all, (at, bit)| all | u8::from(*bit) << (7 - at));
    bits.chunks(8).map(byte).collect()
}

/// Templates: key frame, delta frame and upper temporal layer, of each spatial layer.
/// Decode targets: 0/0, 0/1, 1/0, 1/1, or the first two.
pub fn structure(sizes: &[(u16, u16)]) -> Vec<(u32, u32)> {
    let targets = 2 * sizes.len();
    let mut all = vec![(6, 0), (5, targets as u32 - 1)];
    let next: &[u32] = if sizes.len() == 1 { &[0, 1, 3] } else { &[0, 1, 2, 0, 1, 3] };
    all.extend(next.iter().map(|next| (2, *next)));
    let indications = ["2222", "2200", "0100", "0022", "0022", "0001"].iter();
    for indications in indications.take(3 * sizes.len()) {
        all.extend(indications.bytes().take(targets).map(|digit| (2, u32::from(digit - b'0'))));
    }
    let back = sizes.len() as u32;
    for distance in [0, 2 * back, back, 1, 2 * back, back].into_iter().take(3 * sizes.len()) {
        if distance > 0 {
            all.extend([(1, 1), (4, distance - 1)]);
        }
        all.push((1, 0));
    }
    // No chains, in as many bits as the number of targets takes; the sizes.
    all.extend([(back, 0), (1, 1)]);
    all.extend(sizes.iter().flat_map(|(w, h)| [(16, u32::from(*w) - 1), (16, u32::from(*h) - 1)]));
    all
}
