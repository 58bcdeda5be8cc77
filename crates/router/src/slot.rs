//! A slot pair: two receive-only lines of a client that one stream at a time is forwarded into.

use std::time::Instant;

use crate::bandwidth::Sharing;
use crate::command::{Bind, BindingInfo, Bound, SlotPair, Source};
use crate::error::RouterError;
use crate::event::VideoFallback;
use crate::ids::{Generation, Kind, Mid, SlotIndex};
use crate::layers::{Budget, Layer, Need, Wishes, aim};
use crate::line::Line;

/// What becomes of the sound of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sound {
    /// Its audio line carries it.
    InPair,
    /// An audio slot carries it while it is among the loudest.
    OnStage,
    /// The pair is an audio slot: its audio line carries whoever is loudest, control binds nothing to it.
    Loudest,
}

/// A slot pair of a transport. While it has a source, its two lines are bound to the source's lines
/// of the same kind.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) index: SlotIndex,
    pub(crate) generation: Generation,
    /// How often it carried somebody as an audio slot; no binding of control's.
    pub(crate) turn: Generation,
    pub(crate) source: Option<Source>,
    pub(crate) audio: Line,
    pub(crate) video: Line,
    /// The picture that the subscriber would like.
    pub(crate) wishes: Wishes,
    /// What its network bears.
    pub(crate) budget: Budget,
    pub(crate) sharing: Sharing,
    /// The video is a screen.
    pub(crate) is_screen: bool,
    sound: Sound,
    audio_paused: bool,
    video_paused: bool,
}

impl Slot {
    /// A free pair; the seeds start the numbers of its lines.
    pub(crate) fn new(pair: SlotPair, audio_seed: u64, video_seed: u64) -> Self {
        Self {
            index: pair.slot,
            generation: Generation::default(),
            turn: Generation::default(),
            source: None,
            audio: Line::new(pair.audio_mid, Kind::Audio, audio_seed),
            video: Line::new(pair.video_mid, Kind::Video, video_seed),
            wishes: Wishes::default(),
            budget: Budget::default(),
            sharing: Sharing::default(),
            is_screen: false,
            sound: Sound::InPair,
            audio_paused: false,
            video_paused: false,
        }
    }

    pub(crate) fn info(&self) -> BindingInfo {
        BindingInfo {
            slot: self.index,
            audio_mid: self.audio.mid,
            video_mid: self.video.mid,
            generation: self.generation,
            source: self.source,
            audio_paused: self.audio_paused,
            video_paused: self.video_paused,
            wishes: self.wishes,
            video_fallback: self.sharing.told(),
        }
    }

    pub(crate) fn line(&self, kind: Kind) -> &Line {
        match kind {
            Kind::Audio => &self.audio,
            Kind::Video => &self.video,
        }
    }

    pub(crate) fn line_mut(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }

    /// Whether a binding may start; checked before anything is changed.
    pub(crate) fn may_bind(&self, asked: Generation) -> Result<(), RouterError> {
        let newest = self.generation;
        if self.source.is_some() || self.is_audio_slot() {
            return Err(RouterError::SlotBound { slot: self.index, generation: newest });
        }
        if asked <= newest {
            return Err(RouterError::StaleGeneration { asked, newest });
        }
        Ok(())
    }

    pub(crate) fn bind(&mut self, now: Instant, bind: &Bind) -> Bound {
        self.generation = bind.generation;
        self.source = Some(bind.source);
        (self.audio_paused, self.video_paused) = (bind.audio_paused, bind.video_paused);
        (self.wishes, self.budget) = (bind.wishes, Budget::default());
        self.sharing = Sharing::new(bind.audio_fallback);
        self.is_screen = bind.is_screen;
        let source = bind.source;
        Bound {
            audio_rtp_timestamp: source.audio_mid.map(|_| self.audio.bind(now, bind.audio_paused)),
            video_rtp_timestamp: source.video_mid.map(|_| self.video.bind(now, bind.video_paused)),
        }
    }

    /// Frees the pair and returns what it was bound to.
    pub(crate) fn unbind(&mut self) -> Option<Source> {
        self.audio.unbind();
        self.video.unbind();
        (self.audio_paused, self.video_paused) = (false, false);
        if self.sound == Sound::OnStage {
            self.sound = Sound::InPair;
        }
        self.source.take()
    }

    /// An audio slot carries this from now on. Returns the first timestamp that it can have.
    pub(crate) fn carry(&mut self, now: Instant, audio: Source) -> u32 {
        self.turn = Generation(self.turn.0.wrapping_add(1));
        self.source = Some(audio);
        self.audio.bind(now, false)
    }

    /// The sound of what is bound leaves its pair, or comes back.
    pub(crate) fn set_staged(&mut self, is_staged: bool) {
        self.sound = if is_staged { Sound::OnStage } else { Sound::InPair };
        self.audio.set_paused(self.audio_paused || is_staged);
    }

    /// The pair becomes an audio slot, or an ordinary pair again.
    pub(crate) fn set_audio_slot(&mut self, is_one: bool) {
        self.sound = if is_one { Sound::Loudest } else { Sound::InPair };
    }

    /// Whether it carries whoever is loudest.
    pub(crate) fn is_audio_slot(&self) -> bool {
        self.sound == Sound::Loudest
    }

    /// Whether an audio slot may carry what is bound.
    pub(crate) fn is_wanted_on_stage(&self) -> bool {
        self.sound == Sound::OnStage && !self.audio_paused
    }

    /// Sets both flags. Returns what there is to tell of the video.
    pub(crate) fn pause(&mut self, audio: bool, video: bool) -> Option<VideoFallback> {
        (self.audio_paused, self.video_paused) = (audio, video);
        self.audio.set_paused(audio || self.sound == Sound::OnStage);
        let news = if video { self.sharing.pause() } else { None };
        if news.is_some() {
            self.budget = Budget::default();
        }
        self.hold_video();
        news
    }

    /// Whether the subscriber has a video here and has not turned it off.
    pub(crate) fn wants_video(&self) -> bool {
        !self.video_paused && self.source_mid(Kind::Video).is_some()
    }

    /// Sets what the subscriber's network bears of the video.
    pub(crate) fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
        self.hold_video();
    }

    fn hold_video(&mut self) {
        self.video.set_paused(self.video_paused || self.budget == Budget::Nothing);
    }

    /// Chooses of the layers of the bound video. Returns what the slot needs of them, and whether it
    /// follows another encoding than before.
    pub(crate) fn choose(&mut self, layers: &[Layer]) -> (Need, bool) {
        let has_changed = self.video.set_aim(aim(layers, self.wishes, self.budget));
        (self.video.need(), has_changed)
    }

    /// The publisher's line of this kind.
    pub(crate) fn source_mid(&self, kind: Kind) -> Option<Mid> {
        let source = self.source?;
        match kind {
            Kind::Audio => source.audio_mid,
            Kind::Video => source.video_mid,
        }
    }
}
