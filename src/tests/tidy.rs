//! Reads the source of all packages and holds the rules that the compiler does not: who may import whom inside the root
//! package, where SQL and clocks may stand, and the traps of the page framework. A breach is named with file, line and
//! rule.

mod operations;
mod tokens;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};
use tokens::{Token, mentions, text, tokens, without_tests};

/// A room of the house: where it lies, and the rooms it may use besides itself. The longest prefix that fits decides.
struct Room {
    prefix: &'static str,
    may_use: &'static [&'static str],
}

const fn room(prefix: &'static str, may_use: &'static [&'static str]) -> Room {
    Room { prefix, may_use }
}

/// Anything: the crate's roots, and what ties the parts together at the start.
const ALL: &[&str] = &["*"];

/// Rooms that are packages. What they may use stands in their `Cargo.toml`, and the compiler holds it.
const PACKAGES: [&str; 3] = ["domain", "formats", "simulator"];

const ROOMS: &[Room] = &[
    room("domain", ALL),
    room("formats", ALL),
    room("simulator", ALL),
    room("api", &["server::ops", "server::state", "server::error", "domain", "formats"]),
    room("ui::components", &["domain"]),
    room("ui", &["ui::components", "api", "domain", "formats"]),
    // The document names the files that this build serves.
    room("app", &["ui", "ui::components", "api", "domain", "formats", "http::site"]),
    room("cli", ALL),
    room("tests", ALL),
    // It judges the program from outside: a mistake must not hide in code that both share.
    room("tests::torture", &[]),
    room("main", ALL),
    room("lib", ALL),
    room(
        "http",
        &[
            "server::ops",
            "server::state",
            "server::error",
            "server::live",
            "server::config",
            "server::spool",
            "domain",
            "formats",
            "app",
            "api",
            "ui",
        ],
    ),
    // The store behind the session layer: sessions are the web part's own state, no use case stands between.
    room("http::session", &["http", "server::ops", "server::state", "server::error", "server::db::sessions", "domain"]),
    room("server::operations", &["server::db", "domain", "formats"]),
    room(
        "server::ops",
        &[
            "server::operations",
            "server::db",
            "server::files",
            "server::ingest",
            "server::spool",
            "server::gateway",
            "server::outbound",
            "server::clock",
            "server::state",
            "server::error",
            "server::config",
            "server::secrets",
            "server::hashing",
            "server::live",
            "domain",
            "formats",
        ],
    ),
    room(
        "server::processor",
        &[
            "server::ops",
            "server::db",
            "server::files",
            "server::ingest",
            "server::gateway",
            "server::outbound",
            "server::clock",
            "server::state",
            "server::error",
            "server::config",
            "server::secrets",
            "server::live",
            "domain",
        ],
    ),
    room("server::ingest", &["formats", "server::db", "server::error", "server::spool", "domain"]),
    room("server::spool", &[]),
    room("server::intake_queue", &["server::spool", "domain"]),
    room("server::files", &["server::db", "server::spool", "server::state", "server::error", "domain"]),
    room("server::db", &["server::error", "server::spool", "domain"]),
    room("server::gateway", &["server::outbound", "server::error", "server::secrets", "server::clock", "domain"]),
    room("server::outbound", &["domain"]),
    room("server::embedded", &["server::error", "server::config"]),
    room("server::clock", &[]),
    room("server::error", &["domain", "server::db"]),
    room("server::secrets", &["server::error"]),
    room("server::hashing", &[]),
    room("server::config", &["server::error", "server::files", "server::secrets", "domain"]),
    room("server::telemetry", &["server::error", "server::config", "server::lifecycle"]),
    room("server::live", &["server::error", "server::db", "server::state", "domain"]),
    room(
        "server::state",
        &[
            "server::clock",
            "server::config",
            "server::db",
            "server::hashing",
            "server::intake_queue",
            "server::live",
            "server::secrets",
        ],
    ),
    room("server::lifecycle", ALL),
    room("server::demo", ALL),
    room("server::torture", &["server::db", "server::gateway", "server::processor", "server::state", "domain"]),
    room("server", &[]),
];

/// Where calls may stand that are kept out of everything else.
const KEPT: &[(&[&str], &[&str], &str)] = &[
    (
        &[
            "sqlx::query",
            "sqlx::query_as",
            "sqlx::query_scalar",
            "sqlx::query_with",
            "sqlx::raw_sql",
            "sqlx::QueryBuilder",
            "sqlx::query_builder",
        ],
        &["server::db", "server::embedded", "tests", "tests::torture"],
        // The supervisor makes the database that `db` then lives in.
        "SQL stands in server/db only",
    ),
    (
        &[
            "OffsetDateTime::now_utc",
            "OffsetDateTime::now_local",
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
            "Utc::now",
            "Date::now",
            "Date::new_0",
        ],
        &["server::clock", "simulator"],
        "the time comes from server::clock",
    ),
    (
        &[
            "Client::new",
            "Client::builder",
            "Client::default",
            "ClientBuilder::new",
            "ClientBuilder::default",
            "reqwest::get",
        ],
        &["server::outbound", "tests", "tests::torture"],
        "HTTP clients are made in server/outbound only",
    ),
];

/// Words of the page framework that write text into the document as it is, the files that may say them, and the rule.
const UNESCAPED: &[(&str, &[&str], &str)] = &[
    (
        "leptos_meta",
        &["ui::components::title", "app", "app::document"],
        "titles are set by ui::components::Title: leptos_meta does not escape them",
    ),
    (
        "inner_html",
        &["ui::components::field", "ui::components::icon"],
        "no markup is made of text: it would not be escaped",
    ),
    ("set_inner_html", &[], "no markup is made of text: it would not be escaped"),
    ("insert_adjacent_html", &[], "no markup is made of text: it would not be escaped"),
];

/// Whether a path is the prefix or lies below it.
fn within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The room that a path lies in.
fn room_of(path: &str) -> Option<&'static Room> {
    ROOMS.iter().filter(|room| within(path, room.prefix)).max_by_key(|room| room.prefix.len())
}

