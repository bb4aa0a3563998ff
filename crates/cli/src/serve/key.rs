//! The key of initial sequence numbers and timestamp offsets, kept in a file so that a restarted
//! host goes on where it left off (RFC 6528 3, RFC 7323 5.4).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

use crate::environment::random;

/// Bytes of the key.
const LEN: usize = 32;

/// The key in `file`, made there if it does not exist; without a file a new one.
///
/// # Errors
/// The file cannot be read or made, or does not hold a key.
pub(crate) fn load_or_make(file: Option<&Path>) -> anyhow::Result<[u8; LEN]> {
    let Some(file) = file else {
        return random();
    };
    match File::open(file) {
        Ok(open) => load(open).with_context(|| file.display().to_string()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let key = random()?;
            make(file, &key).with_context(|| format!("cannot make {}", file.display()))?;
            Ok(key)
        }
        Err(e) => Err(e).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn load(open: File) -> anyhow::Result<[u8; LEN]> {
    let mut bytes = Vec::with_capacity(LEN + 1);
    open.take(LEN as u64 + 1).read_to_end(&mut bytes)?;
    match <[u8; LEN]>::try_from(bytes.as_slice()) {
        Ok(key) => Ok(key),
        Err(_) => bail!("a key is {LEN} bytes, this file is not: remove it to have a new one made"),
    }
}

/// Nobody else may read the key, and a file that appeared meanwhile is not overwritten.
fn make(file: &Path, key: &[u8]) -> std::io::Result<()> {
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    new.write_all(key)?;
    new.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let key = load_or_make(Some(&file)).unwrap();
        assert_eq!(load_or_make(Some(&file)).unwrap(), key);
        assert_ne!(load_or_make(None).unwrap(), key);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        for content in [&b""[..], b"short", &[1; 33]] {
            std::fs::write(&file, content).unwrap();
            let error = load_or_make(Some(&file)).unwrap_err();
            assert!(
                format!("{error:#}").contains("a key is 32 bytes"),
                "{error:#}"
            );
            assert_eq!(std::fs::read(&file).unwrap(), content);
        }
        assert!(load_or_make(Some(&folder.path().join("no/such"))).is_err());
    }
}
