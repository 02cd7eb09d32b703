//! Why the ledger refuses, and what to do.

use rusqlite::ErrorCode;

/// Why the ledger refuses.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Written by a Faultline that knows more than this one.
    #[error(
        "written by a newer Faultline (schema {found}, this one knows up to {known}): \
         use that version, or another file with `ledger`"
    )]
    Newer {
        /// The file's schema version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// Not SQLite, or another program's.
    #[error("this file is not a Faultline ledger; it was left as it is: choose another path with `ledger`")]
    NotALedger,
    /// The file cannot be opened or created.
    #[error("cannot be opened: {0}: check that the directory exists and can be written to")]
    Open(#[source] rusqlite::Error),
    /// Another process writes to it.
    #[error("in use by {holder}: end that one first, or choose another file with `ledger`")]
    InUse {
        /// Process and host.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("its lock {path} cannot be taken: {1}: check that the directory exists and can be written to", path = .0.display())]
    Lock(std::path::PathBuf, #[source] std::io::Error),
    /// There is no such file.
    #[error("there is no such file: name the ledger that the daemon writes, with --ledger or --config")]
    NotThere,
    /// Written by an earlier version and only to be read.
    #[error("written by an earlier Faultline (schema {found}): start the daemon on it once, which brings it forward")]
    Older {
        /// The file's schema version.
        found: i64,
    },
    /// SQLite says that its pages contradict each other.
    #[error(
        "the file is damaged ({0}); it was left as it is: `faultline ledger check` says what is wrong; restore a copy, \
         or move it away and start with a new one"
    )]
    Damaged(#[source] rusqlite::Error),
    /// SQLite failed.
    #[error("{0}")]
    Sqlite(#[source] rusqlite::Error),
    /// A value that does not read as what it should be.
    #[error("{0}")]
    Malformed(String),
    /// A finding could not be written as JSON.
    #[error("a finding cannot be stored: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(error),
            _ => Self::Sqlite(error),
        }
    }
}

impl LedgerError {
    pub(super) const fn opening(error: rusqlite::Error) -> Self {
        Self::Open(error)
    }

    /// SQLite's own word that a file is not its.
    pub(super) fn reading_header(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotALedger,
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::Open(error),
            _ => error.into(),
        }
    }
}
