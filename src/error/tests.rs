use super::*;

static TRY: Attempt = Attempt {
    what: "dig a well",
    arguments: &["depth", "width"],
};

#[test]
fn display_says_what_why_and_what_to_do() {
    static CAUSES: [Cause; 2] = [
        Cause {
            cause: "the ground is frozen",
            remedy: "wait for spring",
        },
        Cause {
            cause: "no shovel",
            remedy: "buy one",
        },
    ];
    let error = Error::new(&TRY, [9, 2], Reason::Kernel(Errno::PERM), &CAUSES);
    assert_eq!(
        std::format!("{error}"),
        "cannot dig a well (depth 9, width 2): EPERM (operation not permitted); \
         the ground is frozen: wait for spring, or no shovel: buy one"
    );
    assert_eq!(error.errno(), Some(Errno::PERM));
    assert_eq!(
        error.arguments().collect::<std::vec::Vec<_>>(),
        [("depth", 9), ("width", 2)]
    );
}

#[test]
fn what_was_found_out_is_said_alone_and_with_its_number() {
    static SHALLOW: Known = Known {
        kind: CauseKind::HeaderSplitThreshold,
        cause: Cause {
            cause: "the spade is short",
            remedy: "buy a longer one",
        },
        fact: Some("spade centimetres"),
    };
    let found = |value| {
        let diagnosis = Diagnosis::Certain(&SHALLOW, value);
        Error::diagnosed(&TRY, [9, 2], Reason::Kernel(Errno::RANGE), diagnosis)
    };
    let error = found(Some(40));
    assert_eq!(
        std::format!("{error}"),
        "cannot dig a well (depth 9, width 2): ERANGE (out of range); \
         the spade is short (spade centimetres 40): buy a longer one"
    );
    assert_eq!(error.kind(), Some(CauseKind::HeaderSplitThreshold));
    assert_eq!(error.causes(), [SHALLOW.cause]);
    let fact = Fact {
        name: "spade centimetres",
        value: 40,
    };
    assert_eq!(error.found(), Some(fact));
    assert_eq!(found(None).found(), None);
    assert!(std::format!("{}", found(None)).ends_with("; the spade is short: buy a longer one"));
}

#[test]
fn a_refused_argument_is_named() {
    let must = Reason::Argument {
        name: "depth",
        must: "be above 0",
    };
    let error = Error::new(&TRY, [0, 2], must, &[]);
    assert_eq!(
        std::format!("{error}"),
        "cannot dig a well (depth 0, width 2): depth must be above 0"
    );
    assert_eq!(std::format!("{error:?}"), std::format!("{error}"));
    assert_eq!((error.errno(), error.kind()), (None, None));
    assert_eq!(
        std::io::Error::from(error).kind(),
        std::io::ErrorKind::InvalidInput
    );
}

#[test]
fn what_is_no_argument_has_no_brackets() {
    static TRY: Attempt = Attempt {
        what: "rest",
        arguments: &[],
    };
    let error = Error::new(&TRY, [], Reason::Unsupported("there is no time"), &[]);
    assert_eq!(std::format!("{error}"), "cannot rest: there is no time");
}

#[test]
fn the_standard_librarys_error_is_of_the_same_kind() {
    use std::io::ErrorKind;
    for (reason, kind) in [
        (Reason::Kernel(Errno::PERM), ErrorKind::PermissionDenied),
        (Reason::Answer("is odd"), ErrorKind::InvalidData),
        (Reason::Unsupported("not here"), ErrorKind::Unsupported),
    ] {
        let error = std::io::Error::from(Error::new(&TRY, [1, 2], reason, &[]));
        assert_eq!(error.kind(), kind);
        assert!(std::format!("{error}").contains(&std::format!("{reason}")));
    }
}

#[test]
fn an_answer_that_cannot_be_used_is_the_kernels_and_not_the_callers() {
    let error = Error::new(&TRY, [1, 2], Reason::Answer("the water is dry"), &[]);
    let text = "cannot dig a well (depth 1, width 2): the kernel's answer cannot be used: the water is dry";
    assert_eq!(std::format!("{error}"), text);
    assert_eq!(std::format!("{error:?}"), text);
    assert_eq!(error.errno(), None);
    let error = std::io::Error::from(error);
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}
