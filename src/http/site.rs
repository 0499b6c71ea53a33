//! The site's files, which are part of the binary: style sheet, script, module, worker, pictures.
//!
//! The build script has hashed and compressed them (see `build.rs`); here they are only handed out, so the server needs
//! no folder to start in.

#[cfg(test)]
mod css;

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// Addresses of the parts that the document names; none where a part was not built.
#[derive(Clone, Copy, Debug)]
pub struct Assets {
    /// Style sheet.
    pub css: Option<&'static str>,
    /// Script that loads the module: `import init, { hydrate } from …; await init(); hydrate()`.
    pub js: Option<&'static str>,
    /// Module; the script finds it by itself, the document may preload it.
    pub wasm: Option<&'static str>,
    /// Worker, to be started with `type: "module"`; it loads script and module by itself.
    pub worker: Option<&'static str>,
    /// Script that shares one stream of live events among all tabs.
    pub live: Option<&'static str>,
}

/// One file in the forms that it is sent in.
struct File {
    path: &'static str,
    hash: &'static str,
    content_type: &'static str,
    immutable: bool,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// Addresses of this build's parts.
pub fn assets() -> &'static Assets {
    &ASSETS
}

/// The files under `/pkg`, and the public ones at the root (`/favicon.svg` …).
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let named = get(async |Path(name): Path<String>, headers: HeaderMap| {
        let file = FILES.iter().find(|file| file.path.strip_prefix("/pkg/") == Some(name.as_str()));
        file.map_or_else(missing, |file| send(file, &headers))
    });
    FILES
        .iter()
        .filter(|file| !file.path.starts_with("/pkg/"))
        .fold(Router::new().route("/pkg/{name}", named), |router, file| {
            router.route(file.path, get(async move |headers: HeaderMap| send(file, &headers)))
        })
}

/// A name of another build: nothing may remember that it is missing.
fn missing() -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")]).into_response()
}

fn send(file: &'static File, asked: &HeaderMap) -> Response {
    let (coding, body) = choose(file, asked);
    let tag = match coding {
        Some(coding) => format!("\"{}-{coding}\"", file.hash),
        None => format!("\"{}\"", file.hash),
    };
    let held = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let fresh = held
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag);
    let mut response = if fresh { StatusCode::NOT_MODIFIED.into_response() } else { body.into_response() };
    let headers = response.headers_mut();
    let lifetime = if file.immutable { "public, max-age=31536000, immutable" } else { "public, max-age=3600" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if fresh {
        headers.remove(header::CONTENT_TYPE);
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
    }
    response
}

/// The smallest form that the browser takes.
fn choose(file: &'static File, asked: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let forms = [("br", file.brotli), ("gzip", file.gzip)];
    let taken = forms.into_iter().find_map(|(coding, body)| Some((coding, body.filter(|_| accepts(asked, coding))?)));
    taken.map_or((None, file.plain), |(coding, body)| (Some(coding), body))
}

/// Whether `Accept-Encoding` allows a coding: by its name, else by `*`; a weight of zero forbids it.
fn accepts(asked: &HeaderMap, coding: &str) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut by_star = false;
    for item in values.flat_map(|list| list.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
        let allowed = weight.bytes().any(|digit| matches!(digit, b'1'..=b'9'));
        if name.eq_ignore_ascii_case(coding) {
            return allowed;
        }
        by_star |= name == "*" && allowed;
    }
    by_star
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::{Body, to_bytes},
        http::Request,
    };
    use tower::ServiceExt;

    async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        let response = routes::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
    }

    #[test]
    fn codings_are_taken_as_asked() {
        for (asked, brotli, gzip) in [
            ("gzip, deflate, br, zstd", true, true),
            ("gzip;q=1.0, br;q=0", false, true),
            ("*;q=0.1, gzip;q=0.000", true, false),
            ("identity", false, false),
            ("BR", true, false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(asked))]);
            assert_eq!((accepts(&headers, "br"), accepts(&headers, "gzip")), (brotli, gzip), "{asked}");
        }
        assert!(!accepts(&HeaderMap::new(), "br"));
    }

    #[tokio::test]
    async fn every_file_is_sent_in_every_form_and_once_only() {
        assert!(FILES.iter().any(|file| file.path == "/favicon.svg"));
        for file in FILES {
            for coding in ["br", "gzip", "identity"] {
                let (status, headers, body) = ask(file.path, &[("accept-encoding", coding)]).await;
                assert_eq!(status, StatusCode::OK, "{}", file.path);
                assert_eq!(headers[header::CONTENT_TYPE], file.content_type);
                assert_eq!(headers[header::VARY], "accept-encoding");
                assert_eq!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), file.immutable);
                let sent = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
                let form = match sent {
                    Some("br") => file.brotli.unwrap(),
                    Some("gzip") => file.gzip.unwrap(),
                    _ => file.plain,
                };
                assert!(sent == Some(coding) || form == file.plain, "{} as {coding} came as {sent:?}", file.path);
                assert!(body == form && form.len() <= file.plain.len(), "{} as {coding}", file.path);
                let tag = headers[header::ETAG].to_str().unwrap();
                let (status, again, body) =
                    ask(file.path, &[("accept-encoding", coding), ("if-none-match", tag)]).await;
                assert_eq!(
                    (status, body.len(), &again[header::ETAG]),
                    (StatusCode::NOT_MODIFIED, 0, &headers[header::ETAG])
                );
            }
        }
    }

    #[tokio::test]
    async fn parts_find_each_other() {
        let Assets { css, js, wasm, worker, live } = *assets();
        assert_eq!(js.is_some(), wasm.is_some());
        assert_eq!((js.is_some(), js.is_some()), (worker.is_some(), live.is_some()));
        for path in [css, js, wasm, worker, live].into_iter().flatten() {
            assert_eq!(ask(path, &[]).await.0, StatusCode::OK);
        }
        if let (Some(js), Some(wasm), Some(worker)) = (js, wasm, worker) {
            let text = async |path: &str| String::from_utf8(ask(path, &[]).await.2).unwrap();
            assert!(text(js).await.contains(wasm.trim_start_matches("/pkg/")));
            assert!(text(worker).await.contains(js.trim_start_matches("/pkg/")));
        }
    }

    #[tokio::test]
    async fn an_unknown_name_is_not_remembered() {
        let (status, headers, _) = ask("/pkg/batchdesk-0000000000000000.js", &[]).await;
        assert_eq!((status, headers[header::CACHE_CONTROL].to_str().unwrap()), (StatusCode::NOT_FOUND, "no-store"));
    }
}
