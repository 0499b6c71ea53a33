//! What a link of the chain covers, computed here and not by the database, which would say what whoever changed it
//! wants.

use crate::{db::audit::chain::Link, domain::ids::OrganisationId};
use sha2::{Digest, Sha256};
use std::io::Write as _;

/// Seconds from the beginning of 1970 to that of 2000, from which PostgreSQL counts.
const EPOCH_2000: i128 = 946_684_800;

/// The hash that the first link follows.
pub(super) fn root(organisation: OrganisationId) -> Vec<u8> {
    Sha256::digest(organisation.to_string()).to_vec()
}

/// Computes the hashes of links, one after the other.
#[derive(Debug, Default)]
pub(super) struct Hasher {
    // One piece of memory for all of them.
    text: Vec<u8>,
}

impl Hasher {
    /// The hash that a link must have: what `audit_hash` of the database made of it when it was chained, that is
    /// SHA-256 of the hash before it and an array of JSON as PostgreSQL writes one. None without an entry.
    pub(super) fn hash(&mut self, organisation: OrganisationId, link: &Link<'_>) -> Option<[u8; 32]> {
        let entry = link.entry.as_ref()?;
        let text = &mut self.text;
        text.clear();
        text.extend_from_slice(link.previous);
        let micros = i128::from(entry.at) + EPOCH_2000 * 1_000_000;
        let (sign, size) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
        let (seconds, fraction) = (size / 1_000_000, size % 1_000_000);
        write!(text, "[{}, \"{organisation}\", \"{}\", {sign}{seconds}.{fraction:06}, ", link.sequence, entry.id)
            .ok()?;
        match entry.person {
            Some(person) => write!(text, "\"{person}\", ").ok()?,
            None => text.extend_from_slice(b"null, "),
        }
        serde_json::to_writer(&mut *text, entry.actor).ok()?;
        text.extend_from_slice(b", ");
        serde_json::to_writer(&mut *text, entry.action).ok()?;
        match entry.object {
            Some(object) => write!(text, ", \"{object}\", ").ok()?,
            None => text.extend_from_slice(b", null, "),
        }
        serde_json::to_writer(&mut *text, entry.detail).ok()?;
        text.push(b']');
        Some(Sha256::digest(&*text).into())
    }
}
