//! `serve` and `demo`: everything in its order, up and down.

use super::{Failure, database::Database, demo_simulator::DemoSimulator, run_file};
use crate::{
    http,
    server::{
        clock::Clock,
        config::{Config, SocketLimits},
        db::{Db, PoolSizes},
        demo,
        lifecycle::{Ending, Lifecycle, accept, descriptors},
        live::{self, Live},
        ops::{audit, housekeeping, outbox, past},
        outbound::client::{self, Exchange},
        processor,
        state::AppState,
        telemetry::{self, Metrics},
        torture,
    },
    simulator::SimulatorArgs,
};
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use std::{
    fs::DirBuilder,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

/// Longest wait for the first successful readiness check.
const READY: Duration = Duration::from_secs(30);

#[derive(clap::Args, Debug)]
pub(super) struct ServeArgs {
    /// Carry out tasks only
    #[arg(long, conflicts_with = "no_worker")]
    no_web: bool,
    /// Serve pages only
    #[arg(long)]
    no_worker: bool,
    /// Bring the database to this version first
    #[arg(long)]
    migrate: bool,
}

#[derive(clap::Args, Debug)]
pub(super) struct DemoArgs {
    /// Knobs of the gateway simulator, as in --forget-keys --latency-ms 5..50 (see batchdesk simulator --help)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SIMULATOR KNOBS")]
    simulator: Vec<String>,
}

/// What is to be started.
#[derive(Debug)]
pub(super) struct Options {
    web: bool,
    worker: bool,
    migrate: bool,
    /// The simulator's knobs; none outside the demo.
    demo: Option<Vec<String>>,
}

impl From<ServeArgs> for Options {
    fn from(args: ServeArgs) -> Self {
        Self { web: !args.no_web, worker: !args.no_worker, migrate: args.migrate, demo: None }
    }
}

impl TryFrom<DemoArgs> for Options {
    type Error = Failure;

    /// The knobs are checked here, before anything is started.
    fn try_from(args: DemoArgs) -> Result<Self, Failure> {
        let line = ["batchdesk demo", "--ledger=x", "--listen=127.0.0.1:0"].map(str::to_owned).into_iter();
        let simulator = <SimulatorArgs as clap::Args>::augment_args(clap::Command::new("batchdesk demo"));
        match simulator.try_get_matches_from(line.chain(args.simulator.iter().cloned())) {
            Ok(_) => Ok(Self { web: true, worker: true, migrate: true, demo: Some(args.simulator) }),
            Err(refusal) => Err(Failure::unusable(refusal.to_string().trim_end())),
        }
    }
}

/// What is to be ended after the parts, in this order, whether or not the start succeeds.
#[derive(Default)]
struct Opened {
    run_file: Option<run_file::Written>,
    db: Option<Db>,
    simulator: Option<DemoSimulator>,
    database: Option<Database>,
}

impl Opened {
    async fn end(self) {
        drop(self.run_file);
        if let Some(db) = self.db {
            db.close().await;
        }
        if let Some(simulator) = self.simulator {
            simulator.stop().await;
        }
        if let Some(database) = self.database {
            database.stop().await;
        }
    }
}

/// Runs until a signal or a crash.
pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let life = Lifecycle::default();
    life.watch_signals().map_err(Failure::unusable)?;
    let mut opened = Opened::default();
    let started = tokio::select! {
        biased;
        started = start(&options, &life, &mut opened) => started,
        () = life.soft.cancelled() => Err(Failure::undone("Stopped before it was ready.")),
    };
    if started.is_err() {
        life.soft.cancel();
    }
    let ending = life.ended().await;
    opened.end().await;
    match (ending, started) {
        (Ending::Crashed(how), _) => Err(Failure::undone(format!("Batchdesk stops: {how}."))),
        (_, Err(failure)) => Err(failure),
        (Ending::Drained, Ok(())) => Ok(()),
        (Ending::CutOff, Ok(())) => {
            Err(Failure::undone("Stopped with work under way; the next start asks the gateways what became of it."))
        }
    }
}

