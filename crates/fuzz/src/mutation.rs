//! Changes to inputs, by what the input is.

use crate::driver::forgery::Dice;

/// What an input is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Structure {
    /// Fields with lengths, big-endian.
    Binary,
    /// Lines of text with numbers and words.
    Lines,
}

/// Largest input that mutations make.
const MAX_BYTES: usize = 256 * 1024;

/// Numbers at which parsers change their mind.
const NUMBERS: [u64; 12] =
    [0, 1, 2, 3, 4, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// One to eight changes to one of the seeds.
pub(crate) fn mutate(dice: &mut Dice, structure: Structure, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(8) {
        match structure {
            Structure::Binary => change_bytes(dice, &mut input, seeds),
            Structure::Lines if dice.below(6) == 0 => change_bytes(dice, &mut input, seeds),
            Structure::Lines => input = change_lines(dice, &input, seeds),
        }
    }
    input.truncate(MAX_BYTES);
    input
}

fn change_bytes(dice: &mut Dice, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = dice.below(input.len() + 1);
    let to = (at + 1 + dice.below(16)).min(input.len());
    match dice.below(9) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 if at < input.len() => input[at] = dice.next() as u8,
        2 | 3 => {
            let width = [1, 2, 3, 4][dice.below(4)];
            let number = NUMBERS[dice.below(NUMBERS.len())].to_be_bytes();
            for (target, byte) in input.iter_mut().skip(at).zip(&number[8 - width..]) {
                *target = *byte;
            }
        }
        4 => input.truncate(at),
        5 => drop(input.drain(at.min(to)..to)),
        6 => {
            let length = dice.below(24);
            let added = dice.bytes(length);
            input.splice(at..at, added);
        }
        7 => {
            let piece = input[at.min(to)..to].to_vec();
            input.splice(at..at, piece);
        }
        _ => {
            let other = &seeds[dice.below(seeds.len())];
            let from = dice.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

/// What lines of SDP can be about.
const WORDS: [&str; 24] = [
    "a=rid:h send",
    "a=simulcast:send h;q;f",
    "a=ssrc-group:FID 1 2",
    "a=ssrc:4294967295 cname:x",
    "a=extmap:255 urn:x",
    "a=extmap:1/sendrecv urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=rtcp-mux",
    "a=fmtp:96 apt=96",
    "a=fmtp:97 apt=255",
    "a=rtpmap:96 VP8/0",
    "a=rtpmap:0 opus/48000/999",
    "a=mid:0",
    "a=group:BUNDLE 0 0 0",
    "a=setup:active",
    "a=ice-ufrag:",
    "a=ice-pwd:",
    "a=fingerprint:sha-256 ",
    "a=bundle-only",
    "a=inactive",
    "m=video 0 UDP/TLS/RTP/SAVPF 96",
    "m=audio 9 UDP/TLS/RTP/SAVPF",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "a=sctp-port:5000",
    "a=rtcp-fb:* nack",
];

fn change_lines(dice: &mut Dice, input: &[u8], seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = input.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let at = dice.below(lines.len());
    match dice.below(9) {
        0 => drop(lines.remove(at)),
        1 => {
            for _ in 0..[1, 1, 1, 3, 500][dice.below(5)] {
                lines.insert(at, lines[at].clone());
            }
        }
        2 => {
            let other = dice.below(lines.len());
            lines.swap(at, other);
        }
        3 => lines.insert(at, format!("{}\r", WORDS[dice.below(WORDS.len())]).into_bytes()),
        4 => {
            let other = &seeds[dice.below(seeds.len())];
            let theirs: Vec<_> = other.split(|b| *b == b'\n').collect();
            lines[at] = theirs[dice.below(theirs.len())].to_vec();
        }
        5 => {
            let to = (at + 1 + dice.below(40)).min(lines.len());
            let block = lines[at..to].to_vec();
            lines.splice(at..at, block);
        }
        6 => {
            let length = lines[at].len();
            let long = [10, 1000, 60_000][dice.below(3)];
            let filler = vec![b"a1 ;=:"[dice.below(6)]; long];
            lines[at].splice(length / 2..length / 2, filler);
        }
        _ => lines[at] = change_number(dice, &lines[at]),
    }
    lines.join(&b'\n')
}

/// Replaces one run of digits.
fn change_number(dice: &mut Dice, line: &[u8]) -> Vec<u8> {
    let starts: Vec<usize> = (0..line.len())
        .filter(|i| line[*i].is_ascii_digit() && (*i == 0 || !line[*i - 1].is_ascii_digit()))
        .collect();
    if starts.is_empty() {
        return line.to_vec();
    }
    let start = starts[dice.below(starts.len())];
    let end =
        line[start..].iter().position(|b| !b.is_ascii_digit()).map_or(line.len(), |n| start + n);
    let number = match dice.below(4) {
        0 => (dice.next() % 130).to_string(),
        1 => "99999999999999999999999".to_owned(),
        2 => format!("-{}", dice.below(10)),
        _ => NUMBERS[dice.below(NUMBERS.len())].to_string(),
    };
    [&line[..start], number.as_bytes(), &line[end..]].concat()
}
