//! Headers, extensions and retransmissions.

use super::testing::{Dice, hex};
use super::*;

/// An Opus packet of Chromium: audio level 5, transport-wide number 1, mid "0".
const CHROMIUM: &str = "90 ef 0007 00001234 beef0001 bede 0003 10 85 31 0001 40 30 00 00 00 00 00
                        fc ff fe";

const EXTENSIONS: [(ExtensionKind, u8); 9] = [
    (ExtensionKind::AudioLevel, 1),
    (ExtensionKind::AbsoluteCaptureTime, 2),
    (ExtensionKind::TransportSequence, 3),
    (ExtensionKind::Mid, 4),
    (ExtensionKind::Rid, 5),
    (ExtensionKind::RepairedRid, 6),
    (ExtensionKind::VideoOrientation, 7),
    (ExtensionKind::AbsoluteSendTime, 8),
    (ExtensionKind::DependencyDescriptor, 9),
];

fn ids() -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for (kind, id) in EXTENSIONS {
        ids.set(kind, id);
    }
    ids
}

const OUTGOING: Outgoing = Outgoing {
    marker: true,
    payload_type: 96,
    sequence_number: 65_535,
    timestamp: 0xfedc_ba98,
    ssrc: 0x0102_0304,
};

#[test]
fn a_packet_of_chromium_is_read() {
    let packet = hex(CHROMIUM);
    let header = Header::parse(&packet).unwrap();
    assert!(header.marker);
    assert_eq!((header.payload_type, header.sequence_number), (111, 7));
    assert_eq!((header.timestamp, header.ssrc), (0x1234, 0xbeef_0001));
    assert_eq!(header.payload(&packet).unwrap(), [0xfc, 0xff, 0xfe]);
    let extensions = Extensions::read(&ids(), header.elements(&packet));
    let expected = Extensions {
        audio_level: Some(AudioLevel { level: 5, voice: true }),
        transport_sequence: Some(1),
        mid: Some(b"0"),
        ..Extensions::default()
    };
    assert_eq!(extensions, expected);
}

#[test]
fn rtcp_is_told_from_rtp_by_its_second_byte() {
    assert!(!is_rtcp(&hex(CHROMIUM)));
    for packet_type in 192..=223 {
        assert!(is_rtcp(&[0x80, packet_type]));
    }
    for not in [[0x80, 191], [0x80, 224], [0x7f, 200], [0xc0, 200]] {
        assert!(!is_rtcp(&not));
    }
    assert!(!is_rtcp(&[0x80]));
}

#[test]
fn headers_that_reach_beyond_the_packet_are_malformed() {
    let packet = hex(CHROMIUM);
    let header = Header::parse(&packet).unwrap();
    for length in 0..header.length() {
        assert_eq!(Header::parse(&packet[..length]), Err(Malformed), "{length} bytes");
    }
    assert!(Header::parse(&packet[..header.length()]).is_ok());
    let mut contributors = packet.clone();
    contributors[0] |= 0x0f;
    assert_eq!(Header::parse(&contributors), Err(Malformed));
    let mut version = packet;
    version[0] ^= 0xc0;
    assert_eq!(Header::parse(&version), Err(Malformed));
}

#[test]
fn contributors_stand_before_the_extension() {
    let packet = hex("92 60 0001 00000002 00000003 aaaaaaaa bbbbbbbb bede 0001 40 31 00 00 07");
    let header = Header::parse(&packet).unwrap();
    assert_eq!(header.contributors, 2);
    assert_eq!(Extensions::read(&ids(), header.elements(&packet)).mid, Some(&b"1"[..]));
    assert_eq!(header.payload(&packet), Ok(&[7][..]));
}

#[test]
fn padding_is_cut_off_and_wrong_padding_is_malformed() {
    let packet = |padding: u8| {
        let mut packet = hex("a0 60 0001 00000002 00000003 01 02 03 00 00");
        packet.push(padding);
        packet
    };
    let payload = |padding| {
        let packet = packet(padding);
        Header::parse(&packet).unwrap().payload(&packet).map(<[u8]>::to_vec)
    };
    assert_eq!(payload(3), Ok(vec![1, 2, 3]));
    assert_eq!(payload(6), Ok(vec![]));
    assert_eq!(payload(0), Err(Malformed));
    assert_eq!(payload(7), Err(Malformed));
    let empty = &packet(1)[..12];
    assert_eq!(Header::parse(empty).unwrap().payload(empty), Err(Malformed));
}

