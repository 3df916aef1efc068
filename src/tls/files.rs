//! PEM files as rustls wants them, or what is wrong with which of them and how to mend it.

use std::{
    fmt::Display,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use rustls::{
    InconsistentKeys, RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
};

/// The bundle of all public CAs has some 250 KiB.
const MAX: u64 = 4 << 20;

/// Why a file cannot be used for TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {cure}")]
pub struct Unusable {
    /// Which of the files.
    pub part: Part,
    /// What is wrong, with the path; never anything of a key.
    pub what: String,
    /// The cure, as an order.
    pub cure: &'static str,
    /// Whether the file could not even be read.
    pub unread: bool,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Whom we believe.
    Ca,
    /// Who we are.
    Certificate,
    /// The proof of it.
    Key,
}

impl Part {
    fn cure(self) -> &'static str {
        match self {
            Self::Ca => "write the CA's certificates in PEM (`-----BEGIN CERTIFICATE-----`)",
            Self::Certificate => "write the chain in PEM (`-----BEGIN CERTIFICATE-----`), leaf first",
            Self::Key => {
                "write an RSA, ECDSA or Ed25519 key in PEM (`-----BEGIN PRIVATE KEY-----`) without a passphrase \
                 (`openssl pkey` takes it off)"
            }
        }
    }
}

impl Unusable {
    fn new(part: Part, path: &Path, what: impl Display) -> Self {
        Self { part, what: format!("{}: {what}", path.display()), cure: part.cure(), unread: false }
    }

    /// A CA from which no verifier can be made.
    pub(super) fn ca(path: &Path, error: &dyn Display) -> Self {
        Self::new(Part::Ca, path, error)
    }

    /// A certificate and a key that rustls does not take together.
    pub(super) fn pair(certificate: &Path, key: &Path, error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Self {
                part: Part::Key,
                what: format!("{} is not the key of {}", key.display(), certificate.display()),
                cure: "write the certificate and the key that were made together",
                unread: false,
            },
            rustls::Error::InvalidCertificate(_) => {
                Self::new(Part::Certificate, certificate, "the first certificate cannot be read")
            }
            // rustls says no more than that it is no key of a kind that it knows.
            _ => Self::new(Part::Key, key, "the key cannot be used"),
        }
    }

    pub(super) fn no_platform_roots(errors: &[rustls_native_certs::Error]) -> Self {
        let why = errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        Self {
            part: Part::Ca,
            what: format!("this machine has no root certificates{why}"),
            cure: "install ca-certificates, or name the CA of the other side in `ca`",
            unread: false,
        }
    }
}

/// A chain, leaf first.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    certificates(Part::Certificate, path)
}

/// The first key.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    PrivateKeyDer::from_pem_slice(&read(Part::Key, path)?).map_err(|error| wrong(Part::Key, path, &error))
}

/// The certificates of CAs, at least one.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    for (number, certificate) in certificates(Part::Ca, path)?.into_iter().enumerate() {
        let unread = |_| Unusable::new(Part::Ca, path, format!("certificate {} cannot be read", number + 1));
        roots.add(certificate).map_err(unread)?;
    }
    Ok(roots)
}

fn certificates(part: Part, path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let pem = read(part, path)?;
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| wrong(part, path, &error))?;
    if all.is_empty() {
        return Err(wrong(part, path, &PemError::NoItemsFound));
    }
    Ok(all)
}

/// The words are ours: an error of the parser quotes lines, and a line may be a piece of a key.
fn wrong(part: Part, path: &Path, error: &PemError) -> Unusable {
    let what = match error {
        PemError::NoItemsFound if part == Part::Key => "it holds no key that can be read".to_owned(),
        PemError::NoItemsFound => "it holds no certificate".to_owned(),
        PemError::MissingSectionEnd { .. } => "a PEM section has no `-----END` line".to_owned(),
        PemError::IllegalSectionStart { .. } => "a `-----BEGIN` line is broken".to_owned(),
        PemError::Base64Decode(_) => "what stands in a PEM section is not base64".to_owned(),
        _ => "it is not PEM".to_owned(),
    };
    Unusable::new(part, path, what)
}

fn read(part: Part, path: &Path) -> Result<Vec<u8>, Unusable> {
    let mut pem = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX + 1).read_to_end(&mut pem));
    let cannot = |why: String| Unusable {
        part,
        what: format!("{} cannot be read: {why}", path.display()),
        cure: "put the file there, or mend the path",
        unread: true,
    };
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(cannot("no such file".to_owned())),
        Err(error) => Err(cannot(error.to_string())),
        Ok(_) if pem.len() as u64 > MAX => Err(cannot(format!("it has more than {} MiB", MAX >> 20))),
        Ok(_) => Ok(pem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempdir::Folder, std::path::PathBuf) {
        let folder = tempdir::Folder::new();
        let path = folder.0.join("file.pem");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    /// A folder that goes when it is dropped.
    mod tempdir {
        use std::{
            path::PathBuf,
            sync::atomic::{AtomicU64, Ordering},
        };

        pub(super) struct Folder(pub(super) PathBuf);

        static NEXT: AtomicU64 = AtomicU64::new(0);

        impl Folder {
            pub(super) fn new() -> Self {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let path = std::env::temp_dir().join(format!("scimshim-files-{}-{number}", std::process::id()));
                std::fs::create_dir_all(&path).unwrap();
                Self(path)
            }
        }

        impl Drop for Folder {
            fn drop(&mut self) {
                let _ = std::fs::remove_dir_all(&self.0);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_what_stands_there() {
        for (text, says) in [
            ("", "holds no"),
            ("hunter2", "holds no"),
            ("-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----\n", "not base64"),
            ("-----BEGIN PRIVATE KEY-----\nhunter2\n", "no `-----END` line"),
            ("-----BEGIN hunter2\n", "broken"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "passphrase"),
        ] {
            let (_folder, path) = file(text);
            let said = key(&path).unwrap_err();
            assert!(said.to_string().contains(says), "{text}: {said}");
            assert_eq!(said.part, Part::Key);
            assert!(!said.to_string().contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_ca_needs_a_certificate() {
        let (_folder, path) = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let said = roots(&path).unwrap_err();
        assert!(said.what.ends_with("certificate 1 cannot be read"), "{said}");
        let (_folder, path) = file("# nothing\n");
        assert!(roots(&path).unwrap_err().what.ends_with("it holds no certificate"));
        assert!(roots(Path::new("/no/such/file")).unwrap_err().what.ends_with("no such file"));
    }
}
