//! Password hashing: Argon2id with the crate's defaults (19 MiB, 2 passes), a few at a time, never on an async thread.

use crate::{
    domain::error::RefusalKind,
    server::{
        error::{OpError, OpResult},
        state::AppState,
    },
};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};

/// Characters of a new password, at least and at most.
pub const LENGTH: std::ops::RangeInclusive<usize> = 12..=128;

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

/// Hashes a password under the process' limit of concurrent hashes.
pub async fn hash(state: &AppState, password: &SecretString) -> OpResult<String> {
    let permit = state.hashing.acquire().await.map_err(OpError::internal)?;
    let password = password.clone();
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(password.expose_secret().as_bytes()).map(|hash| hash.to_string())
    })
    .await
    .map_err(OpError::internal)?;
    drop(permit);
    hashed.map_err(OpError::internal)
}

/// Whether the password fits the hash; none stands for a person who does not exist.
pub async fn verify(state: &AppState, password: &SecretString, hash: Option<&str>) -> OpResult<bool> {
    let permit = state.hashing.acquire().await.map_err(OpError::internal)?;
    let password = password.clone();
    let known = hash.is_some();
    let hash = hash.unwrap_or(NOBODY).to_owned();
    let fits = tokio::task::spawn_blocking(move || {
        let secret = password.expose_secret();
        secret.chars().count() <= *LENGTH.end()
            && PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
    })
    .await
    .map_err(OpError::internal)?;
    drop(permit);
    Ok(fits && known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nobody_takes_the_time_of_a_real_one() {
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
