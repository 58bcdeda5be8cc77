//! Reading an offer before the engine sees it, and refusing what must not get there.

use std::collections::BTreeMap;

use crate::ids::{Kind, Mid};

/// Largest offer, in bytes: 64 slot pairs at 2.5 KB and a few published lines.
const MAX_BYTES: usize = 192 * 1024;
/// Most media lines.
const MAX_LINES: usize = 128;

/// Longest line: a group of 128 lines with the longest names has 2.2 KB.
const MAX_LINE_BYTES: usize = 4096;
/// Lines of one media section; browsers have about 100.
const MAX_SECTION_LINES: usize = 512;
/// Attributes of one kind in one media section. Browsers describe at most three encodings with their
/// retransmission, and 16 header extensions.
const MAX_RIDS: usize = 8;
const MAX_SOURCES: usize = 64;
const MAX_EXTENSIONS: usize = 64;

/// Parameters that make another format of the same encoding. Others, such as a bitrate, may differ
/// from line to line.
const IDENTIFYING: [&str; 4] = ["apt", "packetization-mode", "profile-id", "profile-level-id"];

/// An offer that may go to the engine.
#[derive(Debug)]
pub(crate) struct Offer {
    /// Without candidates: an ICE-lite agent never needs the peer's (RFC 8445 section 2.5).
    pub(crate) sdp: String,
    pub(crate) lines: Vec<OfferLine>,
    /// What each payload type means: encoding and parameters.
    pub(crate) meanings: BTreeMap<u8, String>,
}

/// One `m=` section.
#[derive(Debug)]
pub(crate) struct OfferLine {
    pub(crate) mid: Mid,
    pub(crate) kind: Kind,
    /// The client sends on it.
    pub(crate) sends: bool,
    /// The client receives on it.
    pub(crate) receives: bool,
    /// In the order of the client's preference.
    pub(crate) payload_types: Vec<u8>,
}

