//! The flags of the program. It reads no environment and no file.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::{Long, Short, ValueExt as _};
use thiserror::Error;
use tracing::level_filters::LevelFilter;

use crate::impair::Conditions;

/// What `--help` says.
const HELP: &str = "\
Usage: tertulia-router --link <path> --bind <ip>[,<ip>...] --port <port> [options]

  --link <path>            Unix socket on which control is served (created with mode 0600)
  --bind <ip>[,<ip>...]    local addresses; 0.0.0.0 and :: stand for all of this machine
  --port <port>            UDP and TCP port, the same on every address; 0 for any free one
  --shards <n>             threads that move packets, 1 to 64 (default: one per core)
  --group-share <n>        transports that a shard takes of one session before the session
                           spreads over several (default: 16)
  --local-only             take datagrams of this machine alone, whatever the address
  --public-address <ip>    what clients are told instead of the local address (1:1 NAT);
                           may be repeated
  --supervisor-pid <pid>   parent process; with it and control gone, the router exits
  --supervisor-lock <file> locked while any supervisor lives, for the case that another took over
  --orphan-grace <s>       seconds without a supervisor before that (default: 60)
  --impair <conditions>    make the network bad on purpose, as in loss=20,delay=150; clients
                           are then offered UDP alone
  --log <level>            error, warn, info (default), debug or trace
  --help, --version";

/// Most shards: each has a ring to each other one.
pub const MAX_SHARDS: usize = 64;
/// With everybody in a session of 16 publishing to everybody, a shard moves about 25,000 packets a
/// second, well within one core.
const GROUP_SHARE: usize = 16;

/// Enough for whoever watches the server to start another supervisor.
const ORPHAN_GRACE_S: u64 = 60;

/// What to run with.
#[derive(Debug, Clone, PartialEq)]
pub struct Args {
    /// Path of the router link.
    pub link: PathBuf,
    /// Local addresses, in the order given; may be wildcards.
    pub bind: Vec<IpAddr>,
    /// UDP and TCP port, 0 for any free one.
    pub port: u16,
    /// Threads that move packets, 1 to [`MAX_SHARDS`].
    pub shards: usize,
    /// Transports that a shard takes of one group before the group spreads, at least 1.
    pub group_share: usize,
    /// Whether datagrams from other machines are dropped.
    pub local_only: bool,
    /// Addresses that clients are told instead of the local ones.
    pub public_addresses: Vec<IpAddr>,
    /// The process that started this one and watches it.
    pub supervisor_pid: Option<u32>,
    /// The file that a living supervisor holds locked.
    pub supervisor_lock: Option<PathBuf>,
    /// How long media goes on at least when the supervisor is gone.
    pub orphan_grace: Duration,
    /// How bad the network is made, for development.
    pub impair: Option<Conditions>,
    /// What is logged.
    pub log: LevelFilter,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// Run the router.
    Run(Box<Args>),
    /// Print this and end.
    Say(String),
}

/// A command line that makes no sense.
#[derive(Debug, Error)]
#[error("{0}; see tertulia-router --help")]
pub struct UsageError(String);

