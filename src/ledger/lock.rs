//! One writer per ledger: an operating system's lock on a file beside it, which says who holds it.
//!
//! The system lets go of the lock when its holder ends, however it ends, so that a stale file is in nobody's way.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use tracing::warn;

use super::LedgerError;

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Takes the lock of the ledger at `path`, or says who holds it.
    pub(super) fn take(path: &Path) -> Result<Self, LedgerError> {
        let beside = beside(path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&beside)
            .map_err(|error| LedgerError::Lock(beside.clone(), error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let read = file.read_to_string(&mut holder);
                let known = read.is_ok() && !holder.trim().is_empty();
                return Err(LedgerError::InUse {
                    holder: if known { holder.trim().to_owned() } else { "another process".to_owned() },
                });
            }
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                warn!(file = %beside.display(), "this file system has no locks; make sure that one daemon uses the ledger");
                return Ok(Self { _file: None });
            }
            Err(TryLockError::Error(error)) => return Err(LedgerError::Lock(beside, error)),
        }
        let who = format!("process {} on host {}", std::process::id(), host());
        // Who holds it is only told; the lock itself holds.
        let told = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{who}"));
        if let Err(error) = told {
            warn!(file = %beside.display(), %error, "cannot write who holds the ledger's lock");
        }
        Ok(Self { _file: Some(file) })
    }
}

/// The lock file of the ledger at `path`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn host() -> String {
    let name = gethostname::gethostname();
    name.to_string_lossy().into_owned()
}
