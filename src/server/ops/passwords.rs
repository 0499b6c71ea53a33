//! Password hashing: Argon2id with the crate's defaults (19 MiB, 2 passes), a few at a time, never on an async thread.

use super::throttle;
use crate::{
    domain::error::RefusalKind,
    error::{OpError, OpResult},
    hashing::{Full, Lane, Place},
    state::AppState,
};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};

/// Characters of a new password, at least and at most.
pub const LENGTH: std::ops::RangeInclusive<usize> = 12..=128;

/// When whoever finds the queue of hashes full is to come again.
const BUSY_SECONDS: u32 = 5;

/// Hash of nobody's password: an unknown e-mail costs as much time as a wrong password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$YmF0Y2hkZXNrLW5vYm9keQ$KJy5Dz5cJ0Zb9Qv7sJ1oVvZ0dN3v2m7c0b8m3n1y5fA";

/// Refuses a new password that is too short or too long.
pub fn check_new(password: &SecretString) -> OpResult<()> {
    let length = password.expose_secret().chars().count();
    if LENGTH.contains(&length) {
        return Ok(());
    }
    Err(OpError::refuse(
        RefusalKind::Invalid,
        format!("A password has {} to {} characters; this one has {length}.", LENGTH.start(), LENGTH.end()),
    ))
}

/// Hashes a password in its turn.
pub async fn hash(state: &AppState, password: &SecretString) -> OpResult<String> {
    let place = enter(state, Lane::Known, "operator")?;
    let password = password.clone();
    let hashed = in_turn(state, place, move || {
        Argon2::default().hash_password(password.expose_secret().as_bytes()).map(|hash| hash.to_string())
    })
    .await?;
    hashed.map_err(OpError::failed)
}

/// A place in the queue of hashes; a refusal when there is none.
pub(super) fn enter(state: &AppState, lane: Lane, of: &str) -> OpResult<Place> {
    state.hashing.enter(lane, of).map_err(|Full| {
        let sentence = format!(
            "Too many people are signing in at this moment. Try again in {}.",
            throttle::duration(BUSY_SECONDS)
        );
        OpError::refuse(RefusalKind::TooMany, sentence).retry_after(BUSY_SECONDS)
    })
}

/// Whether the password fits the hash; none stands for a person who does not exist.
pub(super) async fn verify(
    state: &AppState,
    place: Place,
    password: &SecretString,
    hash: Option<&str>,
) -> OpResult<bool> {
    let password = password.clone();
    let known = hash.is_some();
    let hash = hash.unwrap_or(NOBODY).to_owned();
    let fits = in_turn(state, place, move || {
        let secret = password.expose_secret();
        secret.chars().count() <= *LENGTH.end()
            && PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
    })
    .await?;
    Ok(fits && known)
}

/// Does it on a thread of its own when its turn has come. The turn ends with the work: who asked may be gone before.
async fn in_turn<T: Send + 'static>(
    state: &AppState,
    place: Place,
    work: impl FnOnce() -> T + Send + 'static,
) -> OpResult<T> {
    let turn = state.hashing.turn(place).await.ok_or_else(|| OpError::internal("the queue of hashes is closed"))?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(OpError::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nobody_takes_the_time_of_a_real_one() {
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
