use super::*;
use secrecy::ExposeSecret;
use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt, path::Path};

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn read(set: &[(&'static str, &str)], purpose: Purpose) -> Result<Config, String> {
    let lookup =
        |name: &'static str| set.iter().rev().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value));
    Config::from(&lookup, purpose)
}

fn served(set: &[(&'static str, &str)]) -> Result<Config, String> {
    read(&[&[("BATCHDESK_SECRET_KEY", KEY)], set].concat(), Purpose::Serve)
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let config = served(&[("BATCHDESK_PUBLIC_URL", "")]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.simulator_listen.to_string(), "127.0.0.1:4010");
    assert!(config.metrics_listen.is_none() && config.public_url.is_none() && config.database_url.is_none());
    assert_eq!(config.data_dir, std::env::current_dir().unwrap().join(".batchdesk"));
    assert_eq!((config.max_rows, config.max_upload_bytes, config.gateway_concurrency), (100_000, None, 20));
    let waits = [config.gateway_timeout, config.lease, config.poll, config.resolve_after].map(|wait| wait.as_millis());
    assert_eq!(waits, [20_000, 60_000, 1_000, 40_000]);
    assert_eq!((config.retention_days_files, config.retention_days_imports), (2_557, 30));
    assert_eq!(config.connections_per_address, None);
    assert!(config.allowed_hosts.is_empty() && !config.demo && config.warnings().is_empty());
}

#[test]
fn each_bad_value_is_one_line_that_names_its_variable() {
    let bad = [
        ("BATCHDESK_LISTEN", "3000"),
        ("BATCHDESK_SIMULATOR_LISTEN", "localhost"),
        ("BATCHDESK_METRICS_LISTEN", "127.0.0.1:99999"),
        ("BATCHDESK_PUBLIC_URL", "desk.example.com"),
        ("BATCHDESK_PUBLIC_URL", "https://desk.example.com/batch"),
        ("BATCHDESK_PUBLIC_URL", "https://me:hunter2@desk.example.com"),
        ("DATABASE_URL", "mysql://root:hunter2@localhost/x"),
        ("DATABASE_URL", "postgres://me:hunter2@localhost:port/x"),
        ("BATCHDESK_SECRET_KEY", "c2hvcnQ="),
        ("BATCHDESK_SECRET_KEY", "hunter2 is no base64"),
        ("BATCHDESK_MAX_ROWS", "0"),
        ("BATCHDESK_MAX_ROWS", "-5"),
        ("BATCHDESK_MAX_UPLOAD_BYTES", "5MB"),
        ("BATCHDESK_ALLOWED_HOSTS", "127.0.0.1,http://x"),
        ("BATCHDESK_OBJECT_STORE", "large-files"),
        ("BATCHDESK_OBJECT_STORE", "https://s3.example.com/large-files"),
        ("BATCHDESK_OBJECT_STORE", "s3://"),
        ("BATCHDESK_OBJECT_STORE", "s3://Large_Files"),
        ("BATCHDESK_OBJECT_STORE", "s3://large-files/../others"),
        ("BATCHDESK_OBJECT_STORE", "s3://me:hunter2@large-files"),
        ("BATCHDESK_RETENTION_DAYS_FILES", "0"),
        ("BATCHDESK_RETENTION_DAYS_IMPORTS", "for ever"),
        ("BATCHDESK_CONNECTIONS_PER_ADDRESS", "-1"),
        ("BATCHDESK_CONNECTIONS_PER_ADDRESS", "many"),
        ("BATCHDESK_GATEWAY_CONCURRENCY", "0"),
        ("BATCHDESK_GATEWAY_TIMEOUT_MS", "20s"),
        ("BATCHDESK_LEASE_MS", "1.5"),
        ("BATCHDESK_POLL_MS", "0"),
        ("BATCHDESK_RESOLVE_AFTER_MS", "39999"),
    ];
    for (name, value) in bad {
        let refusal = served(&[(name, value)]).unwrap_err();
        assert!(refusal.starts_with(&format!("{name}: ")) && !refusal.contains('\n'), "{name}={value}: {refusal}");
        assert!(!refusal.contains("hunter2"), "a secret is repeated: {refusal}");
    }
    let both = served(&[("BATCHDESK_POLL_MS", "x"), ("BATCHDESK_LISTEN", "x")]).unwrap_err();
    assert_eq!(both.lines().count(), 2, "{both}");
}

#[test]
fn a_bucket_is_opened_as_the_variables_of_aws_say() {
    let store = ("BATCHDESK_OBJECT_STORE", "s3://large-files/batchdesk");
    let key = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    let config = served(&[store, key[0], key[1], ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")]).unwrap();
    assert!(config.object_store.is_folder().is_none());
    let shown = format!("{config:?}");
    assert!(shown.contains("large-files") && !shown.contains("hunter2") && !shown.contains(key[0].1), "{shown}");
    for bad in [vec![key[0]], vec![key[1]], vec![key[0], key[1], ("AWS_ENDPOINT_URL", "127.0.0.1:hunter2")]] {
        let refusal = served(&[&[store], &bad[..]].concat()).unwrap_err();
        assert!(refusal.starts_with("BATCHDESK_OBJECT_STORE: ") && !refusal.contains('\n'), "{refusal}");
        assert!(!refusal.contains("hunter2"), "a secret is repeated: {refusal}");
    }
    // Without the address of a bucket they are somebody else's.
    assert!(served(&[key[0]]).unwrap().object_store.is_folder().is_some_and(|folder| folder.ends_with("objects")));
}

#[test]
fn the_gateway_is_not_asked_before_its_answer_can_have_come() {
    let with =
        |timeout, after| served(&[("BATCHDESK_GATEWAY_TIMEOUT_MS", timeout), ("BATCHDESK_RESOLVE_AFTER_MS", after)]);
    assert!(with("2000", "3999").is_err());
    assert_eq!(with("2000", "4000").unwrap().resolve_after, Duration::from_secs(4));
    // Unset, it follows the time-out.
    assert_eq!(with("30000", "").unwrap().resolve_after, Duration::from_secs(60));
    assert_eq!(with("1000", "").unwrap().resolve_after, Duration::from_secs(40));
}

#[test]
fn the_key_is_required_and_only_the_demo_makes_one_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let set = [("BATCHDESK_DATA_DIR", data.to_str().unwrap())];
    for purpose in [Purpose::Serve, Purpose::Command] {
        let refusal = read(&set, purpose).unwrap_err();
        assert!(refusal.starts_with("BATCHDESK_SECRET_KEY: is unset"), "{refusal}");
    }
    let seal = |config: &Config| config.secret_key.seal(b"x", &SecretString::from("text")).unwrap();
    let sealed = seal(&read(&set, Purpose::Demo).unwrap());
    let again = read(&set, Purpose::Demo).unwrap();
    assert_eq!(again.secret_key.open(b"x", &sealed).unwrap().expose_secret(), "text", "the same key the second time");
    assert!(again.allowed_hosts.contains(&"127.0.0.1".to_owned()) && again.demo);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("secret.key"))), (0o700, 0o600));
    // A command beside the demo uses its key; a server must be given one.
    assert!(read(&set, Purpose::Command).unwrap().secret_key.open(b"x", &sealed).is_ok());
    assert!(read(&set, Purpose::Serve).is_err());
    // A damaged key is said, never replaced: what it sealed would be lost.
    fs::write(data.join("secret.key"), "damaged").unwrap();
    assert!(read(&set, Purpose::Demo).unwrap_err().contains("secret.key does not hold"));
}

#[test]
fn secrets_are_not_in_what_the_log_shows() {
    let config = served(&[("DATABASE_URL", "postgres://me:hunter2@db.example.com/desk")]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
    assert!(!shown.contains("7, 7"), "{shown}");
}

#[test]
fn listening_beyond_this_machine_without_https_is_warned_of() {
    let open = ("BATCHDESK_LISTEN", "0.0.0.0:3000");
    assert_eq!(served(&[open]).unwrap().warnings().len(), 1);
    assert_eq!(served(&[open, ("BATCHDESK_PUBLIC_URL", "http://desk.example.com")]).unwrap().warnings().len(), 1);
    assert!(served(&[open, ("BATCHDESK_PUBLIC_URL", "https://desk.example.com")]).unwrap().warnings().is_empty());
}
