//! The reading list over HTTP.

mod page;
mod routes;

use std::env;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bookshelf_store::Store;
use clock::SystemClock;
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::routes::App;

/// Edit this line, build again and reload the page.
const GREETING: &str = "Welcome to the bookshelf";

const DEFAULT_PORT: u16 = 8080;
const DEFAULT_ASSETS: &str = "/srv/assets";

#[tokio::main]
async fn main() -> Result<()> {
    start_logging();
    let shutdown = shutdown_signal()?;
    let assets = env::var_os("BOOKSHELF_ASSETS").unwrap_or_else(|| DEFAULT_ASSETS.into());
    let app = App {
        store: Store::bundled(SystemClock)?,
        assets: assets.into(),
    };

    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port()?)).await?;
    info!(address = %listener.local_addr()?, assets = %app.assets.display(), "listening");
    axum::serve(listener, routes::router(Arc::new(app)))
        .with_graceful_shutdown(shutdown)
        .await?;
    info!("stopped");
    Ok(())
}

fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    #[cfg(feature = "json-logs")]
    let logs = logs.json();
    logs.init();
}

fn port() -> Result<u16> {
    match env::var("PORT") {
        Ok(text) => text
            .parse()
            .with_context(|| format!("PORT is no port number: `{text}`")),
        Err(_) => Ok(DEFAULT_PORT),
    }
}

/// Resolves on SIGTERM or SIGINT. Process 1 of a container gets neither unless it asks,
/// so the handlers are in place before anything else starts.
fn shutdown_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM, stopping"),
            _ = interrupt.recv() => info!("SIGINT, stopping"),
        }
    })
}
