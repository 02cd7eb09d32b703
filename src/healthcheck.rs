//! `faultline healthcheck`: asks a running daemon whether it is healthy, for containers that have no curl.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail};

/// Longer than a healthy daemon ever takes, shorter than what supervisors wait for a check.
const PATIENCE: Duration = Duration::from_secs(4);
/// The status line is all that is looked at.
const ENOUGH: u64 = 64;

/// Fails, saying why, unless the daemon at `address` answers `/-/healthy` with 200.
pub fn run(address: SocketAddr) -> anyhow::Result<()> {
    let answer = ask(address).with_context(|| format!("no answer from {address}"))?;
    let status = answer.split_ascii_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        bail!("{address} is not healthy: it answered {status:?}");
    }
    Ok(())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece: a server may answer and close as soon as it has seen the first.
    stream.write_all(format!("GET /-/healthy HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut begin = Vec::new();
    stream.take(ENOUGH).read_to_end(&mut begin)?;
    Ok(String::from_utf8_lossy(&begin).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::TcpListener;

    use super::*;

    /// What `run` says of a server that answers this.
    fn verdict(answer: &'static str) -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(char::from(byte[0]));
            }
            assert!(request.starts_with("GET /-/healthy HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let verdict = run(address);
        server.join().unwrap();
        verdict
    }

    #[test]
    fn only_an_answer_of_200_is_healthy() {
        assert!(verdict("HTTP/1.1 200 OK\r\n\r\nhealthy\n").is_ok());
        for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 20"] {
            assert!(verdict(answer).is_err(), "{answer}");
        }
    }

    #[test]
    fn nobody_there_is_said_with_the_address() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = run(free).unwrap_err();
        assert!(format!("{error:#}").starts_with(&format!("no answer from {free}")), "{error:#}");
    }
}
