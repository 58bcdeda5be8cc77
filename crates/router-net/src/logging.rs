//! Log lines: one JSON object each, on standard error.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. The engine's own lines appear above `warn` only when `level` is `debug` or
/// `trace`: they may carry addresses.
pub fn start(level: LevelFilter) {
    let engine = if level >= LevelFilter::DEBUG { level } else { level.min(LevelFilter::WARN) };
    let filter = Targets::new()
        .with_default(engine)
        .with_target("tertulia_router", level)
        .with_target("tertulia_router_core", level);
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
    // A second start, as in a test binary, keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let cause = info
            .payload()
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| info.payload().downcast_ref::<String>().map(String::as_str))
            .unwrap_or("unknown cause");
        tracing::error!(place, cause, "panic");
    }));
}
