//! Finding PostgreSQL's programs: `initdb` and `postgres`, of the version that the cluster was made by.

use super::folders::RunAs;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Oldest version that the database's definitions work on.
const OLDEST: u32 = 15;

/// A folder with `initdb` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    /// The folder.
    pub(super) bin: PathBuf,
    /// Major version.
    pub(super) major: u32,
}

/// The programs for a cluster of major version `existing`, or the newest when there is no cluster yet.
pub(super) fn find(existing: Option<&str>, cluster: &Path, user: Option<&RunAs>) -> Result<Programs, String> {
    choose(existing, cluster, candidates(), |bin| version(bin, user))
}

fn choose(
    existing: Option<&str>,
    cluster: &Path,
    candidates: Vec<PathBuf>,
    version: impl Fn(&Path) -> Result<u32, String>,
) -> Result<Programs, String> {
    let (mut usable, mut trouble) = (Vec::<Programs>::new(), Vec::new());
    for bin in candidates {
        match version(&bin) {
            Ok(major) => usable.push(Programs { bin, major }),
            Err(why) => trouble.push(why),
        }
    }
    if let Some(existing) = existing {
        if let Some(found) = usable.iter().find(|programs| programs.major.to_string() == existing) {
            return Ok(found.clone());
        }
        let have = usable.iter().map(|p| format!("{} in {}", p.major, p.bin.display())).collect::<Vec<_>>().join(", ");
        return Err(format!(
            "The database in {} was made by PostgreSQL {existing}, but this machine has {}. Install PostgreSQL \
             {existing}, or name the folder of its programs in PG_BIN_DIR.",
            cluster.display(),
            if have.is_empty() { "no usable PostgreSQL".to_owned() } else { format!("PostgreSQL {have}") },
        ));
    }
    match usable.iter().find(|programs| programs.major >= OLDEST) {
        Some(found) => Ok(found.clone()),
        None => Err(format!(
            "No PostgreSQL {OLDEST} or newer was found{}. Install it (Debian: apt-get install postgresql), name the \
             folder of its programs in PG_BIN_DIR, or name a running server in DATABASE_URL.",
            if trouble.is_empty() { String::new() } else { format!(" ({})", trouble.join("; ")) },
        )),
    }
}

/// Folders that hold both programs, in order of preference. `PG_BIN_DIR` is meant when it is set: then nothing else is.
fn candidates() -> Vec<PathBuf> {
    if let Some(bin) = std::env::var_os("PG_BIN_DIR").filter(|bin| !bin.is_empty()) {
        return vec![PathBuf::from(bin)];
    }
    let mut folders = system_folders(Path::new("/usr/lib/postgresql"));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    for root in tool_roots() {
        folders.extend(["bin", "native/bin"].map(|under| root.join(".tools/pg").join(under)));
    }
    let mut seen = std::collections::BTreeSet::new();
    folders.retain(|folder| holds_programs(folder) && seen.insert(folder.clone()));
    folders
}

/// Where a `.tools` folder may stand: here, and beside or above the binary.
fn tool_roots() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = std::env::current_dir().into_iter().collect();
    if let Ok(exe) = std::env::current_exe() {
        roots.extend(exe.ancestors().skip(1).take(4).map(Path::to_owned));
    }
    roots
}

/// `<root>/<version>/bin`, newest first.
fn system_folders(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, bin)| bin).collect()
}

fn holds_programs(folder: &Path) -> bool {
    folder.is_absolute() && folder.join("postgres").is_file() && folder.join("initdb").is_file()
}

/// Asks the program itself, as the user who is to run it: that also shows whether this user can.
fn version(bin: &Path, user: Option<&RunAs>) -> Result<u32, String> {
    if !bin.join("initdb").is_file() {
        return Err(format!("{} holds no initdb", bin.display()));
    }
    let mut command = Command::new(bin.join("postgres"));
    command.arg("--version").current_dir("/");
    if let Some(user) = user {
        user.apply(&mut command);
    }
    let who = user.map_or_else(String::new, |user| format!(" by {}", user.name));
    let output =
        command.output().map_err(|error| format!("{} cannot be run{who}: {error}", bin.join("postgres").display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text)
        .ok_or_else(|| format!("{} says \"{}\" for its version", bin.join("postgres").display(), text.trim()))
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15; `18beta2` is 18.
fn parse_version(text: &str) -> Option<u32> {
    let rest = text.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<PathBuf> {
        vec![PathBuf::from("/pg/17/bin"), PathBuf::from("/pg/15/bin")]
    }

    fn by_folder(bin: &Path) -> Result<u32, String> {
        bin.ancestors().nth(1).and_then(|p| p.file_name()?.to_str()?.parse().ok()).ok_or_else(|| "odd".to_owned())
    }

    #[test]
    fn the_version_of_the_cluster_decides_and_a_new_one_takes_the_first() {
        let cluster = Path::new("/data/postgres");
        assert_eq!(choose(None, cluster, two(), by_folder).unwrap().major, 17);
        assert_eq!(choose(Some("15"), cluster, two(), by_folder).unwrap().bin, Path::new("/pg/15/bin"));
        let refusal = choose(Some("16"), cluster, two(), by_folder).unwrap_err();
        assert!(refusal.contains("was made by PostgreSQL 16") && refusal.contains("17 in /pg/17/bin"), "{refusal}");
        assert!(!refusal.contains('\n'));
    }

    #[test]
    fn nothing_usable_names_the_ways_out() {
        let refusal = choose(None, Path::new("/d"), vec![PathBuf::from("/pg/9/bin"), PathBuf::from("/x")], by_folder)
            .unwrap_err();
        for part in ["PG_BIN_DIR", "DATABASE_URL", "odd"] {
            assert!(refusal.contains(part), "{refusal}");
        }
    }

    #[test]
    fn versions_are_read_as_the_program_prints_them() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta2\n"), Some(18));
        assert_eq!(parse_version("command not found"), None);
    }
}
