//! Where the cluster lies, who runs it, and that only one process does.
//!
//! PostgreSQL refuses to run as root. As root it is run by `postgres` or `nobody`, who must be able to reach the
//! folder: when the data folder is below one that this user may not enter, the cluster lies below [`REACHABLE`] and the
//! data folder holds a file that says where.

use sha2::{Digest, Sha256};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Where clusters lie that cannot lie in their data folder.
const REACHABLE: &str = "/var/lib/batchdesk";
/// The file in the data folder that names the other place.
const POINTER: &str = "postgres.location";
/// A unix socket's path has at most 104 bytes (macOS; Linux has 107), of which the file name takes 15.
const LONGEST_SOCKET_FOLDER: usize = 104 - 15;

/// The user who runs PostgreSQL when we are root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunAs {
    /// Name, for messages.
    pub(super) name: String,
    /// User.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
}

impl RunAs {
    /// Makes `command` run as this user, without supplementary groups.
    pub(super) fn apply(&self, command: &mut Command) {
        command.gid(self.gid).uid(self.uid);
    }
}

/// The folders of one cluster, held by this process.
#[derive(Debug)]
pub(super) struct Folders {
    /// Holds everything below.
    pub(super) home: PathBuf,
    /// The cluster itself.
    pub(super) cluster: PathBuf,
    /// The socket's folder.
    pub(super) sockets: PathBuf,
    /// What the postmaster writes.
    pub(super) log: PathBuf,
    /// Who runs it; none when we do ourselves.
    pub(super) user: Option<RunAs>,
    /// Held for as long as this value lives; the kernel gives it back when the process dies.
    _lock: File,
}

impl Folders {
    /// Finds or makes the folders, and waits up to `patience` for another process to let go of them.
    pub(super) fn take(data_dir: &Path, patience: Duration) -> Result<Self, String> {
        make_private(data_dir)
            .map_err(|error| format!("The data folder {} cannot be made: {error}.", data_dir.display()))?;
        let data_dir =
            data_dir.canonicalize().map_err(|error| format!("The data folder {}: {error}.", data_dir.display()))?;
        let root = nix::unistd::geteuid().is_root();
        let mut user = if root { Some(unprivileged()?) } else { None };
        let home = home(&data_dir, user.as_ref())?;
        let cluster = home.join("postgres");
        if let Ok(there) = fs::metadata(&cluster) {
            if root && there.uid() != 0 {
                // Made earlier by an ordinary user, or by the other of `postgres` and `nobody`: that user goes on.
                let name = format!("user {}", there.uid());
                user = user.filter(|user| user.uid == there.uid()).or(Some(RunAs {
                    name,
                    uid: there.uid(),
                    gid: there.gid(),
                }));
            } else if !root && there.uid() != nix::unistd::geteuid().as_raw() {
                return Err(format!(
                    "The database in {} belongs to user {}. Start Batchdesk as that user or as root, or set \
                     BATCHDESK_DATA_DIR to another folder.",
                    cluster.display(),
                    there.uid()
                ));
            }
        }
        let lock = lock(&home.join("postgres.lock"), &data_dir, patience)?;
        let sockets = sockets(&home, user.as_ref())?;
        Ok(Self { log: home.join("postgres.log"), home, cluster, sockets, user, _lock: lock })
    }

    /// Makes a folder of the cluster's user.
    pub(super) fn make(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)?;
        self.user.as_ref().map_or(Ok(()), |user| chown(folder, Some(user.uid), Some(user.gid)))
    }
}

/// Makes a folder that only its owner may enter, unless it is there.
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn unprivileged() -> Result<RunAs, String> {
    for name in ["postgres", "nobody"] {
        if let Ok(Some(user)) = nix::unistd::User::from_name(name) {
            return Ok(RunAs { name: name.to_owned(), uid: user.uid.as_raw(), gid: user.gid.as_raw() });
        }
    }
    Err("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it. Start Batchdesk \
         as an ordinary user, or set DATABASE_URL."
        .to_owned())
}

