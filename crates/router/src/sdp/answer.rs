//! Finishing the engine's answer: slot pairs that play in sync, and the client's codec order.

use std::fmt::Write as _;

use super::Offer;
use crate::ids::{Kind, Mid, SlotIndex};

/// One line of a slot pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotLine {
    pub(crate) mid: Mid,
    pub(crate) slot: SlotIndex,
    pub(crate) kind: Kind,
}

impl SlotLine {
    /// Stream and track identifier (RFC 8830). Both lines of a pair have one stream, which is how
    /// browsers find what to play in sync.
    fn msid(self) -> String {
        format!("slot-{0} slot-{0}-{1}", self.slot.0, self.kind)
    }
}

/// Rewrites `a=msid` and `a=ssrc … msid` of slot lines, takes `a=msid` from all other lines
/// (nothing is sent on them), and puts payload types into the order of the offer, because browsers
/// send the first one of the answer.
pub(crate) fn finish(answer: &str, offer: &Offer, slots: &[SlotLine]) -> String {
    let mut text = String::with_capacity(answer.len());
    for section in sections(answer) {
        let mid = section
            .lines()
            .find_map(|line| line.strip_prefix("a=mid:"))
            .and_then(|mid| Mid::parse(mid.trim()));
        let slot = slots.iter().find(|line| Some(line.mid) == mid);
        let offered = mid.and_then(|mid| offer.line(mid));
        for line in section.lines() {
            let finished = if let Some(media) = line.strip_prefix("m=") {
                let order = offered.map_or(&[][..], |line| &line.payload_types);
                Some(format!("m={}", reorder(media, order)))
            } else {
                finish_attribute(line, slot.copied())
            };
            if let Some(finished) = finished {
                let _ = write!(text, "{finished}\r\n");
            }
        }
    }
    text
}

/// Splits before every `m=` line; the session part is the first section.
pub(super) fn sections(sdp: &str) -> impl Iterator<Item = &str> {
    let mut rest = sdp;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find("\nm=").map_or(rest.len(), |at| at + 1);
        let (section, after) = rest.split_at(end);
        rest = after;
        Some(section)
    })
}

fn reorder(media: &str, order: &[u8]) -> String {
    let mut words: Vec<&str> = media.split_ascii_whitespace().collect();
    let rank = |word: &&str| {
        let payload_type = word.parse::<u8>().ok();
        order.iter().position(|p| Some(*p) == payload_type).unwrap_or(usize::MAX)
    };
    if let Some(payload_types) = words.get_mut(3..) {
        payload_types.sort_by_key(rank);
    }
    words.join(" ")
}

fn finish_attribute(line: &str, slot: Option<SlotLine>) -> Option<String> {
    if line.starts_with("a=msid-semantic:") {
        return Some("a=msid-semantic: WMS *".into());
    }
    if line.starts_with("a=msid:") {
        return slot.map(|slot| format!("a=msid:{}", slot.msid()));
    }
    if let Some((ssrc, _)) =
        line.split_once(" msid:").filter(|(head, _)| head.starts_with("a=ssrc:"))
    {
        return slot.map(|slot| format!("{ssrc} msid:{}", slot.msid()));
    }
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
                        a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 00\r\n";

    #[test]
    fn lines_of_a_pair_share_a_stream_and_pairs_differ() {
        let offer = Offer::parse(&format!(
            "{HEAD}m=audio 9 X 111\r\na=mid:a\r\nm=video 9 X 98 96\r\na=mid:v\r\n\
             m=video 9 X 96\r\na=mid:p\r\n"
        ))
        .unwrap();
        let answer = "v=0\r\na=msid-semantic: WMS x y\r\n\
            m=audio 9 X 111\r\na=mid:a\r\na=msid:x x\r\na=ssrc:1 msid:x x\r\na=ssrc:1 cname:c\r\n\
            m=video 9 X 96 98\r\na=mid:v\r\na=msid:y y\r\n\
            m=video 9 X 96\r\na=mid:p\r\na=msid:z z\r\n";
        let line =
            |mid: &str, kind| SlotLine { mid: Mid::parse(mid).unwrap(), slot: SlotIndex(3), kind };
        let slots = [line("a", Kind::Audio), line("v", Kind::Video)];
        let finished = finish(answer, &offer, &slots);
        assert_eq!(
            finished,
            "v=0\r\na=msid-semantic: WMS *\r\n\
             m=audio 9 X 111\r\na=mid:a\r\na=msid:slot-3 slot-3-audio\r\n\
             a=ssrc:1 msid:slot-3 slot-3-audio\r\na=ssrc:1 cname:c\r\n\
             m=video 9 X 98 96\r\na=mid:v\r\na=msid:slot-3 slot-3-video\r\n\
             m=video 9 X 96\r\na=mid:p\r\n"
        );
    }
}
