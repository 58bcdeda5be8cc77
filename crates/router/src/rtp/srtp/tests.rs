//! Vectors of the RFCs, str0m's formulas as a second opinion, and what must never happen.

use std::collections::HashSet;

use ::str0m::crypto::{
    AeadAes128Gcm, AeadAes256Gcm, Aes128CmSha1_80, CryptoProvider, from_feature_flags,
};

use super::cipher::Cipher;
use super::index::{Unusable, Window, estimate};
use super::keys::Master;
use super::*;
use crate::rtp::testing::{Dice, hex};
use crate::rtp::{ExtensionIds, Extensions, Header, Outgoing};

const PROFILES: [Profile; 3] =
    [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];

/// Opener and sealer of two sides that shook hands.
fn sides(profile: Profile) -> ((Opener, Sealer), (Opener, Sealer)) {
    let material: Vec<u8> = (0..profile.keying_material()).map(|byte| byte as u8).collect();
    let side = |role| contexts(profile, &material, role, 16).unwrap();
    (side(Role::Client), side(Role::Server))
}

fn packet(ssrc: u32, sequence_number: u16, payload: &[u8]) -> Vec<u8> {
    let header = Outgoing { marker: false, payload_type: 96, sequence_number, timestamp: 7, ssrc };
    let mut buffer = [0; 64];
    let length =
        header.write(&mut buffer, &ExtensionIds::default(), &Extensions::default()).unwrap();
    [&buffer[..length], payload].concat()
}

/// The sealed packet.
fn seal(sealer: &mut Sealer, plain: &[u8], index: u64) -> Result<Vec<u8>, SealError> {
    let ssrc = Header::parse(plain).unwrap().ssrc;
    let source = sealer.source(ssrc)?;
    let mut buffer = [plain, &[0; MAX_RTP_OVERHEAD]].concat();
    let length = sealer.seal_rtp(source, &mut buffer, plain.len(), index)?;
    buffer.truncate(length);
    Ok(buffer)
}

fn open(opener: &mut Opener, sealed: &[u8]) -> Result<(Vec<u8>, Opened), OpenError> {
    let mut packet = sealed.to_vec();
    let header = Header::parse(&packet).unwrap();
    let opened = opener.open_rtp(&mut packet, &header)?;
    packet.truncate(opened.length);
    Ok((packet, opened))
}

fn seal_rtcp(sealer: &mut Sealer, plain: &[u8]) -> Vec<u8> {
    let mut buffer = [plain, &[0; MAX_RTCP_OVERHEAD]].concat();
    let length = sealer.seal_rtcp(&mut buffer, plain.len()).unwrap();
    buffer.truncate(length);
    buffer
}

