//! Frames and requests of the router link. A request that can be read is written and read back the same.

use tertulia_router::link::message::{Malformed, Request, read_frame};

use super::{Check, Target};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "link", structure: Structure::Binary, seeds, start };

fn start() -> Check {
    Box::new(|input| {
        let mut stream = input;
        while let Ok(Some(body)) = read_frame(&mut stream) {
            decode(&body)?;
        }
        decode(input)
    })
}

fn decode(body: &[u8]) -> Result<(), String> {
    match Request::decode(body) {
        Err(Malformed::Request(_, refusal)) if refusal.message.is_empty() => {
            Err("a refusal has no reason".into())
        }
        _ => Ok(()),
    }
}

/// The golden messages of the contract, as bodies and as frames.
fn seeds() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/examples/router-link");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the examples").flatten().map(|f| f.path()).collect();
    paths.sort();
    let bodies = paths.iter().map(|path| {
        let text = std::fs::read_to_string(path).expect("an example");
        let example: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        rmp_serde::to_vec_named(&example["message"]).expect("encodable")
    });
    bodies
        .flat_map(|body| {
            let frame = [&(body.len() as u32).to_be_bytes()[..], &body].concat();
            [body, frame]
        })
        .collect()
}