/// Parses a command line, the program's name first.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Parsed, UsageError> {
    let mut parser = lexopt::Parser::from_iter(words);
    let (mut link, mut bind, mut port) = (None, Vec::new(), None);
    let (mut public_addresses, mut supervisor_pid) = (Vec::new(), None);
    let (mut local_only, mut supervisor_lock) = (false, None);
    let (mut shards, mut group_share) = (default_shards(), GROUP_SHARE);
    let mut orphan_grace = Duration::from_secs(ORPHAN_GRACE_S);
    let (mut impair, mut log) = (None, LevelFilter::INFO);
    while let Some(word) = parser.next().map_err(usage)? {
        match word {
            Long("link") => link = Some(PathBuf::from(parser.value().map_err(usage)?)),
            Long("bind") => bind.extend(addresses(&text(&mut parser)?)?),
            Long("port") => port = Some(number(&mut parser, "port")?),
            Long("shards") => shards = within(&mut parser, "shards", MAX_SHARDS)?,
            Long("group-share") => {
                group_share = within(&mut parser, "group-share", usize::MAX)?;
            }
            Long("local-only") => local_only = true,
            Long("public-address") => public_addresses.extend(addresses(&text(&mut parser)?)?),
            Long("supervisor-pid") => {
                supervisor_pid = Some(number(&mut parser, "supervisor-pid")?);
            }
            Long("supervisor-lock") => {
                supervisor_lock = Some(PathBuf::from(parser.value().map_err(usage)?));
            }
            Long("orphan-grace") => {
                let seconds = number(&mut parser, "orphan-grace")?;
                orphan_grace = Duration::try_from_secs_f64(seconds)
                    .map_err(|e| UsageError(format!("--orphan-grace: {e}")))?;
            }
            Long("impair") => {
                let conditions = text(&mut parser)?.parse();
                impair = Some(conditions.map_err(|e| UsageError(format!("--impair: {e}")))?);
            }
            Long("log") => {
                let level = text(&mut parser)?;
                log = LevelFilter::from_str(&level)
                    .map_err(|_| UsageError(format!("`{level}` is no log level")))?;
            }
            Long("help") | Short('h') => return Ok(Parsed::Say(HELP.into())),
            Long("version") => {
                return Ok(Parsed::Say(format!("tertulia-router {}", env!("CARGO_PKG_VERSION"))));
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    let missing = |flag: &str| UsageError(format!("{flag} is missing"));
    if bind.is_empty() {
        return Err(missing("--bind"));
    }
    Ok(Parsed::Run(Box::new(Args {
        link: link.ok_or_else(|| missing("--link"))?,
        bind,
        port: port.ok_or_else(|| missing("--port"))?,
        shards,
        group_share,
        local_only,
        public_addresses,
        supervisor_pid,
        supervisor_lock,
        orphan_grace,
        impair,
        log,
    })))
}

/// One per core. Elsewhere than on Linux the kernel does not spread datagrams over sockets.
fn default_shards() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cfg!(target_os = "linux") { cores.min(MAX_SHARDS) } else { 1 }
}

fn within(parser: &mut lexopt::Parser, name: &str, most: usize) -> Result<usize, UsageError> {
    match number(parser, name)? {
        count if (1..=most).contains(&count) => Ok(count),
        count => Err(UsageError(format!("--{name}: {count} is not between 1 and {most}"))),
    }
}

fn usage(error: impl std::fmt::Display) -> UsageError {
    UsageError(error.to_string())
}

fn text(parser: &mut lexopt::Parser) -> Result<String, UsageError> {
    parser.value().map_err(usage)?.string().map_err(usage)
}

fn number<T: FromStr>(parser: &mut lexopt::Parser, flag: &str) -> Result<T, UsageError> {
    let text = text(parser)?;
    text.parse().map_err(|_| UsageError(format!("--{flag}: `{text}` is not a valid number")))
}

fn addresses(list: &str) -> Result<Vec<IpAddr>, UsageError> {
    let parse = |word: &str| {
        word.trim().parse().map_err(|_| UsageError(format!("`{word}` is no IP address")))
    };
    list.split(',').map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Parsed, String> {
        let words = std::iter::once("tertulia-router").chain(line.split_whitespace());
        parse(words.map(OsString::from)).map_err(|e| e.to_string())
    }

    #[test]
    fn every_flag_is_read() {
        let line = "--link /l.sock --bind 127.0.0.1,::1 --port 0 --public-address 203.0.113.7 \
                    --public-address 2001:db8::7 --supervisor-pid 12 --supervisor-lock /run/s --log debug --orphan-grace 2.5 --shards 3 --group-share 2 --local-only \
                    --impair loss=20,up.delay=150";
        let Ok(Parsed::Run(args)) = run(line) else { panic!("not run") };
        assert_eq!(args.link, PathBuf::from("/l.sock"));
        assert_eq!(args.bind.len(), 2);
        assert_eq!((args.port, args.supervisor_pid), (0, Some(12)));
        assert_eq!(args.supervisor_lock, Some(PathBuf::from("/run/s")));
        assert_eq!(args.orphan_grace, Duration::from_millis(2_500));
        assert_eq!(args.public_addresses.len(), 2);
        assert_eq!(args.log, LevelFilter::DEBUG);
        assert!(args.local_only);
        assert_eq!(args.impair, Some("loss=20,up.delay=150".parse().unwrap()));
        assert_eq!((args.shards, args.group_share), (3, 2));
    }

    #[test]
    fn nonsense_is_named() {
        assert!(run("--bind 127.0.0.1 --port 1").unwrap_err().contains("--link is missing"));
        assert!(run("--link x --port 1").unwrap_err().contains("--bind is missing"));
        assert!(run("--link x --bind nowhere").unwrap_err().contains("`nowhere` is no IP address"));
        for flags in ["--shards 0", "--shards 65", "--group-share 0"] {
            assert!(run(flags).unwrap_err().contains("is not between 1 and"), "{flags}");
        }
        let misspelt = run("--impair los=20").unwrap_err();
        assert!(
            misspelt.contains("--impair: there is no `los`; did you mean `loss`?"),
            "{misspelt}"
        );
        assert!(run("--port 70000").unwrap_err().contains("--port"));
        assert!(run("--colour red").unwrap_err().contains("--colour"));
    }
}
