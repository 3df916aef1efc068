//! Names that cannot be read back: objects are told apart by keyed hashes, so that nobody who reads a snapshot, a page
//! or an export learns who is meant, or can try out names.

use std::fmt;

use sha2::{Digest, Sha256};

/// The secret of one installation. It is kept beside the ledger's snapshot, so that objects keep their names through a
/// restart; replicas have different ones.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// One that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// To be kept, and shown to nobody.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name of `value`, which is of `resource` of `tenant`. Case does not matter: IdPs and apps differ in it.
    pub fn name(&self, tenant: &str, resource: &str, value: &str) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.0);
        for part in [tenant, resource] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        if value.bytes().any(|byte| byte.is_ascii_uppercase()) {
            hash.update(value.to_ascii_lowercase());
        } else {
            hash.update(value);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        u64::from_le_bytes(first)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_everything_but_case() {
        let (key, other) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]));
        let name = key.name("acme", "Users", "Bjensen");
        assert_eq!(name, key.name("acme", "Users", "bjensen"));
        for different in [
            other.name("acme", "Users", "bjensen"),
            key.name("acm", "eUsers", "bjensen"),
            key.name("acme", "Groups", "bjensen"),
            key.name("acme", "Users", "bjensen2"),
        ] {
            assert_ne!(name, different);
        }
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
