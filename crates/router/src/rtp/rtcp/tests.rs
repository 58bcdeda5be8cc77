//! What was composed is read; what others composed is read; nothing else is.

use super::*;
use crate::rtp::NoRoom;
use crate::rtp::testing::{Dice, hex};

fn compose(write: impl FnOnce(&mut Compound<'_>) -> Result<(), NoRoom>) -> Vec<u8> {
    let mut buffer = [0xaa; 1_500];
    let mut compound = Compound::new(&mut buffer);
    write(&mut compound).unwrap();
    let length = compound.length();
    assert_eq!(length % 4, 0);
    assert!(buffer[length..].iter().all(|byte| *byte == 0xaa));
    buffer[..length].to_vec()
}

fn only(compound: &[u8]) -> Packet<'_> {
    let mut packets = packets(compound);
    let packet = packets.next().unwrap().unwrap();
    assert!(packets.next().is_none());
    packet
}

const INFO: SenderInfo =
    SenderInfo { ntp: 0x0102_0304_0506_0708, rtp_timestamp: 9, packets: 10, bytes: 11 };

fn block(ssrc: u32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 255,
        cumulative_lost: -3,
        highest_sequence: 0x0001_ffff,
        jitter: 5,
        last_sender_report: compact_ntp(INFO.ntp),
        delay: 65_536,
    }
}

#[test]
fn reports_are_read_as_they_were_composed() {
    let blocks: Vec<_> = (0..40).map(block).collect();
    let compound = compose(|compound| compound.sender_report(1, &INFO, &blocks));
    let Packet::SenderReport { ssrc, info, blocks: read } = only(&compound) else { panic!() };
    assert_eq!((ssrc, info), (1, INFO));
    assert_eq!(read.collect::<Vec<_>>(), blocks[..31]);
    let compound = compose(|compound| compound.receiver_report(2, &blocks[..2]));
    let Packet::ReceiverReport { ssrc, blocks: read } = only(&compound) else { panic!() };
    assert_eq!((ssrc, read.collect::<Vec<_>>()), (2, blocks[..2].to_vec()));
    assert_eq!(compact_ntp(INFO.ntp), 0x0304_0506);
}

#[test]
fn losses_beyond_24_bits_are_reported_as_the_most_there_is() {
    for (lost, read_as) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1)] {
        let block = ReportBlock { cumulative_lost: lost, ..block(1) };
        let compound = compose(|compound| compound.receiver_report(2, &[block]));
        let Packet::ReceiverReport { mut blocks, .. } = only(&compound) else { panic!() };
        assert_eq!(blocks.next().unwrap().cumulative_lost, read_as);
    }
}

#[test]
fn a_compound_is_read_in_its_order() {
    let compound = compose(|compound| {
        compound.receiver_report(1, &[])?;
        compound.canonical_name(1, "name")?;
        compound.picture_loss(1, 2)?;
        compound.full_intra(1, 3, 4)?;
        compound.goodbye(&[5, 6, 7])?;
        compound.extended_report(
            1,
            &[
                Reception::ReferenceTime { ntp: INFO.ntp },
                Reception::LastReference { ssrc: 8, last_reference: 9, delay: 10 },
            ],
        )
    });
    let mut packets = packets(&compound);
    let mut next = || packets.next().unwrap().unwrap();
    assert!(matches!(next(), Packet::ReceiverReport { ssrc: 1, .. }));
    assert!(matches!(next(), Packet::Other { packet_type: 202 }));
    assert!(matches!(next(), Packet::PictureLoss { sender: 1, media: 2 }));
    let Packet::FullIntra(mut command) = next() else { panic!() };
    assert_eq!((command.sender, command.next(), command.next()), (1, Some((3, 4)), None));
    let Packet::Goodbye(sources) = next() else { panic!() };
    assert_eq!(sources.collect::<Vec<_>>(), [5, 6, 7]);
    let Packet::ExtendedReport(report) = next() else { panic!() };
    assert_eq!(report.ssrc, 1);
    let expected = [
        Reception::ReferenceTime { ntp: INFO.ntp },
        Reception::LastReference { ssrc: 8, last_reference: 9, delay: 10 },
    ];
    assert_eq!(report.collect::<Vec<_>>(), expected);
    assert!(packets.next().is_none());
}

