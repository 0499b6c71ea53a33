//! The object stores that are tested: a folder, and a bucket of a program that stands for S3, behind a wire that can
//! be cut.

use crate::{
    server::{config::Config, files::Objects, live::Live, state::AppState},
    tests::support::TestState,
};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub(in crate::tests) enum Store {
    Folder(Arc<tempfile::TempDir>),
    Bucket { server: Arc<Server>, name: String },
}

/// The program, and the wire to it.
pub(in crate::tests) struct Server {
    program: Child,
    address: String,
    /// What goes through the wire.
    wire: String,
    /// Bytes that it still lets through, in both directions.
    allowed: Arc<AtomicI64>,
    client: reqwest::Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Copies what comes until no more is allowed.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, allowed: Arc<AtomicI64>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let left = allowed.fetch_sub(read as i64, Ordering::Relaxed) - read as i64;
        if left < 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn wire(to: String, allowed: Arc<AtomicI64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (to, allowed) = (to.clone(), allowed.clone());
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(&to).await else { return };
                let ((client_read, client_write), (server_read, server_write)) =
                    (client.into_split(), server.into_split());
                tokio::select! {
                    () = copy(client_read, server_write, allowed.clone()) => {}
                    () = copy(server_read, client_write, allowed) => {}
                }
            });
        }
    });
    address.to_string()
}

impl Server {
    /// Says so, and is none, where the program is not installed; a run for a change must have it.
    async fn start() -> Option<Arc<Self>> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/moto/bin/moto_server");
        if !program.exists() {
            assert!(std::env::var_os("CI").is_none(), "{} is missing: .dev/install moto", program.display());
            eprintln!("not run: {} is missing (.dev/install moto)", program.display());
            return None;
        }
        let mut program = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(program.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = log
            .find_map(|line| {
                let at = line.split_once("http://127.0.0.1:")?.1;
                Some(format!("127.0.0.1:{}", at.trim_end_matches(|end: char| !end.is_ascii_digit())))
            })
            .expect("its address");
        // It stops when nobody reads what it says.
        std::thread::spawn(move || log.for_each(drop));
        let allowed = Arc::new(AtomicI64::new(i64::MAX));
        let wire = wire(address.clone(), allowed.clone()).await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        Some(Arc::new(Self { program, address, wire, allowed, client: reqwest::Client::new() }))
    }

    async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> String {
        let url = format!("http://{}/{path}", self.address);
        // It looks at no signature, and at no key but for its form.
        let credential = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261130/us-east-1/s3/aws4_request, \
                          SignedHeaders=host, Signature=00";
        let request = self.client.request(method.parse().unwrap(), url).header("authorization", credential);
        let response = request.body(body).send().await.unwrap();
        assert!(response.status().is_success(), "{method} {path}: {response:?}");
        response.text().await.unwrap()
    }
}

impl Store {
    pub(in crate::tests) fn folder() -> Self {
        Self::Folder(Arc::new(tempfile::tempdir().unwrap()))
    }

    pub(in crate::tests) async fn bucket() -> Option<Self> {
        let store = Self::Bucket { server: Server::start().await?, name: String::new() };
        Some(store.another().await)
    }

    /// An empty one of the same kind.
    pub(in crate::tests) async fn another(&self) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        match self {
            Self::Folder(_) => Self::folder(),
            Self::Bucket { server, .. } => {
                let name = format!("bucket-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
                server.send("PUT", &name, Vec::new()).await;
                Self::Bucket { server: server.clone(), name }
            }
        }
    }

    fn path(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("objects")
    }

    /// A test state that keeps files of more than so many bytes here.
    pub(in crate::tests) async fn test(&self, above: usize) -> TestState {
        self.with(TestState::new().await, above)
    }

    /// The same of a test state that is there.
    pub(in crate::tests) fn with(&self, TestState { state, options }: TestState, above: usize) -> TestState {
        let objects = match self {
            Self::Folder(folder) => Objects::folder(Self::path(folder)),
            Self::Bucket { server, name } => Objects::bucket(&format!("s3://{name}/a/prefix"), |variable| {
                Some(match variable {
                    "AWS_ENDPOINT_URL" => format!("http://{}", server.wire),
                    "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "test".to_owned(),
                    _ => return None,
                })
            })
            .unwrap(),
        };
        let config = Config { object_store: objects.of_more_than(above as u64), ..state.config.clone() };
        let (db, clock) = (state.db.clone(), state.clock.clone());
        TestState { state: AppState::new(config, db, clock, Live::default(), CancellationToken::new()), options }
    }

    /// Takes the folder away, or puts it back.
    pub(in crate::tests) fn set_away(&self, away: bool) {
        let Self::Folder(folder) = self else { panic!("a bucket is cut off") };
        let (place, aside) = (Self::path(folder), folder.path().join("aside"));
        let (from, to) = if away { (place, aside) } else { (aside, place) };
        let _ = std::fs::remove_dir_all(&to);
        std::fs::rename(from, to).unwrap();
    }

    /// Lets so many bytes through, and then nothing.
    pub(in crate::tests) fn cut_after(&self, bytes: i64) {
        let Self::Bucket { server, .. } = self else { panic!("a folder has no wire") };
        server.allowed.store(bytes, Ordering::Relaxed);
    }

    /// Whether anything is there.
    pub(in crate::tests) fn exists(&self) -> bool {
        matches!(self, Self::Folder(folder) if Self::path(folder).exists())
    }

    /// The keys of all objects, in order.
    pub(in crate::tests) async fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        match self {
            Self::Folder(folder) => {
                for organisation in std::fs::read_dir(Self::path(folder)).into_iter().flatten().map(Result::unwrap) {
                    for object in std::fs::read_dir(organisation.path()).unwrap().map(Result::unwrap) {
                        let names = [organisation.file_name(), object.file_name()];
                        keys.push(names.map(|name| name.into_string().unwrap()).join("/"));
                    }
                }
            }
            Self::Bucket { server, name } => {
                let list = server.send("GET", &format!("{name}?list-type=2"), Vec::new()).await;
                for key in list.split("<Key>").skip(1) {
                    let key = key.split_once("</Key>").unwrap().0;
                    keys.push(key.strip_prefix("a/prefix/").expect("within the prefix").to_owned());
                }
            }
        }
        keys.sort();
        keys
    }

    /// Puts an object behind the product's back.
    pub(in crate::tests) async fn put(&self, key: &str, bytes: &[u8]) {
        match self {
            Self::Folder(folder) => {
                let path = Self::path(folder).join(key);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
            Self::Bucket { server, name } => {
                server.send("PUT", &format!("{name}/a/prefix/{key}"), bytes.to_vec()).await;
            }
        }
    }
}
