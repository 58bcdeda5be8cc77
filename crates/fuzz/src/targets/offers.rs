//! Offers, as first ones and as further ones. Each is answered or refused with a sentence; the engine
//! may not panic, and what is refused leaves the transport as it was.

use std::time::Instant;

use tertulia_router_core::{
    CloseTransport, Config, LocalAddress, OpenTransport, Protocol, Renegotiate, Router,
    RouterError, Str0mEngines,
};

use super::{Check, Target};
use crate::driver::{Change, Client, ClientOptions, Picture, router_address};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "offers", structure: Structure::Lines, seeds, start };

fn start() -> Check {
    let address = router_address();
    let protocol = Protocol::Udp;
    let local = vec![LocalAddress { protocol, bound: address, advertised: vec![address] }];
    let now = Instant::now();
    let engines = Box::new(Str0mEngines::new(&local));
    let mut router = Router::new(now, Config::new(local), engines, 7);
    let first = seeds().swap_remove(0);
    let first = String::from_utf8(first).expect("an offer");
    Box::new(move |input| {
        let offer = String::from_utf8_lossy(input).into_owned();
        // As the first offer of a transport, then as the second of another.
        if let Err(error) = open(&mut router, now, offer.clone()) {
            may_be_refused(&error)?;
        }
        let transport = open(&mut router, now, first.clone()).map_err(|e| e.to_string())?;
        let command = Renegotiate { transport, offer, slots: Vec::new() };
        match router.renegotiate(now, &command) {
            Ok(_) => {}
            Err(error) => {
                may_be_refused(&error)?;
                let command = Renegotiate { transport, offer: first.clone(), slots: Vec::new() };
                router.renegotiate(now, &command).map_err(|e| format!("not as before: {e}"))?;
            }
        }
        for transport in router.list().transports {
            let transport = transport.transport;
            router.close_transport(now, CloseTransport { transport }).map_err(|e| e.to_string())?;
        }
        while router.poll_transmit().is_some() {}
        while router.poll_event().is_some() {}
        Ok(())
    })
}

fn open(
    router: &mut Router,
    now: Instant,
    offer: String,
) -> Result<tertulia_router_core::TransportId, RouterError> {
    let command =
        OpenTransport { seat: "seat".into(), epoch: 1, offer, slots: Vec::new(), group: None };
    router.open_transport(now, command).map(|opened| opened.transport)
}

fn may_be_refused(error: &RouterError) -> Result<(), String> {
    let is_lawful = matches!(error.code(), "offer_refused" | "invalid_request" | "limit_reached");
    let is_panic = error.to_string().contains("engine stopped");
    if is_lawful && !is_panic { Ok(()) } else { Err(format!("refused with: {error}")) }
}

fn seeds() -> Vec<Vec<u8>> {
    let offer = |change: &Change| {
        let address = "198.51.100.200:1".parse().expect("an address");
        let mut client = Client::new(Instant::now(), address, ClientOptions::default());
        client.offer(change).0.into_bytes()
    };
    let publish = vec![(1, Picture::Vp8)];
    vec![
        offer(&Change { slots: 2, ..Change::default() }),
        offer(&Change { publish, slots: 1, ..Change::default() }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_offer_is_answered() {
        let address = router_address();
        let local = vec![LocalAddress {
            protocol: Protocol::Udp,
            bound: address,
            advertised: vec![address],
        }];
        let now = Instant::now();
        let engines = Box::new(Str0mEngines::new(&local));
        let mut router = Router::new(now, Config::new(local), engines, 7);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/offers");
        let files = std::fs::read_dir(folder).expect("the corpus").flatten();
        let of_browsers: Vec<_> = files
            .map(|file| file.path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.starts_with("chromium-") || name.starts_with("firefox-")
            })
            .collect();
        assert!(of_browsers.len() >= 4);
        for path in of_browsers {
            let offer = std::fs::read_to_string(&path).expect("an offer");
            let opened = open(&mut router, now, offer);
            assert!(opened.is_ok(), "{}: {opened:?}", path.display());
        }
    }
}