#[test]
fn a_description_ends_with_zeros_to_the_next_word() {
    for length in 0..9 {
        let name = "abcdefghi".get(..length).unwrap();
        let compound = compose(|compound| compound.canonical_name(7, name));
        assert_eq!(compound[..10], [0x81, 202, 0, compound[3], 0, 0, 0, 7, 1, length as u8]);
        assert_eq!(&compound[10..10 + length], name.as_bytes());
        assert!((1..=4).contains(&compound[10 + length..].len()));
        assert!(compound[10 + length..].iter().all(|byte| *byte == 0));
    }
    let long = compose(|compound| compound.canonical_name(7, &"a".repeat(300)));
    assert_eq!(long[9], 255);
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut buffer = [0xaa; 20];
    let mut compound = Compound::new(&mut buffer);
    compound.receiver_report(1, &[]).unwrap();
    assert_eq!(compound.sender_report(1, &INFO, &[]), Err(NoRoom));
    assert_eq!(compound.nack(1, 2, &[3]), Err(NoRoom));
    assert_eq!(compound.canonical_name(1, "n"), Ok(()));
    assert_eq!((compound.length(), compound.room()), (20, 0));
    assert_eq!(compound.picture_loss(1, 2), Err(NoRoom));
    let arrivals = [Arrival { number: 1, ticks: 1 }];
    assert_eq!(compound.transport_feedback(1, 2, 3, 1, &arrivals), Err(NoRoom));
}

#[test]
fn every_lost_number_is_asked_for_once_and_in_order() {
    let mut dice = Dice::of_today();
    for _ in 0..300 {
        let mut number = dice.next() as u16;
        let lost: Vec<u16> = (0..dice.below(100))
            .map(|_| {
                number = number.wrapping_add(1 + dice.below(40) as u16);
                number
            })
            .collect();
        let compound = compose(|compound| {
            assert_eq!(compound.nack(1, 2, &lost), Ok(lost.len()));
            Ok(())
        });
        if lost.is_empty() {
            assert_eq!(compound, []);
            continue;
        }
        let Packet::Nack(nack) = only(&compound) else { panic!() };
        assert_eq!((nack.sender, nack.media), (1, 2));
        assert_eq!(nack.lost().collect::<Vec<_>>(), lost);
    }
}

#[test]
fn a_nack_that_is_too_long_names_the_first_of_the_lost() {
    let lost: Vec<u16> = (0..40).map(|i| i * 20).collect();
    let mut buffer = [0; 12 + 4 * 7 + 3];
    let mut compound = Compound::new(&mut buffer);
    assert_eq!(compound.nack(1, 2, &lost), Ok(7));
    let length = compound.length();
    let Packet::Nack(nack) = only(&buffer[..length]) else { panic!() };
    assert_eq!(nack.lost().collect::<Vec<_>>(), lost[..7]);
}

#[test]
fn a_hostile_nack_names_no_more_than_its_limit() {
    let mut compound = hex("81 cd 0101 00000001 00000002");
    compound.extend(std::iter::repeat_n(0xff, 4 * 0xff));
    let Packet::Nack(nack) = only(&compound) else { panic!() };
    assert_eq!(nack.lost().count(), 128 * 17);
}