/// The breaches of one file. `file` is its path inside `src`.
fn breaches(file: &str, source: &str) -> Vec<String> {
    let module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let name = module.join("::");
    let mut found = Vec::new();
    let mut tell = |line: usize, rule: &str| {
        let breach = format!("src/{file}:{line}: {rule}");
        // A path inside braces is read with its tree and on its own.
        if !found.contains(&breach) {
            found.push(breach);
        }
    };
    // Tests of a room that have a file of their own may use what they like, as those inside a file may.
    let tests = module.iter().skip(1).any(|part| part == "tests");
    let Some(own) = room_of(if tests { "tests" } else { &name }) else {
        tell(1, "belongs to no room; give it one in src/tests/tidy.rs");
        return found;
    };
    let tokens = without_tests(&tokens(source));
    let root = match file {
        "main.rs" | "lib.rs" => Vec::new(),
        "server/lib.rs" => vec!["server".to_owned()],
        _ => module,
    };
    for (path, line) in mentions(&root, &tokens) {
        let Some(target) = room_of(&path) else { continue };
        let allowed = within(&path, own.prefix) || own.may_use.iter().any(|room| *room == "*" || within(&path, room));
        // The gate itself may be named by whoever may enter a room behind it.
        if !allowed && target.prefix != "server" {
            tell(line, &format!("{} must not use {} ({path})", own.prefix, target.prefix));
        }
    }
    if !matches!(own.prefix, "tests" | "tests::torture" | "simulator") {
        operations::named(&name, &tokens).into_iter().for_each(|(line, rule)| tell(line, rule));
    }
    for (at, token) in tokens.iter().enumerate() {
        for (calls, places, rule) in KEPT {
            let is = |call: &&str| {
                let (kind, function) = call.split_once("::").unwrap_or((call, ""));
                token.text == kind && text(&tokens, at + 1) == "::" && text(&tokens, at + 2) == function
            };
            if calls.iter().any(is) && !places.contains(&own.prefix) {
                tell(token.line, rule);
            }
        }
        for (word, places, rule) in UNESCAPED {
            if token.text == *word && matches!(own.prefix, "ui" | "ui::components" | "app") && !places.contains(&&*name)
            {
                tell(token.line, rule);
            }
        }
        if matches!(own.prefix, "ui" | "ui::components" | "app") {
            let before = if at == 0 { "" } else { text(&tokens, at - 1) };
            let set = text(&tokens, at + 1) == "=" && text(&tokens, at + 2) != "=";
            let part = text(&tokens, at + 1) == ":" && text(&tokens, at + 2) != ":" && text(&tokens, at + 3) == "=";
            if token.text == "style" && !matches!(before, "let" | "mut" | "." | "::") && (set || part) {
                tell(token.line, "no inline styles: the content security policy refuses them");
            }
            if token.text == "textarea" && before == "<" && has_children(&tokens, at) {
                tell(token.line, "a textarea must have no children: they are not escaped; use prop:value");
            }
        }
    }
    found
}

