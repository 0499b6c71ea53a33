//! Browsers that signed in before. Each keeps a sealed word for every person who signed in there: that it is known to
//! that e-mail, under which id, since when. The server keeps nothing of it; a reset of the password makes all earlier
//! ones void.

use crate::state::AppState;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

/// People that one browser is known to, at most.
const PEOPLE: usize = 4;
/// Bytes of what a browser keeps for one person, at most.
const MAX_LENGTH: usize = 160;
/// Between the words of several people.
const BETWEEN: char = '.';

/// A browser that is known to the person who is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// 128 random bits.
    pub id: String,
    /// When the person last signed in with it.
    pub since: OffsetDateTime,
}

fn owner(email: &str) -> Vec<u8> {
    [b"device:".as_slice(), email.as_bytes()].concat()
}

fn tokens(kept: &str) -> impl Iterator<Item = &str> {
    kept.split(BETWEEN).filter(|word| (1..=MAX_LENGTH).contains(&word.len())).take(PEOPLE)
}

fn open_word(state: &AppState, email: &str, word: &str) -> Option<Device> {
    let sealed = URL_SAFE_NO_PAD.decode(word).ok()?;
    let opened = state.config.secret_key.open(&owner(email), &sealed).ok()?;
    let (id, since) = opened.expose_secret().split_once(' ')?;
    let since = OffsetDateTime::from_unix_timestamp_nanos(since.parse().ok()?).ok()?;
    Some(Device { id: id.to_owned(), since })
}

/// What the browser kept for this e-mail; nothing when it was sealed for somebody else or with another key.
pub(super) fn open(state: &AppState, email: &str, kept: &str) -> Option<Device> {
    tokens(kept).find_map(|word| open_word(state, email, word))
}

/// What the browser is to keep from now on: this person first, then the others it is known to. None when nothing can be
/// sealed.
pub(super) fn remember(
    state: &AppState,
    email: &str,
    kept: &str,
    device: Option<Device>,
    now: OffsetDateTime,
) -> Option<String> {
    let id = match device {
        Some(device) => device.id,
        None => {
            let mut bytes = [0u8; 16];
            getrandom::fill(&mut bytes).ok()?;
            URL_SAFE_NO_PAD.encode(bytes)
        }
    };
    let text = SecretString::from(format!("{id} {}", now.unix_timestamp_nanos()));
    let word = URL_SAFE_NO_PAD.encode(state.config.secret_key.seal(&owner(email), &text).ok()?);
    let others = tokens(kept).filter(|word| open_word(state, email, word).is_none()).take(PEOPLE - 1);
    Some(std::iter::once(word.as_str()).chain(others).collect::<Vec<_>>().join(&BETWEEN.to_string()))
}
