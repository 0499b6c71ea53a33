//! The object store: a folder of this machine, or a bucket of S3. An object's key is its organisation and its own id,
//! nothing that a person wrote.

use super::unchanged;
use crate::{
    domain::ids::OrganisationId,
    error::{OpError, OpResult},
    spool::{Spool, SpoolWriter},
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart, aws::AmazonS3Builder,
    local::LocalFileSystem, path::Path, prefix::PrefixStore,
};
use sha2::{Digest, Sha256};
use std::{fmt, fs, io, path::PathBuf, sync::Arc, time::Duration};
use time::OffsetDateTime;
use uuid::Uuid;

/// Bytes of a file above which it is an object.
const ABOVE: u64 = 64 * 1024 * 1024;
/// Bytes that are sent or fetched by one request.
const CHUNK: u32 = 8 * 1024 * 1024;
/// Requests of one upload that are on the way at once.
const AT_ONCE: usize = 2;
/// Longest wait for one of them.
const REQUEST: Duration = Duration::from_secs(60);
/// How often one is sent again, and for how long.
const RETRIES: usize = 3;
const RETRYING: Duration = Duration::from_secs(30);

/// What the environment says about S3 besides the address of the bucket.
const VARIABLES: [&str; 13] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Where objects are, and which files become one.
#[derive(Clone)]
pub struct Objects {
    place: Place,
    above: u64,
}

#[derive(Clone)]
enum Place {
    Folder(PathBuf),
    Bucket { address: String, store: Arc<dyn ObjectStore> },
}

impl fmt::Debug for Objects {
    /// Without the keys that the bucket is opened with.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder(folder) => write!(f, "{}", folder.display()),
            Place::Bucket { address, .. } => write!(f, "{address}"),
        }
    }
}

impl Objects {
    /// Objects in this folder, which is made when the first one comes.
    pub fn folder(folder: PathBuf) -> Self {
        Self { place: Place::Folder(folder), above: ABOVE }
    }

    /// Objects in a bucket, `s3://bucket` or `s3://bucket/prefix`. The error is what is wrong with the address or the
    /// variables, without repeating them.
    pub fn bucket(address: &str, mut variable: impl FnMut(&'static str) -> Option<String>) -> Result<Self, String> {
        let wrong = || "is no address of a bucket; write s3://bucket or s3://bucket/prefix.".to_owned();
        let place = address.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(known) {
            return Err(wrong());
        }
        let prefix = Path::parse(prefix).map_err(|_| wrong())?;
        // An error means that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut options = ClientOptions::new().with_timeout(REQUEST);
        let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRYING, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_retry(retry);
        for (name, value) in VARIABLES.into_iter().filter_map(|name| Some((name, variable(name)?))) {
            if name.starts_with("AWS_ENDPOINT_URL") {
                let right = url::Url::parse(&value).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
                if !right {
                    return Err(format!("{name} is no address; write it as in https://s3.example.com."));
                }
                // Whoever names such an address means it. It needs no certificates, of which a machine may have none.
                let plain = value.starts_with("http://");
                options = options.with_allow_http(plain).with_no_system_certificates(plain);
            }
            let key = name.to_ascii_lowercase().parse().map_err(|error: Error| error.to_string())?;
            builder = builder.with_config(key, value);
        }
        let bucket =
            builder.with_client_options(options).build().map_err(|error| format!("cannot be used: {error}."))?;
        let place = Place::Bucket { address: address.to_owned(), store: Arc::new(PrefixStore::new(bucket, prefix)) };
        Ok(Self { place, above: ABOVE })
    }

    /// Bytes of a file above which it is an object.
    pub(super) const fn above(&self) -> u64 {
        self.above
    }

    /// The same store for files of more than so many bytes.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn of_more_than(self, bytes: u64) -> Self {
        Self { above: bytes, ..self }
    }

    /// The folder, where it is one: what lies there no other machine can reach.
    pub fn is_folder(&self) -> Option<&std::path::Path> {
        match &self.place {
            Place::Folder(folder) => Some(folder),
            Place::Bucket { .. } => None,
        }
    }

