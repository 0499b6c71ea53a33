//! Where to send a browser next. Only addresses of our own are followed.

use axum::http::Method;

/// `next` when it is a path of this site: one slash at the start, none doubled, printable ASCII, no backslash.
pub(super) fn local(next: &str) -> Option<&str> {
    let printable = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = next.split(['?', '#']).next().unwrap_or(next);
    (next.starts_with('/') && printable && !path.contains("//") && next.len() <= 2_000).then_some(next)
}

/// Where a person goes after signing in.
pub(super) fn after_sign_in(next: Option<&str>) -> &str {
    let next = next.and_then(local).unwrap_or("/");
    let path = next.split(['?', '#']).next().unwrap_or(next);
    if matches!(path, "/login" | "/logout") { "/" } else { next }
}

/// The sign-in page that leads back to where the request wanted to go; a form leads back to its page.
pub(super) fn to_sign_in(method: &Method, path_and_query: &str) -> String {
    let next = if method.is_safe() { path_and_query } else { page_behind(path_and_query) };
    match local(next) {
        Some("/") | None => "/login".to_owned(),
        Some(next) => format!("/login?next={}", crate::domain::page::encode(next)),
    }
}

/// The page that shows the form which posts to `path`.
fn page_behind(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or(path);
    for action in [
        "/sync",
        "/withdraw",
        "/pause",
        "/resume",
        "/cancel",
        "/description",
        "/change",
        "/test",
        "/choose",
        "/measure",
        "/limits",
        "/approval",
    ] {
        if let Some(page) = path.strip_suffix(action) {
            return page;
        }
    }
    match path {
        "/logout" | "/theme" => "/",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for good in ["/", "/batch/batch-refunds?q=a%20b&page=2", "/approvals/1#x", "/a?u=https://b"] {
            assert_eq!(local(good), Some(good));
        }
        let long = format!("/{}", "a".repeat(2_000));
        for bad in [
            "",
            "login",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "https://evil.test",
            "/a//b",
            "/\tevil",
            "/a\r\nSet-Cookie: x=1",
            "/a b",
            "/ä",
            "javascript:alert(1)",
            " /a",
            &long,
        ] {
            assert_eq!(local(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn signing_in_leads_on_but_never_in_a_circle() {
        assert_eq!(after_sign_in(Some("/approvals")), "/approvals");
        assert_eq!(after_sign_in(Some("/login?next=/login")), "/");
        assert_eq!(after_sign_in(Some("//evil.test")), "/");
        assert_eq!(after_sign_in(None), "/");
    }

    #[test]
    fn a_form_of_somebody_signed_out_leads_back_to_its_page() {
        assert_eq!(
            to_sign_in(&Method::GET, "/batch/batch-refunds?q=a"),
            "/login?next=%2Fbatch%2Fbatch-refunds%3Fq%3Da"
        );
        assert_eq!(
            to_sign_in(&Method::POST, "/batch/batch-refunds/1/sync"),
            "/login?next=%2Fbatch%2Fbatch-refunds%2F1"
        );
        assert_eq!(to_sign_in(&Method::GET, "/"), "/login");
        assert_eq!(to_sign_in(&Method::GET, "//evil.test"), "/login");
    }
}
