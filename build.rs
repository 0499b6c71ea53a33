//! Puts the site into the server's binary: style sheet, public files, and the browser's part where it has been built.
//!
//! `.dev/build-site` leaves the browser's part in `target/site/release` and, for debug builds, in `target/site/debug`. When it is
//! not there the binary is complete all the same: every page works by plain forms, without hydration. Names carry a hash of the
//! content, so that browsers keep files for ever; each file is compressed here, once, as far as it goes.

#[path = "src/http/site/css.rs"]
mod css;

use sha2::{Digest, Sha256};
use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let profile = env::var("PROFILE")?;
    if env::var_os("CARGO_FEATURE_SSR").is_none() {
        return Ok(());
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    // One for tests, made quickly, and one that is small.
    let browser = root.join("target/site").join(&profile);
    let stamp = browser.join("stamp");
    make_stamp(&stamp)?;
    println!("cargo::rerun-if-changed={}", stamp.display());
    for watched in ["src/http/site/css.rs", "style", "public"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    Site::read(&root, &browser, &out)?.write(&out.join("site.rs"))
}

/// Cargo runs this script again and again while a file that it watches is missing, so there is always a stamp; an old one, for
/// a file younger than the run would count as a change.
fn make_stamp(stamp: &Path) -> Result<()> {
    if stamp.exists() {
        return Ok(());
    }
    if let Some(folder) = stamp.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::File::create(stamp)?.set_modified(SystemTime::UNIX_EPOCH)?;
    Ok(())
}

/// One file as the server sends it.
struct File {
    path: String,
    hash: String,
    content_type: &'static str,
    immutable: bool,
    plain: PathBuf,
    brotli: Option<PathBuf>,
    gzip: Option<PathBuf>,
}

#[derive(Default)]
struct Site {
    files: Vec<File>,
    css: Option<String>,
    js: Option<String>,
    wasm: Option<String>,
    worker: Option<String>,
    live: Option<String>,
}

impl Site {
    fn read(root: &Path, built: &Path, out: &Path) -> Result<Self> {
        let mut site = Self::default();
        let sheet = root.join("style/main.css");
        if sheet.exists() {
            site.css = Some(site.add_hashed(out, "batchdesk", "css", css::bundle(&sheet)?.as_bytes())?);
        }
        let (script, module) = (built.join("batchdesk.js"), built.join("batchdesk_bg.wasm"));
        if script.exists() && module.exists() {
            let wasm = site.add_hashed(out, "batchdesk", "wasm", &fs::read(module)?)?;
            // The script finds the module beside itself; so its own hash covers the module, and the worker's covers both.
            let text = put(&fs::read_to_string(script)?, "batchdesk_bg.wasm", base(&wasm))?;
            let js = site.add_hashed(out, "batchdesk", "js", text.as_bytes())?;
            let text = put(&fs::read_to_string(root.join("public/worker.js"))?, "batchdesk.js", base(&js))?;
            site.worker = Some(site.add_hashed(out, "worker", "js", text.as_bytes())?);
            site.live = Some(site.add_hashed(out, "live", "js", &fs::read(root.join("public/live.js"))?)?);
            (site.js, site.wasm) = (Some(js), Some(wasm));
        }
        let mut public: Vec<_> = fs::read_dir(root.join("public"))?.collect::<std::result::Result<_, _>>()?;
        public.sort_by_key(fs::DirEntry::file_name);
        for entry in public {
            let name = entry.file_name().into_string().map_err(|name| format!("public/{name:?} is not UTF-8"))?;
            if entry.file_type()?.is_file() && !["worker.js", "live.js"].contains(&name.as_str()) {
                site.add(out, format!("/{name}"), false, &fs::read(entry.path())?)?;
            }
        }
        Ok(site)
    }

    fn add_hashed(&mut self, out: &Path, name: &str, extension: &str, content: &[u8]) -> Result<String> {
        let path = format!("/pkg/{name}-{}.{extension}", hash(content));
        self.add(out, path.clone(), true, content)?;
        Ok(path)
    }

    fn add(&mut self, out: &Path, path: String, immutable: bool, content: &[u8]) -> Result<()> {
        let hash = hash(content);
        let content_type = content_type(&path)?;
        let plain = out.join(format!("{hash}.plain"));
        keep(&plain, || Ok(content.to_owned()))?;
        let (mut brotli, mut gzip) = (None, None);
        // Pictures in pixels and fonts are compressed by nature.
        if !content_type.starts_with("image/png") && !content_type.starts_with("font/") {
            brotli = smaller(out.join(format!("{hash}.br")), content, compress_brotli)?;
            gzip = smaller(out.join(format!("{hash}.gz")), content, compress_gzip)?;
        }
        self.files.push(File { path, hash, content_type, immutable, plain, brotli, gzip });
        Ok(())
    }

    fn write(&self, to: &Path) -> Result<()> {
        let mut text = String::new();
        writeln!(
            text,
            "static ASSETS: Assets = Assets {{ css: {:?}, js: {:?}, wasm: {:?}, worker: {:?}, live: {:?} }};",
            self.css, self.js, self.wasm, self.worker, self.live
        )?;
        writeln!(text, "static FILES: &[File] = &[")?;
        for File { path, hash, content_type, immutable, plain, brotli, gzip } in &self.files {
            let include = |file: &Option<PathBuf>| {
                file.as_ref().map_or("None".to_owned(), |file| format!("Some(include_bytes!({file:?}))"))
            };
            writeln!(
                text,
                "    File {{ path: {path:?}, hash: {hash:?}, content_type: {content_type:?}, immutable: {immutable}, \
                 plain: include_bytes!({plain:?}), brotli: {}, gzip: {} }},",
                include(brotli),
                include(gzip)
            )?;
        }
        writeln!(text, "];")?;
        // Unchanged text must not make the whole crate compile again.
        if fs::read_to_string(to).ok().as_deref() != Some(text.as_str()) {
            let half = to.with_extension("half");
            fs::write(&half, text)?;
            fs::rename(half, to)?;
        }
        self.forget_others(to)
    }

    /// Removes what earlier runs left beside `site.rs` and this one does not name.
    fn forget_others(&self, beside: &Path) -> Result<()> {
        let forms = self.files.iter().flat_map(|file| [Some(&file.plain), file.brotli.as_ref(), file.gzip.as_ref()]);
        let named: Vec<_> = forms.flatten().collect();
        for entry in fs::read_dir(beside.parent().ok_or("OUT_DIR is a folder")?)? {
            let path = entry?.path();
            let form =
                path.extension().is_some_and(|end| ["plain", "br", "gz", "half"].iter().any(|known| end == *known));
            if form && !named.contains(&&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// `text` with every `from` replaced; an error when there is none, since then the parts would not find each other.
fn put(text: &str, from: &str, to: &str) -> Result<String> {
    if text.contains(from) { Ok(text.replace(from, to)) } else { Err(format!("no {from} in the script").into()) }
}

fn content_type(path: &str) -> Result<&'static str> {
    Ok(match path.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => return Err(format!("public{path}: no content type is known for such a file; add it to build.rs").into()),
    })
}

/// Writes a file whose name tells its content, unless an earlier run did.
fn keep(file: &Path, content: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
    if !file.exists() {
        // Under another name first: a run that is stopped half-way must not leave half a file under this one.
        let half = file.with_extension("half");
        fs::write(&half, content()?)?;
        fs::rename(half, file)?;
    }
    Ok(())
}

/// The compressed file, or none when it is not smaller.
fn smaller(file: PathBuf, content: &[u8], compress: fn(&[u8]) -> Result<Vec<u8>>) -> Result<Option<PathBuf>> {
    keep(&file, || compress(content))?;
    Ok((fs::metadata(&file)?.len() < u64::try_from(content.len())?).then_some(file))
}

/// As small as it gets in a release, which every visitor loads; quick in a build for tests, where the best takes a minute.
fn compress_brotli(content: &[u8]) -> Result<Vec<u8>> {
    let quality = if env::var("PROFILE").is_ok_and(|profile| profile == "release") { 11 } else { 4 };
    let mut out = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut out, 4096, quality, 22);
    writer.write_all(content)?;
    drop(writer);
    same(content, brotli::Decompressor::new(out.as_slice(), 4096))?;
    Ok(out)
}

fn compress_gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(content)?;
    let out = writer.finish()?;
    same(content, flate2::read::GzDecoder::new(out.as_slice()))?;
    Ok(out)
}

/// Reads a compressed file back: what the binary carries must be what was put in.
fn same(content: &[u8], mut unpacked: impl Read) -> Result<()> {
    let mut back = Vec::with_capacity(content.len());
    unpacked.read_to_end(&mut back)?;
    if back == content { Ok(()) } else { Err("a file did not survive its compression".into()) }
}
