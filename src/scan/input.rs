//! What is scanned: files by name, directory or pattern, plain or compressed, and standard input.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::progress::Progress;

/// Bytes read to see what a file is.
const HEAD: usize = 64 * 1024;

/// Something to scan.
#[derive(Debug)]
pub(super) enum Input {
    Stdin,
    File(PathBuf, String),
}

/// Why something could not be scanned.
#[derive(Debug)]
pub(super) enum Trouble {
    Input(String, io::Error),
    Nothing(String),
    Pattern(String, glob::PatternError),
}

impl Trouble {
    pub(super) fn read(name: &str, error: io::Error) -> Self {
        Self::Input(name.to_owned(), error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(name, error) => write!(f, "{name}: {error}"),
            Self::Nothing(name) => write!(f, "{name}: no such file"),
            Self::Pattern(name, error) => write!(f, "{name}: {error}"),
        }
    }
}

impl Input {
    /// The name as it was given, or as a directory or pattern gave it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Stdin => "-",
            Self::File(_, name) => name,
        }
    }

    /// Its size on disk, if it has one.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Stdin => None,
            Self::File(path, _) => Some(path.metadata().map_or(0, |metadata| metadata.len())),
        }
    }

    /// Opens it, decompressed.
    pub(super) fn open(&self, progress: &Progress) -> Result<Box<dyn Read>, Trouble> {
        let name = self.name();
        let mut raw: Box<dyn Read> = match self {
            Self::Stdin => Box::new(io::stdin().lock()),
            Self::File(path, _) => {
                Box::new(progress.count(File::open(path).map_err(|error| Trouble::read(name, error))?))
            }
        };
        // As much as is read at once later: a file is copied several times faster from offsets that pages begin at.
        let mut head = vec![0; HEAD];
        let mut got = 0;
        while got < 4 {
            match raw.read(&mut head[got..]) {
                Ok(0) => break,
                Ok(read) => got += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::read(name, error)),
            }
        }
        head.truncate(got);
        let magic = [0, 1, 2, 3].map(|at| head.get(at).copied().unwrap_or(0));
        let whole = io::Cursor::new(head).chain(raw);
        Ok(match magic {
            [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
            [0x28, 0xb5, 0x2f, 0xfd] => {
                Box::new(zstd::stream::read::Decoder::new(whole).map_err(|error| Trouble::read(name, error))?)
            }
            _ => Box::new(whole),
        })
    }
}

/// The inputs these arguments name: directories with everything below them, patterns with what they match.
pub(super) fn resolve(arguments: &[String]) -> Vec<Result<Input, Trouble>> {
    let mut inputs = Vec::new();
    for argument in arguments {
        if argument == "-" {
            inputs.push(Ok(Input::Stdin));
            continue;
        }
        let path = Path::new(argument);
        if path.is_dir() {
            walk(path, &mut inputs);
        } else if path.exists() || !argument.contains(['*', '?', '[']) {
            inputs.push(Ok(file(path)));
        } else {
            match glob::glob(argument) {
                Err(error) => inputs.push(Err(Trouble::Pattern(argument.clone(), error))),
                Ok(matches) => {
                    let before = inputs.len();
                    for path in matches.flatten() {
                        if path.is_dir() { walk(&path, &mut inputs) } else { inputs.push(Ok(file(&path))) }
                    }
                    if inputs.len() == before {
                        inputs.push(Err(Trouble::Nothing(argument.clone())));
                    }
                }
            }
        }
    }
    inputs
}

fn file(path: &Path) -> Input {
    Input::File(path.to_owned(), path.to_string_lossy().into_owned())
}

fn walk(directory: &Path, inputs: &mut Vec<Result<Input, Trouble>>) {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return inputs.push(Err(Trouble::read(&directory.to_string_lossy(), error))),
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        // A link to a directory may lead back up.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, inputs);
        } else if path.is_file() {
            inputs.push(Ok(file(&path)));
        }
    }
}
