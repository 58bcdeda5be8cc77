//! DTLS behind a doorkeeper: what the handshake library never needs to see does not reach it.
//!
//! Before its end, a handshake over UDP is unauthenticated: whoever writes the client's address into
//! a datagram can speak in it. The library commits itself to the first `ClientHello` that comes, and
//! holds an error of the peer for the end of the association. So a doorkeeper stands in front:
//!
//! - A `ClientHello` is answered with a cookie (RFC 6347 section 4.2.1), always the same bytes, and only
//!   one that brings the cookie back goes on. Who forges an address cannot see the cookie.
//! - Of the flight that follows, only messages in their places are let through, a certificate only if
//!   it is the one whose fingerprint the offer named, a key exchange only if that certificate signed it
//!   (see `flight.rs`). Alerts without encryption are nobody's word.
//!
//! The cookie is bound to the association and not to one `ClientHello`: the client takes the first
//! cookie request and ignores others, and a forged `ClientHello` must not spoil it. It says what a
//! cookie is to say: the client receives what is sent to its address. See
//! `docs/decisions/router-dtls-doorkeeper.md`.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use dimpl::CryptoError as DtlsCryptoError;
use dimpl::crypto::{HashAlgorithm, HmacProvider, aws_lc_rs};
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial,
    ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider};

use super::flight::Flight;
use super::records::{Handshake, Record, records};

/// At most one cookie request per this time, whoever asks.
const COOKIE_INTERVAL: Duration = Duration::from_millis(5);

/// A flight that is not answered leaves again after this long, then after twice as long, and so on. RFC 6347 section 4.2.4.1
/// recommends a second where nothing is known of the network; browsers take 50 ms. The library answers a client's repeats
/// no sooner either.
const FIRST_REPEAT: Duration = Duration::from_millis(100);

/// More than fit into the time that a handshake has.
const REPEATS: usize = 12;

/// What the engine has to know of its DTLS, and the reverse.
#[derive(Debug, Default)]
pub(super) struct Association {
    /// The time of the datagram that is being handled.
    pub(super) now: Option<Instant>,
    /// SHA-256 of the client's certificate as the offer names it.
    pub(super) fingerprint: Option<[u8; 32]>,
    /// Where the SRTP keys are put once, when the handshake is over.
    pub(super) keys: Option<(KeyingMaterial, SrtpProfile)>,
    /// Datagrams and records that were not let through.
    pub(super) refused: u64,
    /// The handshake cannot come to an end any more.
    pub(super) failure: Option<String>,
}

/// An [`Association`] that the engine and its DTLS share; both are on one thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Association>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Association> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// str0m asks a process-wide provider for its DTLS while it is built; this is how the engine
    /// that builds it gets hold of the association.
    static NEWEST: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

/// The association of the newest engine that this thread built.
pub(super) fn take_newest() -> Shared {
    NEWEST.take().unwrap_or_default()
}

/// A crypto provider whose DTLS has a doorkeeper.
pub(super) fn crypto_provider() -> CryptoProvider {
    CryptoProvider { dtls_provider: &Doorkeepers, ..str0m::crypto::from_feature_flags() }
}

#[derive(Debug)]
struct Doorkeepers;

impl DtlsProvider for Doorkeepers {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        str0m::crypto::from_feature_flags().dtls_provider.generate_certificate()
    }

    /// The version is always 1.2: the doorkeeper reads no other.
    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let dtls = dimpl::Dtls::new_12(config(mtu)?, cert.clone(), now);
        let shared = Shared::default();
        NEWEST.set(Some(shared.clone()));
        Ok(Box::new(Doorkeeper { dtls, shared, phase: Phase::Closed }))
    }
}