#[test]
fn elements_of_both_forms_are_read_up_to_the_first_broken_one() {
    let elements = |profile: &str, block: &str| -> Vec<(u8, Vec<u8>)> {
        let block = hex(block);
        let words = (block.len() / 4) as u8;
        let packet = [hex("90 60 0001 00000002 00000003"), hex(profile), vec![0, words], block];
        let packet = packet.concat();
        let header = Header::parse(&packet).unwrap();
        header.elements(&packet).map(|element| (element.id, element.data.to_vec())).collect()
    };
    let two = vec![(4, vec![0x31]), (3, vec![1, 2])];
    assert_eq!(elements("bede", "40 31 00 31 01 02 00 00"), two);
    // 15 ends them; an identifier of 0 with a length is skipped; the last one is longer than the rest.
    assert_eq!(elements("bede", "40 31 31 01 02 f0 51 61"), two);
    assert_eq!(elements("bede", "01 ff ff 40 31 31 01 02"), two);
    assert_eq!(elements("bede", "40 31 31 01 02 5f 61 61"), two);
    assert_eq!(elements("1000", "04 01 31 03 02 01 02 00"), two);
    assert_eq!(elements("100f", "04 01 31 03 02 01 02 05"), two);
    assert_eq!(elements("1000", "ff 00 00 04 01 31 05 ff"), [(255, vec![]), (4, vec![0x31])]);
    assert_eq!(elements("1234", "40 31 31 01"), []);
}

#[test]
fn every_extension_is_read_as_it_was_written() {
    let written = Extensions {
        mid: Some(b"v12"),
        rid: Some(b"h"),
        repaired_rid: Some(b"q"),
        audio_level: Some(AudioLevel { level: 127, voice: false }),
        video_orientation: Some(9),
        capture_time: Some(AbsoluteCaptureTime { ntp: u64::MAX - 3, clock_offset: Some(-5) }),
        transport_sequence: Some(0xfffe),
        send_time: None,
        dependency_descriptor: Some(&[1, 2, 3]),
    };
    for (id, descriptor) in [(9, &[1, 2, 3][..]), (15, &[1, 2, 3]), (9, &[7; 200])] {
        let written = Extensions { dependency_descriptor: Some(descriptor), ..written };
        let mut ids = ids();
        ids.set(ExtensionKind::DependencyDescriptor, id);
        let mut buffer = [0xaa; 512];
        let length = OUTGOING.write(&mut buffer, &ids, &written).unwrap();
        let header = Header::parse(&buffer[..length]).unwrap();
        assert_eq!(header.length(), length);
        assert_eq!(length % 4, 0);
        assert_eq!(Extensions::read(&ids, header.elements(&buffer)), written);
        // Nothing is written beyond the end, and a buffer that is too small by one is refused.
        assert!(buffer[length..].iter().all(|byte| *byte == 0xaa));
        let fits = |end: usize| OUTGOING.write(&mut [0; 512][..end], &ids, &written);
        assert_eq!((fits(length), fits(length - 1)), (Ok(length), Err(NoRoom)));
    }
}

#[test]
fn a_header_has_no_extension_that_its_receiver_has_no_identifier_for() {
    let mut ids = ExtensionIds::default();
    ids.set(ExtensionKind::Mid, 4);
    let extensions = Extensions { transport_sequence: Some(1), ..Extensions::default() };
    let mut buffer = [0; 64];
    assert_eq!(OUTGOING.write(&mut buffer, &ids, &extensions), Ok(12));
    let header = Header::parse(&buffer[..12]).unwrap();
    let read = (header.marker, header.payload_type, header.sequence_number, header.timestamp);
    assert_eq!(read, (true, 96, 65_535, 0xfedc_ba98));
    assert_eq!((header.ssrc, header.has_padding), (0x0102_0304, false));
    let extensions = Extensions { mid: Some(b"a"), ..extensions };
    assert_eq!(OUTGOING.write(&mut buffer, &ids, &extensions), Ok(20));
    ids.set(ExtensionKind::Mid, 0);
    assert_eq!(OUTGOING.write(&mut buffer, &ids, &extensions), Ok(12));
}