/// Whether the element whose name stands at `at` holds anything.
fn has_children(tokens: &[Token], at: usize) -> bool {
    let mut depth = 0usize;
    for end in at..tokens.len() {
        match text(tokens, end) {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            ">" if depth == 0 && !matches!(text(tokens, end - 1), "=" | "-") => {
                let closed = text(tokens, end - 1) == "/";
                let empty = text(tokens, end + 1) == "<" && text(tokens, end + 2) == "/";
                return !closed && !empty;
            }
            _ => {}
        }
    }
    false
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files).unwrap();
    files.sort();
    let mut found = Vec::new();
    let mut seen = 0;
    for file in &files {
        let inside = file.strip_prefix(&root).unwrap().to_str().unwrap();
        let source = fs::read_to_string(file).unwrap();
        seen += mentions(&[], &tokens(&source)).len();
        found.extend(breaches(inside, &source));
        if !inside.starts_with("tests/tidy") {
            let old = words::old(inside, &source, &tokens(&source)).into_iter();
            found.extend(old.map(|(line, rule)| format!("src/{inside}:{line}: {rule}")));
        }
    }
    assert!(seen > 100, "only {seen} paths were read in {} files: the reader is blind", files.len());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn breaches_are_seen() {
    for (file, source, rule) in [
        ("server/ops/x.rs", "match o { Operation::Refund => 1, _ => 2 }", "operations are told apart"),
        ("server/ops/x.rs", "match o { Some(Operation::Refund) | None => 1, _ => 2 }", "operations are told apart"),
        ("server/db/x.rs", "if o == Operation::OrderSync {}", "operations are told apart"),
        ("server/demo.rs", "if domain::operation::Operation::OrderSync != o {}", "operations are told apart"),
        ("ui/pages/home.rs", "if matches!(o, Operation::Refund) {}", "operations are told apart"),
        ("ui/pages/home.rs", "let o = found.unwrap_or(Operation::Refund);", "this names an operation"),
        ("server/ops/home.rs", "use Operation::{OrderSync, Refund};", "this names an operation"),
        ("formats/registry.rs", "fn x() { sqlx::query(\"\"); }", "SQL stands in server/db only"),
        (
            "ui/components/x.rs",
            "use crate::{\n domain::x,\n server::ops::{batches as b},\n};",
            "ui::components must not use server::ops",
        ),
        ("ui/components/x.rs", "use formats::text;", "ui::components must not use formats"),
        ("server/db/x.rs", "fn x() { y(0, formats::text::z()) }", "server::db must not use formats"),
        ("api/home.rs", "fn x() { crate::server::db::lists::all() }", "api must not use server::db"),
        ("api/home.rs", "mod inner { use super::super::super::simulator::X; }", "api must not use simulator"),
        ("ui/components/table.rs", "use crate::api::home;", "ui::components must not use api"),
        ("ui/pages/home.rs", "use crate::server::ops;", "ui must not use server::ops"),
        ("ui/pages/errors.rs", "use crate::app::App;", "ui must not use app"),
        ("http/pages.rs", "use crate::server::db;", "http must not use server::db"),
        ("server/ops/home.rs", "use super::super::processor::x;", "server::ops must not use server::processor"),
        ("server/db.rs", "use super::ops::access;", "server::db must not use server::ops"),
        ("domain/money.rs", "let t = SystemTime::now();", "the time comes from server::clock"),
        ("tests/torture/checker.rs", "use batchdesk::formats::results;", "tests::torture must not use formats"),
        ("server/ops/home.rs", "let q = sqlx::query_as::<_, X>(\"\");", "SQL stands in server/db only"),
        ("server/ops/home.rs", "let t = time::OffsetDateTime::now_utc();", "the time comes from server::clock"),
        (
            "server/gateway/juspay.rs",
            "let c = reqwest::Client::builder().build();",
            "HTTP clients are made in server/outbound only",
        ),
        (
            "cli/serve.rs",
            "use reqwest::Client; let c = Client::new();",
            "HTTP clients are made in server/outbound only",
        ),
        ("server/outbound/client.rs", "use crate::gateway::Reply;", "server::outbound must not use server::gateway"),
        ("ui/pages/home.rs", "view! { <p style=\"color: red\">x</p> }", "no inline styles"),
        ("ui/pages/home.rs", "view! { <p style:width=move || w()>x</p> }", "no inline styles"),
        (
            "ui/pages/home.rs",
            "view! { <textarea name=\"a\" on:input=move |e| set(e)>{text}</textarea> }",
            "a textarea must have",
        ),
        ("ui/pages/home.rs", "use leptos_meta::Title;", "titles are set by ui::components::Title"),
        (
            "ui/layout.rs",
            "view! { <leptos_meta::Meta name=\"a\" content=b /> }",
            "titles are set by ui::components::Title",
        ),
        ("ui/pages/home.rs", "view! { <p inner_html=text></p> }", "no markup is made of text"),
        ("elsewhere.rs", "", "belongs to no room"),
    ] {
        let found = breaches(file, source);
        assert!(found.len() == 1 && found[0].contains(rule), "{source}\n{found:?}");
    }
}