/// The library tests its whole cryptography whenever a configuration is made, so there is one.
fn config(mtu: Option<usize>) -> Result<Arc<dimpl::Config>, CryptoError> {
    static CONFIG: OnceLock<Arc<dimpl::Config>> = OnceLock::new();
    if let Some(config) = CONFIG.get().filter(|config| mtu.is_none_or(|mtu| mtu == config.mtu())) {
        return Ok(Arc::clone(config));
    }
    let mut provider = aws_lc_rs::default_provider();
    provider.hmac_provider = &AssociationCookies;
    let mut builder = dimpl::Config::builder()
        .with_crypto_provider(provider)
        .use_server_cookie(true)
        .flight_start_rto(FIRST_REPEAT)
        .flight_retries(REPEATS);
    if let Some(mtu) = mtu {
        builder = builder.mtu(mtu);
    }
    let config = Arc::new(builder.build().map_err(|e| CryptoError::Other(e.to_string()))?);
    Ok(Arc::clone(CONFIG.get_or_init(|| config)))
}

/// The library makes a cookie as MAC(secret of the association, random bytes of the `ClientHello`) and
/// uses this method for nothing else but a test with other data; without the second part the cookie
/// is the association's.
#[derive(Debug)]
struct AssociationCookies;

/// Of a `ClientHello` (RFC 5246 section 7.4.1.2).
const RANDOM_BYTES: usize = 32;

impl HmacProvider for AssociationCookies {
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], DtlsCryptoError> {
        let data = if data.len() == RANDOM_BYTES { b"association" } else { data };
        aws_lc_rs::default_provider().hmac_provider.hmac_sha256(key, data)
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, DtlsCryptoError> {
        aws_lc_rs::default_provider().hmac_provider.hmac(hash, key, data, out)
    }
}

#[derive(Debug)]
enum Phase {
    /// Nothing came.
    Closed,
    /// Clients are asked for the cookie.
    Asking {
        /// The whole datagram, the same for everybody.
        request: Vec<u8>,
        cookie: Vec<u8>,
        /// When it was sent last.
        at: Option<Instant>,
        is_due: bool,
    },
    /// A client that has the cookie said hello.
    Shaking { cookie: Vec<u8>, flight: Box<Flight> },
    /// The client proved that it has the key of its certificate.
    Open,
}

#[derive(Debug)]
struct Doorkeeper {
    dtls: dimpl::Dtls,
    shared: Shared,
    phase: Phase,
}

/// A `ClientHello` without a cookie that any server accepts; it makes the library tell its cookie.
/// It is no part of what is signed later (RFC 6347 section 4.2.1).
const OPENING: &[u8] = &[
    22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, // handshake record
    1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, // ClientHello, message 0, whole
    0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, // version 1.2, random
    0, 0, // no session, no cookie
    0, 2, 0xc0, 0x2b, // ECDHE, ECDSA, AES-128-GCM
    1, 0, // no compression
];

impl Doorkeeper {
    /// Makes the library say its cookie request, which is kept and sent to whoever says hello.
    fn prepare(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.handle_packet(OPENING)?;
        let mut buffer = [0; 2048];
        for _ in 0..8 {
            let DtlsOutput::Packet(packet) = self.dtls.poll_output(&mut buffer) else {
                continue;
            };
            if let Some(cookie) = cookie_of_request(packet) {
                let (request, cookie) = (packet.to_vec(), cookie.to_vec());
                self.phase = Phase::Asking { request, cookie, at: None, is_due: false };
                return Ok(());
            }
        }
        Ok(())
    }

    /// When the library wants to be called. What it would send meanwhile is its cookie request once
    /// more; the doorkeeper asks only whoever says hello.
    fn next_deadline(&mut self) -> Instant {
        let mut buffer = [0; 2048];
        loop {
            if let DtlsOutput::Timeout(at) = self.dtls.poll_output(&mut buffer) {
                return at;
            }
        }
    }

