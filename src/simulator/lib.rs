//! The gateway simulator: a payment gateway of the Juspay dialect with faults on request, in a process of its own.
//!
//! It shares no code with the rest of the product, so that a mistake in our reading of the dialect cannot hide in both.
//! What it did is in its ledger, one line per refund request, on disk before the reply: the ledger is the truth about
//! what was paid.

mod bodies;
mod book;
mod faults;
mod latency;
mod ledger;
mod money;
mod routes;

pub use latency::Latency;

use std::{io::Write as _, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

/// How long a start waits for what an earlier simulator still holds (its port, its ledger).
const MAX_WAIT: Duration = Duration::from_secs(3);

/// What the simulator is told at its start.
#[derive(clap::Args, Clone, Debug)]
pub struct SimulatorArgs {
    /// Address to listen on.
    #[arg(long, env = "BATCHDESK_SIMULATOR_LISTEN", default_value = "127.0.0.1:4010")]
    pub listen: SocketAddr,
    /// File that keeps every refund request; read again at the next start.
    #[arg(long)]
    pub ledger: PathBuf,
    /// Time that each answer takes, in milliseconds.
    #[arg(long, value_name = "MIN..MAX")]
    pub latency_ms: Option<Latency>,
    /// A repeated key acts again, so that a double send shows.
    #[arg(long)]
    pub forget_keys: bool,
    /// Plain refunds are PENDING first, as at the real gateway.
    #[arg(long)]
    pub pending_first: bool,
    /// Refuse refunds over what is left of the order.
    #[arg(long)]
    pub enforce_balance: bool,
    /// How long a request without a reply is held open, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    pub hang_ms: u64,
    /// Seed of the latencies.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs the simulator until SIGINT, SIGTERM or the end of the process that started it. Prints one line when it listens.
pub async fn run(args: SimulatorArgs) -> Result<(), String> {
    let parent = nix::unistd::getppid();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| format!("SIGINT cannot be watched: {e}"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("SIGTERM cannot be watched: {e}"))?;
    let listener = bind(args.listen).await?;
    let address = listener.local_addr().map_err(|e| format!("The simulator's address is unknown: {e}"))?;
    let book = book::Book::open(args)?;
    // A starter that no longer reads is no reason to end: its death is noticed below.
    let _ = writeln!(std::io::stdout(), "Gateway simulator is listening at http://{address}");
    tokio::select! {
        result = routes::accept(listener, book) => result,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = parent_is_gone(parent) => Ok(()),
    }
}

/// Serves on a listener that is already bound, until the future is dropped.
pub async fn serve(listener: TcpListener, args: SimulatorArgs) -> Result<(), String> {
    routes::accept(listener, book::Book::open(args)?).await
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let give_up = Instant::now() + MAX_WAIT;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < give_up => {
                sleep(Duration::from_millis(100)).await;
            }
            Err(e) => return Err(format!("The simulator cannot listen on {address}: {e}.")),
        }
    }
}

/// Comes back when the process has got another parent. The death signal of Linux would come with the end of the
/// *thread* that started us, which in an async program may end long before its process.
async fn parent_is_gone(parent: nix::unistd::Pid) {
    while nix::unistd::getppid() == parent {
        sleep(Duration::from_millis(200)).await;
    }
}

#[cfg(test)]
mod tests;
