//! RTP header extensions (RFC 8285): the elements, which of them mean what, and writing them.

use super::NoRoom;
use super::values::{AbsoluteCaptureTime, AudioLevel, identifier, number};

/// "defined by profile" of the one-byte form.
const ONE_BYTE: u16 = 0xbede;
/// "defined by profile" of the two-byte form; its lower four bits are the application's.
const TWO_BYTES: u16 = 0x1000;
/// Longest value of the one-byte form.
const MOST_ONE_BYTE: usize = 16;
/// Greatest identifier of the one-byte form; 15 ends it.
const LAST_ONE_BYTE: u8 = 14;

/// One element of a header extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// 1 to 14 in the one-byte form, 1 to 255 in the other.
    pub id: u8,
    /// What it says.
    pub data: &'a [u8],
}

/// Iterates over the elements of a header extension; ends at the first that is not whole.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    is_long: bool,
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(super) fn new(profile: Option<u16>, block: &'a [u8]) -> Self {
        match profile {
            Some(ONE_BYTE) => Self { is_long: false, rest: block },
            Some(profile) if profile & 0xfff0 == TWO_BYTES => Self { is_long: true, rest: block },
            _ => Self { is_long: false, rest: &[] },
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            // A byte of zero is padding in both forms.
            if *first == 0 {
                continue;
            }
            let (id, length) = if self.is_long {
                let (length, rest) = self.rest.split_first()?;
                self.rest = rest;
                (*first, usize::from(*length))
            } else {
                (first >> 4, usize::from(first & 0x0f) + 1)
            };
            if !self.is_long && id > LAST_ONE_BYTE {
                self.rest = &[];
                return None;
            }
            let Some((data, rest)) = self.rest.split_at_checked(length) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            // An identifier of zero with a length is reserved, and skipped.
            if id != 0 {
                return Some(Element { id, data });
            }
        }
    }
}

/// The header extensions that the router knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtensionKind {
    /// Which line of the session description a packet belongs to (RFC 9143).
    Mid,
    /// Which encoding (RFC 8852).
    Rid,
    /// Which encoding a retransmission is of (RFC 8852).
    RepairedRid,
    /// See [`AudioLevel`].
    AudioLevel,
    /// Quarter turns and camera (3GPP TS 26.114 section 7.4.5).
    VideoOrientation,
    /// See [`AbsoluteCaptureTime`].
    AbsoluteCaptureTime,
    /// Number of the packet in its transport (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportSequence,
    /// When a packet was sent, of which only reading is supported.
    AbsoluteSendTime,
    /// Dependencies of an AV1, VP9 or H.264 frame (AV1 RTP specification, appendix A).
    DependencyDescriptor,
}

impl ExtensionKind {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 9] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AudioLevel,
        Self::VideoOrientation,
        Self::AbsoluteCaptureTime,
        Self::TransportSequence,
        Self::AbsoluteSendTime,
        Self::DependencyDescriptor,
    ];

    /// Its name in `a=extmap`.
    #[must_use]
    pub fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::AbsoluteCaptureTime => {
                "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
            }
            Self::TransportSequence => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::AbsoluteSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// Which identifier stands for which kind on one line of one transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExtensionIds([u8; ExtensionKind::ALL.len()]);

impl ExtensionIds {
    /// Sets the identifier of a kind; 0 takes it away.
    pub fn set(&mut self, kind: ExtensionKind, id: u8) {
        if let Some(target) = self.0.get_mut(kind as usize) {
            *target = id;
        }
    }

    /// The identifier of a kind, 1 to 255, if it has one.
    #[must_use]
    #[inline]
    pub fn of(&self, kind: ExtensionKind) -> Option<u8> {
        self.0.get(kind as usize).copied().filter(|id| *id != 0)
    }

    fn kind(&self, id: u8) -> Option<ExtensionKind> {
        let at = self.0.iter().position(|known| *known == id)?;
        ExtensionKind::ALL.get(at).copied()
    }
}

/// An identifier of SDES form, 1 to 255 visible ASCII characters.
pub type Identifier<'a> = &'a [u8];

/// What the header extensions of a packet say; a value that is not well formed is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions<'a> {
    /// See [`ExtensionKind::Mid`].
    pub mid: Option<Identifier<'a>>,
    /// See [`ExtensionKind::Rid`].
    pub rid: Option<Identifier<'a>>,
    /// See [`ExtensionKind::RepairedRid`].
    pub repaired_rid: Option<Identifier<'a>>,
    /// See there.
    pub audio_level: Option<AudioLevel>,
    /// See [`ExtensionKind::VideoOrientation`]: 0 to 3 quarter turns in the lower bits, 4 mirrored, 8 the
    /// camera on the back.
    pub video_orientation: Option<u8>,
    /// See there.
    pub capture_time: Option<AbsoluteCaptureTime>,
    /// See [`ExtensionKind::TransportSequence`].
    pub transport_sequence: Option<u16>,
    /// See [`ExtensionKind::AbsoluteSendTime`]: 24 bits, in units of 2^-18 s. Never written.
    pub send_time: Option<u32>,
    /// See [`ExtensionKind::DependencyDescriptor`]: as it came.
    pub dependency_descriptor: Option<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    /// Reads all values that `ids` knows; of two elements of one kind the last counts.
    #[must_use]
    pub fn read(ids: &ExtensionIds, elements: Elements<'a>) -> Self {
        let mut read = Self::default();
        for Element { id, data } in elements {
            match ids.kind(id) {
                Some(ExtensionKind::Mid) => read.mid = identifier(data).ok(),
                Some(ExtensionKind::Rid) => read.rid = identifier(data).ok(),
                Some(ExtensionKind::RepairedRid) => read.repaired_rid = identifier(data).ok(),
                Some(ExtensionKind::AudioLevel) => read.audio_level = AudioLevel::read(data),
                Some(ExtensionKind::VideoOrientation) => {
                    read.video_orientation = data.first().copied();
                }
                Some(ExtensionKind::AbsoluteCaptureTime) => {
                    read.capture_time = AbsoluteCaptureTime::read(data);
                }
                Some(ExtensionKind::TransportSequence) => {
                    read.transport_sequence = number::<2>(data).map(|number| number as u16);
                }
                Some(ExtensionKind::AbsoluteSendTime) => read.send_time = number::<3>(data),
                Some(ExtensionKind::DependencyDescriptor) => {
                    read.dependency_descriptor = Some(data);
                }
                None => {}
            }
        }
        read
    }
}

