//! The dependency descriptor, which the engine does not answer (RTP Payload Format For AV1, appendix A).

use std::fmt::Write as _;

use super::answer::sections;
use crate::rtp::ExtensionKind;

/// Says that packets may have header extensions of either form (RFC 8285 section 6): descriptors of key
/// frames are longer than the shorter form allows.
const ALLOW_MIXED: &str = "a=extmap-allow-mixed";

/// The engine's answer, where each video line also accepts the descriptor that was offered for it.
pub(crate) fn with_dependencies(offer: &str, answer: &str) -> String {
    let uri = ExtensionKind::DependencyDescriptor.uri();
    let has = |section: &str, wanted: &str| section.lines().any(|line| line.trim_end() == wanted);
    let is_mixed = sections(offer).next().is_some_and(|session| has(session, ALLOW_MIXED));
    let mut text = String::with_capacity(answer.len() + 256);
    for (place, section) in sections(answer).enumerate() {
        text.push_str(section);
        if place == 0 && is_mixed && !has(section, ALLOW_MIXED) {
            let _ = write!(text, "{ALLOW_MIXED}\r\n");
        }
        if !section.starts_with("m=video") || section.starts_with("m=video 0 ") {
            continue;
        }
        let offered = sections(offer).find(|o| mid(o).is_some() && mid(o) == mid(section));
        let id = offered.and_then(|offered| extension_id(offered, uri));
        if let Some(id) = id.filter(|_| extension_id(section, uri).is_none()) {
            let _ = write!(text, "a=extmap:{id} {uri}\r\n");
        }
    }
    text
}

fn mid(section: &str) -> Option<&str> {
    section.lines().find_map(|line| line.strip_prefix("a=mid:")).map(str::trim)
}

/// The identifier that a section has for an extension, 1 to 255.
fn extension_id(section: &str, uri: &str) -> Option<u8> {
    section.lines().find_map(|line| {
        let (id, rest) = line.strip_prefix("a=extmap:")?.split_once(' ')?;
        let is_meant = rest.split_ascii_whitespace().next() == Some(uri);
        let id = id.split('/').next()?.parse().ok().filter(|id| *id > 0);
        id.filter(|_| is_meant)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

    #[test]
    fn what_a_video_line_offers_is_accepted_once_and_nothing_else() {
        let offer = format!(
            "v=0\r\na=extmap-allow-mixed\r\nm=audio 9 X 111\r\na=mid:0\r\na=extmap:12 {URI}\r\n\
             m=video 9 X 98\r\na=mid:1\r\na=extmap:12/sendrecv {URI}\r\n\
             m=video 9 X 98\r\na=mid:2\r\na=extmap:3 urn:3gpp:video-orientation\r\n"
        );
        let answer = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\nm=video 9 X 98\r\na=mid:1\r\n\
                      m=video 9 X 98\r\na=mid:2\r\n";
        let expected = format!(
            "v=0\r\na=extmap-allow-mixed\r\nm=audio 9 X 111\r\na=mid:0\r\n\
             m=video 9 X 98\r\na=mid:1\r\na=extmap:12 {URI}\r\nm=video 9 X 98\r\na=mid:2\r\n"
        );
        let finished = with_dependencies(&offer, answer);
        assert_eq!(finished, expected);
        assert_eq!(with_dependencies(&offer, &finished), expected);
        let rejected = answer.replace("m=video 9", "m=video 0");
        assert!(!with_dependencies(&offer, &rejected).contains(URI));
    }
}
