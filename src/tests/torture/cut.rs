//! Somebody between the server and its database who loses the reply of a COMMIT, or the COMMIT itself.

use std::{
    collections::HashSet,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// What is lost next.
const NOTHING: u32 = 0;
const REPLY: u32 = 1;
const REQUEST: u32 = 2;

#[derive(Default)]
struct Shared {
    next: AtomicU32,
    /// Only the COMMIT of an intent to send.
    intents_only: AtomicBool,
    replies: AtomicU32,
    requests: AtomicU32,
    intents: AtomicU32,
}

/// The listener, and what it did.
pub(super) struct Cut {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

impl Cut {
    /// Listens for the server and hands everything on to the database at `port`.
    pub(super) fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let given = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let shared = given.clone();
                thread::spawn(move || drop(carry(&client, &server, &shared)));
            }
        });
        Self { port: own, shared }
    }

    /// The next COMMIT (of an intent) loses its reply, or does not arrive itself.
    pub(super) fn arm(&self, reply: bool, intents_only: bool) {
        self.shared.intents_only.store(intents_only, Ordering::SeqCst);
        self.shared.next.store(if reply { REPLY } else { REQUEST }, Ordering::SeqCst);
    }

    pub(super) fn disarm(&self) {
        self.shared.next.store(NOTHING, Ordering::SeqCst);
    }

    pub(super) fn is_armed(&self) -> bool {
        self.shared.next.load(Ordering::SeqCst) != NOTHING
    }

    /// Replies and requests lost, and how many of both were intents.
    pub(super) fn cuts(&self) -> (u32, u32, u32) {
        let Shared { replies, requests, intents, .. } = &*self.shared;
        let count = |count: &AtomicU32| count.load(Ordering::SeqCst);
        (count(replies), count(requests), count(intents))
    }
}

/// Carries one connection. The server's messages are read one by one; the database's are passed on as they come.
fn carry(client: &TcpStream, server: &TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    // Set before the COMMIT is handed on, so that its reply cannot slip through.
    let silent = Arc::new(AtomicBool::new(false));
    let quiet = silent.clone();
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut bytes) {
            // The reply is there: the COMMIT was carried out, and nobody hears of it.
            if quiet.load(Ordering::SeqCst) || to_client.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
    let ended = messages(client, server, shared, &silent);
    if !silent.load(Ordering::SeqCst) {
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }
    ended
}

fn messages(mut client: &TcpStream, mut server: &TcpStream, shared: &Shared, silent: &AtomicBool) -> io::Result<()> {
    // The start has no type byte: length, then the rest.
    let start = message(client, None)?;
    server.write_all(&start)?;
    let (mut intents, mut intent) = (HashSet::new(), false);
    loop {
        let mut kind = [0];
        client.read_exact(&mut kind)?;
        let text = message(client, Some(kind[0]))?;
        let body = &text[5..];
        match kind[0] {
            // Parse: name, statement.
            b'P' => {
                let mut parts = body.split(|byte| *byte == 0);
                let (name, sql) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                if sql.windows(19).any(|part| part == b"INSERT INTO attempt") {
                    intents.insert(name.to_vec());
                }
            }
            // Bind: portal, name of the statement.
            b'B' => intent |= body.split(|byte| *byte == 0).nth(1).is_some_and(|name| intents.contains(name)),
            b'Q' if body.starts_with(b"COMMIT") => {
                let wanted = intent || !shared.intents_only.load(Ordering::SeqCst);
                let what = if wanted { shared.next.swap(NOTHING, Ordering::SeqCst) } else { NOTHING };
                if what != NOTHING {
                    shared.intents.fetch_add(u32::from(intent), Ordering::SeqCst);
                    let count = if what == REPLY { &shared.replies } else { &shared.requests };
                    count.fetch_add(1, Ordering::SeqCst);
                }
                match what {
                    REPLY => {
                        silent.store(true, Ordering::SeqCst);
                        server.write_all(&text)?;
                        // The other direction closes both ends when the reply is there.
                        thread::sleep(Duration::from_secs(5));
                        return Ok(());
                    }
                    REQUEST => return Ok(()),
                    _ => intent = false,
                }
            }
            b'Q' if body.starts_with(b"ROLLBACK") => intent = false,
            _ => {}
        }
        server.write_all(&text)?;
    }
}

/// The rest of a message, with what was read of it in front.
fn message(mut client: &TcpStream, kind: Option<u8>) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(0).saturating_sub(4);
    let mut text: Vec<u8> = kind.into_iter().chain(length).collect();
    let at = text.len();
    text.resize(at + size, 0);
    client.read_exact(&mut text[at..])?;
    Ok(text)
}
