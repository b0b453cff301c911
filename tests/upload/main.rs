//! The program `upload` as its users run it: with curl, and with clients that are less well-behaved.

use std::io::{BufReader, Read, Write};
use std::net::Shutdown;

use common::programs::{refuses, upload};
use server::{answer, ask, file, has_curl, read_answer, Server};

#[path = "../common/mod.rs"]
mod common;
mod server;

#[test]
fn curl_uploads_files_of_any_size_in_every_way() {
    if !has_curl() {
        return;
    }
    let server = Server::start();
    for len in [0, 1, 4095, 4096, 4097, 1_000_003, 5_000_000] {
        let bytes = common::stream(len as u64, len);
        let path = file(&bytes);
        let data = format!("@{}", path.display());
        let ways: [&[&str]; 4] = [
            &["--data-binary", &data],
            &["--upload-file", path.to_str().unwrap()],
            &[
                "--data-binary",
                &data,
                "--header",
                "Transfer-Encoding: chunked",
            ],
            &[
                "--upload-file",
                path.to_str().unwrap(),
                "--header",
                "Expect: 100-continue",
            ],
        ];
        for way in ways {
            let said = server.curl(&[way, &[&server.url()]].concat());
            assert_eq!(said, answer(&bytes), "{way:?}");
        }
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn curl_keeps_its_connection() {
    if !has_curl() {
        return;
    }
    let server = Server::start();
    let (bytes, url) = (common::stream(1, 300_000), server.url());
    let path = file(&bytes);
    let data = format!("@{}", path.display());
    let count = "%{num_connects}\n";
    let said = server.curl(&[
        "--write-out",
        count,
        "--data-binary",
        &data,
        &url,
        &url,
        &url,
    ]);
    std::fs::remove_file(path).unwrap();
    let one = answer(&bytes);
    assert_eq!(said, format!("{one}1\n{one}0\n{one}0\n"));
}

#[test]
fn many_upload_at_a_time() {
    let server = Server::start();
    std::thread::scope(|scope| {
        for seed in 0..12 {
            let server = &server;
            scope.spawn(move || {
                let bytes = common::stream(seed, 2_000_000 + seed as usize);
                let mut stream = server.connect();
                let head = format!(
                    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
                    bytes.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                for piece in bytes.chunks(70_001) {
                    stream.write_all(piece).unwrap();
                }
                let said = read_answer(&mut BufReader::new(stream));
                assert_eq!(said, (200, answer(&bytes)));
            });
        }
    });
    let output = server.stop();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let bytes: usize = (0..12).map(|seed| 2_000_000 + seed).sum();
    assert_eq!(said, format!("12 uploads, {bytes} bytes\n"));
}

/// In buffers so short that boundaries fall everywhere.
#[test]
fn requests_come_in_pieces_and_behind_each_other() {
    let two = b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nTrailer: x\r\n\r\n\
        POST /b HTTP/1.1\r\nhost: x\r\nCONTENT-LENGTH: 3\r\nConnection: Close\r\n\r\nend";
    for bytes in [1, 2, 3, 7, 50, 64, 4096] {
        let server = Server::with(&["--chunk", &bytes.to_string()]);
        let mut stream = server.connect();
        stream.write_all(two).unwrap();
        let mut stream = BufReader::new(stream);
        assert_eq!(
            read_answer(&mut stream),
            (200, answer(b"hello world")),
            "{bytes}"
        );
        assert_eq!(read_answer(&mut stream), (200, answer(b"end")), "{bytes}");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed");
    }
}

#[test]
fn who_expects_it_is_told_to_go_on() {
    let server = Server::start();
    let mut stream = server.connect();
    stream
        .write_all(
            b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        )
        .unwrap();
    let mut stream = BufReader::new(stream);
    assert_eq!(read_answer(&mut stream), (100, String::new()));
    stream.get_mut().write_all(b"body").unwrap();
    assert_eq!(read_answer(&mut stream), (200, answer(b"body")));
}

#[test]
fn bad_requests_are_refused_with_the_reason() {
    let server = Server::start();
    let post = |rest: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{rest}");
    let chunked = |rest: &str| post(&format!("Transfer-Encoding: chunked\r\n\r\n{rest}"));
    let cases = [
        (400, "\0\x01\x02 nothing of the kind\r\n\r\n".to_owned()),
        (
            400,
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n".to_owned(),
        ),
        (400, post("Host: y\r\nContent-Length: 1\r\n\r\n")),
        (400, post("Content-Length: x\r\n\r\n")),
        (400, post("Content-Length: +1\r\n\r\n")),
        (400, post("Content-Length: \r\n\r\n")),
        (400, post("Content-Length: 99999999999999999999\r\n\r\n")),
        (400, post("Content-Length: 1\r\nContent-Length: 2\r\n\r\n")),
        (
            400,
            post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ),
        (400, post("Content Length: 1\r\n\r\n")),
        (400, chunked("x\r\n")),
        (400, chunked("-1\r\n")),
        (400, chunked("11111111111111111\r\n")),
        (400, chunked("3\r\nlonger\r\n")),
        (400, chunked(&format!("3;{}", "x".repeat(5000)))),
        (400, chunked(&format!("0\r\n{}", "a: b\r\n".repeat(65)))),
        (405, "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (411, post("\r\n")),
        (417, post("Expect: 200-ok\r\nContent-Length: 1\r\n\r\n")),
        (431, post(&format!("Long: {}\r\n\r\n", "x".repeat(20_000)))),
        (431, post(&format!("Long: {}", "x".repeat(8_000_000)))),
        (431, post(&format!("{}\r\n", "a: b\r\n".repeat(65)))),
        (501, post("Transfer-Encoding: gzip, chunked\r\n\r\n")),
        (505, "POST / HTTP/3.0\r\nHost: x\r\n\r\n".to_owned()),
    ];
    for (status, request) in cases {
        let (said, why) = ask(&server, request.as_bytes());
        assert_eq!(said, status, "{request:.80?}: {why}");
        assert!(why.len() > 5, "{request:.80?}: {why:?}");
    }
    // What HTTP/1.0 does without a Host, and then closes.
    let old = b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nold";
    assert_eq!(ask(&server, old), (200, answer(b"old")));
}

/// Clients that go in the middle, in every way there is, while others upload.
#[test]
fn an_upload_that_is_broken_off_does_not_harm_others() {
    let server = Server::start();
    let bytes = common::stream(1, 3_000_000);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    let mut good: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let (first, rest) = bytes.split_at(990_000);
    for stream in &mut good {
        stream.write_all(head.as_bytes()).unwrap();
    }
    for (round, piece) in first.chunks(33_000).enumerate() {
        let mut stream = server.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&bytes[..round * 30_000]).unwrap();
        match round % 3 {
            0 => common::reset(stream),
            1 => drop(stream),
            _ => stream.shutdown(Shutdown::Write).unwrap(),
        }
        for stream in &mut good {
            stream.write_all(piece).unwrap();
        }
    }
    for mut stream in good {
        stream.write_all(rest).unwrap();
        let said = read_answer(&mut BufReader::new(stream));
        assert_eq!(said, (200, answer(&bytes)));
    }
}

#[test]
fn an_interrupt_ends_it_also_in_the_middle_of_an_upload() {
    let server = Server::start();
    let mut done = server.connect();
    done.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
        .unwrap();
    assert_eq!(
        read_answer(&mut BufReader::new(done.try_clone().unwrap())).0,
        200
    );
    let mut stream = server.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\nbody")
        .unwrap();
    let output = server.stop();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "1 uploads, 4 bytes\n"
    );
}

#[test]
fn bad_input_is_named() {
    let cases: &[(&[&str], &str)] = &[
        (&["--listen", "nowhere"], "--listen"),
        (&["--listen", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
        (&["--nic", "lo"], "IF:QUEUE"),
        (&["--chunk", "0"], "must be"),
        (&["--nic", "lo:x"], "the queue is a number"),
        (&["--nic", "nosuchif0:0"], "list them with ip link"),
    ];
    refuses(upload, cases);
    let help = upload(&["--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout)
        .unwrap()
        .contains("curl --data-binary @FILE"));
}
