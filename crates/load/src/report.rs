//! What came of a run: JSON for programs, a table for people.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::measure::{Histogram, Tally, Traffic};

/// Above this, the figures say more of this program than of the server.
const TOO_LATE: Duration = Duration::from_millis(20);

/// What a program reads of a run. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct Report {
    pub clients: Clients,
    pub subscriptions: Subscriptions,
    pub seconds: f64,
    pub joining_ms: Option<Spread>,
    pub connecting_ms: Option<Spread>,
    pub starting_ms: Option<Spread>,
    pub arriving_ms: Option<Spread>,
    pub joins_per_second: f64,
    pub audio: Media,
    pub video: Media,
    pub delivery: DeliveryReport,
    pub key_frames: u64,
    pub key_frame_requests: u64,
    pub key_frames_asked_for: u64,
    pub recovery: Recovery,
    pub generator: Generator,
    pub failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct Clients {
    pub planned: usize,
    pub joined: u64,
    pub failed: u64,
    pub replaced: u64,
    pub left: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct Subscriptions {
    pub planned: usize,
    pub started: u64,
    pub silent: u64,
    pub refused: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct Spread {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct Media {
    pub packets_sent: u64,
    pub bytes_sent: u64,
    pub packets_received: u64,
    pub bytes_received: u64,
    pub latency_ms: Option<Spread>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct DeliveryReport {
    pub expected: u64,
    pub lost: u64,
    pub lost_percent: f64,
    pub duplicates: u64,
    pub reordered: u64,
    pub foreign: u64,
    pub longest_gap_ms: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct Recovery {
    pub sockets_lost: u64,
    pub sockets_resumed: u64,
    pub media_replaced: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct Generator {
    pub seed: u64,
    pub dropped_on_purpose: u64,
    pub dropped_unread: u64,
    pub unsent: u64,
    pub frames_left_out: u64,
    pub sending_late_ms: Option<Spread>,
    pub reading_late_ms: Option<Spread>,
    pub was_too_slow: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "described in docs/guides/load.md")]
pub struct Failure {
    pub message: String,
    pub count: u64,
}

/// What the tally does not know.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Clients of the plan.
    pub clients: usize,
    /// Subscriptions of the plan.
    pub subscriptions: usize,
    /// Clients that churn replaced.
    pub replaced: u64,
    /// From ready to the last packet sent.
    pub measured: Duration,
    /// From the first join until everybody had a media transport.
    pub joining: Duration,
    /// Of everything random.
    pub seed: u64,
}

impl Report {
    /// Adds everything up.
    #[must_use]
    pub fn new(tally: &Tally, facts: Facts) -> Self {
        let delivery = tally.delivery();
        let late = [&tally.sending_late, &tally.reading_late];
        let was_late = late.iter().any(|h| h.percentile(0.99).is_some_and(|p99| p99 > TOO_LATE));
        let was_too_slow = was_late || tally.dropped_unread > 0 || tally.frames_left_out > 0;
        Self {
            clients: Clients {
                planned: facts.clients,
                joined: tally.joined,
                failed: tally.failed(),
                replaced: facts.replaced,
                left: tally.left,
            },
            subscriptions: Subscriptions {
                planned: facts.subscriptions,
                started: tally.subscriptions_started,
                silent: tally.subscriptions_silent,
                refused: tally.subscriptions_refused,
            },
            seconds: facts.measured.as_secs_f64(),
            joining_ms: spread(&tally.joining),
            connecting_ms: spread(&tally.connecting),
            starting_ms: spread(&tally.starting),
            arriving_ms: spread(&tally.arriving),
            joins_per_second: facts.clients as f64 / facts.joining.as_secs_f64().max(0.001),
            audio: media(&tally.audio),
            video: media(&tally.video),
            delivery: DeliveryReport {
                expected: delivery.expected,
                lost: delivery.lost,
                lost_percent: delivery.lost as f64 * 100.0 / delivery.expected.max(1) as f64,
                duplicates: delivery.duplicates,
                reordered: delivery.reordered,
                foreign: tally.foreign,
                longest_gap_ms: ms(delivery.longest_gap),
            },
            key_frames: tally.key_frames,
            key_frame_requests: tally.key_frame_requests,
            key_frames_asked_for: tally.key_frames_asked_for,
            recovery: Recovery {
                sockets_lost: tally.sockets_lost,
                sockets_resumed: tally.sockets_resumed,
                media_replaced: tally.media_replaced,
            },
            generator: Generator {
                seed: facts.seed,
                dropped_on_purpose: tally.dropped_on_purpose,
                dropped_unread: tally.dropped_unread,
                unsent: tally.unsent,
                frames_left_out: tally.frames_left_out,
                sending_late_ms: spread(&tally.sending_late),
                reading_late_ms: spread(&tally.reading_late),
                was_too_slow,
            },
            failures: tally
                .failures
                .iter()
                .map(|(message, count)| Failure { message: message.clone(), count: *count })
                .collect(),
        }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<22}{value}");
        };
        let Self { clients, subscriptions, delivery, generator, recovery, .. } = self;
        row(
            "clients",
            format!(
                "{} joined of {}, {} failed, {} replaced by churn, {} said goodbye",
                clients.joined, clients.planned, clients.failed, clients.replaced, clients.left
            ),
        );
        row(
            "subscriptions",
            format!(
                "{} started of {}, {} silent, {} refused",
                subscriptions.started,
                subscriptions.planned,
                subscriptions.silent,
                subscriptions.refused
            ),
        );
        row("measured", format!("{:.1} s", self.seconds));
        for (name, times) in [
            ("join", &self.joining_ms),
            ("media transport", &self.connecting_ms),
            ("first packet", &self.starting_ms),
            ("join to first packet", &self.arriving_ms),
            ("latency, audio", &self.audio.latency_ms),
            ("latency, video", &self.video.latency_ms),
        ] {
            if let Some(times) = times {
                row(name, times.text());
            }
        }
        for (name, media) in [("audio", &self.audio), ("video", &self.video)] {
            row(
                name,
                format!("{} packets sent, {} received", media.packets_sent, media.packets_received),
            );
        }
        row(
            "lost",
            format!("{} of {} ({:.3} %)", delivery.lost, delivery.expected, delivery.lost_percent),
        );
        row(
            "order",
            format!("{} duplicates, {} out of order", delivery.duplicates, delivery.reordered),
        );
        row("longest gap", format!("{:.0} ms", delivery.longest_gap_ms));
        row(
            "key frames",
            format!(
                "{} sent, {} asked for, {} by receivers",
                self.key_frames, self.key_frame_requests, self.key_frames_asked_for
            ),
        );
        if *recovery != (Recovery { sockets_lost: 0, sockets_resumed: 0, media_replaced: 0 }) {
            row(
                "recovery",
                format!(
                    "{} sockets lost, {} resumed, {} media transports replaced",
                    recovery.sockets_lost, recovery.sockets_resumed, recovery.media_replaced
                ),
            );
        }
        for failure in &self.failures {
            row("failed", format!("{} x {}", failure.count, failure.message));
        }
        if generator.dropped_on_purpose > 0 {
            row("dropped on purpose", generator.dropped_on_purpose.to_string());
        }
        if generator.was_too_slow {
            row(
                "careful",
                format!(
                    "this program was too slow for the load ({} datagrams unread, {} frames left out): use fewer \
                     clients or another machine, the figures are worse than the server",
                    generator.dropped_unread, generator.frames_left_out
                ),
            );
        }
        text
    }
}

impl Spread {
    fn text(&self) -> String {
        format!(
            "p50 {:.2}  p95 {:.2}  p99 {:.2}  max {:.2} ms",
            self.p50, self.p95, self.p99, self.max
        )
    }
}

fn media(traffic: &Traffic) -> Media {
    Media {
        packets_sent: traffic.sent,
        bytes_sent: traffic.sent_bytes,
        packets_received: traffic.received,
        bytes_received: traffic.received_bytes,
        latency_ms: spread(&traffic.latency),
    }
}

fn spread(times: &Histogram) -> Option<Spread> {
    let at = |share| times.percentile(share).map(ms);
    Some(Spread { p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)?, max: ms(times.greatest()) })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
