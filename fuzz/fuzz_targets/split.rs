//! Cut anywhere into two chunks, a log tells of the same failures.
#![no_main]

use faultline_core::recognise::{Recognised, Recogniser, Settings};
use libfuzzer_sys::fuzz_target;

fn read(chunks: &[&[u8]]) -> Vec<Recognised> {
    let mut recogniser = Recogniser::new(Settings { assume_bedrock: true, ..Settings::default() });
    let mut out = Vec::new();
    for chunk in chunks {
        recogniser.push_chunk("s", chunk, &mut out);
    }
    recogniser.finish(&mut out);
    out
}

fuzz_target!(|data: &[u8]| {
    let [high, low, log @ ..] = data else { return };
    let cut = usize::from(u16::from_be_bytes([*high, *low])).min(log.len());
    assert_eq!(read(&[log]), read(&[&log[..cut], &log[cut..]]));
});
