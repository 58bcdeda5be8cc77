//! Serving the newest control: accepting, reading requests, writing replies and events.

use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, thread};

use tertulia_router_core::Event;

use super::message::{
    self, Hello, HelloReply, Malformed, OLDEST_VERSION, Refusal, Reply, Request, VERSION,
};
use super::outbox::{Item, Outbox};
use crate::shards::Shards;

/// The path of the link cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A live router has it.
    #[error("another router already serves {}; stop it or choose another --link", .0.display())]
    Served(PathBuf),
    /// Anything else.
    #[error("the link {} cannot be created ({cause}); check that its folder exists and is writable", .path.display())]
    Failed {
        /// The path.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// What the router tells of itself.
#[derive(Debug, Clone)]
pub struct RouterFacts {
    /// The UDP port of every address.
    pub udp_port: u16,
    /// What clients are told.
    pub public_addresses: Vec<String>,
}

/// The listening link and the control that is served.
pub struct Link {
    facts: RouterFacts,
    shards: Arc<Shards>,
    served: Mutex<Option<Connection>>,
}

#[derive(Clone)]
struct Connection {
    stream: Arc<UnixStream>,
    outbox: Arc<Outbox>,
}

impl Connection {
    fn close(&self) {
        self.outbox.close();
        // Already closed by the other side is closed too.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Link {
    /// A link that gives requests to these shards.
    #[must_use]
    pub fn new(facts: RouterFacts, shards: Arc<Shards>) -> Arc<Self> {
        Arc::new(Self { facts, shards, served: Mutex::default() })
    }

    /// Listens on `path`, replacing a socket that nobody serves, and starts to accept.
    pub fn listen(self: &Arc<Self>, path: &Path) -> Result<(), LinkError> {
        if UnixStream::connect(path).is_ok() {
            return Err(LinkError::Served(path.to_owned()));
        }
        let failed = |cause| LinkError::Failed { path: path.to_owned(), cause };
        let listener = bind_private(path).map_err(failed)?;
        let link = Arc::clone(self);
        spawn("link-accept", move || link.accept(&listener)).map_err(failed)
    }

    /// Sends events to the control that is served; without one they are lost, and the next control
    /// lists.
    pub fn send_events(&self, events: impl IntoIterator<Item = Event>) {
        if let Some(connection) = &*self.served() {
            connection.outbox.push_events(events);
        }
    }

    /// Whether a control is there.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.served().is_some()
    }

    fn served(&self) -> MutexGuard<'_, Option<Connection>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &UnixListener) {
        for stream in listener.incoming() {
            let started = stream.and_then(|stream| self.start(stream));
            if let Err(error) = started {
                tracing::warn!(%error, "control connection refused");
            }
        }
    }

    fn start(self: &Arc<Self>, stream: UnixStream) -> io::Result<()> {
        let writing_half = stream.try_clone()?;
        let connection =
            Connection { stream: Arc::new(stream), outbox: Arc::new(Outbox::default()) };
        let (link, reading) = (Arc::clone(self), connection.clone());
        spawn("link-read", move || {
            if let Err(error) = link.read(&reading) {
                tracing::warn!(%error, "control connection broken");
            }
            link.leave(&reading);
        })?;
        spawn("link-write", move || {
            if write(writing_half, &connection.outbox).is_err() {
                connection.close();
            }
        })
    }

    fn read(&self, connection: &Connection) -> io::Result<()> {
        let mut is_greeted = false;
        while let Some(bytes) = message::read_frame(&mut &*connection.stream)? {
            connection.outbox.wait_for_room();
            let (id, request) = match Request::decode(&bytes) {
                Ok(request) => request,
                Err(Malformed::Request(id, refusal)) => {
                    answer(&connection.outbox, id, &Err(refusal));
                    continue;
                }
                Err(Malformed::Envelope(cause)) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
                }
            };
            match request {
                Request::Hello(hello) => {
                    let reply = self.hello(hello);
                    if reply.is_ok() && !is_greeted {
                        is_greeted = true;
                        self.take_over(connection);
                    }
                    answer(&connection.outbox, id, &reply);
                }
                _ if !is_greeted => {
                    let message = "The first message must be hello; send it.";
                    answer(&connection.outbox, id, &Err(Refusal::new("invalid_request", message)));
                }
                request => {
                    self.shards.dispatch(id, request, &connection.outbox)?;
                }
            }
        }
        Ok(())
    }

    fn hello(&self, hello: Hello) -> Result<Reply, Refusal> {
        let version = hello.version.min(VERSION);
        if hello.version < OLDEST_VERSION || hello.oldest_version > version {
            let message = format!(
                "The router speaks versions {OLDEST_VERSION} to {VERSION} and control asked for {} \
                 to {}; run both from one release.",
                hello.oldest_version, hello.version
            );
            return Err(Refusal::new("version_not_supported", message));
        }
        Ok(Reply::Hello(HelloReply {
            version,
            router_version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            udp_port: self.facts.udp_port,
            public_addresses: self.facts.public_addresses.clone(),
        }))
    }

    /// The newest control is the one that is served.
    fn take_over(&self, connection: &Connection) {
        if let Some(former) = self.served().replace(connection.clone()) {
            former.close();
        }
        tracing::info!("control connected");
    }

    fn leave(&self, connection: &Connection) {
        connection.close();
        let mut served = self.served();
        if served.as_ref().is_some_and(|s| Arc::ptr_eq(&s.stream, &connection.stream)) {
            *served = None;
            tracing::info!("control disconnected");
        }
    }
}

/// Queues a reply.
pub(crate) fn answer(outbox: &Outbox, id: u64, outcome: &Result<Reply, Refusal>) {
    match message::encode_reply(id, outcome) {
        Ok(body) if body.len() <= message::MAX_FRAME_BYTES => outbox.push_reply(body),
        Ok(body) => {
            tracing::error!(bytes = body.len(), "reply larger than a frame");
            let refusal = Refusal::new("limit_reached", "The reply is larger than a frame.");
            if let Ok(body) = message::encode_reply(id, &Err(refusal)) {
                outbox.push_reply(body);
            }
        }
        Err(error) => tracing::error!(%error, "reply not encoded"),
    }
}

fn write(mut stream: UnixStream, outbox: &Outbox) -> io::Result<()> {
    while let Some(item) = outbox.next() {
        let body = match item {
            Item::Reply(body) => body,
            Item::Events(batch) => message::encode_events(&batch).map_err(io::Error::other)?,
        };
        stream.write_all(&message::frame(&body))?;
    }
    Ok(())
}

/// Binds under another name, makes the socket private, then gives it its name: at no moment can
/// anybody else connect, and a stale socket is replaced.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let hidden = path.with_file_name(name);
    match fs::remove_file(&hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&hidden)?;
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600))?;
    fs::rename(&hidden, path)?;
    Ok(listener)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body).map(drop)
}