impl Offer {
    /// Checks and parses. The error is a sentence with cause and remedy.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!(
                "The offer has {} bytes and {MAX_BYTES} are allowed; offer fewer media lines.",
                text.len()
            ));
        }
        let mut parser = Parser::default();
        for (number, line) in text.lines().enumerate() {
            if line.len() > MAX_LINE_BYTES {
                return Err(format!(
                    "The offer has a line of {} bytes and {MAX_LINE_BYTES} are allowed; send what \
                     createOffer() returned.",
                    line.len()
                ));
            }
            parser.line(line).map_err(|cause| {
                format!("The offer is malformed in line {}: {cause}; send valid SDP.", number + 1)
            })?;
        }
        parser.finish()
    }

    /// Whether payload types mean what they meant in an earlier offer of the transport.
    pub(crate) fn check_meanings(&self, earlier: &BTreeMap<u8, String>) -> Result<(), String> {
        for (payload_type, meaning) in &self.meanings {
            if let Some(former) = earlier.get(payload_type).filter(|former| *former != meaning) {
                return Err(format!(
                    "The offer contradicts an earlier one: {}; keep payload types for the life of \
                     the connection.",
                    two_meanings(*payload_type, former, meaning)
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn line(&self, mid: Mid) -> Option<&OfferLine> {
        self.lines.iter().find(|line| line.mid == mid)
    }
}

#[derive(Default)]
struct Parser {
    sdp: String,
    sections: Vec<Section>,
    has_version: bool,
    has_ufrag: bool,
    has_password: bool,
    fingerprint: Option<String>,
    session_direction: Option<(bool, bool)>,
    counts: Counts,
    /// What each payload type means in the sections that are over.
    meanings: BTreeMap<u8, String>,
    /// What is said of it in this one: `rtpmap`, and every `fmtp` (in Firefox before it).
    current: BTreeMap<u8, (String, String)>,
}

/// Lines of the section that is being read.
#[derive(Default)]
struct Counts {
    lines: usize,
    rids: usize,
    sources: usize,
    extensions: usize,
}

impl Counts {
    fn exceed(&self) -> bool {
        self.lines > MAX_SECTION_LINES
            || self.rids > MAX_RIDS
            || self.sources > MAX_SOURCES
            || self.extensions > MAX_EXTENSIONS
    }
}

struct Section {
    kind: Kind,
    mid: Option<Mid>,
    direction: Option<(bool, bool)>,
    payload_types: Vec<u8>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| name.len() == 1) else {
            return Err("it is not of the form x=value".into());
        };
        if !self.has_version {
            self.has_version = name == "v" && value.trim() == "0";
            if !self.has_version {
                return Err("it is not v=0".into());
            }
        }
        self.counts.lines += 1;
        if self.counts.exceed() {
            return Err(
                "the media section has more lines of one kind than any browser makes".into()
            );
        }
        match name {
            "m" => self.media(value)?,
            "a" if value.starts_with("candidate:") || value.starts_with("end-of-candidates") => {
                return Ok(());
            }
            "a" => self.attribute(value)?,
            _ => {}
        }
        self.sdp.push_str(line);
        self.sdp.push_str("\r\n");
        Ok(())
    }

    fn media(&mut self, value: &str) -> Result<(), String> {
        self.close_section()?;
        self.counts = Counts::default();
        let mut words = value.split_ascii_whitespace();
        let kind = match words.next() {
            Some("audio") => Kind::Audio,
            Some("video") => Kind::Video,
            other => {
                let other: String = other.unwrap_or_default().chars().take(20).collect();
                return Err(format!("media `{other}` is not audio or video"));
            }
        };
        let payload_types = words
            .skip(2)
            .map(|word| parse_payload_type(word).ok_or("a payload type is not 0 to 127"))
            .collect::<Result<Vec<_>, _>>()?;
        self.sections.push(Section { kind, mid: None, direction: None, payload_types });
        if self.sections.len() > MAX_LINES {
            return Err(format!("there are more than {MAX_LINES} media lines"));
        }
        Ok(())
    }

    fn attribute(&mut self, value: &str) -> Result<(), String> {
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        match name {
            "sendrecv" => self.direction(true, true),
            "sendonly" => self.direction(true, false),
            "recvonly" => self.direction(false, true),
            "inactive" => self.direction(false, false),
            "mid" => return self.mid(value.trim()),
            "rid" => self.counts.rids += 1,
            "simulcast" => self.counts.rids += value.matches([';', ',']).count(),
            "ssrc" | "ssrc-group" => self.counts.sources += 1,
            "extmap" => self.counts.extensions += 1,
            "rtpmap" => return self.rtpmap(value),
            "fmtp" => return self.fmtp(value),
            "setup" if value.trim() == "passive" => {
                return Err("the client must be able to take the active DTLS role".into());
            }
            "ice-ufrag" => self.has_ufrag = true,
            "ice-pwd" => self.has_password = true,
            "fingerprint" => return self.fingerprint(value),
            "ice-lite" => return Err("both sides would be ICE-lite".into()),
            _ => {}
        }
        Ok(())
    }

    /// All lines are one association with one certificate; str0m compares with the first one named.
    fn fingerprint(&mut self, value: &str) -> Result<(), String> {
        let value = value.trim().to_ascii_lowercase();
        match &self.fingerprint {
            Some(former) if *former != value => Err("it names a second fingerprint".into()),
            _ => {
                self.fingerprint = Some(value);
                Ok(())
            }
        }
    }

    fn direction(&mut self, sends: bool, receives: bool) {
        match self.sections.last_mut() {
            Some(section) => section.direction = Some((sends, receives)),
            None => self.session_direction = Some((sends, receives)),
        }
    }

    fn mid(&mut self, value: &str) -> Result<(), String> {
        let mid = Mid::parse(value).ok_or("a mid is 1 to 16 ASCII letters and digits")?;
        if self.sections.iter().any(|s| s.mid == Some(mid)) {
            return Err(format!("mid `{mid}` is used twice"));
        }
        let section = self.sections.last_mut().ok_or("mid stands before any media line")?;
        section.mid = Some(mid);
        Ok(())
    }

    fn rtpmap(&mut self, value: &str) -> Result<(), String> {
        let (payload_type, format) = value.split_once(' ').ok_or("rtpmap has no encoding")?;
        let payload_type =
            parse_payload_type(payload_type).ok_or("rtpmap has no valid payload type")?;
        let format = format.trim().to_ascii_lowercase();
        let (known, _) = self.current.entry(payload_type).or_default();
        if !known.is_empty() && *known != format {
            return Err(two_meanings(payload_type, known, &format));
        }
        *known = format;
        Ok(())
    }

    /// Some parameters count as well: the engine would look for one payload type in two of its formats.
    fn fmtp(&mut self, value: &str) -> Result<(), String> {
        let (payload_type, parameters) = value.split_once(' ').ok_or("fmtp has no parameters")?;
        let payload_type =
            parse_payload_type(payload_type).ok_or("fmtp has no valid payload type")?;
        let (_, known) = self.current.entry(payload_type).or_default();
        for parameter in parameters.to_ascii_lowercase().split(';').map(str::trim) {
            let name = parameter.split('=').next().unwrap_or_default();
            if IDENTIFYING.contains(&name) {
                known.push_str("; ");
                known.push_str(parameter);
            }
        }
        Ok(())
    }

    /// A media line is over.
    fn close_section(&mut self) -> Result<(), String> {
        for (payload_type, (format, parameters)) in std::mem::take(&mut self.current) {
            let meaning = format + &parameters;
            match self.meanings.get(&payload_type) {
                Some(former) if *former != meaning => {
                    return Err(two_meanings(payload_type, former, &meaning));
                }
                Some(_) => {}
                None => drop(self.meanings.insert(payload_type, meaning)),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Offer, String> {
        if self.counts.exceed() {
            return Err("The offer has more lines of one kind than any browser makes; send what \
                        createOffer() returned."
                .into());
        }
        self.close_section()
            .map_err(|cause| format!("The offer is contradictory: {cause}; send valid SDP."))?;
        if self.sections.is_empty() {
            return Err("The offer has no media line; add a transceiver first.".into());
        }
        if !(self.has_ufrag && self.has_password && self.fingerprint.is_some()) {
            return Err("The offer has no ICE credentials or no DTLS fingerprint; send what \
                        createOffer() returned."
                .into());
        }
        let inherited = self.session_direction.unwrap_or((true, true));
        let lines = self.sections.into_iter().map(|section| {
            let (sends, receives) = section.direction.unwrap_or(inherited);
            let mid = section.mid.ok_or(
                "The offer has a media line without a=mid; use a browser with BUNDLE support.",
            )?;
            let (kind, payload_types) = (section.kind, section.payload_types);
            Ok::<_, String>(OfferLine { mid, kind, sends, receives, payload_types })
        });
        Ok(Offer {
            lines: lines.collect::<Result<_, _>>()?,
            sdp: self.sdp,
            meanings: self.meanings,
        })
    }
}

fn two_meanings(payload_type: u8, former: &str, meaning: &str) -> String {
    let [former, meaning] = [former, meaning].map(|m| m.chars().take(100).collect::<String>());
    format!("payload type {payload_type} means both {former} and {meaning}")
}

fn parse_payload_type(word: &str) -> Option<u8> {
    word.trim().parse().ok().filter(|v| *v < 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
                        a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 00\r\n";

    fn refusal(body: &str) -> String {
        Offer::parse(&format!("{HEAD}{body}")).unwrap_err()
    }

    #[test]
    fn lines_are_read_in_order_and_candidates_are_left_out() {
        let offer = Offer::parse(&format!(
            "{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:0\r\na=sendonly\r\n\
             a=candidate:1 1 udp 1 x.local 9 typ host\r\na=end-of-candidates\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v1\r\na=recvonly\r\n"
        ))
        .unwrap();
        assert!(!offer.sdp.contains("candidate"));
        let [audio, video] = offer.lines.as_slice() else { panic!("two lines") };
        assert_eq!((audio.kind, audio.sends, audio.receives), (Kind::Audio, true, false));
        assert_eq!(audio.payload_types, [111, 63]);
        assert_eq!((video.mid.as_str(), video.sends, video.receives), ("v1", false, true));
    }

    #[test]
    fn what_must_not_reach_the_engine_is_refused_with_its_cause() {
        assert!(Offer::parse("").unwrap_err().contains("no media line"));
        assert!(Offer::parse("hello").unwrap_err().contains("line 1"));
        assert!(Offer::parse("v=1").unwrap_err().contains("v=0"));
        assert!(refusal("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n").contains("audio"));
        assert!(refusal("m=audio 9 X 111\r\n").contains("a=mid"));
        assert!(refusal("m=audio 9 X 128\r\na=mid:0\r\n").contains("0 to 127"));
        assert!(refusal("m=audio 9 X 0\r\na=mid:a-b\r\n").contains("letters and digits"));
        let bare = "v=0\r\nm=audio 9 X 0\r\na=mid:0\r\n";
        assert!(Offer::parse(bare).unwrap_err().contains("fingerprint"));
        let two = "m=audio 9 X 0\r\na=mid:0\r\n";
        assert!(refusal(&format!("{two}{two}")).contains("used twice"));
        assert!(refusal("m=audio 9 X 0\r\na=mid:0\r\na=setup:passive\r\n").contains("DTLS"));
    }

    #[test]
    fn one_payload_type_with_two_meanings_is_refused() {
        let body = "m=audio 9 X 96\r\na=mid:0\r\na=rtpmap:96 opus/48000/2\r\n\
                    m=video 9 X 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";
        assert!(refusal(body).contains("payload type 96"));
        let of = |mid: &str, parameters: &str| {
            format!(
                "m=video 9 X 96\r\na=mid:{mid}\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 {parameters}\r\n"
            )
        };
        let body = of("0", "profile-level-id=42e01f") + &of("1", "profile-level-id=640c1f");
        assert!(refusal(&body).contains("42e01f and h264/90000; profile-level-id=640c1f"));
        let again =
            "m=video 9 X 97\r\na=mid:0\r\na=rtpmap:97 rtx/90000\r\na=rtpmap:97 VP8/90000\r\n";
        assert!(refusal(again).contains("means both"));
    }

    #[test]
    fn a_later_offer_may_not_give_a_payload_type_another_meaning() {
        let offer = |format: &str| {
            let body = format!("m=video 9 X 96\r\na=mid:0\r\na=rtpmap:96 {format}/90000\r\n");
            Offer::parse(&format!("{HEAD}{body}")).unwrap()
        };
        let first = offer("VP8");
        assert_eq!(offer("vp8").check_meanings(&first.meanings), Ok(()));
        assert!(offer("VP9").check_meanings(&first.meanings).unwrap_err().contains("means both"));
    }

    #[test]
    fn size_and_number_of_lines_are_limited() {
        let large = format!("{HEAD}{}", "a=x:y\r\n".repeat(30_000));
        assert!(Offer::parse(&large).unwrap_err().contains("bytes"));
        let many = |n: u32| {
            use std::fmt::Write as _;
            let mut text = HEAD.to_owned();
            for i in 0..n {
                write!(text, "m=audio 9 X 0\r\na=mid:{i}\r\n").unwrap();
            }
            Offer::parse(&text)
        };
        assert!(many(128).is_ok());
        assert!(many(129).unwrap_err().contains("128"));
    }
}
