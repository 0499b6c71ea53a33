//! The key that a gateway knows a refund by.

use sha2::{Digest, Sha256};

/// Whether an id can be a gateway's key as it is: 1 to 20 ASCII letters and digits.
pub fn fits_gateway_key(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The key for one record of a batch: its unique_id where that fits, otherwise `BD` and 90 bits of a hash over everything
/// that tells the record from any other. A failed key is final at the gateway, so only the first revision, 1, uses the
/// unique_id.
pub fn gateway_key(unique_id: Option<&str>, seed: &[u8; 16], number: u32, revision: u16) -> String {
    if let Some(id) = unique_id.filter(|id| revision <= 1 && fits_gateway_key(id)) {
        return id.to_owned();
    }
    let unique_id = unique_id.unwrap_or("");
    let mut hash = Sha256::new();
    hash.update(b"batchdesk-key-1");
    hash.update(seed);
    hash.update(number.to_be_bytes());
    hash.update(revision.to_be_bytes());
    hash.update(unique_id.as_bytes());
    let digest = hash.finalize();
    let bits = digest.iter().take(16).fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    // Base 32 without the letters that are taken for digits when read aloud.
    const ALPHABET: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut key = String::from("BD");
    for place in 0..18 {
        let five = (bits >> (123 - 5 * place)) & 31;
        let digit = ALPHABET.get(usize::try_from(five).unwrap_or(0)).copied().unwrap_or(b'0');
        key.push(char::from(digit));
    }
    key
}
