//! Our small cookies beside the session: the colour scheme, and what a form left to say.

use super::Web;
use crate::domain::{
    ids::PersonId,
    view::{Flash, Theme},
};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

const THEME: &str = "theme";
const FLASH: &str = "batchdesk-flash";
/// A notice that nobody came to read is forgotten.
const FLASH_SECONDS: u32 = 60;

/// The value of the cookie `name`.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The colour scheme that the person chose.
pub(super) fn theme(headers: &HeaderMap) -> Theme {
    match read(headers, THEME) {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    }
}

/// The cookie that keeps a colour scheme for a year.
pub(super) fn set_theme(web: &Web, theme: Theme) -> Option<HeaderValue> {
    let value = match theme {
        Theme::System => "system",
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    cookie(web, THEME, value, 31_536_000)
}

fn owner(person: PersonId) -> Vec<u8> {
    [b"flash:".as_slice(), person.0.as_bytes()].concat()
}

/// The notice that a form left for `person`. Sealed, so that nobody else can put words into our pages.
pub(super) fn flash(web: &Web, headers: &HeaderMap, person: PersonId) -> Option<Flash> {
    let sealed = URL_SAFE_NO_PAD.decode(read(headers, FLASH)?).ok()?;
    let notice = web.config.secret_key.open(&owner(person), &sealed).ok()?;
    Some(Flash { notice: Some(notice.expose_secret().to_owned()), ..Flash::default() })
}

/// The cookie that carries a notice to the next page.
pub(super) fn set_flash(web: &Web, person: PersonId, notice: &str) -> Option<HeaderValue> {
    let sealed = web.config.secret_key.seal(&owner(person), &SecretString::from(notice)).ok()?;
    cookie(web, FLASH, &URL_SAFE_NO_PAD.encode(sealed), FLASH_SECONDS)
}

/// Forgets the notice, when the request carries one.
pub(super) fn clear_flash(web: &Web, headers: &HeaderMap) -> Option<HeaderValue> {
    read(headers, FLASH)?;
    cookie(web, FLASH, "", 0)
}

fn cookie(web: &Web, name: &str, value: &str, seconds: u32) -> Option<HeaderValue> {
    let secure = if web.https() { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")).ok()
}
