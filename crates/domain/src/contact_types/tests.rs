//! Held against samples of each type.