#[test]
fn old_words_are_seen() {
    for (file, source, lines) in [
        ("server/ops/x.rs", "// as it is\nstruct Desk;", vec![2]),
        ("server/ops/x.rs", "fault!(commit, x);\nfault != 1;", vec![1]),
        ("server/ops/x.rs", "fn shown() {}\nlet shown = 1;\nmod told;", vec![1, 3]),
        ("server/ops/shown.rs", "", vec![1]),
        ("tests/bench/x.rs", "let desk = \"desk\";", vec![1, 1]),
        ("ui/x.rs", "\n// A caller of the machine interface.", vec![2]),
        ("ui/x.rs", "struct Desktop; fn tell_all() {} // a desk", vec![]),
    ] {
        let found: Vec<usize> = words::old(file, source, &tokens(source)).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, lines, "{source}");
    }
}

#[test]
fn what_is_allowed_passes() {
    for (file, source) in [
        ("formats/refunds.rs", "use domain::{money, finding::Finding as F}; use super::text; use crate::cards;"),
        (
            "domain/money.rs",
            "// use crate::server::db\nconst A: &str = \"crate::server::db\"; const B: &str = r#\"crate::api \" \"#; \
             const C: char = '\"';",
        ),
        (
            "domain/money.rs",
            "pub fn a<'a>(b: &'a str) -> char { '\\'' }\n#[cfg(test)]\nmod tests { use crate::formats; fn a() { {} } }",
        ),
        (
            "api/home.rs",
            "mod caller { use super::ApiError; use crate::server::{error::OpError, ops::access::Caller, state::AppState}; }",
        ),
        ("server/db/lists.rs", "sqlx::query(\"\"); use super::tenant;"),
        ("server/clock.rs", "OffsetDateTime::now_utc()"),
        ("ui/pages/new.rs", "view! { <textarea name=\"reason\" prop:value=move || { a > b }></textarea> <textarea/> }"),
        ("ui/pages/new.rs", "let style = 1; struct A { style: u8 } a.style == b;"),
        ("server/gateway/juspay/tests.rs", "use simulator::serve;"),
        ("lib.rs", "pub mod api; pub use ::{server, simulator};"),
        ("ui/components/title.rs", "view! { <leptos_meta::Title text=text /> }"),
    ] {
        assert_eq!(breaches(file, source), [""; 0], "{source}");
    }
}
