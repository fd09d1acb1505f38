//! `make fuzz`, or `cargo fuzz run --features libfuzzer attributes`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chancery_fuzz::attributes(data));
