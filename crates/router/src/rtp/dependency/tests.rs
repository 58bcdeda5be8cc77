//! Descriptors as encoders make them, by the syntax of appendix A.8, and as nobody should.

use super::*;
use crate::codec::FrameSize;

/// Two spatial and two temporal layers where the upper spatial layer needs the lower one of key frames
/// only; four decode targets, in the order 0/0, 0/1, 1/0, 1/1.
const TEMPLATES: [(&[u32], &[u32]); 6] = [
    (&[2, 2, 2, 2], &[]),
    (&[2, 2, 0, 0], &[4]),
    (&[0, 1, 0, 0], &[2]),
    (&[0, 0, 2, 2], &[1]),
    (&[0, 0, 2, 2], &[4]),
    (&[0, 0, 0, 1], &[2]),
];
/// What follows each template: the same layer, the next temporal or spatial one, or nothing.
const NEXT: [u32; 6] = [0, 1, 2, 0, 1, 3];
const OFFSET: u32 = 60;

fn fields(fields: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes = vec![0; MAX_BYTES];
    let mut writer = BitWriter::new(&mut bytes);
    for (bits, value) in fields {
        writer.number(*bits, *value).unwrap();
    }
    let length = writer.length();
    bytes.truncate(length);
    bytes
}

fn mandatory(template: u32, number: u32) -> Vec<(u32, u32)> {
    vec![(1, 1), (1, 0), (6, (template + OFFSET) % 64), (16, number)]
}

fn structure() -> Vec<(u32, u32)> {
    let mut all = vec![(6, OFFSET), (5, 3)];
    all.extend(NEXT.map(|next| (2, next)));
    all.extend(TEMPLATES.iter().flat_map(|(dtis, _)| dtis.iter().map(|dti| (2, *dti))));
    for (_, distances) in TEMPLATES {
        all.extend(distances.iter().flat_map(|distance| [(1, 1), (4, distance - 1)]));
        all.push((1, 0));
    }
    // Two chains of four decode targets: 2 of ns(5), then 0, 0, 1, 1 of ns(2); 4 bits per template.
    all.extend([(2, 2), (1, 0), (1, 0), (1, 1), (1, 1)]);
    all.extend([(4, 0); 12]);
    all.extend([(1, 1), (16, 319), (16, 179), (16, 639), (16, 359)]);
    all
}

fn key_frame(number: u32) -> Vec<u8> {
    let mut all = mandatory(0, number);
    all.extend([(5, 0b10000)]);
    all.extend(structure());
    fields(&all)
}

fn reader() -> DependencyReader {
    let mut reader = DependencyReader::default();
    reader.read(&key_frame(100)).expect("a structure");
    reader
}