/// Starts everything in its order.
async fn start(options: &Options, life: &Lifecycle, opened: &mut Opened) -> Result<(), Failure> {
    let mut config = Config::from_env(options.demo.is_some()).map_err(Failure::unusable)?;
    telemetry::init().map_err(Failure::unusable)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let bounds = accept::Bounds::of_descriptors(descriptors::raise())
        .per_address(config.connections_per_address)
        .trusting(&config.trusted_proxies);
    let folder = &config.data_dir;
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        Failure::unusable(format!("BATCHDESK_DATA_DIR: {} cannot be made: {error}.", folder.display()))
    })?;
    if options.web {
        // A taken port is told at once, not after the database has started.
        drop(listen(config.listen).await?);
    }
    if let Some(address) = config.metrics_listen {
        let metrics = Metrics::listen(address).await.map_err(Failure::unusable)?;
        life.spawn("metrics", metrics.serve(life.soft.clone()));
    }

    let database = &*opened.database.insert(Database::open(&SocketLimits::from(&config), !options.web).await?);
    if options.migrate {
        database.migrate().await?;
    }
    let db = opened.db.insert(database.connect(PoolSizes::default()).await?).clone();

    if let Some(knobs) = &options.demo {
        opened.simulator = Some(DemoSimulator::start(config.simulator_listen, &config.data_dir, knobs).await?);
    }
    let simulator = opened.simulator.as_ref();
    let listener = if options.web { Some(listen(config.listen).await?) } else { None };
    let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    // Asked for any free port, it is the one that was given.
    config.listen = address.unwrap_or(config.listen);
    let state = AppState::new(config, db, Clock::system(), Live::default(), life.soft.clone());
    let behind = look_back(&state).await?;
    if let Some(simulator) = simulator {
        demo::seed(&state, &simulator.url).await?;
    }

    if let (Some(_), Some(folder)) = (&state.config.database_url, state.config.object_store.is_folder()) {
        let folder = folder.display();
        tracing::info!(%folder, "large files are kept here: replicas on other machines need BATCHDESK_OBJECT_STORE");
    }
    life.spawn("memory", past::run(state.clone(), life.soft.clone()));
    life.spawn("dispatcher", outbox::run(state.clone(), life.soft.clone()));
    if let Some(listener) = listener {
        life.spawn("live listener", live::listen(state.clone(), life.soft.clone()));
        life.spawn("web part", accept::serve(listener, http::router(state.clone()), bounds, life.soft.clone()));
    }
    if options.worker {
        life.spawn(
            "worker",
            processor::run(state.clone(), torture::connectors(), life.soft.clone(), life.hard.clone()),
        );
        life.spawn("audit sealer", audit::run_sealer(state.clone(), life.soft.clone()));
        life.spawn("housekeeping", housekeeping::run(state.clone(), life.soft.clone()));
    }
    if let Some(address) = address {
        ready(address).await?;
    }

    opened.run_file = run_file::RunFile {
        pid: std::process::id(),
        listen: address.map(|address| address.to_string()),
        database_url: database.url.expose_secret().to_owned(),
        simulator: simulator.map(|simulator| simulator.url.as_str().trim_end_matches('/').to_owned()),
        ledger: simulator.map(|simulator| simulator.ledger.clone()),
    }
    .write(&state.config.data_dir)
    .map_err(|error| Failure::unusable(format!("{}: run.json: {error}.", state.config.data_dir.display())))?;
    announce(&state.config, address, behind.as_deref());
    Ok(())
}

