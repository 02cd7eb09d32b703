//! Everything that is wrong with a configuration, each with its place.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// The option, such as `cells[0].regions`; empty for the file.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// All of them, in the order of the file. Prints one per line, in the form editors jump to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file's name, as given.
    pub file: String,
    /// At least one.
    pub errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The one error that concerns the file as a whole.
    pub(super) fn of_file(file: &str, message: String) -> Self {
        let error = ConfigError { line: 0, column: 0, path: String::new(), message };
        Self { file: file.to_owned(), errors: vec![error] }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file)?;
            if error.line > 0 {
                write!(f, "{}:{}:", error.line, error.column)?;
            }
            if !error.path.is_empty() {
                write!(f, " {}:", error.path)?;
            }
            write!(f, " {}", error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
