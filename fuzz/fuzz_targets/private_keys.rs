//! `make fuzz`, or `cargo fuzz run --features libfuzzer private_keys`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chancery_fuzz::private_keys(data));
