//! What the process tells its operator: the log on standard error, and metrics on an address of their own.

use super::lifecycle::accept::{self, Bounds};
use axum::{Router, http::header, routing::get};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// What is logged unless `BATCHDESK_LOG` says otherwise.
const FILTER: &str = "info,sqlx=warn,hyper=warn,reqwest=warn,tower_sessions=warn";
/// How often old samples are folded into their sums.
const UPKEEP: Duration = Duration::from_secs(5);
/// Who reads metrics are few.
const CONNECTIONS: usize = 64;

/// Begins the log. `BATCHDESK_LOG` is a filter as in `info,batchdesk::server::processor=debug`; `BATCHDESK_LOG_FORMAT`
/// is `text` or `json`. The error is one line that names the variable.
pub fn init() -> Result<(), String> {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let (filter, json) = read(set("BATCHDESK_LOG").as_deref(), set("BATCHDESK_LOG_FORMAT").as_deref())?;
    let writer = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let begun = if json {
        registry.with(writer.json().flatten_event(true)).try_init()
    } else {
        // Colours only where a person looks.
        registry.with(writer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).try_init()
    };
    begun.map_err(|error| format!("The log cannot be begun: {error}."))
}

fn read(filter: Option<&str>, format: Option<&str>) -> Result<(EnvFilter, bool), String> {
    let filter = filter.unwrap_or(FILTER);
    let parsed = EnvFilter::builder().parse(filter).map_err(|error| {
        format!("BATCHDESK_LOG: {filter:?} is no filter ({error}); write for instance info or batchdesk=debug.")
    })?;
    let json = match format {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => return Err(format!("BATCHDESK_LOG_FORMAT: {other:?} is neither text nor json.")),
    };
    Ok((parsed, json))
}

/// The process's metrics, served as Prometheus text.
pub struct Metrics {
    listener: TcpListener,
    handle: PrometheusHandle,
}

impl Metrics {
    /// Begins to record, to be read at `address`.
    pub async fn listen(address: SocketAddr) -> Result<Self, String> {
        let listener = accept::bind(address, "BATCHDESK_METRICS_LISTEN").await?;
        let handle = PrometheusBuilder::new()
            .install_recorder()
            .map_err(|error| format!("No metrics can be recorded: {error}."))?;
        Ok(Self { listener, handle })
    }

    /// Serves them until `stop` is set.
    pub async fn serve(self, stop: CancellationToken) {
        let shown = self.handle.clone();
        let text = move || {
            let shown = shown.clone();
            async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shown.render()) }
        };
        let upkeep = async {
            let mut tick = tokio::time::interval(UPKEEP);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                self.handle.run_upkeep();
            }
        };
        tokio::select! {
            () = accept::serve(self.listener, Router::new().route("/metrics", get(text)), Bounds::new(CONNECTIONS), stop) => {}
            () = upkeep => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn a_bad_value_is_one_line_that_names_its_variable() {
        assert!(read(None, None).is_ok_and(|(_, json)| !json));
        assert!(read(Some("batchdesk=debug,warn"), Some("json")).is_ok_and(|(_, json)| json));
        let filter = read(Some("batchdesk=loud=very"), None).unwrap_err();
        assert!(filter.starts_with("BATCHDESK_LOG: ") && !filter.contains('\n'), "{filter}");
        let format = read(None, Some("xml")).unwrap_err();
        assert!(format.starts_with("BATCHDESK_LOG_FORMAT: ") && !format.contains('\n'), "{format}");
    }

    #[tokio::test]
    async fn metrics_are_served_as_prometheus_text_and_stop_when_told() {
        let metrics = Metrics::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = metrics.listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(metrics.serve(stop.clone()));
        metrics::counter!("batchdesk_test_total").increment(3);
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("batchdesk_test_total 3"), "{answer}");
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
    }
}
