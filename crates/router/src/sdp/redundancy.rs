//! What of an offer the engine does not answer: of audio redundancy (RFC 2198) and requests for lost packets
//! (RFC 4585 section 4.2), of all media the round trip of receivers (RFC 3611 section 5.1).

use std::fmt::Write as _;

use super::answer::sections;

/// Says that who sends nothing asks for its round trip by extended reports.
const RECEIVER_ROUND_TRIP: &str = "rcvr-rtt=";

/// The engine's answer, where each line also accepts extended reports by which receivers learn their round
/// trip, if the offer has them: browsers repeat their requests for lost packets by it.
pub(crate) fn with_round_trips(offer: &str, answer: &str) -> String {
    let mut text = String::with_capacity(answer.len() + 256);
    for section in sections(answer) {
        text.push_str(section);
        let offered = sections(offer).find(|offered| mid(offered) == mid(section));
        let offered = offered.filter(|_| mid(section).is_some() && round_trips(section).is_none());
        if let Some(who) = offered.and_then(round_trips) {
            let _ = write!(text, "a=rtcp-xr:{RECEIVER_ROUND_TRIP}{who}\r\n");
        }
    }
    text
}

/// Who may ask, as a section says: `all` or `sender`.
fn round_trips(section: &str) -> Option<&str> {
    let formats = section.lines().filter_map(|line| line.strip_prefix("a=rtcp-xr:"));
    let mut words = formats.flat_map(str::split_ascii_whitespace);
    let who = words.find_map(|word| word.strip_prefix(RECEIVER_ROUND_TRIP))?;
    let mode = who.split(':').next()?;
    matches!(mode, "all" | "sender").then_some(mode)
}

/// The engine's answer, where each Opus line also accepts what was offered for Opus: `red/48000/2` and
/// `a=rtcp-fb: nack`.
pub(crate) fn with_audio_repair(offer: &str, answer: &str) -> String {
    let mut text = String::with_capacity(answer.len() + 256);
    for section in sections(answer) {
        let offered = sections(offer).find(|offered| mid(offered) == mid(section));
        let wanted = offered.filter(|_| section.starts_with("m=audio") && mid(section).is_some());
        match wanted.and_then(|offered| Wanted::find(offered, section)) {
            Some(wanted) => wanted.accept(section, &mut text),
            None => text.push_str(section),
        }
    }
    text
}

/// The payload type that all blocks of a `red` format have, by its parameters (RFC 2198 section 5).
pub(super) fn combined(parameters: &str) -> Option<u8> {
    let mut types = parameters.trim().split('/').map(|word| word.parse::<u8>().ok());
    let first = types.next()??;
    let mut others = types.peekable();
    others.peek()?;
    others.all(|other| other == Some(first)).then_some(first)
}

/// What is to be accepted for Opus on one line.
struct Wanted {
    opus: u8,
    red: Option<u8>,
    has_nack: bool,
}

impl Wanted {
    fn find(offered: &str, answered: &str) -> Option<Self> {
        if answered.starts_with("m=audio 0 ") {
            return None;
        }
        let opus = formats(answered).find(|(_, name)| is(name, "opus/48000/2"))?.0;
        let red = formats(offered)
            .filter(|(_, name)| is(name, "red/48000/2"))
            .map(|(payload_type, _)| payload_type)
            .find(|red| {
                let prefix = format!("a=fmtp:{red} ");
                let parameters = offered.lines().find_map(|line| line.strip_prefix(&prefix));
                parameters.and_then(combined) == Some(opus)
            });
        let nack = format!("a=rtcp-fb:{opus} nack");
        let has = |section: &str| section.lines().any(|line| line.trim_end() == nack);
        let is_known = formats(answered).any(|(payload_type, _)| Some(payload_type) == red);
        let red = red.filter(|_| !is_known);
        Some(Self { opus, red, has_nack: has(offered) && !has(answered) })
    }

    fn accept(&self, section: &str, text: &mut String) {
        let Self { opus, red, has_nack } = *self;
        for line in section.lines() {
            text.push_str(line);
            if let Some(red) = red.filter(|_| line.starts_with("m=")) {
                let _ = write!(text, " {red}");
            }
            text.push_str("\r\n");
        }
        if has_nack {
            let _ = write!(text, "a=rtcp-fb:{opus} nack\r\n");
        }
        if let Some(red) = red {
            let _ = write!(text, "a=rtpmap:{red} red/48000/2\r\na=fmtp:{red} {opus}/{opus}\r\n");
        }
    }
}

fn mid(section: &str) -> Option<&str> {
    section.lines().find_map(|line| line.strip_prefix("a=mid:")).map(str::trim)
}

/// Payload types and what they are.
fn formats(section: &str) -> impl Iterator<Item = (u8, &str)> {
    section.lines().filter_map(|line| {
        let (payload_type, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        Some((payload_type.parse().ok()?, name.trim()))
    })
}

fn is(name: &str, format: &str) -> bool {
    name.eq_ignore_ascii_case(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 63 111 9\r\na=mid:0\r\na=rtpmap:63 red/48000/2\r\n\
        a=fmtp:63 111/111\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";
    const ANSWER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n\
        a=fmtp:111 minptime=10;usedtx=1\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";

    #[test]
    fn what_was_offered_for_opus_is_accepted() {
        let expected = ANSWER.replace("SAVPF 111\r\n", "SAVPF 111 63\r\n").replace(
            "usedtx=1\r\n",
            "usedtx=1\r\na=rtcp-fb:111 nack\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n",
        );
        assert_eq!(with_audio_repair(OFFER, ANSWER), expected);
        assert_eq!(with_audio_repair(OFFER, &expected), expected);
    }

    #[test]
    fn receivers_that_offer_to_ask_for_their_round_trip_may() {
        let ask = "a=rtcp-xr:voip-metrics rcvr-rtt=all:64 stat-summary=loss\r\n";
        let offer = OFFER.replace("a=mid:0\r\n", &format!("a=mid:0\r\n{ask}"));
        let expected = ANSWER.replace("usedtx=1\r\n", "usedtx=1\r\na=rtcp-xr:rcvr-rtt=all\r\n");
        assert_eq!(with_round_trips(&offer, ANSWER), expected);
        assert_eq!(with_round_trips(&offer, &expected), expected);
        assert_eq!(with_round_trips(OFFER, ANSWER), ANSWER);
        let other = offer.replace("=all", "=everybody");
        assert_eq!(with_round_trips(&other, ANSWER), ANSWER);
    }

    #[test]
    fn what_was_not_offered_or_not_for_opus_is_not() {
        for (from, to) in [
            ("red/48000/2", "red/8000"),
            ("63 111/111", "63 111/9"),
            ("63 111/111", "63 111"),
            ("63 111/111", "63 9/9"),
            ("a=fmtp:63 111/111", "a=fmtp:64 111/111"),
        ] {
            let offer = OFFER.replace(from, to).replace("111 nack\r\n", "111 transport-cc\r\n");
            assert_eq!(with_audio_repair(&offer, ANSWER), ANSWER, "{to}");
        }
        let rejected = ANSWER.replace("m=audio 9", "m=audio 0");
        assert_eq!(with_audio_repair(OFFER, &rejected), rejected);
        let other = ANSWER.replace("a=mid:0", "a=mid:2");
        assert_eq!(with_audio_repair(OFFER, &other), other);
    }
}
