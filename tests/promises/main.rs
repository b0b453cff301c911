//! What the types promise: programs that break a promise do not compile, and for that reason.
//!
//! Each is a file in `cases/`. A line that breaks a promise ends with the code of the error that it must give, as in
//! `//~ E0382`, or with the name of a lint. Such a line alone must give just that error, and none anywhere else; and
//! without any of them the program must compile, so that nothing else is wrong with it.

mod compile;

use std::collections::BTreeSet;

/// A test for each case, and one that there is a test for each.
macro_rules! promises {
    ($($case:ident),+ $(,)?) => {
        $(#[test]
        fn $case() {
            keeps(include_str!(concat!("cases/", stringify!($case), ".rs")));
        })+

        #[test]
        fn no_case_is_left_out() {
            let cases = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/promises/cases"));
            let cases = cases.unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let tests = [$(concat!(stringify!($case), ".rs")),+];
            assert_eq!(cases.collect::<BTreeSet<_>>(), tests.map(str::to_owned).into());
        }
    };
}

promises! {
    a_buffer_ring_has_one_producer,
    a_chunk_comes_from_a_completion_alone,
    a_chunk_is_returned_once,
    a_claim_is_released_once,
    a_disabled_ring_has_no_calls,
    a_refill_ring_has_one_producer,
    a_ring_belongs_to_one_thread,
    a_walk_over_completions_has_the_queue_to_itself,
    an_area_goes_to_one_pool,
    an_index_has_no_order,
    an_owned_chunk_is_any_threads,
    bytes_are_read_while_their_chunk_is_out,
    descriptors_are_given_away,
    nothing_is_lost_unnoticed,
    nothing_that_must_be_one_is_cloned,
    queues_are_not_handed_out,
    what_takes_a_promise_is_unsafe,
}

fn keeps(program: &str) {
    let lines: Vec<_> = program.lines().collect();
    let breaks = |line: &str| Some(line.split_once("//~ ")?.1.to_owned());
    // The program, with no other of the lines that break a promise than number `at`.
    let only = |at: Option<usize>| {
        let kept = lines.iter().enumerate();
        let kept = kept.map(|(i, line)| match breaks(line) {
            Some(_) if Some(i) != at => "",
            _ => line,
        });
        kept.collect::<Vec<_>>().join("\n")
    };
    let errors = compile::errors(&only(None));
    assert_eq!(errors, [], "in what breaks no promise");
    let broken = (0..lines.len()).filter_map(|i| Some((i, breaks(lines[i])?)));
    let mut broken = broken.peekable();
    assert!(broken.peek().is_some(), "no line breaks a promise");
    for (i, code) in broken {
        let (errors, line) = (compile::errors(&only(Some(i))), i + 1);
        assert_eq!(errors, [(line, code)], "where only line {line} breaks one");
    }
}
