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
    /// SQLite failed.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A finding could not be written as JSON.
    #[error("a finding cannot be stored: {0}")]
    Json(#[from] serde_json::Error),
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
            _ => Self::Sqlite(error),
        }
    }
}
