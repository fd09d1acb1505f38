//! `make fuzz`, or `cargo fuzz run --features libfuzzer json_bodies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chancery_fuzz::json_bodies(data));
