//! Keys of the HTTP API on the command line.

use super::{
    Failure,
    commands::{role, with_state},
};
use crate::{
    domain::access::Role,
    server::ops::{api_keys, time_format},
};
use secrecy::ExposeSecret;

#[derive(clap::Subcommand, Debug)]
pub(super) enum KeyCommand {
    /// Make a key for the HTTP API and print it, this once
    Create {
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organisation: String,
        /// What the key is called: who uses it, say
        #[arg(long, value_name = "LABEL")]
        name: String,
        /// Whose rights it has: viewer, maker or admin
        #[arg(long, value_parser = role, default_value = "viewer")]
        role: Role,
    },
    /// Show an organisation's keys, without the keys themselves
    List {
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organisation: String,
    },
    /// Revoke a key: it is refused from the next call on
    Revoke {
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organisation: String,
        /// What the key is called
        #[arg(long, value_name = "LABEL")]
        name: String,
    },
}

/// `key …`.
pub(super) async fn key(command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::Create { organisation, name, role } => {
            let key = with_state(async |state| api_keys::create(state, &organisation, &name, role).await).await?;
            // Standard output has the key alone, for whatever is to take it.
            eprintln!("The key {:?} of {organisation}, shown this once:", name.trim());
            println!("{}", key.expose_secret());
        }
        KeyCommand::List { organisation } => {
            for key in with_state(async |state| api_keys::list(state, &organisation).await).await? {
                let revoked =
                    key.revoked_at.map(|at| format!(", revoked {}", time_format::utc(at))).unwrap_or_default();
                println!("{}: {}, made {}{revoked}", key.name, key.role, time_format::utc(key.created_at));
            }
        }
        KeyCommand::Revoke { organisation, name } => {
            with_state(async |state| api_keys::revoke(state, &organisation, &name).await).await?;
            println!("Revoked the key {:?} of {organisation}.", name.trim());
        }
    }
    Ok(())
}
