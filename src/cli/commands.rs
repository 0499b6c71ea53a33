//! Commands that do one thing and end. They work beside a running server, or without one.

use super::{Failure, database::Database, run_file::RunFile, serve};
use crate::{
    domain::{
        access::Role,
        connection_limits::{ConnectionLimits, LimitField},
        money::Currency,
    },
    server::{
        clock::Clock,
        config::{Config, SocketLimits},
        db::{PoolSizes, past::AskedFirst},
        error::OpResult,
        gateway::GatewayClass,
        live::Live,
        ops::{
            connections::{
                self,
                probe::{Probed, Questions},
            },
            external, gateways, past, people,
        },
        state::AppState,
        telemetry,
    },
};
use secrecy::{ExposeSecret, SecretString};
use std::{io::Read, time::Duration};
use tokio_util::sync::CancellationToken;
use url::Url;
use zeroize::Zeroizing;

#[derive(clap::Subcommand, Debug)]
pub(super) enum UserCommand {
    /// Make a person with a role in an organisation, which is made when it is missing
    Create {
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organisation: String,
        /// E-mail, which the person signs in with
        #[arg(long)]
        email: String,
        /// admin, maker, checker, viewer or owner
        #[arg(long, value_parser = role)]
        role: Role,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Set a forgotten password, end the person's sessions and let them sign in after too many wrong passwords
    ResetPassword {
        /// E-mail of the person
        #[arg(long)]
        email: String,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

#[derive(clap::Subcommand, Debug)]
pub(super) enum GatewayCommand {
    /// Connect an organisation to a gateway, or replace the connection of the same connector
    Add {
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organisation: String,
        /// Kind of gateway: juspay
        #[arg(long)]
        connector: String,
        /// Where the gateway answers, https
        #[arg(long, value_name = "URL")]
        base_url: Url,
        /// The merchant's id at the gateway
        #[arg(long)]
        merchant_id: String,
        /// Read the API key from standard input
        #[arg(long, required = true)]
        api_key_stdin: bool,
        /// What the gateway promises: K keeps every outcome under our key for a known time, Q answers queries, N
        /// neither
        #[arg(long, value_parser = class, default_value = "N")]
        class: GatewayClass,
        /// How long it keeps keys (class K)
        #[arg(long, value_name = "HOURS", required_if_eq("class", "K"), value_parser = clap::value_parser!(u32).range(1..=8760))]
        key_window_hours: Option<u32>,
        /// It moves no real money
        #[arg(long)]
        sandbox: bool,
        /// Most calls on the wire at once; without it the operator's default
        #[arg(long, value_name = "CALLS", value_parser = concurrency, allow_negative_numbers = true)]
        concurrency: Option<u32>,
        /// Most requests a second, sends and questions together; without it no limit
        #[arg(long, value_name = "REQUESTS", value_parser = rate, allow_negative_numbers = true)]
        rate_limit: Option<u32>,
        /// How many requests may come at once after a rest; without it they come evenly spaced
        #[arg(long, value_name = "REQUESTS", value_parser = burst, allow_negative_numbers = true, requires = "rate_limit")]
        rate_burst: Option<u32>,
    },
    /// Measure what a sandbox promises, with a few refunds on orders that you name, and store the class that follows
    Probe {
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organisation: String,
        /// The connection to this merchant; without it the one that new batches use
        #[arg(long)]
        merchant_id: Option<String>,
        /// A paid order of the sandbox that can be refunded
        #[arg(long)]
        order: String,
        /// An order whose refund the gateway declines; without it class K cannot be proved
        #[arg(long, value_name = "ORDER")]
        declined_order: Option<String>,
        /// An order whose first refund ends in a server error
        #[arg(long, value_name = "ORDER")]
        failing_order: Option<String>,
        /// How long the gateway keeps keys, from its documentation; without it as the connector knows it
        #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=8760))]
        key_window_hours: Option<u32>,
    },
}

#[derive(clap::Subcommand, Debug)]
pub(super) enum ExternalCommand {
    /// Tell an organisation's synchronised orders to its own endpoint, signed as Standard Webhooks say
    Set {
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organisation: String,
        /// Where orders are told, https
        #[arg(long)]
        url: Url,
        /// Read the signing secret (whsec_…) from standard input; without it a new one is made and printed, or the old
        /// one kept
        #[arg(long)]
        secret_stdin: bool,
        /// Tell nothing for now
        #[arg(long)]
        off: bool,
    },
}

pub(super) fn role(code: &str) -> Result<Role, String> {
    Role::from_code(code).ok_or_else(|| format!("roles are {}", Role::ALL.map(Role::code).join(", ")))
}

fn class(code: &str) -> Result<GatewayClass, String> {
    GatewayClass::from_code(code).ok_or_else(|| "classes are K, Q and N".to_owned())
}

fn limit(field: LimitField, typed: &str) -> Result<u32, String> {
    field.read(typed)?.ok_or_else(|| "it is blank".to_owned())
}

fn concurrency(typed: &str) -> Result<u32, String> {
    limit(LimitField::Concurrency, typed)
}

fn rate(typed: &str) -> Result<u32, String> {
    limit(LimitField::Rate, typed)
}

fn burst(typed: &str) -> Result<u32, String> {
    limit(LimitField::Burst, typed)
}

#[derive(clap::Args, Debug)]
pub(super) struct MigrateArgs {
    /// Make the roles only, which a dump names and does not bring: before it is restored into a new server
    #[arg(long)]
    roles_only: bool,
}

/// `migrate`.
pub(super) async fn migrate(args: MigrateArgs) -> Result<(), Failure> {
    telemetry::init().map_err(Failure::unusable)?;
    let database = Database::open(&SocketLimits::from_env().map_err(Failure::unusable)?, true).await?;
    let done = if args.roles_only { database.make_roles().await } else { database.migrate().await };
    database.stop().await;
    done?;
    println!("{}", if args.roles_only { "The roles are there." } else { "The database is at this version." });
    Ok(())
}

/// `restored`.
pub(super) async fn restored() -> Result<(), Failure> {
    let (done, wait) = with_state(async |state| Ok((past::restored(state).await?, state.config.resolve_after))).await?;
    println!(
        "Noted that the database went back to an older state. What is unfinished in it is looked up at the gateways \
         before anything of it is sent, from {} s on: what was sent before may arrive until then.",
        wait.as_secs()
    );
    for one in &done {
        let AskedFirst { unsent, open } = one.asked;
        let stays = if one.sends { "" } else { "; nothing is sent, because it was stopped for another reason" };
        let lost = match one.lost_entries {
            0 => String::new(),
            entries => format!("; {entries} audit entries are not in this state"),
        };
        println!("  {}: {unsent} not sent yet, {open} without a last word{lost}{stays}", one.organisation);
    }
    println!(
        "Decisions, pauses and cancellations since that state are forgotten as well: look through the batches that are \
         under way or wait for a decision. What the gateways cannot tell is in Review."
    );
    Ok(())
}

/// `user …`.
pub(super) async fn user(command: UserCommand) -> Result<(), Failure> {
    let password = secret("password")?;
    match command {
        UserCommand::Create { organisation, email, role, password_stdin: _ } => {
            with_state(async |state| people::create(state, &organisation, &email, role, &password).await).await?;
            println!("Made {email}, {} of {organisation}.", role.code());
        }
        UserCommand::ResetPassword { email, password_stdin: _ } => {
            with_state(async |state| people::reset_password(state, &email, &password).await).await?;
            println!("Set the password of {email} and ended its sessions. Wrong passwords typed for it are forgotten.");
        }
    }
    Ok(())
}

/// `gateway …`.
pub(super) async fn gateway(command: GatewayCommand) -> Result<(), Failure> {
    let window = |hours: Option<u32>| hours.map(|hours| Duration::from_secs(u64::from(hours) * 3600));
    match command {
        GatewayCommand::Add {
            organisation,
            connector,
            base_url,
            merchant_id,
            api_key_stdin: _,
            class,
            key_window_hours,
            sandbox,
            concurrency,
            rate_limit,
            rate_burst,
        } => {
            let api_key = secret("API key")?;
            let line = format!("Connected {organisation} to {connector} at {base_url}.");
            let key_window = window(key_window_hours);
            let limits = ConnectionLimits { concurrency, rate: rate_limit, burst: rate_burst };
            let limits = (limits != ConnectionLimits::default()).then_some(limits);
            let gateway = gateways::NewGateway {
                organisation,
                connector,
                base_url,
                merchant_id,
                api_key,
                class,
                key_window,
                sandbox,
                limits,
            };
            with_state(async |state| gateways::add(state, gateway).await).await?;
            println!("{line}");
        }
        GatewayCommand::Probe { organisation, merchant_id, order, declined_order, failing_order, key_window_hours } => {
            let questions = Questions {
                order,
                declined: declined_order,
                failing: failing_order,
                key_window: window(key_window_hours),
                currency: Currency::Inr,
            };
            let (name, probed) = with_state(async |state| {
                connections::measure_own(state, &organisation, merchant_id.as_deref(), questions).await
            })
            .await?;
            print!("{}", table(&name, &probed));
        }
    }
    Ok(())
}

/// What was seen, a line a call, and the class that follows.
fn table(name: &str, probed: &Probed) -> String {
    let word = |verdict: &str| match verdict {
        "proved" => "proved",
        "disproved" => "NOT SO",
        "open" => "not proved",
        _ => "seen",
    };
    let mut text = format!("{name}\n\n");
    for step in &probed.steps {
        text.push_str(&format!("  {:<10}  {}\n              {}\n", word(&step.verdict), step.call, step.seen));
    }
    let class = probed.promise.class.code();
    text.push_str(&format!("\nClass {class}: the gateway {}.\n", connections::class_label(probed.promise.class)));
    if let Some(window) = probed.promise.key_window {
        text.push_str(&format!("Keys are kept for {} hours.\n", window.as_secs() / 3600));
    }
    text
}

/// `external …`.
pub(super) async fn external(command: ExternalCommand) -> Result<(), Failure> {
    let ExternalCommand::Set { organisation, url, secret_stdin, off } = command;
    let secret = if secret_stdin { Some(secret("signing secret")?) } else { None };
    let line =
        format!("Synchronised orders of {organisation} are told to {url}{}.", if off { ", but not now" } else { "" });
    let new = external::NewExternal { url: url.to_string(), secret, enabled: !off };
    let made = with_state(async |state| external::set_for(state, &organisation, new).await).await?;
    println!("{line}");
    if let Some(secret) = made {
        println!("Its signing secret, shown this once: {}", secret.expose_secret());
    }
    Ok(())
}

/// `healthcheck`.
pub(super) async fn healthcheck() -> Result<(), Failure> {
    let places = SocketLimits::from_env().map_err(Failure::unusable)?;
    let told = RunFile::read(&places.data_dir).and_then(|run| run.listen?.parse().ok());
    let address = told.unwrap_or(places.listen);
    serve::readiness(address).await.map_err(|why| Failure::undone(format!("{address} is not ready: {why}")))?;
    println!("ready");
    Ok(())
}

/// Opens the database at this version, does `work`, and closes it again.
pub(super) async fn with_state<T>(work: impl AsyncFnOnce(&AppState) -> OpResult<T>) -> Result<T, Failure> {
    let config = Config::from_env_for_command().map_err(Failure::unusable)?;
    telemetry::init().map_err(Failure::unusable)?;
    let database = Database::open(&SocketLimits::from(&config), true).await?;
    let done = match database.connect(PoolSizes { web: 2, worker: 1 }).await {
        Ok(db) => {
            let state = AppState::new(config, db.clone(), Clock::system(), Live::default(), CancellationToken::new());
            let done = work(&state).await.map_err(Failure::from);
            db.close().await;
            done
        }
        Err(failure) => Err(failure),
    };
    database.stop().await;
    done
}

/// Reads a secret from standard input: one line, whose end does not belong to it.
fn secret(what: &str) -> Result<SecretString, Failure> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| Failure::unusable(format!("The {what} cannot be read from standard input: {error}.")))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() || secret.contains('\n') {
        return Err(Failure::unusable(format!("Write the {what}, in one line, to standard input.")));
    }
    Ok(SecretString::from(secret))
}
