//! A progress bar on a terminal, where there is enough to read that one waits for it.

use std::io::{self, IsTerminal, Read};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::input::Input;

/// What is read faster than one sees.
const SHORT: u64 = 256 * 1024 * 1024;

/// Bytes read of all inputs, as they lie on disk.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar over all inputs; hidden where standard error is no terminal, or the input short or endless.
    pub(super) fn new(inputs: &[Input]) -> Self {
        let sizes: Option<Vec<u64>> = inputs.iter().map(Input::size).collect();
        let total = sizes.map_or(0, |sizes| sizes.iter().sum());
        if total < SHORT || !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Counts what is read through the result.
    pub(super) fn count<R: Read>(&self, reader: R) -> impl Read + use<R> {
        self.0.wrap_read(reader)
    }

    /// Runs `print` while the bar is away.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
