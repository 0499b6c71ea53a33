//! Tests that drive the router from outside, over real sockets and a real PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect is to fail, in its helpers too"
)]

#[path = "outside/access.rs"]
mod access;
#[path = "outside/approvals.rs"]
mod approvals;
#[path = "outside/audited.rs"]
mod audited;
#[path = "outside/chunks.rs"]
mod chunks;
#[path = "outside/commands.rs"]
mod commands;
#[path = "outside/connections.rs"]
mod connections;
#[path = "outside/crowd.rs"]
mod crowd;
#[path = "outside/csrf.rs"]
mod csrf;
#[path = "outside/headers.rs"]
mod headers;
#[path = "outside/hostile.rs"]
mod hostile;
#[path = "outside/http_api.rs"]
mod http_api;
#[path = "outside/live.rs"]
mod live;
#[path = "outside/log.rs"]
mod log;
#[path = "outside/markup.rs"]
mod markup;
#[path = "outside/memory.rs"]
mod memory;
#[path = "outside/orders.rs"]
mod orders;
#[path = "outside/program.rs"]
mod program;
#[path = "outside/review.rs"]
mod review;
#[path = "outside/sessions.rs"]
mod sessions;
#[path = "outside/settings.rs"]
mod settings;
#[path = "outside/settings_changes.rs"]
mod settings_changes;
#[path = "outside/shapes.rs"]
mod shapes;
#[path = "outside/sign_in.rs"]
mod sign_in;
#[path = "outside/statements.rs"]
mod statements;
#[path = "outside/support.rs"]
mod support;
#[path = "outside/sync.rs"]
mod sync;
#[path = "outside/typed.rs"]
mod typed;
#[path = "outside/unread.rs"]
mod unread;
#[path = "outside/uploads.rs"]
mod uploads;
