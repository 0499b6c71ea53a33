//! `run.json` in the data folder, while the server runs: where it is and what database it works on.

use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const NAME: &str = "run.json";

/// What is in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunFile {
    /// Process id of the server.
    pub(super) pid: u32,
    /// Address of the web part; none without one.
    pub(super) listen: Option<String>,
    /// The database, with the password if it has one: the file is readable by its owner only.
    pub(super) database_url: String,
    /// Address of the simulator (demo).
    pub(super) simulator: Option<String>,
    /// The simulator's ledger (demo).
    pub(super) ledger: Option<PathBuf>,
}

/// The file as long as this process runs; removed in the end.
#[derive(Debug)]
pub(super) struct Written(PathBuf);

impl RunFile {
    /// What a living process has written.
    pub(super) fn read(data_dir: &Path) -> Option<Self> {
        let run: Self = serde_json::from_slice(&fs::read(data_dir.join(NAME)).ok()?).ok()?;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(run.pid).ok().filter(|pid| *pid > 0)?);
        // EPERM: it lives and belongs to somebody else.
        matches!(nix::sys::signal::kill(pid, None), Ok(()) | Err(nix::errno::Errno::EPERM)).then_some(run)
    }

    /// Writes the file, unless it is another living process's (then this one works beside it).
    pub(super) fn write(&self, data_dir: &Path) -> io::Result<Option<Written>> {
        if Self::read(data_dir).is_some_and(|other| other.pid != self.pid) {
            return Ok(None);
        }
        let (path, beside) = (data_dir.join(NAME), data_dir.join("run.json.new"));
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        serde_json::to_writer(&mut file, self)?;
        writeln!(file)?;
        fs::rename(&beside, &path)?;
        Ok(Some(Written(path)))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn run(pid: u32) -> RunFile {
        RunFile {
            pid,
            listen: Some("127.0.0.1:3000".to_owned()),
            database_url: "postgres://x".to_owned(),
            simulator: None,
            ledger: None,
        }
    }

    #[test]
    fn the_file_is_there_while_its_process_runs_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let own = run(std::process::id());
        let written = own.write(folder.path()).unwrap().unwrap();
        assert_eq!(RunFile::read(folder.path()), Some(own.clone()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for field in ["pid", "listen", "database_url", "simulator", "ledger"] {
            assert!(json.get(field).is_some(), "{field}");
        }
        drop(written);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_process_s_file_is_replaced_and_a_living_one_s_is_left() {
        let folder = tempfile::tempdir().unwrap();
        // No process has this number: it is above what Linux gives out.
        fs::write(folder.path().join(NAME), serde_json::to_vec(&run(i32::MAX.cast_unsigned())).unwrap()).unwrap();
        assert_eq!(RunFile::read(folder.path()), None);
        let own = run(std::process::id()).write(folder.path()).unwrap();
        assert!(own.is_some());
        // Process 1 lives.
        fs::write(folder.path().join(NAME), serde_json::to_vec(&run(1)).unwrap()).unwrap();
        assert!(run(std::process::id()).write(folder.path()).unwrap().is_none());
    }
}