    fn open(&self) -> OpResult<Arc<dyn ObjectStore>> {
        match &self.place {
            Place::Bucket { store, .. } => Ok(store.clone()),
            Place::Folder(folder) => {
                fs::create_dir_all(folder).map_err(unavailable)?;
                let store = LocalFileSystem::new_with_prefix(folder).map_err(unavailable)?;
                Ok(Arc::new(store.with_fsync(true)))
            }
        }
    }

    /// Puts a file there, as a whole or not at all.
    pub(super) async fn put(&self, organisation: OrganisationId, object: Uuid, file: &Spool) -> OpResult<()> {
        let upload = self.open()?.put_multipart(&key(organisation, object)).await.map_err(unavailable)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, CHUNK as usize);
        match fill(&mut writer, file).await {
            Ok(()) => writer.finish().await.map(|_| ()).map_err(unavailable),
            Err(error) => {
                let _ = writer.abort().await;
                Err(error)
            }
        }
    }

    /// Fetches an object of so many bytes. What has another size, or is not there, is not fetched.
    pub(super) async fn read(
        &self,
        organisation: OrganisationId,
        object: Uuid,
        length: u64,
        into: &mut SpoolWriter,
    ) -> OpResult<()> {
        let (store, key) = (self.open()?, key(organisation, object));
        match store.head(&key).await {
            Ok(head) if head.size == length => {}
            // Another server may have it in its folder.
            Err(error @ Error::NotFound { .. }) if self.is_folder().is_some() => return Err(unavailable(error)),
            Ok(_) | Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(unavailable(error)),
        }
        let mut at = 0;
        while at < length {
            let end = length.min(at + u64::from(CHUNK));
            let bytes = store.get_range(&key, at..end).await.map_err(unavailable)?;
            into.write(&bytes).await.map_err(OpError::failed)?;
            at = end;
        }
        Ok(())
    }

    /// The objects of an organisation that are there since before a time.
    pub(super) async fn older(
        &self,
        organisation: OrganisationId,
        before: OffsetDateTime,
    ) -> OpResult<BoxStream<'static, OpResult<Uuid>>> {
        if let Place::Folder(folder) = &self.place {
            let folder = folder.join(organisation.to_string());
            let cleared = tokio::task::spawn_blocking(move || clear_unfinished(&folder, before));
            cleared.await.map_err(OpError::failed)?.map_err(unavailable)?;
        }
        let old = self.open()?.list(Some(&Path::from(organisation.to_string()))).map_err(unavailable);
        let old = old.try_filter_map(move |object| async move {
            let id = object.location.filename().and_then(|name| name.parse().ok());
            Ok(id.filter(|_| object.last_modified.timestamp() < before.unix_timestamp()))
        });
        Ok(old.boxed())
    }

    /// Deletes an object, if it is there.
    pub(super) async fn delete(&self, organisation: OrganisationId, object: Uuid) -> OpResult<()> {
        match self.open()?.delete(&key(organisation, object)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn key(organisation: OrganisationId, object: Uuid) -> Path {
    Path::from_iter([organisation.to_string(), object.to_string()])
}

async fn fill(writer: &mut WriteMultipart, file: &Spool) -> OpResult<()> {
    let (mut input, mut hash) = (file.input(), Sha256::new());
    loop {
        let block;
        (input, block) = input.block().await.map_err(OpError::failed)?;
        if block.is_empty() {
            return unchanged(file, hash);
        }
        hash.update(&block);
        writer.wait_for_capacity(AT_ONCE).await.map_err(unavailable)?;
        writer.put(block.into());
    }
}

/// A killed process leaves the beginning of an object beside its place (`id#1`), which no list has.
fn clear_unfinished(folder: &std::path::Path, before: OffsetDateTime) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let unfinished = entry.file_name().to_string_lossy().contains('#');
        if unfinished && OffsetDateTime::from(entry.metadata()?.modified()?) < before {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> OpError {
    let sentence = "Large files cannot be kept or read at the moment. Nothing was changed. Try again in a moment; if it \
                    stays, tell your administrator.";
    OpError::unavailable(sentence, "object store", error)
}
