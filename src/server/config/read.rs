//! Reading single values. Troubles are gathered, so that all of them are told at once.

use crate::{files::Objects, secrets::SecretKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use std::{
    ffi::OsString,
    fmt::Display,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    ops::RangeInclusive,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};
use url::Url;
use zeroize::Zeroizing;

/// The file in the data folder that holds the demo's key.
const KEY_FILE: &str = "secret.key";

/// What the configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The server: the key must be set.
    Serve,
    /// The demo: the key is made once and kept.
    Demo,
    /// A command beside the server: the key must be set, or kept by the demo.
    Command,
}

/// Reads values and gathers troubles.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&'static str) -> Option<OsString>,
    troubles: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&'static str) -> Option<OsString>) -> Self {
        Self { lookup, troubles: Vec::new() }
    }

    /// The value, or every trouble met on the way.
    pub(super) fn finish<T>(self, value: T) -> Result<T, String> {
        if self.troubles.is_empty() { Ok(value) } else { Err(self.troubles.join("\n")) }
    }

    fn trouble(&mut self, name: &str, what: impl Display) {
        self.troubles.push(format!("{name}: {what}"));
    }

    /// The text of a variable; empty is the same as unset.
    fn text(&mut self, name: &'static str) -> Option<String> {
        match (self.lookup)(name)?.into_string() {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Err(_) => {
                self.trouble(name, "is not UTF-8 text.");
                None
            }
        }
    }

    pub(super) fn address(&mut self, name: &'static str) -> Option<SocketAddr> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.trouble(name, format!("{text:?} is no address; write IP address and port, as in 127.0.0.1:3000."));
                None
            }
        }
    }

    pub(super) fn number<T: FromStr + PartialOrd + Display>(
        &mut self,
        name: &'static str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let (low, high) = range.into_inner();
                self.trouble(name, format!("{text:?} is no whole number from {low} to {high}."));
                None
            }
        }
    }

    pub(super) fn milliseconds(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.number(name, range).map(Duration::from_millis)
    }

    /// Asking after a refund before its request can have ended would find nothing and prove nothing.
    pub(super) fn resolve_after(&mut self, gateway_timeout: Duration) -> Duration {
        const NAME: &str = "BATCHDESK_RESOLVE_AFTER_MS";
        let least = gateway_timeout * 2;
        let Some(set) = self.milliseconds(NAME, 1..=86_400_000) else { return least.max(Duration::from_secs(40)) };
        if set < least {
            let what = format!(
                "{} is too short; it must be at least {}, twice BATCHDESK_GATEWAY_TIMEOUT_MS.",
                set.as_millis(),
                least.as_millis()
            );
            self.trouble(NAME, what);
        }
        set
    }

    pub(super) fn public_url(&mut self, name: &'static str) -> Option<Url> {
        let text = self.text(name)?;
        let bare = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
        };
        match Url::parse(&text) {
            Ok(url) if bare(&url) => Some(url),
            // The text is not repeated: it may hold a password.
            _ => {
                self.trouble(name, "is no address of a site; write it without a path, as in https://desk.example.com.");
                None
            }
        }
    }

    pub(super) fn database_url(&mut self, name: &'static str) -> Option<SecretString> {
        let text = SecretString::from(self.text(name)?);
        let right = ["postgres://", "postgresql://"].iter().any(|scheme| text.expose_secret().starts_with(scheme))
            && PgConnectOptions::from_str(text.expose_secret()).is_ok();
        if right {
            return Some(text);
        }
        self.trouble(name, "is no PostgreSQL address; write postgres://user:password@host:5432/database.");
        None
    }

    pub(super) fn hosts(&mut self, name: &'static str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let hosts: Vec<String> =
            text.split(',').map(|host| host.trim().to_ascii_lowercase()).filter(|host| !host.is_empty()).collect();
        for host in &hosts {
            if url::Host::parse(host).is_err() && host.parse::<std::net::Ipv6Addr>().is_err() {
                self.trouble(
                    name,
                    format!("{host:?} is no host name; write hosts with commas between them, without ports."),
                );
            }
        }
        hosts
    }

    pub(super) fn addresses(&mut self, name: &'static str) -> Vec<std::net::IpAddr> {
        let text = self.text(name).unwrap_or_default();
        let mut addresses = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => {
                    self.trouble(name, format!("{part:?} is no IP address; write addresses with commas between them."));
                }
            }
        }
        addresses
    }

    pub(super) fn folder(&mut self, name: &'static str, default: &str) -> PathBuf {
        let folder = (self.lookup)(name).filter(|folder| !folder.is_empty()).unwrap_or_else(|| default.into());
        match std::path::absolute(&folder) {
            Ok(folder) => folder,
            Err(error) => {
                self.trouble(name, error);
                folder.into()
            }
        }
    }

    pub(super) fn object_store(&mut self, name: &'static str, data_dir: &Path) -> Objects {
        let folder = Objects::folder(data_dir.join("objects"));
        let Some(address) = self.text(name) else { return folder };
        Objects::bucket(&address, |variable| self.text(variable)).unwrap_or_else(|what| {
            self.trouble(name, what);
            folder
        })
    }

    pub(super) fn secret_key(&mut self, name: &'static str, data_dir: &Path, purpose: Purpose) -> SecretKey {
        // Not used: a trouble is told and the configuration is refused.
        const NONE: [u8; 32] = [0; 32];
        let bytes = if let Some(text) = self.text(name).map(Zeroizing::new) {
            decode(&text).ok_or_else(|| "is not 32 bytes in base64; make one with: openssl rand -base64 32".to_owned())
        } else {
            let path = data_dir.join(KEY_FILE);
            match (fs::read_to_string(&path).map(Zeroizing::new), purpose) {
                (Ok(text), Purpose::Demo | Purpose::Command) => decode(text.trim())
                    .ok_or_else(|| format!("is unset, and {} does not hold 32 bytes in base64.", path.display())),
                (Err(error), Purpose::Demo) if error.kind() == io::ErrorKind::NotFound => make_key(&path)
                    .map_err(|error| format!("is unset, and {} cannot be made: {error}.", path.display())),
                (Err(error), Purpose::Demo) => {
                    Err(format!("is unset, and {} cannot be read: {error}.", path.display()))
                }
                _ => Err("is unset; set it to 32 bytes in base64, made with: openssl rand -base64 32".to_owned()),
            }
        };
        SecretKey::new(bytes.unwrap_or_else(|what| {
            self.trouble(name, what);
            NONE
        }))
    }
}

fn decode(text: &str) -> Option<[u8; 32]> {
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    bytes.as_slice().try_into().ok()
}

/// Makes a key and keeps it where only its owner can read it. The file appears whole or not at all.
fn make_key(path: &Path) -> io::Result<[u8; 32]> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    writeln!(file, "{}", Zeroizing::new(STANDARD.encode(key)).as_str())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(key)
}
