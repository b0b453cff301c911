#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zcrx_fuzz_bodies::stream::run(bytes));