#[test]
fn capture_time_without_an_offset_is_shorter() {
    let capture_time = AbsoluteCaptureTime { ntp: 77, clock_offset: None };
    let extensions = Extensions { capture_time: Some(capture_time), ..Extensions::default() };
    let mut buffer = [0; 64];
    let length = OUTGOING.write(&mut buffer, &ids(), &extensions).unwrap();
    assert_eq!(length, 12 + 4 + 12);
    let header = Header::parse(&buffer).unwrap();
    let read = Extensions::read(&ids(), header.elements(&buffer));
    assert_eq!(read.capture_time, Some(capture_time));
}

#[test]
fn values_of_a_wrong_length_are_absent() {
    // Mid empty, rid with a space, transport-wide number of 3 bytes, capture time of 9, send time of 3.
    let block = hex("40 00 51 61 20 32 01 02 03 28 01 02 03 04 05 06 07 08 09 82 01 02 03 00");
    let words = (block.len() / 4) as u8;
    let packet = [hex("90 60 0001 00000002 00000003 bede"), vec![0, words], block].concat();
    let header = Header::parse(&packet).unwrap();
    let read = Extensions::read(&ids(), header.elements(&packet));
    assert_eq!(read, Extensions { send_time: Some(0x01_0203), ..Extensions::default() });
}

#[test]
fn names_of_extensions_are_found_again() {
    for kind in ExtensionKind::ALL {
        assert_eq!(ExtensionKind::of_uri(kind.uri()), Some(kind));
    }
    assert_eq!(ExtensionKind::of_uri("urn:x"), None);
}

#[test]
fn padding_evens_packets_and_leaves_the_payload() {
    let mut buffer = [0xff; 400];
    let start = OUTGOING.write(&mut buffer, &ids(), &Extensions::default()).unwrap();
    buffer[start..start + 3].copy_from_slice(&[1, 2, 3]);
    let length = start + 3;
    for to in [length, length + 1, length + 2, length + 255] {
        let mut padded = buffer;
        pad(&mut padded, length, to).unwrap();
        let header = Header::parse(&padded[..to]).unwrap();
        assert_eq!(header.has_padding, to > length);
        assert_eq!(header.payload(&padded[..to]), Ok(&[1, 2, 3][..]));
    }
    for to in [length - 1, length + 256] {
        assert_eq!(pad(&mut buffer, length, to), Err(NoRoom));
    }
    assert_eq!(pad(&mut buffer[..=length], length, length + 2), Err(NoRoom));
}

#[test]
fn a_retransmission_is_unwrapped_to_what_was_wrapped() {
    let mut dice = Dice::of_today();
    let extensions = Extensions { mid: Some(b"v"), ..Extensions::default() };
    for _ in 0..200 {
        let payload = dice.below(1_200) as usize;
        let mut buffer = [0; 1_400];
        let header = OUTGOING.write(&mut buffer, &ids(), &extensions).unwrap();
        buffer[header..header + payload].copy_from_slice(&dice.bytes(payload));
        let length = header + payload;
        let original = buffer[..length].to_vec();
        let stream = rtx::Stream { ssrc: 9, payload_type: 97, sequence_number: 5 };
        let wrapped = rtx::wrap(&mut buffer, length, stream).unwrap();
        assert_eq!(wrapped, length + rtx::OVERHEAD);
        let repeated = Header::parse(&buffer[..wrapped]).unwrap();
        assert_eq!((repeated.ssrc, repeated.payload_type), (9, 97));
        assert_eq!((repeated.sequence_number, repeated.marker), (5, true));
        assert_eq!(repeated.timestamp, OUTGOING.timestamp);
        let unwrapped = rtx::unwrap(&mut buffer[..wrapped], OUTGOING.ssrc, 96).unwrap();
        assert_eq!(unwrapped, original);
    }
}

#[test]
fn a_retransmission_of_nothing_is_malformed() {
    let mut buffer = [0; 64];
    let length = OUTGOING.write(&mut buffer, &ids(), &Extensions::default()).unwrap();
    for payload in 0..rtx::OVERHEAD {
        assert_eq!(rtx::unwrap(&mut buffer[..length + payload], 1, 96), Err(Malformed));
    }
    // All of it is padding: a probe for bandwidth.
    pad(&mut buffer, length, length + 30).unwrap();
    assert_eq!(rtx::unwrap(&mut buffer[..length + 30], 1, 96), Err(Malformed));
    let stream = rtx::Stream { ssrc: 1, payload_type: 97, sequence_number: 1 };
    assert_eq!(rtx::wrap(&mut buffer[..=length], length, stream), Err(NoRoom));
    assert_eq!(rtx::wrap(&mut [0; 40], 20, stream), Err(NoRoom));
}
