//! `make fuzz`, or `cargo fuzz run --features libfuzzer answers`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chancery_fuzz::answers(data));
