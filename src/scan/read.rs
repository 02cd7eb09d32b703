//! Reads inputs, several at once where there are several, and hands on what is found in their order.

use std::{
    io::{self, Read},
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

use faultline_core::recognise::{Recognised, Recogniser, Settings};

use super::{
    input::{Input, Trouble},
    progress::Progress,
};

/// Bytes read at once: what stays in a core's cache while it is searched.
const CHUNK: usize = 128 * 1024;
/// Findings handed on at once by a worker that is ahead of what is printed.
const BATCH: usize = 256;
/// Findings that all workers together may be ahead.
const AHEAD: usize = 32 * 1024;

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
            one(input, settings, progress, &mut chunk, &mut |found| {
                found.drain(..).try_for_each(|found| each(input.name(), found))
            })?;
        }
        return Ok(());
    }
    let ahead = (AHEAD / BATCH / workers).max(1);
    // A worker takes the next input and says so while it holds the queue: what it finds is printed in that order.
    let (taken, order) = channel();
    let queue = Mutex::new((inputs.iter(), taken));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut chunk = vec![0; CHUNK];
                while let Some((input, sender)) = take(&queue, ahead) {
                    let mut batch = Vec::new();
                    let send = |batch: &mut Vec<Found>| {
                        sender.send(std::mem::take(batch)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
                    };
                    let sent = one(input, settings, progress, &mut chunk, &mut |found| {
                        batch.append(found);
                        if batch.len() < BATCH { Ok(()) } else { send(&mut batch) }
                    });
                    if sent.and_then(|()| send(&mut batch)).is_err() {
                        return;
                    }
                }
            });
        }
        // Receivers are dropped on the way out, so that no worker waits for a reader that is gone.
        for _ in inputs {
            let Ok((input, found)) = order.recv() else { break };
            for found in found.iter().flatten() {
                each(input.name(), found)?;
            }
        }
        drop(order);
        Ok(())
    })
}

/// Where an input's findings are read, told in the order in which inputs are taken.
type Taken<'a> = (&'a Input, Receiver<Vec<Found>>);

/// The next input and where its findings go.
fn take<'a>(
    queue: &Mutex<(std::slice::Iter<'a, Input>, Sender<Taken<'a>>)>,
    ahead: usize,
) -> Option<(&'a Input, SyncSender<Vec<Found>>)> {
    let mut queue = queue.lock().ok()?;
    let input = queue.0.next()?;
    let (sender, receiver) = sync_channel(ahead);
    queue.1.send((input, receiver)).ok()?;
    Some((input, sender))
}

/// Reads one input to its end, or to what makes it unreadable: what was read until then still counts.
fn one(
    input: &Input,
    settings: &Settings,
    progress: &Progress,
    chunk: &mut [u8],
    each: &mut dyn FnMut(&mut Vec<Found>) -> io::Result<()>,
) -> io::Result<()> {
    let name = input.name();
    let mut reader = match input.open(progress) {
        Ok(reader) => reader,
        Err(trouble) => return each(&mut vec![Err(trouble)]),
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
            each(&mut out.drain(..).map(Ok).collect())?;
        }
    };
    recogniser.finish(&mut out);
    let mut last: Vec<Found> = out.into_iter().map(Ok).chain(trouble.map(Err)).collect();
    if last.is_empty() { Ok(()) } else { each(&mut last) }
}