fn open_rtcp(opener: &mut Opener, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut packet = sealed.to_vec();
    let length = opener.open_rtcp(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

#[test]
fn session_keys_are_those_of_rfc_3711_b_3() {
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let master = Master { key: &key, salt: &salt };
    assert_eq!(master.derive::<16>(0).unwrap()[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(master.derive::<14>(2).unwrap()[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
    let authentication =
        "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4 8F0A0ACF3C34E2359E6CDBCE E049646C43D9327A
         D175578EF7227098 6371C10C9A369AC2 F94A8C5FBCDDDC25 6D6E919A48B610EF 17C2041E47403576
         6B68642C59BBFC2F 34DB60DBDFB2DC68";
    assert_eq!(master.derive::<94>(1).unwrap()[..], hex(authentication)[..94]);
}

#[test]
fn the_keystream_is_that_of_rfc_3711_b_2() {
    let key = hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
    let salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
    let cipher = Cipher::counter_mode(&key, &[0; 20], salt).unwrap();
    let mut buffer = [0; 48 + 10];
    cipher.seal_rtp(&mut buffer, 0, 0, 0).unwrap();
    let stream = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
                  41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(buffer[..48], hex(stream));
}

/// Vectors of libsrtp's own test.
#[test]
fn counter_mode_packets_are_those_of_libsrtp() {
    let key = hex("e1f97a0d3e018be0d64fa32c06de4139");
    let salt = hex("0ec675ad498afeebb6960b3aabe6");
    let master = Master { key: &key, salt: &salt };
    let rtp = master.rtp(Profile::Aes128CmSha1_80).unwrap();
    let plain = hex("800f1234decafbadcafebabe abababababababababababababababab");
    let sealed =
        hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
    let mut buffer = [&plain[..], &[0; 10]].concat();
    rtp.seal_rtp(&mut buffer, 12, 0xcafe_babe, 0x1234).unwrap();
    assert_eq!(buffer, sealed);
    assert_eq!(rtp.open_rtp(&mut buffer, 12, 0xcafe_babe, 0x1234), Ok(plain.len()));
    assert_eq!(buffer[..plain.len()], plain);
    let rtcp = master.rtcp(Profile::Aes128CmSha1_80).unwrap();
    let plain = hex("81c8000bcafebabe abababababababababababababababab");
    let sealed =
        hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
    let mut buffer = [&plain[..], &[0; 14]].concat();
    rtcp.seal_rtcp(&mut buffer, 0xcafe_babe, 1).unwrap();
    assert_eq!(buffer, sealed);
    assert_eq!(rtcp.rtcp_word(&buffer), Ok(0x8000_0001));
    assert_eq!(rtcp.open_rtcp(&mut buffer, 0xcafe_babe, 1), Ok(plain.len()));
    assert_eq!(buffer[..plain.len()], plain);
}

#[test]
fn gcm_packets_are_those_of_rfc_7714() {
    let key: Vec<u8> = (0..32).collect();
    let salt = hex("51756964 2070726f 2071756f").try_into().unwrap();
    let plain =
        hex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120
                     696e2070 61727465 73207472 6573");
    let small =
        hex("8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
                     42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce");
    let large =
        hex("8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
                     b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13");
    for (key, sealed) in [(&key[..16], small), (&key[..], large)] {
        let cipher = Cipher::gcm(key, salt).unwrap();
        let mut buffer = [&plain[..], &[0; 16]].concat();
        cipher.seal_rtp(&mut buffer, 12, 0x5501_a0b2, 0xf17b).unwrap();
        assert_eq!(buffer, sealed);
        assert_eq!(cipher.open_rtp(&mut buffer, 12, 0x5501_a0b2, 0xf17b), Ok(plain.len()));
        assert_eq!(buffer[..plain.len()], plain);
    }
    let plain =
        hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef
                     deadbeef deadbeef deadbeef deadbeef");
    let sealed = hex("81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
                      c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872
                      45d9eade 800005d4");
    let cipher = Cipher::gcm(&key[..16], salt).unwrap();
    let mut buffer = [&plain[..], &[0; 20]].concat();
    cipher.seal_rtcp(&mut buffer, 0x4d61_7273, 0x5d4).unwrap();
    assert_eq!(buffer, sealed);
    assert_eq!(cipher.rtcp_word(&buffer), Ok(0x8000_05d4));
    assert_eq!(cipher.open_rtcp(&mut buffer, 0x4d61_7273, 0x5d4), Ok(plain.len()));
    assert_eq!(buffer[..plain.len()], plain);
}

/// str0m's cryptography with the keys of the client of [`sides`].
struct Str0m {
    profile: Profile,
    crypto: CryptoProvider,
}

impl Str0m {
    fn derive<const N: usize>(&self, label: u8) -> [u8; N] {
        let (key, salt) = match self.profile {
            Profile::Aes128CmSha1_80 => (16, 14),
            Profile::AeadAes128Gcm => (16, 12),
            Profile::AeadAes256Gcm => (32, 12),
        };
        let material: Vec<u8> = (0..self.profile.keying_material()).map(|b| b as u8).collect();
        let mut input = [0; 16];
        input[..salt].copy_from_slice(&material[2 * key..2 * key + salt]);
        input[7] ^= label;
        let mut derived = [0; N];
        for (round, part) in derived.chunks_mut(16).enumerate() {
            input[15] = round as u8;
            let mut block = [0; 32];
            let srtp = self.crypto.srtp_provider;
            match key {
                16 => srtp.srtp_aes_128_ecb_round(&material[..16], &input, &mut block),
                _ => srtp.srtp_aes_256_ecb_round(&material[..32], &input, &mut block),
            }
            part.copy_from_slice(&block[..part.len()]);
        }
        derived
    }

    fn rtp(&self, plain: &[u8], index: u64) -> Vec<u8> {
        let srtp = self.crypto.srtp_provider;
        let header = Header::parse(plain).unwrap();
        let (aad, body) = plain.split_at(header.length());
        let (rollover, number) = ((index >> 16) as u32, index as u16);
        let mut sealed = vec![0; body.len() + self.profile.rtp_overhead()];
        match self.profile {
            Profile::Aes128CmSha1_80 => {
                let iv = Aes128CmSha1_80::rtp_iv(self.derive(2), header.ssrc, index);
                let mut cipher = srtp.aes_128_cm_sha1_80().create_cipher(self.derive(0), true);
                cipher.encrypt(&iv, body, &mut sealed).unwrap();
                let mut packet = [aad, &sealed].concat();
                let key = self.derive::<20>(1);
                let hmac = |key: &[u8], parts: &[&[u8]]| {
                    self.crypto.sha1_hmac_provider.sha1_hmac(key, parts)
                };
                Aes128CmSha1_80::rtp_hmac(hmac, &key, &mut packet, index, plain.len());
                return packet;
            }
            Profile::AeadAes128Gcm => {
                let iv = AeadAes128Gcm::rtp_iv(self.derive(2), header.ssrc, rollover, number);
                let mut cipher = srtp.aead_aes_128_gcm().create_cipher(self.derive(0), true);
                cipher.encrypt(&iv, aad, body, &mut sealed).unwrap();
            }
            Profile::AeadAes256Gcm => {
                let iv = AeadAes256Gcm::rtp_iv(self.derive(2), header.ssrc, rollover, number);
                let mut cipher = srtp.aead_aes_256_gcm().create_cipher(self.derive(0), true);
                cipher.encrypt(&iv, aad, body, &mut sealed).unwrap();
            }
        }
        [aad, &sealed].concat()
    }
}

#[test]
fn str0m_seals_to_the_same_bytes() {
    let mut dice = Dice::of_today();
    for profile in PROFILES {
        let ((_, mut sealer), (mut opener, _)) = sides(profile);
        let str0m = Str0m { profile, crypto: from_feature_flags() };
        for index in 0xffff - 20..0xffff + 40 {
            let payload = dice.below(1_200) as usize;
            let plain = packet(0x1234_5678, index as u16, &dice.bytes(payload));
            let sealed = seal(&mut sealer, &plain, index).unwrap();
            assert_eq!(sealed, str0m.rtp(&plain, index), "{profile:?}");
            let (opened, state) = open(&mut opener, &sealed).unwrap();
            assert_eq!((opened, state.index), (plain, index), "{profile:?}");
        }
    }
}

#[test]
fn both_sides_understand_each_other_and_nobody_themselves() {
    let mut dice = Dice::of_today();
    for profile in PROFILES {
        let ((mut client_opener, mut client_sealer), (mut server_opener, mut server_sealer)) =
            sides(profile);
        for number in 0..50 {
            let payload = dice.below(200) as usize;
            let plain = packet(7, number, &dice.bytes(payload));
            let sealed = seal(&mut client_sealer, &plain, number.into()).unwrap();
            assert_eq!(sealed.len(), plain.len() + profile.rtp_overhead());
            assert_eq!(open(&mut client_opener, &sealed), Err(OpenError::NotAuthentic));
            let (opened, state) = open(&mut server_opener, &sealed).unwrap();
            assert_eq!(opened, plain);
            assert_eq!((state.index, state.is_new_source), (number.into(), number == 0));
            let report = [&[0x80, 201, 0, 1, 0, 0, 0, 7][..], &dice.bytes(payload)].concat();
            let sealed = seal_rtcp(&mut server_sealer, &report);
            assert_eq!(sealed.len(), report.len() + profile.rtcp_overhead());
            assert_eq!(open_rtcp(&mut client_opener, &sealed), Ok(report));
            assert_eq!(open_rtcp(&mut client_opener, &sealed), Err(OpenError::Replayed));
        }
    }
}

#[test]
fn one_changed_bit_anywhere_is_noticed_and_changes_nothing() {
    for profile in PROFILES {
        let ((_, mut sealer), (mut opener, _)) = sides(profile);
        let sealed = seal(&mut sealer, &packet(7, 1, &[1, 2, 3]), 1).unwrap();
        let report = seal_rtcp(&mut sealer, &[0x80, 201, 0, 2, 0, 0, 0, 7, 1, 2, 3, 4]);
        for bit in 0..8 * sealed.len() {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(header) = Header::parse(&forged) {
                assert!(opener.open_rtp(&mut forged, &header).is_err(), "{profile:?}: bit {bit}");
            }
        }
        for bit in 0..8 * report.len() {
            let mut forged = report.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(open_rtcp(&mut opener, &forged).is_err(), "{profile:?}: bit {bit}");
        }
        assert_eq!(opener.sources(), 0);
        assert!(open(&mut opener, &sealed).unwrap().1.is_new_source);
        assert!(open_rtcp(&mut opener, &report).is_ok());
    }
}

#[test]
fn every_packet_is_opened_once_in_any_order_around_the_wrap() {
    let mut dice = Dice::of_today();
    let ((_, mut sealer), (mut opener, _)) = sides(Profile::AeadAes128Gcm);
    let first = 65_000;
    let mut sealed: Vec<(u64, Vec<u8>)> = (first..first + 3_000)
        .map(|index| (index, seal(&mut sealer, &packet(7, 0, &[1]), index).unwrap()))
        .collect();
    // Every packet comes at most 300 later than it should.
    sealed.sort_by_cached_key(|(index, _)| index + dice.below(300));
    for (index, packet) in &sealed {
        assert_eq!(open(&mut opener, packet).unwrap().1.index, *index);
        assert!(open(&mut opener, packet).is_err());
    }
    for (index, packet) in &sealed {
        let expected =
            if *index >= first + 3_000 - 960 { OpenError::Replayed } else { OpenError::TooOld };
        assert_eq!(open(&mut opener, packet), Err(expected));
    }
}

#[test]
fn a_forged_sequence_number_moves_no_window() {
    let ((_, mut sealer), (mut opener, _)) = sides(Profile::AeadAes128Gcm);
    let sealed: Vec<_> =
        (1..4).map(|i| seal(&mut sealer, &packet(7, 0, &[1]), i).unwrap()).collect();
    assert!(open(&mut opener, &sealed[0]).is_ok());
    for number in [30_000, 60_000, 2] {
        let mut forged = sealed[1].clone();
        crate::rtp::set_sequence_number(&mut forged, number);
        forged[13] ^= 1;
        assert!(open(&mut opener, &forged).is_err());
    }
    assert_eq!(open(&mut opener, &sealed[1]).unwrap().1.index, 2);
    assert_eq!(open(&mut opener, &sealed[2]).unwrap().1.index, 3);
}

#[test]
fn a_source_more_than_allowed_is_refused_and_forged_ones_do_not_count() {
    let profile = Profile::Aes128CmSha1_80;
    let ((_, mut sealer), (mut opener, _)) = sides(profile);
    for ssrc in 0..100 {
        let forged = [packet(ssrc, 1, &[1]), vec![0; 10]].concat();
        assert_eq!(open(&mut opener, &forged), Err(OpenError::NotAuthentic));
    }
    let sealed: Vec<_> =
        (0..17).map(|ssrc| seal(&mut sealer, &packet(ssrc, 1, &[1]), 1).unwrap()).collect();
    for packet in sealed.iter().rev().take(16) {
        assert!(open(&mut opener, packet).unwrap().1.is_new_source);
    }
    assert_eq!(open(&mut opener, &sealed[0]), Err(OpenError::TooManySources));
    assert_eq!(open(&mut opener, &sealed[9]), Err(OpenError::Replayed));
    opener.set_max_sources(17);
    assert!(open(&mut opener, &sealed[0]).is_ok());
    assert_eq!(opener.sources(), 17);
}

#[test]
fn rtcp_without_encryption_is_refused() {
    for profile in PROFILES {
        let ((_, mut sealer), (mut opener, _)) = sides(profile);
        let mut sealed = seal_rtcp(&mut sealer, &[0x80, 201, 0, 1, 0, 0, 0, 7]);
        let word = if profile == Profile::Aes128CmSha1_80 { 8 } else { 24 };
        assert_eq!(sealed[word] & 0x80, 0x80);
        sealed[word] = 0;
        assert_eq!(open_rtcp(&mut opener, &sealed), Err(OpenError::NotEncrypted));
    }
}

#[test]
fn packets_that_are_too_short_are_malformed() {
    for profile in PROFILES {
        let ((_, mut sealer), (mut opener, _)) = sides(profile);
        let sealed = seal(&mut sealer, &packet(7, 1, &[]), 1).unwrap();
        let report = seal_rtcp(&mut sealer, &[0x80, 201, 0, 1, 0, 0, 0, 7]);
        for length in 12..sealed.len() {
            assert_eq!(open(&mut opener, &sealed[..length]), Err(OpenError::Malformed));
        }
        for length in 0..report.len() {
            assert_eq!(open_rtcp(&mut opener, &report[..length]), Err(OpenError::Malformed));
        }
        assert_eq!(open(&mut opener, &sealed).unwrap().0.len(), 12);
        assert_eq!(open_rtcp(&mut opener, &report).unwrap().len(), 8);
    }
}

#[test]
fn no_index_is_sealed_twice_whatever_is_asked_for() {
    let mut dice = Dice::of_today();
    let ((_, mut sealer), _) = sides(Profile::AeadAes128Gcm);
    let mut used = HashSet::new();
    for _ in 0..20_000 {
        let (ssrc, index) = (dice.below(2) as u32, dice.below(3_000));
        match seal(&mut sealer, &packet(ssrc, 0, &[1]), index) {
            Ok(packet) => {
                assert_eq!(Header::parse(&packet).unwrap().sequence_number, index as u16);
                assert!(used.insert((ssrc, index)), "{index} was used before");
            }
            Err(cause) => assert_eq!(cause, SealError::IndexUsed),
        }
    }
    assert!(used.len() > 100);
}

#[test]
fn packets_are_sealed_out_of_order_within_the_window() {
    let ((_, mut sealer), _) = sides(Profile::AeadAes128Gcm);
    let mut try_index = |index| seal(&mut sealer, &packet(7, 0, &[]), index).err();
    assert_eq!(try_index(1_000), None);
    assert_eq!(try_index(1_000 - 447), None);
    assert_eq!(try_index(1_000 - 448), Some(SealError::IndexUsed));
    assert_eq!(try_index(1_000 - 447), Some(SealError::IndexUsed));
    assert_eq!(try_index((1 << 48) - 1), None);
    assert_eq!(try_index(1 << 48), Some(SealError::Exhausted));
    assert_eq!(try_index((1 << 48) - 1), Some(SealError::IndexUsed));
}

#[test]
fn a_handle_seals_its_own_source_only() {
    let ((_, mut sealer), _) = sides(Profile::AeadAes128Gcm);
    let handle = sealer.source(7).unwrap();
    assert_eq!(sealer.source(8).unwrap(), sealer.source(8).unwrap());
    assert_eq!(sealer.source(7).unwrap(), handle);
    let mut buffer = [packet(8, 1, &[1, 2]), vec![0; 16]].concat();
    let length = buffer.len() - 16;
    assert_eq!(sealer.seal_rtp(handle, &mut buffer, length, 1), Err(SealError::WrongSource));
    assert_eq!(sealer.seal_rtp(handle, &mut buffer, 11, 1), Err(SealError::NoRoom));
    assert_eq!(sealer.seal_rtp(handle, &mut buffer, length + 1, 1), Err(SealError::NoRoom));
    for ssrc in 100..100 + 1_022 {
        sealer.source(ssrc).unwrap();
    }
    assert_eq!(sealer.source(99), Err(SealError::TooManySources));
}

#[test]
fn rtcp_ends_rather_than_wrapping() {
    let ((_, mut sealer), (mut opener, _)) = sides(Profile::AeadAes128Gcm);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
    sealer.skip_rtcp_to(0x7fff_ffff);
    assert!(open_rtcp(&mut opener, &seal_rtcp(&mut sealer, &report)).is_ok());
    let mut buffer = [&report[..], &[0; 20]].concat();
    assert_eq!(sealer.seal_rtcp(&mut buffer, 8), Err(SealError::Exhausted));
    assert_eq!(sealer.seal_rtcp(&mut buffer, 7), Err(SealError::NoRoom));
    assert_eq!(sealer.seal_rtcp(&mut buffer, 9), Err(SealError::NoRoom));
}

#[test]
fn keying_material_of_another_length_is_refused() {
    for profile in PROFILES {
        for length in [0, profile.keying_material() - 1, profile.keying_material() + 1] {
            let made = contexts(profile, &vec![1; length], Role::Client, 1);
            assert_eq!(made.err(), Some(KeyError::Length));
        }
    }
}

#[test]
fn keys_are_not_printed() {
    let ((opener, sealer), _) = sides(Profile::Aes128CmSha1_80);
    let printed = format!("{opener:?} {sealer:?}");
    assert!(printed.contains("Cipher"));
    assert!(!printed.contains("key"), "{printed}");
}

/// The algorithm of RFC 3711 appendix A, in its own words.
fn appendix_a(rollover: i64, known: i64, sequence_number: i64) -> i64 {
    let v = if known < 32_768 {
        if sequence_number - known > 32_768 { rollover - 1 } else { rollover }
    } else if known - 32_768 > sequence_number {
        rollover + 1
    } else {
        rollover
    };
    sequence_number + v * 65_536
}

#[test]
fn indices_are_estimated_as_rfc_3711_does() {
    let edges = [0, 1, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff];
    for rollover in [0, 1, 5] {
        for known in edges {
            for number in edges {
                let expected = u64::try_from(appendix_a(rollover, known, number)).ok();
                let highest = (rollover * 65_536 + known) as u64;
                assert_eq!(estimate(highest, number as u16), expected, "{highest} {number}");
            }
        }
    }
}

#[test]
fn a_window_remembers_what_a_set_remembers() {
    let mut dice = Dice::of_today();
    for _ in 0..50 {
        let first = dice.below(1 << 20);
        let (mut window, mut used) = (Window::<4>::new(first), HashSet::from([first]));
        for _ in 0..2_000 {
            let near = window.highest().saturating_sub(250) + dice.below(300);
            let index = if dice.below(100) == 0 { near + dice.below(1_000) } else { near };
            let behind = window.highest().checked_sub(index);
            let expected = match behind {
                Some(behind) if behind >= 192 => Err(Unusable::TooOld),
                _ if used.contains(&index) => Err(Unusable::Used),
                _ => Ok(()),
            };
            assert_eq!(window.check(index), expected);
            if expected.is_ok() {
                window.mark(index);
                used.insert(index);
            }
        }
    }
}
