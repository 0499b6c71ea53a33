//! Secrets at rest: credentials of gateway connections, sealed with a key that is not in the database.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use ring::hmac;
use secrecy::{ExposeSecret, SecretBox, SecretString};

/// The installation's secret key (`BATCHDESK_SECRET_KEY`), 32 bytes.
#[derive(Clone)]
pub struct SecretKey(std::sync::Arc<SecretBox<[u8; 32]>>);

/// The sealed text cannot be opened: another key, another owner, or changed bytes.
#[derive(Debug, thiserror::Error)]
#[error("a stored secret cannot be opened with this BATCHDESK_SECRET_KEY")]
pub struct CannotOpen;

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl SecretKey {
    /// The key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(std::sync::Arc::new(SecretBox::new(Box::new(bytes))))
    }

    /// Seals `text` for `owner` (an id that must be named again to open it): 24 bytes of nonce, then the ciphertext.
    pub fn seal(&self, owner: &[u8], text: &SecretString) -> Result<Vec<u8>, CannotOpen> {
        let mut nonce = [0u8; 24];
        getrandom::fill(&mut nonce).map_err(|_| CannotOpen)?;
        let cipher = XChaCha20Poly1305::new(self.0.expose_secret().into());
        let payload = Payload { msg: text.expose_secret().as_bytes(), aad: owner };
        let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| CannotOpen)?;
        Ok([nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// Opens what [`Self::seal`] made for the same `owner`.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<SecretString, CannotOpen> {
        let (nonce, sealed) = sealed.split_at_checked(24).ok_or(CannotOpen)?;
        let cipher = XChaCha20Poly1305::new(self.0.expose_secret().into());
        let text =
            cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: owner }).map_err(|_| CannotOpen)?;
        String::from_utf8(text).map(SecretString::from).map_err(|_| CannotOpen)
    }

    /// Signs `message` (HMAC-SHA-256) with a key that is derived for this `purpose` alone.
    pub fn sign(&self, purpose: &str, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.derived(purpose), message).as_ref().to_vec()
    }

    /// Whether `signature` is what [`Self::sign`] makes of `message`; takes as long whether or not it is.
    pub fn is_signed(&self, purpose: &str, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.derived(purpose), message, signature).is_ok()
    }

    fn derived(&self, purpose: &str) -> hmac::Key {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose_secret());
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, purpose.as_bytes()).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_only_for_its_owner_with_its_key() {
        let key = SecretKey::new([7; 32]);
        let sealed = key.seal(b"gateway-1", &SecretString::from("sim_acme")).unwrap();
        assert_eq!(key.open(b"gateway-1", &sealed).unwrap().expose_secret(), "sim_acme");
        assert!(key.open(b"gateway-2", &sealed).is_err());
        assert!(SecretKey::new([8; 32]).open(b"gateway-1", &sealed).is_err());
        assert!(!sealed.windows(8).any(|w| w == b"sim_acme"));
    }

    #[test]
    fn a_signature_holds_for_its_message_its_purpose_and_its_key() {
        let key = SecretKey::new([7; 32]);
        let signature = key.sign("heads", b"entry 41");
        assert_eq!(signature.len(), 32);
        assert!(key.is_signed("heads", b"entry 41", &signature));
        assert!(!key.is_signed("heads", b"entry 42", &signature));
        assert!(!key.is_signed("restores", b"entry 41", &signature));
        assert!(!key.is_signed("heads", b"entry 41", &signature[..31]));
        assert!(!SecretKey::new([8; 32]).is_signed("heads", b"entry 41", &signature));
    }
}
