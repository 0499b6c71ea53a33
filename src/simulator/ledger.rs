//! The ledger: one line of JSON per refund request, on disk before the reply.
//!
//! One thread writes. What arrives while it waits for the disk goes into the next write together, so that two hundred
//! clients at once cost a few waits, not two hundred.

use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Most lines of one write.
const GROUP: usize = 4096;

/// One refund request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    /// RFC 3339, UTC.
    pub(super) at: String,
    pub(super) merchant: String,
    pub(super) key: String,
    pub(super) order_id: String,
    pub(super) txn_id: Option<String>,
    /// As received.
    pub(super) amount: String,
    pub(super) currency: String,
    /// Whether money moved.
    pub(super) effect: bool,
    pub(super) reply: Replied,
}

/// The status of the reply, or the word `none`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Replied {
    Status(u16),
    Word(String),
}

/// What the writer is handed; without a text it only waits for the lines before it.
struct Entry {
    text: String,
    kept: oneshot::Sender<()>,
}

/// The writing end.
#[derive(Clone)]
pub(super) struct Ledger {
    sender: mpsc::UnboundedSender<Entry>,
}

impl Ledger {
    /// Opens the file and reads what is in it. A last line that was cut by a crash was never answered, and is dropped.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Line>), String> {
        let name = path.display();
        let failed = |what: &str, e: std::io::Error| format!("The simulator's ledger {name} {what}: {e}.");
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| failed("has no folder", e))?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|e| failed("cannot be opened", e))?;
        lock(&file).map_err(|()| format!("The simulator's ledger {name} is in use by another simulator."))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|e| failed("cannot be read", e))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
        if whole < text.len() {
            text.truncate(whole);
            file.set_len(u64::try_from(whole).unwrap_or(0)).map_err(|e| failed("cannot be mended", e))?;
            file.seek(SeekFrom::End(0)).map_err(|e| failed("cannot be mended", e))?;
        }
        let mut lines = Vec::new();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let line = serde_json::from_slice(line);
            lines.push(line.map_err(|e| format!("The simulator's ledger {name} has a bad line {}: {e}.", number + 1))?);
        }
        file.sync_all().map_err(|e| failed("cannot be kept", e))?;
        let (sender, receiver) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("simulator-ledger".to_owned())
            .spawn(move || write_all(file, receiver))
            .map_err(|e| failed("has no writer", e))?;
        Ok((Self { sender }, lines))
    }

    /// Hands a line to the writer; lines reach the file in the order of these calls. The receiver hears when the line
    /// is on disk, and is closed when it cannot be written.
    pub(super) fn append(&self, line: &Line) -> oneshot::Receiver<()> {
        match serde_json::to_string(line) {
            Ok(mut text) => {
                text.push('\n');
                self.hand_over(text)
            }
            Err(_) => oneshot::channel().1,
        }
    }

    /// The receiver hears when every line that was appended so far is on disk.
    pub(super) fn synced(&self) -> oneshot::Receiver<()> {
        self.hand_over(String::new())
    }

    fn hand_over(&self, text: String) -> oneshot::Receiver<()> {
        let (kept, receiver) = oneshot::channel();
        // A send that fails drops `kept`, which is what the receiver is told by.
        drop(self.sender.send(Entry { text, kept }));
        receiver
    }
}

/// A simulator that was stopped a moment ago may still hold its file.
fn lock(file: &File) -> Result<(), ()> {
    let give_up = Instant::now() + Duration::from_secs(3);
    while file.try_lock().is_err() {
        if Instant::now() > give_up {
            return Err(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn write_all(mut file: File, mut receiver: mpsc::UnboundedReceiver<Entry>) {
    while let Some(first) = receiver.blocking_recv() {
        let mut text = first.text;
        let mut waiting = vec![first.kept];
        while waiting.len() < GROUP
            && let Ok(entry) = receiver.try_recv()
        {
            text.push_str(&entry.text);
            waiting.push(entry.kept);
        }
        if !text.is_empty()
            && let Err(e) = file.write_all(text.as_bytes()).and_then(|()| file.sync_data())
        {
            eprintln!("The simulator's ledger cannot be written: {e}. No refund is answered any more.");
            return;
        }
        for kept in waiting {
            // The client may be gone; the line stands.
            let _ = kept.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str) -> Line {
        Line {
            at: "2026-11-20T12:43:00Z".to_owned(),
            merchant: "acme".to_owned(),
            key: key.to_owned(),
            order_id: "ORD_1".to_owned(),
            txn_id: None,
            amount: "100.50".to_owned(),
            currency: "INR".to_owned(),
            effect: true,
            reply: Replied::Status(200),
        }
    }

    #[tokio::test]
    async fn a_torn_last_line_is_dropped_and_a_bad_line_in_the_middle_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/ledger.jsonl");
        let (ledger, lines) = Ledger::open(&path).unwrap();
        assert!(lines.is_empty());
        ledger.append(&line("A")).await.unwrap();
        let silent = Line { reply: Replied::Word("none".to_owned()), effect: false, ..line("B") };
        drop(ledger.append(&silent));
        ledger.synced().await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2, "both lines are on disk by now");
        drop(ledger);
        let exact = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            exact.lines().next().unwrap(),
            r#"{"at":"2026-11-20T12:43:00Z","merchant":"acme","key":"A","order_id":"ORD_1","txn_id":null,"amount":"100.50","currency":"INR","effect":true,"reply":200}"#
        );
        assert!(exact.ends_with("\"effect\":false,\"reply\":\"none\"}\n"));

        std::fs::write(&path, format!("{exact}{{\"at\":\"2026-1")).unwrap();
        let (ledger, lines) = Ledger::open(&path).unwrap();
        assert_eq!(lines, [line("A"), silent.clone()]);
        ledger.append(&line("C")).await.unwrap();
        drop(ledger);
        let (ledger, lines) = Ledger::open(&path).unwrap();
        assert_eq!(lines, [line("A"), silent, line("C")]);
        drop(ledger);

        std::fs::write(&path, format!("{{torn\n{exact}")).unwrap();
        assert!(Ledger::open(&path).err().unwrap().contains("bad line 1"));
    }
}
