//! What an offer and its answer agreed on, as the media plane needs it.

use super::answer::sections;
use super::redundancy::combined;
use crate::ids::{Kind, Mid};
use crate::plane::{Description, LineDescription, PayloadDescription, SourceDescription};
use crate::rtp::{ExtensionIds, ExtensionKind};

/// Longest canonical name (RFC 3550 section 6.5.1).
const MAX_CNAME_BYTES: usize = 255;

/// Reads an offer and the engine's answer, both of which were parsed before.
pub(crate) fn negotiated(offer: &str, answer: &str) -> Description {
    let offered: Vec<_> = sections(offer).filter_map(Section::read).collect();
    let mut lines = Vec::new();
    let mut cname = None;
    for section in sections(answer).filter_map(Section::read) {
        cname = cname.or_else(|| section.cname.map(str::to_owned));
        let theirs = offered.iter().find(|line| line.mid == section.mid);
        lines.push(LineDescription {
            mid: section.mid,
            kind: section.kind,
            is_received: section.receives,
            extensions: section.extensions,
            own: section.sources().into_iter().next().filter(|_| section.sends),
            sources: theirs.map(Section::sources).unwrap_or_default(),
            payloads: section.payloads,
        });
    }
    Description { lines, cname: cname.unwrap_or_else(|| "router".to_owned()) }
}

/// One media section.
struct Section<'a> {
    mid: Mid,
    kind: Kind,
    sends: bool,
    receives: bool,
    extensions: ExtensionIds,
    payloads: Vec<PayloadDescription>,
    ssrcs: Vec<u32>,
    repairs: Vec<(u32, u32)>,
    cname: Option<&'a str>,
}

impl<'a> Section<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut lines = text.lines();
        let mut words = lines.next()?.strip_prefix("m=")?.split_ascii_whitespace();
        let kind = match words.next()? {
            "audio" => Kind::Audio,
            "video" => Kind::Video,
            _ => return None,
        };
        let is_rejected = words.next() == Some("0");
        let payloads = words.skip(1).filter_map(|word| word.parse().ok()).map(|payload_type| {
            PayloadDescription { payload_type, ..PayloadDescription::default() }
        });
        let mid = text.lines().find_map(|line| line.strip_prefix("a=mid:"))?;
        let mut section = Self {
            mid: Mid::parse(mid.trim())?,
            kind,
            sends: true,
            receives: true,
            extensions: ExtensionIds::default(),
            payloads: payloads.collect(),
            ssrcs: Vec::new(),
            repairs: Vec::new(),
            cname: None,
        };
        for attribute in lines.filter_map(|line| line.strip_prefix("a=")) {
            let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            section.attribute(name, value.trim());
        }
        if is_rejected {
            (section.sends, section.receives) = (false, false);
        }
        Some(section)
    }

    fn attribute(&mut self, name: &str, value: &'a str) -> Option<()> {
        let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
        match name {
            "sendonly" => self.receives = false,
            "recvonly" => self.sends = false,
            "inactive" => (self.sends, self.receives) = (false, false),
            "extmap" => {
                let id = first.split('/').next()?.parse().ok()?;
                let kind = ExtensionKind::of_uri(rest.split_ascii_whitespace().next()?)?;
                self.extensions.set(kind, id);
            }
            "fmtp" => {
                let of = |parameter: &str| parameter.trim().strip_prefix("apt=")?.parse().ok();
                let repaired = rest.split(';').find_map(of);
                let combined = combined(rest);
                let payload_type: u8 = first.parse().ok()?;
                for payload in self.payloads.iter_mut().filter(|p| p.payload_type == payload_type) {
                    payload.repairs = repaired;
                    payload.combines = combined;
                }
            }
            "rtcp-fb" => {
                let payload_type: Option<u8> = first.parse().ok();
                let is_meant = |payload: &&mut PayloadDescription| {
                    first == "*" || Some(payload.payload_type) == payload_type
                };
                for payload in self.payloads.iter_mut().filter(is_meant) {
                    match rest {
                        "nack" => payload.has_nack = true,
                        "nack pli" => payload.has_pli = true,
                        "ccm fir" => payload.has_fir = true,
                        "transport-cc" => payload.has_transport_feedback = true,
                        _ => {}
                    }
                }
            }
            "ssrc" => {
                let ssrc = first.parse().ok()?;
                if !self.ssrcs.contains(&ssrc) {
                    self.ssrcs.push(ssrc);
                }
                let cname = rest.strip_prefix("cname:").filter(|c| c.len() <= MAX_CNAME_BYTES);
                self.cname = self.cname.or(cname);
            }
            "ssrc-group" if first == "FID" => {
                let (media, repair) = rest.split_once(' ')?;
                self.repairs.push((media.parse().ok()?, repair.trim().parse().ok()?));
            }
            _ => {}
        }
        Some(())
    }

    fn sources(&self) -> Vec<SourceDescription> {
        let is_repair = |ssrc: &u32| self.repairs.iter().any(|(_, repair)| repair == ssrc);
        let media = self.ssrcs.iter().copied().filter(|ssrc| !is_repair(ssrc));
        media
            .map(|ssrc| {
                let repair = self.repairs.iter().find(|(media, _)| *media == ssrc);
                SourceDescription { ssrc, repair: repair.map(|(_, repair)| *repair) }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:1\r\na=sendonly\r\n\
        a=ssrc-group:FID 11 12\r\na=ssrc:11 cname:them\r\na=ssrc:12 cname:them\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=recvonly\r\n";

    const ANSWER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:1\r\na=recvonly\r\n\
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
        a=extmap:9/sendonly urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:5 urn:nobody\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:* transport-cc\r\n\
        a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n\
        a=ssrc:7 cname:us\r\na=ssrc:7 msid:x y\r\n";

    #[test]
    fn lines_have_the_numbers_of_the_answer_and_the_sources_of_the_offer() {
        let Description { lines, cname } = negotiated(OFFER, ANSWER);
        let [video, audio] = lines.as_slice() else { panic!("two lines: {lines:?}") };
        assert_eq!(cname, "us");
        assert!(video.is_received && video.own.is_none());
        assert_eq!(video.sources, [SourceDescription { ssrc: 11, repair: Some(12) }]);
        assert_eq!(video.extensions.of(ExtensionKind::TransportSequence), Some(3));
        assert_eq!(video.extensions.of(ExtensionKind::Mid), Some(9));
        assert_eq!(video.repair_of(96), Some(97));
        let payload = video.payload(96).expect("VP8");
        assert!(payload.has_nack && payload.has_pli && !payload.has_fir);
        assert!(video.payloads.iter().all(|p| p.has_transport_feedback));
        assert!(!audio.is_received);
        assert_eq!(audio.own, Some(SourceDescription { ssrc: 7, repair: None }));
    }

    #[test]
    fn redundant_audio_names_what_it_combines() {
        let answer = ANSWER.replace(
            "SAVPF 111\r\n",
            "SAVPF 111 63\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n",
        );
        let Description { lines, .. } = negotiated(OFFER, &answer);
        let redundancy = lines[1].redundancy().expect("redundant audio");
        assert_eq!((redundancy.payload_type, redundancy.combined), (63, 111));
        assert_eq!(lines[0].redundancy(), None);
    }

    #[test]
    fn a_rejected_line_neither_sends_nor_receives() {
        let answer = ANSWER.replace("m=video 9", "m=video 0").replace("a=recvonly", "a=inactive");
        let Description { lines, .. } = negotiated(OFFER, &answer);
        assert!(!lines[0].is_received && lines[0].own.is_none());
    }
}