#[test]
fn a_structure_tells_layers_sizes_and_decode_targets() {
    let mut reader = DependencyReader::default();
    let read = reader.read(&key_frame(100)).unwrap();
    assert!(read.starts_frame && !read.ends_frame && read.has_structure);
    assert_eq!((read.number, read.spatial, read.temporal, read.active), (100, 0, 0, 0b1111));
    assert!(read.references.is_empty());
    assert!((0..4).all(|target| read.indications.is_switch(target)));
    let structure = reader.structure().unwrap();
    let layers: Vec<_> = (0..4).map(|target| structure.layers_of(target)).collect();
    assert_eq!(layers, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(structure.size(0), FrameSize::new(320, 180));
    assert_eq!(structure.size(1), FrameSize::new(640, 360));
    assert_eq!(structure.size(2), None);
}

#[test]
fn a_frame_is_what_its_template_says() {
    // Start, template 60 + 5 - 64 = 1, frame 0x0105: three bytes are enough.
    let read = reader().read(&[0x81, 0x01, 0x05]).unwrap();
    assert_eq!((read.number, read.spatial, read.temporal), (0x105, 1, 1));
    assert_eq!(read.references.back, 0b10);
    assert!(read.indications.is_present(3) && !read.indications.is_switch(3));
    assert!((0..3).all(|target| !read.indications.is_present(target)));
}

#[test]
fn a_frame_may_differ_from_its_template() {
    let mut all = mandatory(1, 104);
    // Mask, indications and references of its own: 0b0011; not present, switch twice, discardable; 300.
    all.extend([(5, 0b01110), (4, 0b0011), (2, 0), (2, 2), (2, 2), (2, 1)]);
    all.extend([(2, 1), (4, 2), (2, 3), (12, 299), (2, 0)]);
    let mut reader = reader();
    let read = reader.read(&fields(&all)).unwrap();
    assert_eq!(read.active, 0b0011);
    assert!(!read.indications.is_present(0) && read.indications.is_switch(1));
    assert_eq!((read.references.back, read.references.is_far), (0b100, true));
    let later = reader.read(&fields(&mandatory(1, 108))).unwrap();
    assert_eq!(later.active, 0b0011, "a mask holds until the next");
}

#[test]
fn a_structure_that_comes_late_is_of_its_own_frame_only() {
    let mut reader = reader();
    let mut late = mandatory(0, 90);
    // One template with one decode target, no chains, no sizes.
    late.extend([(5, 0b10000), (6, OFFSET), (5, 0), (2, 3), (2, 2), (1, 0), (1, 0), (1, 0)]);
    assert_eq!(reader.read(&fields(&late)).unwrap().mask.targets, 1);
    assert_eq!(reader.read(&[0x81, 0x01, 0x05]).unwrap().mask.targets, 4);
}

#[test]
fn frame_numbers_and_masks_are_rewritten_and_nothing_else() {
    let mut mask = mandatory(1, 104);
    mask.extend([(5, 0b01010), (4, 0b0111), (2, 1), (4, 3), (2, 0)]);
    for (descriptor, name) in [
        (key_frame(100), "structure"),
        (fields(&mandatory(4, 101)), "short"),
        (fields(&mask), "mask and references"),
    ] {
        let read = reader().read(&descriptor).unwrap();
        let rewrite = Rewrite { number: 7, active: Some((read.mask, 0b0011)) };
        let written = rewrite.apply(&descriptor).unwrap();
        let again = reader().read(written.as_bytes()).unwrap();
        let expected = Descriptor { number: 7, active: 0b0011, mask: again.mask, ..read };
        assert_eq!(again, expected, "{name}");
        assert!(again.mask.is_there, "{name}");
        let plain = Rewrite { number: 0xfffe, active: None }.apply(&descriptor).unwrap();
        assert_eq!(&plain.as_bytes()[..3], &[descriptor[0], 0xff, 0xfe], "{name}");
        assert_eq!(&plain.as_bytes()[3..], &descriptor[3..], "{name}");
    }
    assert!(Rewrite::default().apply(&[0x80, 1]).is_err());
}

#[test]
fn what_exceeds_a_limit_or_ends_early_is_refused_and_changes_nothing() {
    let key = key_frame(100);
    for length in 0..key.len() {
        assert_eq!(DependencyReader::default().read(&key[..length]), Err(Malformed), "{length}");
    }
    let mut reader = reader();
    let before = reader.structure().cloned();
    let unknown = fields(&mandatory(6, 101));
    let mut endless = mandatory(0, 101);
    endless.extend([(5, 0b10000), (6, 0), (5, 31)]);
    endless.extend([(2, 0); 70]);
    let mut high = mandatory(0, 101);
    high.extend([(5, 0b10000), (6, 0), (5, 0)]);
    high.extend([(2, 2); 8]);
    let mut greedy = mandatory(0, 101);
    greedy.extend([(5, 0b00010)]);
    greedy.extend([(2, 1), (4, 0)].repeat(40));
    for (hostile, name) in [
        (unknown, "no such template"),
        (fields(&endless), "too many templates"),
        (fields(&high), "too many spatial layers"),
        (fields(&greedy), "too many references"),
        (vec![0xff; MAX_BYTES + 1], "too long"),
    ] {
        assert_eq!(reader.read(&hostile), Err(Malformed), "{name}");
    }
    assert_eq!(reader.structure().cloned(), before);
}
