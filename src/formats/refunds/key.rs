//! The key that a gateway knows a refund by.

use sha2::{Digest, Sha256};

/// Whether an id can be a gateway's key as it is: 1 to 20 ASCII letters and digits.
pub(super) fn fits_gateway_key(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether an id has the form of a key that Batchdesk makes. Taken as it is, one that was copied from a page would name
/// the other refund at the gateway.
fn looks_derived(id: &str) -> bool {
    id.len() == 20 && id.starts_with("BD")
}

/// The key of a failed record that is sent again. A failed key is final at the gateway: a unique_id is the key only
/// where it fits and neither was the key of, nor stood in, any of the record's `earlier` revisions.
pub fn retry_key<'a>(
    unique_id: Option<&str>,
    seed: &[u8; 16],
    number: u32,
    revision: u16,
    mut earlier: impl Iterator<Item = &'a str>,
) -> String {
    match unique_id.filter(|id| fits_gateway_key(id) && !looks_derived(id)) {
        Some(id) if !earlier.any(|known| known == id) => id.to_owned(),
        _ => gateway_key(unique_id, seed, number, revision.max(2)),
    }
}

/// The key for one record of a batch: its unique_id where that fits, otherwise `BD` and 90 bits of a hash over
/// everything that tells the record from any other. Later revisions have theirs from [`retry_key`].
pub fn gateway_key(unique_id: Option<&str>, seed: &[u8; 16], number: u32, revision: u16) -> String {
    if let Some(id) = unique_id.filter(|id| revision <= 1 && fits_gateway_key(id) && !looks_derived(id)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_never_has_a_key_that_was_there_before() {
        let seed = [7; 16];
        let first = gateway_key(Some("REF1"), &seed, 1, 1);
        assert_eq!(first, "REF1");
        let again = retry_key(Some("REF1"), &seed, 1, 2, [first.as_str()].into_iter());
        assert!(again.starts_with("BD") && again.len() == 20 && again != first);
        let third = retry_key(Some("REF1"), &seed, 1, 3, [first.as_str(), again.as_str()].into_iter());
        assert!(third != again && third.starts_with("BD"));
        assert_eq!(
            retry_key(Some("REF2"), &seed, 1, 2, [first.as_str()].into_iter()),
            "REF2",
            "an id that is new is taken"
        );
        assert_ne!(retry_key(Some("REF1"), &seed, 1, 2, ["X", "REF1"].into_iter()), "REF1");
        assert!(retry_key(Some("does-not-fit"), &seed, 1, 2, std::iter::empty()).starts_with("BD"));
    }

    #[test]
    fn a_key_of_ours_that_comes_back_as_a_unique_id_names_no_other_refund() {
        let ours = gateway_key(None, &[7; 16], 1, 1);
        assert_ne!(gateway_key(Some(&ours), &[8; 16], 1, 1), ours);
        assert_ne!(retry_key(Some(&ours), &[8; 16], 1, 2, std::iter::empty()), ours);
    }
}
