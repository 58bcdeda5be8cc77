//! The flags of the program. It reads no environment and no file but standard input.

use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::{Long, Short, ValueExt as _};
use thiserror::Error;

use crate::client::MemberOptions;
use crate::media::{AudioOptions, VideoOptions};

/// What `--help` says.
const HELP: &str = "\
Usage: tertulia-load --url <server> [options] < plan.json

Clients with real ICE, DTLS and SRTP that join sessions, publish, subscribe and count.
`tertulia load` makes the plan and calls this program. The plan, on standard input:
  {\"sessions\": [{\"token\": \"...\", \"publishers\": 1, \"subscribers\": 10, \"participants\": 0}]}

  --url <server>         http://host:port
  --duration <s>         seconds of media after everybody is in (default 10, at most 600)
  --ramp <n>             clients that join per second; 0: all at once (default 20)
  --churn <n>            clients that leave and are replaced per second (default 0)
  --stay <s>             seconds after which a client leaves again, counted from its joining; the run
                         ends with the last (default: to the end of --duration)
  --bitrate <bit/s>      of each published video; 0: none (default 1000000)
  --frame-rate <n>       frames per second of each published video (default 30)
  --packet-bytes <n>     largest video packet (default 1150)
  --audio-bytes <n>      every audio packet; 0: none (default 100)
  --audio-frame <ms>     of each audio packet: 5, 10 or 20 (default 20, 50 packets per second)
  --streams <n>          streams that a client subscribes to at most (default 48)
  --loudest              clients take the loudest only where a session has many speakers, as browsers do
  --drop <percent>       received media packets that are dropped on purpose (default 0)
  --threads <n>          threads that carry the clients (default 1)
  --seed <n>             of everything random (default: any)
  --no-limits            more than 1,000 clients, 600 s, 50 Mbit/s, 200 joins per second
  --i-have-permission    load a server that is not on this machine: its operator agreed
  --json                 JSON lines: `ready`, `progress` every second, `result` last
  --help, --version";

const MAX_CLIENTS: usize = 1_000;
const MAX_DURATION_S: u32 = 600;
const MAX_BITRATE_BPS: u32 = 50_000_000;
const MAX_PER_SECOND: f64 = 200.0;

/// What to run with.
#[derive(Debug, Clone, PartialEq)]
pub struct Args {
    /// The server.
    pub url: String,
    /// Media after everybody is in.
    pub duration: Duration,
    /// Joins per second; 0 for no limit.
    pub ramp: f64,
    /// Leaves, and joins in their place, per second.
    pub churn: f64,
    /// How long a client stays; none: to the end.
    pub stay: Option<Duration>,
    /// Published video.
    pub video: Option<VideoOptions>,
    /// Published audio.
    pub audio: Option<AudioOptions>,
    /// Most subscriptions of a client.
    pub max_streams: usize,
    /// Which speakers of a large session clients take.
    pub speakers: Speakers,
    /// Share of media that is dropped on purpose, 0 to 1.
    pub drop_share: f64,
    /// Threads for clients.
    pub threads: usize,
    /// Of everything random.
    pub seed: Option<u64>,
    /// Beyond the bounds.
    pub no_limits: bool,
    /// Another machine may be loaded.
    pub has_permission: bool,
    /// For programs.
    pub json: bool,
}

/// Which speakers of a large session a client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speakers {
    /// All, each in a pair of its own.
    All,
    /// The loudest, in audio slots.
    Loudest,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// Run.
    Run(Box<Args>),
    /// Print this and end.
    Say(String),
}

/// A command line that makes no sense.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}; see tertulia-load --help")]
pub struct UsageError(pub String);

impl Args {
    /// Checks the number of clients against the bounds.
    pub fn check_clients(&self, clients: usize) -> Result<(), UsageError> {
        within(self.no_limits, "clients", clients, MAX_CLIENTS)
    }

    /// What a client is, but for its place in the plan.
    #[must_use]
    pub fn member(&self, role: crate::client::Role, token: &str, streams: usize) -> MemberOptions {
        MemberOptions {
            role,
            token: token.to_owned(),
            video: self.video,
            audio: self.audio,
            max_streams: self.max_streams,
            knows_audio_slots: self.speakers == Speakers::Loudest,
            expected_streams: streams.min(self.max_streams),
        }
    }
}

