//! What the server writes into its log while a test runs.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use tracing::subscriber::DefaultGuard;

/// The log of everything that runs on this thread, warnings and worse: a test's runtime has one thread, so that is its
/// application.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
    _begun: DefaultGuard,
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn begin() -> Self {
        let lines = Arc::<Mutex<Vec<u8>>>::default();
        let sink = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(move || Sink(sink.clone()))
            .finish();
        Self { lines, _begun: tracing::subscriber::set_default(subscriber) }
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.lines.lock().unwrap()).lines().map(str::to_owned).collect()
    }

    /// Fails when there is an error, or a value that only the database refused.
    pub(crate) fn has_nothing_of_ours(&self) {
        let ours = |line: &String| line.contains("ERROR") || line.contains("db.input_refused");
        let found: Vec<String> = self.lines().into_iter().filter(ours).collect();
        assert!(found.is_empty(), "in the log:\n{}", found.join("\n"));
    }
}