    /// What of a datagram the library may see.
    fn admit<'p>(&mut self, packet: &'p [u8]) -> Admission<'p> {
        let Some(records) = records(packet) else {
            return Admission::OutOfPlace;
        };
        let (now, fingerprint) = {
            let association = self.shared.lock();
            (association.now, association.fingerprint)
        };
        match &mut self.phase {
            Phase::Closed => Admission::OutOfPlace,
            Phase::Asking { cookie, at, is_due, .. } => {
                let Some(hello) = first_hello(&records) else {
                    return Admission::OutOfPlace;
                };
                if hello.message_seq == 1 && hello.cookie() == Some(cookie) {
                    let cookie = std::mem::take(cookie);
                    let mut flight = Box::new(Flight::new(fingerprint));
                    let passed = flight.sift(now, &records, &cookie);
                    self.phase = Phase::Shaking { cookie, flight };
                    return Admission::of(passed);
                }
                if hello.message_seq > 0 {
                    return Admission::OutOfPlace;
                }
                let rests = at.zip(now).is_some_and(|(at, now)| now < at + COOKIE_INTERVAL);
                if !rests {
                    *is_due = true;
                    *at = now;
                }
                Admission::Nothing
            }
            Phase::Shaking { cookie, flight } => Admission::of(flight.sift(now, &records, cookie)),
            // A client that lacks our last flight says its own again.
            Phase::Open => {
                let fits = |r: &Record<'_>| {
                    r.epoch == 1 || r.is_cipher_change() || r.handshakes().is_some()
                };
                if records.iter().all(fits) {
                    Admission::Whole(packet)
                } else {
                    Admission::OutOfPlace
                }
            }
        }
    }
}

/// What of a datagram goes to the library.
enum Admission<'p> {
    OutOfPlace,
    /// It was understood here.
    Nothing,
    Whole(&'p [u8]),
    Part(Vec<u8>),
}

impl Admission<'_> {
    fn of(passed: Option<Vec<u8>>) -> Self {
        match passed {
            None => Self::OutOfPlace,
            Some(part) if part.is_empty() => Self::Nothing,
            Some(part) => Self::Part(part),
        }
    }
}

fn first_hello<'a>(records: &[Record<'a>]) -> Option<Handshake<'a>> {
    let first = records.first().filter(|r| r.epoch == 0)?;
    let message = first.handshakes()?.into_iter().next()?;
    (message.kind == Handshake::CLIENT_HELLO && message.fragment_offset == 0).then_some(message)
}

/// The cookie of a `HelloVerifyRequest`: version 2, length 1, cookie.
fn cookie_of_request(packet: &[u8]) -> Option<&[u8]> {
    let record = records(packet)?.into_iter().next()?;
    let message = record.handshakes()?.into_iter().next()?;
    let (length, rest) = message.body.get(2..)?.split_first()?;
    (message.kind == Handshake::HELLO_VERIFY_REQUEST)
        .then(|| rest.get(..usize::from(*length)))
        .flatten()
}

impl DtlsInstance for Doorkeeper {
    fn set_active(&mut self, active: bool) {
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        let is_hello = matches!(self.phase, Phase::Closed)
            && records(packet).is_some_and(|records| first_hello(&records).is_some());
        if is_hello {
            self.prepare()?;
        }
        let result = match self.admit(packet) {
            Admission::OutOfPlace => {
                self.shared.lock().refused += 1;
                return Ok(());
            }
            Admission::Nothing => return Ok(()),
            Admission::Whole(packet) => self.dtls.handle_packet(packet),
            Admission::Part(packet) => self.dtls.handle_packet(&packet),
        };
        if let (Err(error), false) = (&result, matches!(self.phase, Phase::Open)) {
            self.shared.lock().failure = Some(error.to_string());
        }
        result
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        if let Phase::Asking { request, is_due, .. } = &mut self.phase {
            if std::mem::take(is_due)
                && let Some(target) = buf.get_mut(..request.len())
            {
                target.copy_from_slice(request);
                return DtlsOutput::Packet(target);
            }
            return DtlsOutput::Timeout(self.next_deadline());
        }
        match self.dtls.poll_output(buf) {
            DtlsOutput::KeyingMaterial(keys, profile) => {
                self.phase = Phase::Open;
                self.shared.lock().keys = Some((KeyingMaterial::new(&keys), profile));
                DtlsOutput::KeyingMaterial(keys, profile)
            }
            DtlsOutput::Packet(packet) => {
                if let Phase::Shaking { flight, .. } = &mut self.phase {
                    flight.note_ours(packet);
                }
                DtlsOutput::Packet(packet)
            }
            output => output,
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}