/// Compares the database with what this data folder remembers of it: why nothing may be sent, if so.
async fn look_back(state: &AppState) -> Result<Option<String>, Failure> {
    let folder = &state.config.data_dir;
    let unusable = |error: std::io::Error| {
        Failure::unusable(format!("BATCHDESK_DATA_DIR: what is kept in {} cannot be used: {error}.", folder.display()))
    };
    state.db.remember(folder).map_err(unusable)?;
    let behind = past::begin(state).await?;
    // The demo whose database was removed, so that it makes a new one: there is nothing in it that could be sent twice,
    // and what its gateway remembers is asked after first.
    if behind.is_some() && state.config.demo && past::is_new(state).await? {
        tracing::warn!("the database is a new one: what is uploaded is looked up at the gateway before it is sent");
        past::restored(state).await?;
        return Ok(past::begin(state).await?);
    }
    Ok(behind)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    accept::bind(address, "BATCHDESK_LISTEN").await.map_err(Failure::unusable)
}

/// The address at which a listener on `address` is reached from this machine.
pub(super) fn reached_at(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// What `/readyz` of the server at `address` says: nothing when it is ready.
pub(super) async fn readiness(address: SocketAddr) -> Result<(), String> {
    let client = client::build(Duration::from_secs(5), 1, &[], false, HeaderMap::new()).map_err(|e| e.to_string())?;
    match client::exchange(client.get(format!("http://{}/readyz", reached_at(address)))).await {
        Exchange::Reply(answer) if (200..300).contains(&answer.status) => Ok(()),
        Exchange::Reply(answer) => {
            let text = String::from_utf8_lossy(&answer.body);
            Err(format!("HTTP {}: {}", answer.status, text.lines().next().unwrap_or_default()))
        }
        Exchange::NotSent { detail, .. } | Exchange::NoReply { detail, .. } => Err(detail),
    }
}

async fn ready(address: SocketAddr) -> Result<(), Failure> {
    let give_up = Instant::now() + READY;
    loop {
        match readiness(address).await {
            Ok(()) => return Ok(()),
            Err(why) if Instant::now() >= give_up => {
                return Err(Failure::unusable(format!("Batchdesk is not ready after {} s: {why}.", READY.as_secs())));
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Tells the person who started it, on standard output; the log is on standard error.
fn announce(config: &Config, address: Option<SocketAddr>, behind: Option<&str>) {
    let mut text = match (address, &config.public_url) {
        (None, _) => "Batchdesk is ready: this process carries out tasks and serves no pages\n".to_owned(),
        (Some(_), Some(url)) => format!("Batchdesk is ready at {}\n", url.as_str().trim_end_matches('/')),
        (Some(address), None) => format!("Batchdesk is ready at http://{}\n", reached_at(address)),
    };
    if config.demo {
        text.push_str(&format!("\nSign in with the password {} as\n", demo::PASSWORD));
        for (email, what) in demo::PEOPLE {
            text.push_str(&format!("  {email:<20} {what}\n"));
        }
        text.push_str("\nCtrl-C stops everything; the data stays.\n");
    }
    if let Some(why) = behind {
        text.push_str(&format!("\n{}\n", past::sentence(why)));
    }
    // A closed standard output is no reason to stop.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(knobs: &[&str]) -> Result<Options, Failure> {
        Options::try_from(DemoArgs { simulator: knobs.iter().map(|knob| (*knob).to_owned()).collect() })
    }

    #[test]
    fn the_demo_takes_the_simulator_s_knobs_and_refuses_others_before_anything_starts() {
        let options = demo(&["--forget-keys", "--latency-ms", "5..50"]).unwrap();
        assert_eq!(options.demo.unwrap(), ["--forget-keys", "--latency-ms", "5..50"]);
        assert_eq!(demo(&["--forget-everything"]).unwrap_err().code, 2);
        assert_eq!(demo(&["--latency-ms", "soon"]).unwrap_err().code, 2);
        assert_eq!(demo(&["--listen", "127.0.0.1:1"]).unwrap_err().code, 2, "the address comes from the environment");
    }

    #[test]
    fn an_address_for_everybody_is_reached_here() {
        let at = |text: &str| reached_at(text.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:3000"), "127.0.0.1:3000");
        assert_eq!(at("[::]:3000"), "[::1]:3000");
        assert_eq!(at("10.1.2.3:80"), "10.1.2.3:80");
    }
}
