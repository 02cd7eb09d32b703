//! Reads inputs, several at once where there are several, and hands on what is found in their order.

use std::{
    io::{self, Read},
    sync::{Arc, Mutex, mpsc::sync_channel},
    thread,
};

use faultline_core::recognise::{Recognised, Recogniser, Settings};

use super::{
    input::{Input, Trouble},
    progress::Progress,
};

/// Bytes read at once: what a core's cache holds.
const CHUNK: usize = 512 * 1024;
/// Batches of findings a file may be ahead of what is printed.
const AHEAD: usize = 4;

type Found = Result<Recognised, Trouble>;

/// Reads every input; `each` is given what is found with the name of its input, input by input.
pub(super) fn all(
    inputs: &[Input],
    settings: &Settings,
    progress: &Progress,
    each: &mut dyn FnMut(&str, Found) -> io::Result<()>,
) -> io::Result<()> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(inputs.len());
    if workers < 2 {
        let mut chunk = vec![0; CHUNK];
        for input in inputs {
            one(input, settings, progress, &mut chunk, &mut |batch| {
                batch.into_iter().try_for_each(|found| each(input.name(), found))
            })?;
        }
        return Ok(());
    }
    let (senders, receivers): (Vec<_>, Vec<_>) = inputs.iter().map(|_| sync_channel::<Vec<Found>>(AHEAD)).unzip();
    // Inputs are taken in order, so the one that is printed now is always being read.
    // Only workers hold it: when the last of them ends, however it ends, nobody is left waiting.
    let queue = Arc::new(Mutex::new(inputs.iter().zip(senders)));
    thread::scope(|scope| {
        for _ in 0..workers {
            let queue = queue.clone();
            scope.spawn(move || {
                let mut chunk = vec![0; CHUNK];
                loop {
                    let next = queue.lock().map_or(None, |mut queue| queue.next());
                    let Some((input, sender)) = next else { return };
                    let sent = one(input, settings, progress, &mut chunk, &mut |batch| {
                        sender.send(batch).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
                    });
                    if sent.is_err() {
                        return;
                    }
                }
            });
        }
        drop(queue);
        // Receivers are dropped on the way out, so that no worker waits for a reader that is gone.
        for (input, receiver) in inputs.iter().zip(receivers) {
            for found in receiver.iter().flatten() {
                each(input.name(), found)?;
            }
        }
        Ok(())
    })
}

/// Reads one input to its end, or to what makes it unreadable: what was read until then still counts.
fn one(
    input: &Input,
    settings: &Settings,
    progress: &Progress,
    chunk: &mut [u8],
    each: &mut dyn FnMut(Vec<Found>) -> io::Result<()>,
) -> io::Result<()> {
    let name = input.name();
    let mut reader = match input.open(progress) {
        Ok(reader) => reader,
        Err(trouble) => return each(vec![Err(trouble)]),
    };
    let mut recogniser = Recogniser::new(settings.clone());
    let mut out = Vec::new();
    let trouble = loop {
        match reader.read(chunk) {
            Ok(0) => break None,
            Ok(read) => recogniser.push_chunk(name, &chunk[..read], &mut out),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(Trouble::read(name, error)),
        }
        if !out.is_empty() {
            each(out.drain(..).map(Ok).collect())?;
        }
    };
    recogniser.finish(&mut out);
    let last: Vec<Found> = out.into_iter().map(Ok).chain(trouble.map(Err)).collect();
    if last.is_empty() { Ok(()) } else { each(last) }
}
