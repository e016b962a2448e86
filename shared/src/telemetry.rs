//! Logs and metrics, started once at the beginning of a process.

use std::{io::IsTerminal as _, sync::OnceLock, time::Duration};

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How often histograms are folded, in real time: without it they grow for ever.
const UPKEEP: Duration = Duration::from_secs(5);

/// Upper bounds of every histogram that counts seconds (names end in `_seconds`).
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For eyes.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// The process's metrics, to be rendered.
#[derive(Clone)]
pub struct Telemetry(PrometheusHandle);

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    /// All metrics in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// Starts logs (on standard error; filter from `RUST_LOG`, else `info`) and metrics. Called
/// again in the same process, it changes nothing and gives the same metrics.
///
/// # Panics
/// When somebody else installed a metrics recorder before: the process's own start is wrong.
pub fn init(format: Format) -> Telemetry {
    static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
    TELEMETRY
        .get_or_init(|| {
            start_logs(format);
            start_metrics().expect("nobody else installs a metrics recorder")
        })
        .clone()
}

/// Makes aws-lc-rs the crypto provider of every TLS connection. To be called before the first.
pub fn install_crypto() {
    // an error says that one is installed already, by an earlier call
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn start_logs(format: Format) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let on_a_terminal = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(on_a_terminal);
    let layer = match format {
        Format::Text => layer.compact().boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    // a test may have set a subscriber of its own; its logs win
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}

fn start_metrics() -> anyhow::Result<Telemetry> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok().context("a metrics recorder is installed already")?;
    let upkeep = handle.clone();
    // a thread of its own: it must run whatever the runtime is doing, and before one exists
    std::thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(move || {
        loop {
            std::thread::park_timeout(UPKEEP);
            upkeep.run_upkeep();
        }
    })?;
    Ok(Telemetry(handle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_twice_gives_the_same_metrics_with_buckets() {
        let first = init(Format::Text);
        metrics::histogram!("test_wait_seconds").record(0.2);
        for telemetry in [first, init(Format::Json)] {
            let text = telemetry.render();
            assert!(text.contains(r#"test_wait_seconds_bucket{le="0.25"} 1"#), "{text}");
        }
    }
}
