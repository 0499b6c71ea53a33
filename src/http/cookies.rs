//! Our cookies: the session's token, the browsers that signed in before, the colour scheme, and what a form left to
//! say.

use super::{Web, session};
use crate::domain::{
    ids::PersonId,
    view::{Flash, Theme},
};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

const THEME: &str = "theme";
const FLASH: &str = "batchdesk-flash";
/// A browser is known for half a year after the last sign-in.
const DEVICES_SECONDS: u32 = 15_552_000;
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
    cookie(web, THEME, value, Some(31_536_000))
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
    cookie(web, FLASH, &URL_SAFE_NO_PAD.encode(sealed), Some(FLASH_SECONDS))
}

/// Forgets the notice, when the request carries one.
pub(super) fn clear_flash(web: &Web, headers: &HeaderMap) -> Option<HeaderValue> {
    read(headers, FLASH)?;
    cookie(web, FLASH, "", Some(0))
}

/// The cookie that carries a session's token, until the browser is closed.
pub(super) fn set_session(web: &Web, token: &str) -> Option<HeaderValue> {
    cookie(web, session::cookie_name(web.https()), token, None)
}

/// Forgets the session's token.
pub(super) fn end_session(web: &Web) -> Option<HeaderValue> {
    cookie(web, session::cookie_name(web.https()), "", Some(0))
}

const fn devices_name(https: bool) -> &'static str {
    if https { "__Host-batchdesk-device" } else { "batchdesk-device" }
}

/// What the browser kept of earlier sign-ins.
pub(super) fn devices<'a>(web: &Web, headers: &'a HeaderMap) -> &'a str {
    read(headers, devices_name(web.https())).unwrap_or_default()
}

/// The cookie by which a browser is known to whoever signed in with it.
pub(super) fn set_devices(web: &Web, devices: &str) -> Option<HeaderValue> {
    cookie(web, devices_name(web.https()), devices, Some(DEVICES_SECONDS))
}

fn cookie(web: &Web, name: &str, value: &str, seconds: Option<u32>) -> Option<HeaderValue> {
    let secure = if web.https() { "; Secure" } else { "" };
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    HeaderValue::try_from(format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}")).ok()
}
