//! The listener that collectors ask.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::book::Metrics;

/// A port that is taken is tried again after so long: the process before this one may still hold it.
const TRY_AGAIN: Duration = Duration::from_secs(10);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Brings the metrics up to date that are looked at rather than counted; called before each answer.
pub type Refresh = std::sync::Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Clone)]
struct Desk {
    metrics: Metrics,
    refresh: Refresh,
}

/// Answers `GET /metrics` at an address until it is cancelled. An address that is taken costs no call anything: it is
/// logged once and tried again.
pub async fn keep_open(address: SocketAddr, metrics: Metrics, refresh: Refresh, cancel: CancellationToken) {
    let mut complained = false;
    loop {
        let tried_again = async {
            match TcpListener::bind(address).await {
                Ok(listener) => {
                    info!(%address, "metrics can be collected");
                    serve(listener, metrics.clone(), refresh.clone(), cancel.clone()).await;
                }
                Err(error) if !complained => {
                    complained = true;
                    warn!(%address, %error, "metrics cannot be collected; trying again; metrics.listen chooses the address");
                }
                Err(_) => {}
            }
            tokio::time::sleep(TRY_AGAIN).await;
        };
        if cancel.run_until_cancelled(tried_again).await.is_none() {
            return;
        }
    }
}

/// Answers `GET /metrics` on a listener until it is cancelled.
pub async fn serve(listener: TcpListener, metrics: Metrics, refresh: Refresh, cancel: CancellationToken) {
    let routes = Router::new()
        .route("/metrics", get(answer))
        .with_state(Desk { metrics, refresh });
    let server = axum::serve(listener, routes).with_graceful_shutdown(cancel.cancelled_owned());
    if let Err(error) = server.await {
        warn!(%error, "the listener for metrics ended");
    }
}

async fn answer(State(desk): State<Desk>) -> Response {
    (desk.refresh)().await;
    match desk.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("the listener is there");
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    #[tokio::test]
    async fn a_collector_gets_what_is_true_when_it_asks() {
        let metrics = Metrics::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let refresh: Refresh = {
            let metrics = metrics.clone();
            Arc::new(move || {
                metrics.calls("trying", 8);
                Box::pin(std::future::ready(()))
            })
        };
        let cancel = CancellationToken::new();
        let server = tokio::spawn(serve(listener, metrics, refresh, cancel.clone()));
        let answer = ask(address, "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains(OPEN_METRICS), "{answer}");
        assert!(answer.contains("crankback_calls{state=\"trying\"} 8"), "{answer}");
        assert!(ask(address, "/").await.starts_with("HTTP/1.1 404"));
        cancel.cancel();
        server.await.expect("it ends");
        assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_taken_port_is_tried_again() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("it is bound");
        let refresh: Refresh = Arc::new(|| Box::pin(std::future::ready(())));
        let cancel = CancellationToken::new();
        let server = tokio::spawn(keep_open(address, Metrics::new(), refresh, cancel.clone()));
        tokio::time::sleep(TRY_AGAIN / 2).await;
        drop(taken);
        tokio::time::sleep(TRY_AGAIN).await;
        assert!(ask(address, "/metrics").await.starts_with("HTTP/1.1 200 OK"));
        cancel.cancel();
        server.await.expect("it ends");
    }
}