#[test]
fn what_browsers_send_is_read() {
    let bitrate = hex("8f ce 0005 00000001 00000000 52454d42 01 0bd090 00000007");
    let Packet::Bitrate(bitrate) = only(&bitrate) else { panic!() };
    assert_eq!(bitrate.bitrate_bps, 0x3_d090 << 2);
    assert_eq!(bitrate.collect::<Vec<_>>(), [7]);
    let most = hex("8f ce 0005 00000001 00000000 52454d42 01 ffffff 00000007");
    let Packet::Bitrate(most) = only(&most) else { panic!() };
    assert_eq!(most.bitrate_bps, u64::MAX);
    // Feedback with one vector of two bits: small, small, lost, large, small, lost, lost; the last does
    // not count. Then padding that names its length.
    let feedback = hex("af cd 0008 00000001 00000002 0064 0006 00000a 03 d490 11 22 fff0 33
                        00 00 00 00 00 00 00 00 09");
    let Packet::TransportFeedback(feedback) = only(&feedback) else { panic!() };
    assert_eq!((feedback.sender, feedback.media, feedback.number), (1, 2, 3));
    assert_eq!((feedback.base, feedback.count, feedback.reference), (100, 6, 10));
    let expected =
        [Some(0x11), Some(0x22), None, Some(-16), Some(0x33), None].into_iter().enumerate();
    let expected: Vec<_> = expected.map(|(place, delta)| (100 + place as u16, delta)).collect();
    assert_eq!(feedback.statuses().collect::<Vec<_>>(), expected);
}

#[test]
fn feedback_that_is_not_whole_is_malformed() {
    let whole = hex("8f cd 0006 00000001 00000002 0064 0004 00000a 03 2004 01 02 03 04 00 00");
    assert!(packets(&whole).next().unwrap().is_ok());
    let changed = |at: usize, byte: u8| {
        let mut changed = whole.clone();
        changed[at] = byte;
        packets(&changed).next().unwrap().map(drop)
    };
    assert_eq!(changed(16, 0x60), Ok(()), "the reference time is any");
    assert_eq!(changed(20, 0x60), Err(Malformed), "a reserved symbol");
    assert_eq!(changed(14, 0x0f), Err(Malformed), "more packets than chunks");
    assert_eq!(changed(14, 0xff), Err(Malformed), "more packets than are looked at");
    assert_eq!(changed(20, 0x40), Err(Malformed), "deltas of two bytes that are not there");
}

/// Arrivals with gaps, reordering and pauses.
fn arrivals(dice: &mut Dice) -> (u64, Vec<Arrival>) {
    let base = dice.below(1 << 40);
    let (mut number, mut ticks) = (base + dice.below(30), 1_000_000 + dice.below(1 << 30));
    let loss = [0, 0, 3, 30][dice.below(4) as usize];
    let pace = [3, 40, 300, 20_000][dice.below(4) as usize];
    let mut list = Vec::new();
    for _ in 0..=dice.below(400) {
        list.push(Arrival { number, ticks });
        number += 1;
        while dice.below(100) < loss {
            number += 1;
        }
        if dice.below(100) == 0 {
            number += dice.below(2_500);
        }
        ticks += dice.below(pace);
        ticks -= dice.below(2) * dice.below(90);
    }
    (base, list)
}

#[test]
fn feedback_reports_every_arrival_at_its_time() {
    let mut dice = Dice::of_today();
    for _ in 0..500 {
        let (mut base, all) = arrivals(&mut dice);
        let room = 320 + dice.below(1_000) as usize;
        let mut left = all.as_slice();
        let mut read_back = Vec::new();
        while !left.is_empty() {
            let mut buffer = vec![0xaa; room];
            let mut compound = Compound::new(&mut buffer);
            let composed = compound.transport_feedback(1, 2, 3, base, left).unwrap();
            let length = compound.length();
            assert!(composed.arrivals > 0);
            let Packet::TransportFeedback(feedback) = only(&buffer[..length]) else { panic!() };
            let mut ticks = u64::from(feedback.reference) * 256;
            let mut number = composed.next - u64::from(feedback.count);
            assert_eq!(feedback.base, number as u16);
            assert!(number == base || left[0].number == number, "only long gaps are left out");
            for (low, delta) in feedback.statuses() {
                assert_eq!(low, number as u16);
                if let Some(delta) = delta {
                    ticks = ticks.wrapping_add_signed(delta.into());
                    read_back.push(Arrival { number, ticks });
                }
                number += 1;
            }
            assert_eq!(number, composed.next);
            base = composed.next;
            left = &left[composed.arrivals..];
        }
        let span = |arrival: &Arrival| arrival.ticks & 0xffff_ffff;
        assert_eq!(read_back.len(), all.len());
        for (read, sent) in read_back.iter().zip(&all) {
            assert_eq!((read.number, span(read)), (sent.number, span(sent)));
        }
    }
}

#[test]
fn feedback_on_steady_traffic_is_short() {
    let steady: Vec<_> =
        (0..1_000).map(|number| Arrival { number, ticks: 4_000 + 8 * number }).collect();
    let compound = compose(|compound| {
        let composed = compound.transport_feedback(1, 2, 3, 0, &steady)?;
        assert_eq!(composed, Composed { arrivals: 1_000, next: 1_000 });
        Ok(())
    });
    // One run and a byte for each.
    assert_eq!(compound.len(), 20 + 2 + 1_000 + 2);
}

#[test]
fn arrivals_that_were_reported_are_not_reported_again() {
    let arrival = |number| Arrival { number, ticks: 4_000 };
    let list = [arrival(3), arrival(5), arrival(7)];
    let compound = compose(|compound| {
        let composed = compound.transport_feedback(1, 2, 3, 5, &list)?;
        assert_eq!(composed, Composed { arrivals: 3, next: 8 });
        Ok(())
    });
    let Packet::TransportFeedback(feedback) = only(&compound) else { panic!() };
    let numbers: Vec<_> =
        feedback.statuses().filter(|(_, delta)| delta.is_some()).map(|(n, _)| n).collect();
    assert_eq!(numbers, [5, 7]);
}

#[test]
fn a_broken_part_ends_a_compound() {
    let report = hex("80 c9 0001 00000001");
    let broken = [
        hex("41 ce 0002 00000001 00000002 80 c9 0001 00000001"),
        hex("81 ce 0003 00000001 00000002"),
        hex("81 ce 0001 00000001"),
        hex("a1 ce 0002 00000001 000000ff"),
        hex("a1 ce 0002 00000001 00000000"),
        hex("81 c9 0001 00000001"),
        hex("81 ce 00"),
    ];
    for broken in broken {
        let compound = [report.clone(), broken.clone()].concat();
        let read: Vec<_> = packets(&compound).map(|packet| packet.is_ok()).collect();
        assert_eq!(read, [true, false], "{broken:x?}");
    }
}

#[test]
fn a_compound_of_very_many_packets_is_not_read_to_its_end() {
    let compound = hex("80 c9 0001 00000001").repeat(180);
    assert_eq!(packets(&compound).count(), MAX_PACKETS);
}

#[test]
fn bytes_without_sense_end_every_iteration() {
    let mut dice = Dice::of_today();
    for _ in 0..20_000 {
        let length = 8 + dice.below(120) as usize;
        let mut bytes = dice.bytes(length);
        bytes[0] = bytes[0] & 0x3f | 0x80;
        bytes[1] = 200 + dice.below(8) as u8;
        bytes[2] = 0;
        bytes[3] = dice.below(length as u64 / 4) as u8;
        for packet in packets(&bytes).flatten() {
            let items = match packet {
                Packet::Nack(nack) => nack.lost().count(),
                Packet::FullIntra(command) => command.count(),
                Packet::Bitrate(bitrate) => bitrate.count(),
                Packet::Goodbye(goodbye) => goodbye.count(),
                Packet::ExtendedReport(report) => report.count(),
                Packet::TransportFeedback(feedback) => {
                    let count = feedback.statuses().count();
                    assert_eq!(count, feedback.count.into());
                    count
                }
                _ => 0,
            };
            assert!(items <= MAX_STATUSES);
        }
    }
}
