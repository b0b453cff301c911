//! The program `frames` as its users run it, and the chain of pieces that it reads through.

use bytes::{Buf, Bytes};

use chain::Chain;
use common::programs::{frames, refuses};

#[path = "../examples/frames/chain.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of a program")]
mod chain;
mod common;

/// Runs `frames`, which has to end well; answers what it says: frames, contents, chunks, spanning, copied.
fn run(arguments: &[&str]) -> [u64; 5] {
    let output = frames(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let numbers = said.lines().skip(1).flat_map(|line| line.split(' '));
    let numbers: Vec<u64> = numbers.filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{said}"))
}

#[test]
fn frames_are_read_where_they_lie() {
    let [frames, bytes, chunks, spanning, copied] = run(&["--frames", "2000"]);
    assert_eq!(frames, 2000);
    assert!(bytes > 10_000_000 && chunks > 0 && spanning > 0);
    assert_eq!(copied, 0);
}

#[test]
fn lengths_and_contents_span_chunks_of_any_length() {
    for (chunk, area) in [
        ("1", "4096"),
        ("3", "12288"),
        ("5", "20480"),
        ("64", "65536"),
        ("333", "1363968"),
    ] {
        let few = [
            "--frames",
            "300",
            "--area",
            area,
            "--chunk",
            chunk,
            "--longest",
            "1000",
        ];
        let [frames, _, chunks, spanning, _] = run(&few);
        assert_eq!(frames, 300, "{chunk}");
        assert!(chunks > 0 && spanning > 0, "{chunk}");
    }
}

/// The area has no room for one frame, whose parts are copied then.
#[test]
fn a_frame_longer_than_the_area_arrives() {
    let small = ["--area", "65536", "--chunk", "4096"];
    let [frames, _, _, _, copied] =
        run(&[&small[..], &["--frames", "40", "--longest", "1000000"]].concat());
    assert_eq!(frames, 40);
    assert!(copied > 0);
}

#[test]
fn nothing_is_a_stream_too_and_so_are_empty_frames() {
    assert_eq!(run(&["--frames", "0"]), [0; 5]);
    let [frames, bytes, ..] = run(&["--frames", "1000", "--longest", "0"]);
    assert_eq!((frames, bytes), (1000, 0));
}

#[test]
fn what_is_too_long_is_refused() {
    let output = frames(&["--frames", "1000", "--accept", "500"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("500 are accepted"), "{errors}");
    let cases: &[(&[&str], &str)] = &[
        (&["--area", "5000"], "multiple of the page size"),
        (&["--chunk", "0"], "must be"),
        (&["--longest", "99999999"], "--longest"),
    ];
    refuses(frames, cases);
}

/// Against a plain vector, over pieces and steps of any length.
#[test]
fn a_chain_is_the_bytes_of_its_pieces() {
    let all = common::stream(1, 20_000);
    let mut seed = 1_u64;
    let mut any = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let (mut chain, mut pushed, mut read) = (Chain::default(), 0, 0);
    while read < all.len() {
        let piece = any(300).min(all.len() - pushed);
        chain.push(Bytes::copy_from_slice(&all[pushed..pushed + piece]));
        pushed += piece;
        assert_eq!(chain.remaining(), pushed - read);
        assert_eq!(chain.chunk().is_empty(), chain.remaining() == 0);
        assert!(chain.pieces().all(|piece| !piece.is_empty()));
        let len = any(400).min(chain.remaining());
        let expected = &all[read..read + len];
        match any(4) {
            0 => assert_eq!(chain.copy_to_bytes(len), expected),
            1 => assert_eq!(chain.split_to(len).copy_to_bytes(len), expected),
            2 => {
                let mut into = vec![0; len];
                chain.copy_to_slice(&mut into);
                assert_eq!(into, expected);
            }
            _ => chain.advance(len),
        }
        read += len;
    }
    assert_eq!((chain.remaining(), chain.pieces().count()), (0, 0));
}

#[test]
fn what_lies_in_one_piece_is_not_copied() {
    let bytes = Bytes::from(common::stream(1, 100));
    let at = bytes.as_ptr();
    let mut chain = Chain::default();
    chain.push(bytes);
    chain.advance(10);
    assert_eq!(chain.copy_to_bytes(50).as_ptr(), at.wrapping_add(10));
    assert_eq!(chain.split_to(40).chunk().as_ptr(), at.wrapping_add(60));
}
