//! A running `upload`, and clients of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::common;
use super::common::programs::{signal, upload};

/// A running server, which ends with the test.
pub(crate) struct Server {
    child: Option<Child>,
    address: String,
    /// Read by nobody, but open, so that the server can write to it.
    _errors: BufReader<ChildStderr>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let mut program = upload(&["--listen", "127.0.0.1:0"]);
        program.args(arguments);
        let (child, address, errors) = common::programs::listening(program);
        Self {
            child: Some(child),
            address,
            _errors: errors,
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    /// Interrupts it; what it says then.
    pub(crate) fn stop(mut self) -> Output {
        let child = self.child.take().unwrap();
        signal(&child, libc::SIGINT);
        child.wait_with_output().unwrap()
    }

    /// What curl prints, which is the answers' bodies.
    pub(crate) fn curl(&self, arguments: &[&str]) -> String {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "60"]);
        let output = curl.args(arguments).env_remove("http_proxy").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/some/where", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The answer to the upload of `bytes`.
pub(crate) fn answer(bytes: &[u8]) -> String {
    format!("{} {:x}\n", bytes.len(), Sha256::digest(bytes))
}

/// Reads one answer: its status, and its body.
pub(crate) fn read_answer(stream: &mut BufReader<TcpStream>) -> (u32, String) {
    let (mut status, mut len) = (None, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = Some(rest[..3].parse().unwrap());
        } else if let Some(number) = line.strip_prefix("Content-Length: ") {
            len = number.parse().unwrap();
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body).unwrap();
    (
        status.expect("a status line"),
        String::from_utf8(body).unwrap(),
    )
}

/// The answer to `request`, after which the server says no more.
pub(crate) fn ask(server: &Server, request: &[u8]) -> (u32, String) {
    let mut stream = server.connect();
    stream.write_all(request).unwrap();
    let mut stream = BufReader::new(stream);
    let answer = read_answer(&mut stream);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"", "it closes without a reset");
    answer
}

/// Whether there is curl, after saying so if not.
pub(crate) fn has_curl() -> bool {
    let there = Command::new("curl").arg("--version").output().is_ok();
    if !there {
        common::skip((u32::MAX, 0), &"there is no curl");
    }
    there
}

/// A file of `bytes` for curl.
pub(crate) fn file(bytes: &[u8]) -> PathBuf {
    let name = format!("zcrx-upload-{}-{}", std::process::id(), bytes.len());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