/// Parses a command line, the program's name first.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Parsed, UsageError> {
    let mut parser = lexopt::Parser::from_iter(words);
    let mut url = None;
    let (mut duration_s, mut ramp, mut churn, mut drop_percent) = (10.0, 20.0, 0.0, 0.0);
    let (mut bitrate_bps, mut frame_rate, mut packet_bytes) = (1_000_000, 30, 1_150);
    let (mut audio_bytes, mut max_streams, mut threads, mut seed) = (100, 48, 1, None);
    let (mut stay_s, mut audio_frame_ms) = (None, 20);
    let mut speakers = Speakers::All;
    let (mut no_limits, mut has_permission, mut json) = (false, false, false);
    while let Some(word) = parser.next().map_err(usage)? {
        match word {
            Long("url") => url = Some(text(&mut parser)?),
            Long("duration") => duration_s = number(&mut parser, "duration", 0.1..=1e6)?,
            Long("ramp") => ramp = number(&mut parser, "ramp", 0.0..=1e4)?,
            Long("churn") => churn = number(&mut parser, "churn", 0.0..=1e4)?,
            Long("stay") => stay_s = Some(number(&mut parser, "stay", 0.1..=1e6)?),
            Long("drop") => drop_percent = number(&mut parser, "drop", 0.0..=100.0)?,
            Long("bitrate") => bitrate_bps = number(&mut parser, "bitrate", 0..=1_000_000_000)?,
            Long("frame-rate") => frame_rate = number(&mut parser, "frame-rate", 1..=120)?,
            Long("packet-bytes") => {
                packet_bytes = number(&mut parser, "packet-bytes", 400..=1_200)?;
            }
            Long("audio-bytes") => audio_bytes = number(&mut parser, "audio-bytes", 0..=1_200)?,
            Long("audio-frame") => {
                audio_frame_ms = number(&mut parser, "audio-frame", 5..=20)?;
                if !AudioOptions::may_last(audio_frame_ms) {
                    let why = format!("--audio-frame: `{audio_frame_ms}` is not 5, 10 or 20");
                    return Err(UsageError(why));
                }
            }
            Long("streams") => max_streams = number(&mut parser, "streams", 0..=48)?,
            Long("loudest") => speakers = Speakers::Loudest,
            Long("threads") => threads = number(&mut parser, "threads", 1..=64)?,
            Long("seed") => seed = Some(number(&mut parser, "seed", 0..=u64::MAX)?),
            Long("no-limits") => no_limits = true,
            Long("i-have-permission") => has_permission = true,
            Long("json") => json = true,
            Long("help") | Short('h') => return Ok(Parsed::Say(HELP.into())),
            Long("version") => {
                return Ok(Parsed::Say(format!("tertulia-load {}", env!("CARGO_PKG_VERSION"))));
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    within(no_limits, "seconds of --duration", duration_s, f64::from(MAX_DURATION_S))?;
    within(no_limits, "bits per second of --bitrate", bitrate_bps, MAX_BITRATE_BPS)?;
    within(no_limits, "joins per second of --ramp", ramp, MAX_PER_SECOND)?;
    within(no_limits, "seconds of --stay", stay_s.unwrap_or(0.0), f64::from(MAX_DURATION_S))?;
    if stay_s.is_some() && churn > 0.0 {
        return Err(UsageError("--stay and --churn exclude each other".into()));
    }
    within(no_limits, "replacements per second of --churn", churn, MAX_PER_SECOND)?;
    Ok(Parsed::Run(Box::new(Args {
        url: url.ok_or_else(|| UsageError("--url is missing".into()))?,
        duration: Duration::from_secs_f64(duration_s),
        ramp,
        churn,
        stay: stay_s.map(Duration::from_secs_f64),
        video: (bitrate_bps > 0).then_some(VideoOptions { bitrate_bps, frame_rate, packet_bytes }),
        audio: (audio_bytes > 0)
            .then_some(AudioOptions { packet_bytes: audio_bytes, frame_ms: audio_frame_ms }),
        max_streams,
        speakers,
        drop_share: drop_percent / 100.0,
        threads,
        seed,
        no_limits,
        has_permission,
        json,
    })))
}

fn within<T: PartialOrd + Copy + std::fmt::Display>(
    no_limits: bool,
    what: &str,
    value: T,
    most: T,
) -> Result<(), UsageError> {
    if no_limits || value <= most {
        return Ok(());
    }
    Err(UsageError(format!("{value} {what} are beyond the limit of {most}; --no-limits lifts it")))
}

fn usage(error: impl std::fmt::Display) -> UsageError {
    UsageError(error.to_string())
}

fn text(parser: &mut lexopt::Parser) -> Result<String, UsageError> {
    parser.value().map_err(usage)?.string().map_err(usage)
}

fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    parser: &mut lexopt::Parser,
    flag: &str,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, UsageError> {
    let text = text(parser)?;
    text.parse().ok().filter(|value| range.contains(value)).ok_or_else(|| {
        UsageError(format!(
            "--{flag}: `{text}` is not between {} and {}",
            range.start(),
            range.end()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Parsed, String> {
        let words = std::iter::once("tertulia-load").chain(line.split_whitespace());
        parse(words.map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_flag_is_read() {
        let line = "--url http://x --duration 2.5 --ramp 0 --churn 3 --bitrate 2000000 --frame-rate 15 \
                    --packet-bytes 1000 --audio-bytes 0 --audio-frame 5 --streams 9 --loudest --drop 5 --threads 2 --seed 8 --no-limits \
                    --i-have-permission --json";
        let Ok(Parsed::Run(args)) = run(line) else { panic!("not run") };
        assert_eq!(args.duration, Duration::from_millis(2_500));
        assert_eq!((args.ramp, args.churn, args.drop_share), (0.0, 3.0, 0.05));
        let video = VideoOptions { bitrate_bps: 2_000_000, frame_rate: 15, packet_bytes: 1_000 };
        assert_eq!((args.video, args.audio), (Some(video), None));
        assert_eq!((args.max_streams, args.threads, args.seed), (9, 2, Some(8)));
        assert_eq!(args.stay, None);
        let Ok(Parsed::Run(short)) = run("--url x --stay 1.5 --audio-frame 10") else {
            panic!("not run")
        };
        assert_eq!(short.stay, Some(Duration::from_millis(1_500)));
        assert_eq!(short.audio, Some(AudioOptions { packet_bytes: 100, frame_ms: 10 }));
        assert!(args.no_limits && args.has_permission && args.json);
        assert_eq!((args.speakers, short.speakers), (Speakers::Loudest, Speakers::All));
    }

    #[test]
    fn nonsense_is_named() {
        for (line, part) in [
            ("", "--url is missing"),
            ("--url", "missing argument"),
            ("--url x --duration soon", "--duration: `soon`"),
            ("--url x --duration NaN", "--duration: `NaN`"),
            ("--url x --frame-rate 0", "--frame-rate: `0` is not between 1 and 120"),
            ("--url x --packet-bytes 9000", "--packet-bytes"),
            ("--url x --audio-frame 15", "--audio-frame: `15` is not 5, 10 or 20"),
            ("--url x --colour red", "--colour"),
            ("--url x --stay 5 --churn 1", "--stay and --churn exclude each other"),
        ] {
            let error = run(line).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn count_and_time_are_bounded_unless_told_otherwise() {
        for line in ["--duration 601", "--bitrate 50000001", "--ramp 201", "--churn 201"] {
            assert!(run(&format!("--url x {line}")).unwrap_err().contains("--no-limits"), "{line}");
            assert!(run(&format!("--url x {line} --no-limits")).is_ok(), "{line}");
        }
        let Ok(Parsed::Run(args)) = run("--url x") else { panic!("not run") };
        assert!(args.check_clients(1_000).is_ok());
        assert!(args.check_clients(1_001).unwrap_err().to_string().contains("1001 clients"));
    }
}
