//! A WebSocket to the server that never blocks: connect, handshake, frames.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use super::message::ServerFrame;

/// Frames beyond this size are a broken server: offers, the greatest of them, have 256 KB at most, and a list of all
/// members of a large session somewhat more.
const MAX_FRAME_BYTES: usize = 16 << 20;

/// Where the server is.
#[derive(Debug, Clone)]
pub struct Server {
    /// `ws://host:port/signalling`.
    pub url: String,
    /// What `host` stands for.
    pub address: SocketAddr,
}

impl Server {
    /// Reads `http://`, `ws://` and so on, and looks the host up. The error is a sentence.
    pub fn find(url: &str) -> Result<Self, String> {
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| format!("`{url}` is no http:// address"))?;
        let default_port = match scheme {
            "http" | "ws" => 80,
            _ => return Err(format!("`{scheme}://` is not supported; use http://")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() || authority.contains('@') {
            return Err(format!("`{url}` names no host"));
        }
        let has_port = authority.rsplit(']').next().is_some_and(|tail| tail.contains(':'));
        let full =
            if has_port { authority.to_owned() } else { format!("{authority}:{default_port}") };
        let address = full
            .to_socket_addrs()
            .map_err(|error| format!("the host of `{url}` was not found ({error})"))?
            .min_by_key(SocketAddr::is_ipv6)
            .ok_or_else(|| format!("the host of `{url}` has no address"))?;
        Ok(Self { url: format!("ws://{authority}/signalling"), address })
    }
}

/// The socket is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// No connection came about.
    #[error("no server answers at {0} ({1}); start it or correct --url")]
    Away(SocketAddr, io::Error),
    /// Something answered that is not a Tertulia server.
    #[error("what answers there is no Tertulia server ({0}); correct --url")]
    NoServer(String),
    /// The connection ended.
    #[error("the connection to the server was lost ({0})")]
    Lost(String),
}

/// How the server closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// WebSocket close code, 1006 without one.
    pub code: u16,
}

/// The socket.
pub struct Socket {
    state: State,
    server: SocketAddr,
    /// Of our end, once it is connected.
    local: Option<IpAddr>,
    /// Frames that wait for the handshake.
    waiting: Vec<String>,
}

enum State {
    Connecting(TcpStream, String),
    Handshaking(Box<MidHandshake<ClientHandshake<TcpStream>>>),
    Open(Box<WebSocket<TcpStream>>),
    Closed,
}

impl Socket {
    /// Begins to connect.
    pub fn open(server: &Server, registry: &Registry, token: Token) -> Result<Self, SocketError> {
        let away = |error| SocketError::Away(server.address, error);
        let mut stream = TcpStream::connect(server.address).map_err(away)?;
        registry
            .register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)
            .map_err(away)?;
        Ok(Self {
            state: State::Connecting(stream, server.url.clone()),
            server: server.address,
            local: None,
            waiting: Vec::new(),
        })
    }

    /// The address from which this machine reaches the server.
    #[must_use]
    pub fn local_ip(&self) -> Option<IpAddr> {
        self.local
    }

    /// Sends a frame, or keeps it until the socket takes it.
    pub fn send(&mut self, frame: String) -> Result<(), SocketError> {
        let State::Open(socket) = &mut self.state else {
            self.waiting.push(frame);
            return Ok(());
        };
        match socket.send(Message::text(frame)) {
            Ok(()) => Ok(()),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(SocketError::Lost(error.to_string())),
        }
    }

    /// Does what is possible now and adds what came to `frames`. Returns how the server closed, if it did.
    pub fn drive(&mut self, frames: &mut Vec<ServerFrame>) -> Result<Option<Close>, SocketError> {
        self.advance()?;
        let State::Open(socket) = &mut self.state else { return Ok(None) };
        match socket.flush() {
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            // What was received before the end is still to be read.
            _ => {}
        }
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => {
                    let frame = serde_json::from_str(text.as_str()).map_err(|error| {
                        SocketError::NoServer(format!("a frame was not understood: {error}"))
                    })?;
                    frames.push(frame);
                }
                Ok(Message::Close(close)) => {
                    return Ok(Some(Close { code: close.map_or(1006, |c| c.code.into()) }));
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(SocketError::Lost(error.to_string())),
            }
        }
    }

    fn advance(&mut self) -> Result<(), SocketError> {
        let away = |error| SocketError::Away(self.server, error);
        let result = match std::mem::replace(&mut self.state, State::Closed) {
            State::Connecting(stream, url) => {
                if let Some(error) = stream.take_error().map_err(away)? {
                    return Err(away(error));
                }
                match stream.peer_addr() {
                    Err(error) if error.kind() == ErrorKind::NotConnected => {
                        self.state = State::Connecting(stream, url);
                        return Ok(());
                    }
                    Err(error) => return Err(away(error)),
                    Ok(_) => {}
                }
                self.local = stream.local_addr().ok().map(|address| address.ip());
                let _ = stream.set_nodelay(true);
                let config = WebSocketConfig::default()
                    .max_message_size(Some(MAX_FRAME_BYTES))
                    .max_frame_size(Some(MAX_FRAME_BYTES));
                tungstenite::client::client_with_config(url, stream, Some(config))
            }
            State::Handshaking(middle) => middle.handshake(),
            other => {
                self.state = other;
                return Ok(());
            }
        };
        match result {
            Ok((socket, _)) => {
                self.state = State::Open(Box::new(socket));
                for frame in std::mem::take(&mut self.waiting) {
                    self.send(frame)?;
                }
                Ok(())
            }
            Err(HandshakeError::Interrupted(middle)) => {
                self.state = State::Handshaking(Box::new(middle));
                Ok(())
            }
            Err(HandshakeError::Failure(Error::Io(error))) => {
                Err(SocketError::Lost(error.to_string()))
            }
            Err(HandshakeError::Failure(error)) => Err(SocketError::NoServer(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nonsense_is_named() {
        let found = Server::find("http://127.0.0.1:8080/playground?x=1").unwrap();
        assert_eq!(found.url, "ws://127.0.0.1:8080/signalling");
        assert_eq!(found.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(Server::find("ws://127.0.0.1").unwrap().address.port(), 80);
        assert_eq!(Server::find("http://[::1]:9").unwrap().address, "[::1]:9".parse().unwrap());
        for (url, part) in [
            ("127.0.0.1:8080", "no http://"),
            ("ftp://127.0.0.1", "not supported"),
            ("http://", "names no host"),
            ("http://a@b", "names no host"),
        ] {
            let error = Server::find(url).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
