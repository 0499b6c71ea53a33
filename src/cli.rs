//! The command line. Exit codes: 0 done, 1 not done, 2 cannot begin (bad value, port taken, database missing or
//! behind).

mod audit;
mod check;
mod commands;
mod database;
mod demo_simulator;
mod keys;
mod run_file;
mod serve;

use crate::{server::error::OpError, simulator::SimulatorArgs};
use clap::{Parser, Subcommand};
use std::{future::Future, process::ExitCode, time::Duration};

const LARGE_FILES: &str = "Files of more than 64 MiB are kept in the folder objects of BATCHDESK_DATA_DIR, or with \
                           BATCHDESK_OBJECT_STORE=s3://bucket[/prefix] in S3, as the usual AWS_* variables say.";

/// A self-hosted desk for bulk payment operations.
///
/// Settings come from the environment; .env.example lists them.
#[derive(Debug, Parser)]
#[command(name = "batchdesk", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the pages and carry out tasks, until SIGTERM or Ctrl-C
    #[command(after_help = LARGE_FILES)]
    Serve(serve::ServeArgs),
    /// The same with demo people, sample batches and a simulated gateway
    Demo(serve::DemoArgs),
    /// Bring the database to this version
    Migrate(commands::MigrateArgs),
    /// Say that the database went back to an older state (a restored backup, an asynchronous standby that took over):
    /// what is unfinished is looked up at the gateways before anything of it is sent
    Restored,
    /// Run the gateway simulator
    Simulator(SimulatorArgs),
    /// Make people and set passwords
    #[command(subcommand)]
    User(commands::UserCommand),
    /// Connect gateways
    #[command(subcommand)]
    Gateway(commands::GatewayCommand),
    /// Name the systems that orders are told to
    #[command(subcommand)]
    External(commands::ExternalCommand),
    /// Make, show and revoke the keys of the HTTP API
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// Look after the audit trail
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Check a file as an upload would; exit code 0 when it is clean, 1 with findings, 2 when it cannot be read
    Check(check::CheckArgs),
    /// Ask the server that runs with the same settings whether it is ready
    Healthcheck,
}

/// Why a command ended without having done its work: one line for the person, and the exit code.
#[derive(Debug)]
struct Failure {
    line: String,
    code: u8,
}

impl Failure {
    /// It could not be done.
    fn undone(line: impl Into<String>) -> Self {
        Self { line: line.into(), code: 1 }
    }

    /// It could not begin.
    fn unusable(line: impl Into<String>) -> Self {
        Self { line: line.into(), code: 2 }
    }
}

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        // Whoever runs a command reads the log, too.
        let context = error.context.map(|context| format!(" ({context})")).unwrap_or_default();
        Self::undone(format!("{}{context}", error.refusal.message))
    }
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => in_runtime(serve::run(serve::Options::from(args))),
        Command::Demo(args) => serve::Options::try_from(args).and_then(|options| in_runtime(serve::run(options))),
        Command::Migrate(args) => in_runtime(commands::migrate(args)),
        Command::Restored => in_runtime(commands::restored()),
        Command::Simulator(args) => in_runtime(async { crate::simulator::run(args).await.map_err(Failure::unusable) }),
        Command::User(command) => in_runtime(commands::user(command)),
        Command::Gateway(command) => in_runtime(commands::gateway(command)),
        Command::External(command) => in_runtime(commands::external(command)),
        Command::Key(command) => in_runtime(keys::key(command)),
        Command::Audit(command) => in_runtime(audit::audit(command)),
        Command::Check(args) => check::run(&args),
        Command::Healthcheck => in_runtime(commands::healthcheck()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.line.is_empty() {
                eprintln!("{}", failure.line);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// Few processors must not mean that one slow request holds up all others.
fn in_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // An error means that there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let threads = std::thread::available_parallelism().map_or(4, |cores| cores.get().max(4));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Failure::unusable(format!("No threads can be started: {error}.")))?;
    let done = runtime.block_on(command);
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_are_read_as_documented() {
        let read = |line: &str| Cli::try_parse_from(line.split(' ')).map(|cli| cli.command);
        assert!(matches!(read("batchdesk serve --no-worker --migrate"), Ok(Command::Serve(_))));
        assert!(read("batchdesk serve --no-web --no-worker").is_err(), "nothing would be left to do");
        assert!(matches!(read("batchdesk migrate --roles-only"), Ok(Command::Migrate(_))));
        assert!(matches!(read("batchdesk restored"), Ok(Command::Restored)));
        assert!(matches!(read("batchdesk demo --forget-keys --latency-ms 5..50"), Ok(Command::Demo(_))));
        let user = "batchdesk user create --organisation Acme --email a@b.c --role maker";
        assert!(read(user).is_err(), "a password on the command line would be in the process list");
        assert!(read(&format!("{user} --password-stdin")).is_ok());
        assert!(read(&format!("{} --password-stdin", user.replace("maker", "king"))).is_err());
        let gateway = "batchdesk gateway add --organisation Acme --connector juspay --base-url https://g.example.com \
                       --merchant-id m --api-key-stdin";
        assert!(read(gateway).is_ok());
        assert!(read(&format!("{gateway} --class K")).is_err(), "class K needs the time that keys are known for");
        assert!(read(&format!("{gateway} --class K --key-window-hours 24")).is_ok());
        let external = "batchdesk external set --organisation Acme --url https://erp.example.com/orders";
        assert!(read(external).is_ok() && read(&format!("{external} --secret-stdin --off")).is_ok());
    }
}
