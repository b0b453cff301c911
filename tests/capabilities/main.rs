//! What each kernel can do: one test per row of the README's table. Each tries the thing for real; it has to
//! work where the kernel's version promises it, and to be refused elsewhere in the words that the row gives.
//!
//! A new row is a line in `rows!` and a function of the same name in attempt.rs.

mod attempt;
#[path = "../common/mod.rs"]
mod common;
mod row;

/// Makes each row a test that checks the attempt of the same name, and numbers the rows as they stand.
macro_rules! rows {
    ($($test:ident: $title:literal, since $since:literal, refused $refusals:tt;)+) => {
        #[allow(non_camel_case_types, reason = "named after the tests")]
        enum Position { $($test),+ }
        $(
            #[test]
            fn $test() {
                let row = row::Row {
                    test: stringify!($test),
                    position: Position::$test as usize,
                    title: $title,
                    since: $since,
                    refusals: &$refusals,
                };
                row.check(attempt::$test());
            }
        )+
    };
}

/// Kernels before 6.15 have no zero-copy receive at all.
const NO_ZCRX: (&str, &str) = ("6.15", "the kernel is older than 6.15");

rows! {
    provided_buffers: "provided buffers, without privileges", since "6.0", refused [];
    wide_completions: "wide completions", since "6.0", refused [];
    transparent_huge_pages: "areas of transparent huge pages", since "6.1", refused [];
    busy_polling: "waits that poll the network card", since "6.9", refused [
        ("6.9", "the kernel is older than 6.9"),
    ];
    batches: "waits that gather a batch", since "6.12", refused [
        ("6.12", "waiting for a batch needs kernel 6.12"),
    ];
    mixed_completions: "mixed completions, each delivered once", since "7.3.3", refused [
        ("6.18", "mixed completions need kernel 6.18"),
        ("7.3.3", "this kernel repeats old completions"),
    ];
    interface_queue: "an interface queue, without a copy", since "6.15", refused [NO_ZCRX];
    kernels_refill_region: "a refill region that the kernel allocates", since "6.16", refused [NO_ZCRX];
    several_instances: "several instances on one ring", since "6.16", refused [NO_ZCRX];
    dmabuf_area: "an area of a dmabuf", since "6.16", refused [NO_ZCRX];
    query: "queries: what io_uring has", since "6.18", refused [];
    query_zcrx: "queries: what zero-copy receive has", since "6.19", refused [];
    flush: "flushing the refill ring", since "6.19", refused [];
    sharing: "one instance on several rings: export and import", since "6.19", refused [];
    large_chunks: "chunks larger than a page", since "7.0", refused [
        ("7.0", "this kernel has no chunks other than a page (7.0 has)"),
    ];
    no_device: "no device: any TCP socket, with one copy", since "7.1", refused [
        ("7.1", "this kernel cannot receive into an area without a device (7.1 can)"),
    ];
    statistics: "statistics of what the kernel had to copy", since "7.2", refused [];
    notifications: "notifications: no buffer for the NIC, copies", since "7.2", refused [
        ("7.2", "this kernel does not notify of what happens to an area (7.2 can)"),
    ];
    several_areas: "several areas, added at any time", since "7.3", refused [];
}
