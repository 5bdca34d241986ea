//! How a service of the shop ends.

use std::future::Future;
use std::io;

use tokio::signal::unix::{signal, SignalKind};

/// Resolves on SIGTERM or SIGINT. Process 1 of a container gets neither unless it asks,
/// so ask before anything else starts.
pub fn terminated() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
