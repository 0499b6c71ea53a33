//! Counting checks of passwords. Each is counted before it is made and given back when the password was right, so the
//! bound holds however many come at once. After several wrong ones the counter pauses, longer each time.
//!
//! Strangers count by account and by network. A browser that signed in before as a person has a counter of its own, and
//! so has a person who is signed in: what strangers do does not reach them.

use crate::{
    db::{GlobalTx, throttle},
    domain::{error::RefusalKind, ids::PersonId},
    error::{OpError, OpResult},
    state::AppState,
};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use time::{Duration, OffsetDateTime};

/// How long a check counts.
pub const WINDOW: Duration = Duration::minutes(30);
/// Checks of one account in any window that were not right, at most; the same for each known browser and each person
/// signed in.
pub const CHECKS: i32 = 10;
/// Checks from one network in any window that were not right, at most.
pub const NETWORK_CHECKS: i32 = 60;
/// Wrong passwords that are followed by no pause.
pub const WITHOUT_PAUSE: i32 = 4;

/// The pause after this many wrong passwords.
pub const fn pause(wrong: i32) -> Duration {
    match wrong {
        ..=WITHOUT_PAUSE => Duration::ZERO,
        5 => Duration::seconds(30),
        6 => Duration::minutes(1),
        7 => Duration::minutes(2),
        8 => Duration::minutes(4),
        _ => Duration::minutes(8),
    }
}

/// What a check counts against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    /// Strangers at an account, by its normalised e-mail.
    Account(String),
    /// A browser that signed in before, by its id.
    Device(String),
    /// A person who is signed in.
    Person(PersonId),
    /// A network.
    Network(String),
}

impl Counter {
    /// The key in the table.
    fn key(&self) -> throttle::Key {
        let (kind, text) = match self {
            Self::Account(email) => ("account", email.clone()),
            Self::Device(id) => ("device", id.clone()),
            Self::Person(person) => ("person", person.to_string()),
            Self::Network(network) => ("network", network.clone()),
        };
        Sha256::new().chain_update(kind).chain_update(":").chain_update(text).finalize().into()
    }

    const fn allowed(&self) -> i32 {
        match self {
            Self::Network(_) => NETWORK_CHECKS,
            _ => CHECKS,
        }
    }

    fn closed(&self, left: Duration) -> OpError {
        let whole = (left + Duration::nanoseconds(999_999_999)).whole_seconds().max(1);
        let seconds = u32::try_from(whole).unwrap_or(u32::MAX);
        let left = duration(seconds);
        let sentence = match self {
            Self::Account(_) | Self::Device(_) => {
                format!("Too many wrong passwords. Try again in {left}, or ask an administrator to set a new password.")
            }
            Self::Network(_) => format!("Too many wrong passwords from your network. Try again in {left}."),
            Self::Person(_) => format!("Too many wrong passwords. Nothing was done. Try again in {left}."),
        };
        OpError::refuse(RefusalKind::TooMany, sentence).retry_after(seconds)
    }
}

/// `30 seconds`, `1 minute`, `12 minutes`.
pub(super) fn duration(seconds: u32) -> String {
    let (number, unit) = if seconds < 60 { (seconds.max(1), "second") } else { (seconds.div_ceil(60), "minute") };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// The network of an address: of IPv6 the first 64 bits, since whoever has one address there has all of them.
pub(super) fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

/// A check that is counted.
#[derive(Debug)]
pub(super) struct Reserved {
    at: OffsetDateTime,
    taken: Vec<(Counter, i32)>,
}

/// Counts one check, or refuses when one of the counters is closed; then nothing is counted, once `tx` is dropped.
/// Networks come first in `counters`, in every call: rows are locked in one order.
pub(super) async fn reserve(
    tx: &mut GlobalTx,
    now: OffsetDateTime,
    counters: impl IntoIterator<Item = Counter>,
) -> OpResult<Reserved> {
    let mut taken = Vec::new();
    for counter in counters {
        let (key, allowed) = (counter.key(), counter.allowed());
        let Some(number) = throttle::reserve(tx, &key, now, WINDOW, allowed).await? else {
            let open = throttle::open_at(tx, &key, now, WINDOW, allowed).await?;
            return Err(counter.closed(open - now));
        };
        taken.push((counter, number));
    }
    Ok(Reserved { at: now, taken })
}

impl Reserved {
    /// The password was right: the check does not count.
    pub(super) async fn right(self, state: &AppState) -> OpResult<()> {
        let mut tx = state.db.global().await?;
        for (counter, _) in &self.taken {
            throttle::give_back(&mut tx, &counter.key(), self.at).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The password was wrong: the check counts, and the next may have to wait.
    pub(super) async fn wrong(self, state: &AppState) -> OpResult<()> {
        let mut tx = state.db.global().await?;
        for (counter, number) in &self.taken {
            let pause = if matches!(counter, Counter::Network(_)) { Duration::ZERO } else { pause(*number) };
            if pause.is_positive() {
                throttle::pause(&mut tx, &counter.key(), state.clock.now() + pause).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

/// Forgets what was counted for a person's account.
pub(super) async fn forget(tx: &mut GlobalTx, person: PersonId, email: &str) -> OpResult<()> {
    for counter in [Counter::Account(email.to_owned()), Counter::Person(person)] {
        throttle::forget(tx, &counter.key()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_last_checks_of_a_window_take_a_quarter_of_an_hour() {
        let pauses: Vec<_> = (1..=CHECKS).map(pause).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
        let before_the_last: Duration = pauses[..9].iter().sum();
        assert_eq!(before_the_last, Duration::seconds(15 * 60 + 30));
        assert!(before_the_last < WINDOW, "the bound is the window's, and no pause is longer than it");
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9");
        assert_ne!(network("203.0.113.9"), network("203.0.113.10"));
        assert_eq!(network("unknown"), "unknown");
    }

    #[test]
    fn the_time_left_is_told_in_whole_units() {
        let told = [1, 30, 59, 60, 61, 1801].map(duration);
        assert_eq!(told, ["1 second", "30 seconds", "59 seconds", "1 minute", "2 minutes", "31 minutes"]);
    }
}