/// Writes the header extension with its four leading bytes and returns its length: 0 without elements.
pub(super) fn write_block(
    buffer: &mut [u8],
    ids: &ExtensionIds,
    extensions: &Extensions<'_>,
) -> Result<usize, NoRoom> {
    let mut writer = BlockWriter { buffer, used: 4, is_long: needs_long_form(ids, extensions) };
    let capture_time = extensions.capture_time.map(AbsoluteCaptureTime::bytes);
    let audio_level = extensions.audio_level.map(|level| [level.byte()]);
    let orientation = extensions.video_orientation.map(|orientation| [orientation]);
    let transport_sequence = extensions.transport_sequence.map(u16::to_be_bytes);
    let capture_time = capture_time.as_ref().and_then(|(bytes, length)| bytes.get(..*length));
    let mut put = |kind, value: Option<&[u8]>| match (ids.of(kind), value) {
        (Some(id), Some(value)) => writer.put(id, value),
        _ => Ok(()),
    };
    put(ExtensionKind::Mid, extensions.mid)?;
    put(ExtensionKind::Rid, extensions.rid)?;
    put(ExtensionKind::RepairedRid, extensions.repaired_rid)?;
    put(ExtensionKind::AudioLevel, audio_level.as_ref().map(<[u8; 1]>::as_slice))?;
    put(ExtensionKind::VideoOrientation, orientation.as_ref().map(<[u8; 1]>::as_slice))?;
    put(ExtensionKind::AbsoluteCaptureTime, capture_time)?;
    put(ExtensionKind::TransportSequence, transport_sequence.as_ref().map(<[u8; 2]>::as_slice))?;
    put(ExtensionKind::DependencyDescriptor, extensions.dependency_descriptor)?;
    writer.finish()
}

/// Whether something in it does not fit the one-byte form (all elements of a packet have one form).
fn needs_long_form(ids: &ExtensionIds, extensions: &Extensions<'_>) -> bool {
    let is_long = |kind, length: usize| {
        ids.of(kind).is_some_and(|id| id > LAST_ONE_BYTE || !(1..=MOST_ONE_BYTE).contains(&length))
    };
    let texts = [
        (ExtensionKind::Mid, extensions.mid),
        (ExtensionKind::Rid, extensions.rid),
        (ExtensionKind::RepairedRid, extensions.repaired_rid),
        (ExtensionKind::DependencyDescriptor, extensions.dependency_descriptor),
    ];
    let numbers = [
        (ExtensionKind::AudioLevel, extensions.audio_level.is_some()),
        (ExtensionKind::VideoOrientation, extensions.video_orientation.is_some()),
        (ExtensionKind::AbsoluteCaptureTime, extensions.capture_time.is_some()),
        (ExtensionKind::TransportSequence, extensions.transport_sequence.is_some()),
    ];
    texts.iter().any(|(kind, text)| text.is_some_and(|text| is_long(*kind, text.len())))
        || numbers.iter().any(|(kind, is_there)| *is_there && is_long(*kind, 1))
}

struct BlockWriter<'a> {
    buffer: &'a mut [u8],
    used: usize,
    is_long: bool,
}

impl BlockWriter<'_> {
    fn put(&mut self, id: u8, value: &[u8]) -> Result<(), NoRoom> {
        let Ok(length) = u8::try_from(value.len()) else { return Ok(()) };
        let rest = self.buffer.get_mut(self.used..).ok_or(NoRoom)?;
        let head: &[u8] =
            if self.is_long { &[id, length] } else { &[id << 4 | length.wrapping_sub(1)] };
        let (target, rest) = rest.split_at_mut_checked(head.len()).ok_or(NoRoom)?;
        target.copy_from_slice(head);
        rest.get_mut(..value.len()).ok_or(NoRoom)?.copy_from_slice(value);
        self.used += head.len() + value.len();
        Ok(())
    }

    fn finish(self) -> Result<usize, NoRoom> {
        if self.used == 4 {
            return Ok(0);
        }
        let end = self.used.next_multiple_of(4);
        self.buffer.get_mut(self.used..end).ok_or(NoRoom)?.fill(0);
        let [p0, p1] = if self.is_long { TWO_BYTES } else { ONE_BYTE }.to_be_bytes();
        let [l0, l1] = ((end / 4 - 1) as u16).to_be_bytes();
        *self.buffer.first_chunk_mut().ok_or(NoRoom)? = [p0, p1, l0, l1];
        Ok(end)
    }
}