/// The folder that holds the cluster: the data folder, or the other place that it points to.
fn home(data_dir: &Path, user: Option<&RunAs>) -> Result<PathBuf, String> {
    let pointer = data_dir.join(POINTER);
    if let Ok(text) = fs::read_to_string(&pointer) {
        let home = PathBuf::from(text.trim_end_matches('\n'));
        if home.is_dir() {
            return Ok(home);
        }
        return Err(format!(
            "The database is in {}, says {}, but that folder is missing. Put it back, or remove the file to begin with \
             an empty database.",
            home.display(),
            pointer.display()
        ));
    }
    let Some(user) = user else { return Ok(data_dir.to_owned()) };
    if enters(user, data_dir) || open_to(user, data_dir) {
        return Ok(data_dir.to_owned());
    }
    let home = Path::new(REACHABLE).join(short_name(data_dir));
    let made = || -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o711).create(&home)?;
        fs::write(home.join("belongs-to"), format!("{}\n", data_dir.display()))?;
        let mut file = File::create(&pointer)?;
        writeln!(file, "{}", home.display())?;
        file.sync_all()
    };
    made().map_err(|error| {
        format!("{} cannot enter {}, and {}: {error}.", user.name, data_dir.display(), home.display())
    })?;
    if !enters(user, &home) {
        return Err(format!("{} can enter neither {} nor {}.", user.name, data_dir.display(), home.display()));
    }
    tracing::info!(home = %home.display(), "{} cannot enter {}: the database lies elsewhere", user.name, data_dir.display());
    Ok(home)
}

/// Whether `user` can enter `folder`: the kernel is asked by doing it.
fn enters(user: &RunAs, folder: &Path) -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", ":"]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    user.apply(&mut command);
    command.status().is_ok_and(|status| status.success())
}

/// Lets `user` through a data folder that only root can enter (not list it, and nobody else), if that is all that is
/// missing.
fn open_to(user: &RunAs, data_dir: &Path) -> bool {
    let Ok(folder) = fs::metadata(data_dir) else { return false };
    let ours_alone = folder.uid() == 0 && folder.mode() & 0o077 == 0;
    if !ours_alone || !data_dir.parent().is_some_and(|parent| enters(user, parent)) {
        return false;
    }
    chown(data_dir, None, Some(user.gid)).is_ok()
        && fs::set_permissions(data_dir, Permissions::from_mode((folder.mode() & 0o7700) | 0o010)).is_ok()
        && enters(user, data_dir)
}

/// A short name that stays the same for the same folder.
fn short_name(folder: &Path) -> String {
    hex::encode(Sha256::digest(folder.as_os_str().as_bytes()).get(..6).unwrap_or_default())
}

/// The socket's folder: in `home` unless its path is too long for a socket.
fn sockets(home: &Path, user: Option<&RunAs>) -> Result<PathBuf, String> {
    let beside = home.join("socket");
    let folder = if beside.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
        beside
    } else {
        PathBuf::from(format!("/tmp/batchdesk-{}", short_name(home)))
    };
    let owner = user.map_or_else(|| nix::unistd::geteuid().as_raw(), |user| user.uid);
    let made = || -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => chown(&folder, Some(owner), None)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        // In a folder that everybody may write, somebody else may have been there first.
        let there = fs::symlink_metadata(&folder)?;
        if !there.is_dir() || !(there.uid() == owner || there.uid() == nix::unistd::geteuid().as_raw()) {
            return Err(io::Error::other("it belongs to somebody else"));
        }
        chown(&folder, Some(owner), None)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))
    };
    made().map_err(|error| {
        format!("The folder {} for the database's socket cannot be used: {error}.", folder.display())
    })?;
    Ok(folder)
}

/// Takes the lock that makes this process the only one on the cluster.
fn lock(path: &Path, data_dir: &Path, patience: Duration) -> Result<File, String> {
    let trouble = |error: io::Error| format!("{}: {error}.", path.display());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(trouble)?;
    let began = Instant::now();
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(fs::TryLockError::Error(error)) => return Err(trouble(error)),
            Err(fs::TryLockError::WouldBlock) => {}
        }
        let mut holder = String::new();
        let _ = file.rewind().and_then(|()| file.read_to_string(&mut holder));
        let holder = holder.trim();
        if began.elapsed() >= patience {
            return Err(format!(
                "Another Batchdesk (process {holder}) uses the data folder {}. Stop it, or set BATCHDESK_DATA_DIR to \
                 another folder.",
                data_dir.display()
            ));
        }
        if !said {
            said = true;
            tracing::warn!("another Batchdesk (process {holder}) uses {}: waiting for it to stop", data_dir.display());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    file.rewind()
        .and_then(|()| file.set_len(0))
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(trouble)?;
    Ok(file)
}
