use super::*;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

/// A folder of its own for each test that any user may pass through.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("batchdesk-pg-").tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn connect(embedded: &Embedded) -> PgConnection {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match PgConnection::connect_with(&embedded.connect_options()).await {
            Ok(connection) => return connection,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn gone(pid: i32) -> bool {
    // A process that is dead but not reaped has no folder any more.
    fs::read_link(format!("/proc/{pid}/cwd")).is_err()
}

async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !reached() {
        assert!(Instant::now() < deadline, "waited 20 s for: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_data_outlives_a_stop_and_a_killed_postmaster() {
    let folder = folder();
    let first = Embedded::start(folder.path()).await.unwrap();
    let mut connection = connect(&first).await;
    let (encoding, fsync, checksums, addresses): (String, String, String, String) = sqlx::query_as(
        "select current_setting('server_encoding'), current_setting('fsync'), current_setting('data_checksums'), \
         current_setting('listen_addresses')",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!([&*encoding, &*fsync, &*checksums, &*addresses], ["UTF8", "on", "on", ""]);
    sqlx::query("create table kept (n int)").execute(&mut connection).await.unwrap();
    sqlx::query("insert into kept values (1)").execute(&mut connection).await.unwrap();

    // The postmaster is killed: it comes back by itself with what was committed, and connections can be made again.
    let killed = first.postmaster().unwrap();
    signal(killed, Signal::SIGKILL);
    until("another postmaster", || first.postmaster().is_some_and(|pid| pid != killed)).await;
    let mut connection = connect(&first).await;
    sqlx::query("insert into kept values (2)").execute(&mut connection).await.unwrap();
    drop(connection);

    let last = first.postmaster().unwrap();
    first.stop().await;
    assert!(gone(last) && first.postmaster().is_none());

    // Started again, by the address that other programs are given.
    let second = Embedded::start(folder.path()).await.unwrap();
    let mut connection = PgConnection::connect(&second.database_url()).await.unwrap();
    let kept: Vec<i32> = sqlx::query_scalar("select n from kept order by n").fetch_all(&mut connection).await.unwrap();
    assert_eq!(kept, [1, 2]);
    second.stop().await;
}

#[tokio::test]
async fn another_major_version_is_refused_in_one_sentence() {
    let folder = folder();
    fs::create_dir(folder.path().join("postgres")).unwrap();
    fs::write(folder.path().join("postgres/PG_VERSION"), "99\n").unwrap();
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(folder.path().join("postgres"), Some(65534), Some(65534)).unwrap();
    }
    let refusal = Embedded::start_for_tests(folder.path()).await.unwrap_err();
    assert!(refusal.contains("was made by PostgreSQL 99") && !refusal.contains('\n'), "{refusal}");
}

#[tokio::test]
async fn a_second_supervisor_waits_for_the_first_and_says_so_when_it_waits_in_vain() {
    let folder = folder();
    let first = Embedded::start_for_tests(folder.path()).await.unwrap();
    let refusal = Embedded::start_with(folder.path(), Durability::None, Duration::from_millis(200)).await.unwrap_err();
    assert!(
        refusal.contains(&format!("process {}", std::process::id())) && refusal.contains("BATCHDESK_DATA_DIR"),
        "{refusal}"
    );

    let waiting = Embedded::start_with(folder.path(), Durability::None, Duration::from_secs(20));
    let (second, ()) = tokio::join!(waiting, async {
        first.stop().await;
        drop(first);
    });
    second.unwrap().stop().await;
}

#[tokio::test]
async fn an_earlier_postmaster_is_seen_off_before_the_next_start() {
    let folder = folder();
    // Started without a supervisor, as if its own had died without a word.
    let cluster = Cluster::prepare(folder.path(), Durability::None, Duration::ZERO).unwrap();
    let mut orphan = cluster.spawn().unwrap();
    until("the orphan's socket", || cluster.sockets().join(".s.PGSQL.5432").exists()).await;
    drop(cluster);
    let reaper = std::thread::spawn(move || orphan.wait().unwrap());
    let next = Embedded::start_for_tests(folder.path()).await.unwrap();
    assert!(reaper.join().unwrap().success(), "the earlier postmaster was to shut down cleanly");
    next.stop().await;
}

#[tokio::test]
async fn it_works_below_a_folder_that_only_root_can_enter() {
    let outer = tempfile::Builder::new().prefix("batchdesk-pg-").tempdir().unwrap();
    fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = outer.path().join("a folder, with blanks").join("data");
    let embedded = Embedded::start_for_tests(&data_dir).await.unwrap();
    connect(&embedded).await;
    embedded.stop().await;
    drop(embedded);
    if !nix::unistd::geteuid().is_root() {
        assert!(data_dir.join("postgres/PG_VERSION").exists(), "an ordinary user keeps the cluster in the data folder");
        return;
    }
    let elsewhere = PathBuf::from(fs::read_to_string(data_dir.join("postgres.location")).unwrap().trim());
    assert!(elsewhere.join("postgres/PG_VERSION").exists());
    // The second start follows the pointer, and does not begin with an empty database when the place is missing.
    let again = Embedded::start_for_tests(&data_dir).await.unwrap();
    again.stop().await;
    drop(again);
    fs::remove_dir_all(&elsewhere).unwrap();
    let refusal = Embedded::start_for_tests(&data_dir).await.unwrap_err();
    assert!(refusal.contains("is missing") && !refusal.contains('\n'), "{refusal}");
}

#[tokio::test]
async fn a_private_data_folder_keeps_the_cluster_inside_and_a_long_path_gets_a_short_socket() {
    let outer = folder();
    let data_dir = outer.path().join("d".repeat(100));
    let embedded = Embedded::start_for_tests(&data_dir).await.unwrap();
    assert!(data_dir.join("postgres/PG_VERSION").exists());
    assert!(embedded.sockets.as_os_str().len() + ".s.PGSQL.5432".len() < 104);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&data_dir) & 0o007, 0, "nobody else may enter the data folder");
    assert_eq!(mode(&embedded.sockets) & 0o077, 0, "nobody else may reach the socket");
    connect(&embedded).await;
    embedded.stop().await;
    fs::remove_dir_all(&embedded.sockets).unwrap();
}

fn signal(pid: i32, signal: Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}
