//! `make fuzz`, or `cargo fuzz run --features libfuzzer forms`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chancery_fuzz::forms(data));
