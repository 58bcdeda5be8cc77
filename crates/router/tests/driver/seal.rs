//! A client's own SRTP keys, to send what str0m would not send for it.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial,
    ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{AeadAes256Gcm, CryptoError, CryptoProvider, from_feature_flags};

type Keys = Arc<Mutex<Option<KeyingMaterial>>>;

thread_local! {
    static NEWEST: RefCell<Option<Keys>> = const { RefCell::new(None) };
}

/// str0m's own cryptography, whose DTLS shows its keys to a [`Seal`].
pub fn crypto_provider() -> CryptoProvider {
    CryptoProvider { dtls_provider: &Watched, ..from_feature_flags() }
}

#[derive(Debug)]
struct Watched;

#[derive(Debug)]
struct WatchedInstance(dimpl::Dtls, Keys);

/// As browsers have it: what is not answered is said again after 50 ms, and then after twice as long.
fn config(mtu: Option<usize>) -> Result<Arc<dimpl::Config>, CryptoError> {
    static CONFIG: OnceLock<Arc<dimpl::Config>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let mut builder =
        dimpl::Config::builder().flight_start_rto(Duration::from_millis(50)).flight_retries(12);
    if let Some(mtu) = mtu {
        builder = builder.mtu(mtu);
    }
    let config = Arc::new(builder.build().map_err(|e| CryptoError::Other(e.to_string()))?);
    Ok(Arc::clone(CONFIG.get_or_init(|| config)))
}

impl DtlsProvider for Watched {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let (config, certificate) = (config(mtu)?, certificate.clone());
        let inner = match version {
            DtlsVersion::Dtls12 => dimpl::Dtls::new_12(config, certificate, now),
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, certificate, now),
            _ => dimpl::Dtls::new_auto(config, certificate, now),
        };
        let keys = Keys::default();
        NEWEST.set(Some(Arc::clone(&keys)));
        Ok(Box::new(WatchedInstance(inner, keys)))
    }
}

impl DtlsInstance for WatchedInstance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.0.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(keys, profile) = &output {
            assert_eq!(*profile, SrtpProfile::AEAD_AES_256_GCM);
            *self.1.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(KeyingMaterial::new(keys));
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// Seals packets with the keys of one client (RFC 7714, AES-256).
#[derive(Debug, Clone, Default)]
pub struct Seal {
    keys: Keys,
    rtcp_index: u32,
}

impl Seal {
    /// That of the client that this thread built last.
    pub fn of_newest() -> Self {
        Self::take_newest().unwrap_or_default()
    }

    /// The same, if this thread built one since it was last asked.
    pub fn take_newest() -> Option<Self> {
        NEWEST.take().map(|keys| Self { keys, rtcp_index: 1 << 20 })
    }

    /// What the handshake exported (RFC 5764 section 4.2), once it is over.
    pub fn keying_material(&self) -> Option<Vec<u8>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.as_ref().map(|keys| keys.to_vec())
    }

    /// A whole RTP packet of which the first `header` bytes stay readable.
    pub fn rtp(&self, packet: &[u8], header: usize) -> Vec<u8> {
        let (aad, plain) = packet.split_at(header.min(packet.len()));
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        let salt = self.derive(2);
        let iv = AeadAes256Gcm::rtp_iv(salt, ssrc, 0, number);
        let sealed = self.encrypt(0, &iv, aad, plain);
        [aad, &sealed].concat()
    }

    /// A compound RTCP packet of which the first 8 bytes stay readable.
    pub fn rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.rtcp_index += 1;
        let (head, plain) = packet.split_at(8);
        let ssrc = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let iv = AeadAes256Gcm::rtcp_iv(self.derive(5), ssrc, self.rtcp_index);
        let index = (self.rtcp_index | 1 << 31).to_be_bytes();
        let sealed = self.encrypt(3, &iv, &[head, &index].concat(), plain);
        [head, &sealed, &index].concat()
    }

    fn encrypt(&self, label: u8, iv: &[u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let srtp = from_feature_flags().srtp_provider;
        let mut cipher = srtp.aead_aes_256_gcm().create_cipher(self.derive(label), true);
        let mut sealed = vec![0; plain.len() + AeadAes256Gcm::TAG_LEN];
        cipher.encrypt(iv, aad, plain, &mut sealed).expect("sealed");
        sealed
    }

    /// The client's session key or salt for a label (RFC 3711 section 4.3).
    fn derive<const N: usize>(&self, label: u8) -> [u8; N] {
        let keys = self.keying_material().expect("the handshake is over");
        let srtp = from_feature_flags().srtp_provider;
        let mut input = [0; 16];
        input[..12].copy_from_slice(&keys[64..76]);
        input[7] ^= label;
        let mut derived = [0; N];
        for (round, part) in derived.chunks_mut(16).enumerate() {
            input[15] = round as u8;
            let mut block = [0; 32];
            srtp.srtp_aes_256_ecb_round(&keys[..32], &input, &mut block);
            part.copy_from_slice(&block[..part.len()]);
        }
        derived
    }
}
