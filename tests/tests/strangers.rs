//! What strangers send: each fuzz target with its seeds, and with seeds bent at random.

use std::fs;

use chancery_fuzz::TARGETS;
use chancery_testkit::repository_root;
use proptest::prelude::*;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = repository_root().join("fuzz/seeds").join(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds: Vec<Vec<u8>> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

#[test]
fn every_seed_passes_its_target() {
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            target(&seed);
        }
    }
}

/// A place in the input, and what happens there.
#[derive(Clone, Debug)]
enum Bend {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn bend() -> impl Strategy<Value = Bend> {
    let at = || any::<prop::sample::Index>();
    // Bytes that mean something to one of the parsers come more often than others.
    let byte = || {
        prop_oneof![
            any::<u8>(),
            prop::sample::select(&b"\0\"\\{}[],:.*-=\x30\x82\xff\x80e19"[..])
        ]
    };
    prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Bend::Set(at, byte)),
        (at(), prop::collection::vec(byte(), 1..5)).prop_map(|(at, bytes)| Bend::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Bend::Cut(from, to)),
        (at(), at()).prop_map(|(from, to)| Bend::Repeat(from, to)),
    ]
}

fn bent(mut input: Vec<u8>, bends: &[Bend]) -> Vec<u8> {
    let range = |length: usize, from: &prop::sample::Index, to: &prop::sample::Index| {
        let (from, to) = (from.index(length + 1), to.index(length + 1));
        from.min(to)..from.max(to)
    };
    for bend in bends {
        let length = input.len();
        match bend {
            Bend::Set(_, _) if length == 0 => {}
            Bend::Set(at, byte) => input[at.index(length)] = *byte,
            Bend::Insert(at, bytes) => {
                let at = at.index(length + 1);
                input.splice(at..at, bytes.iter().copied());
            }
            Bend::Cut(from, to) => drop(input.drain(range(length, from, to))),
            Bend::Repeat(from, to) => input.extend_from_within(range(length, from, to)),
        }
    }
    input
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bent_seed_breaks_a_promise(
        which in any::<prop::sample::Index>(),
        bends in prop::collection::vec(bend(), 0..6),
    ) {
        for (name, target) in TARGETS {
            let seeds = seeds(name);
            target(&bent(which.get(&seeds).clone(), &bends));
        }
    }

    #[test]
    fn no_bytes_break_a_promise(input in prop::collection::vec(any::<u8>(), 0..600)) {
        for (_, target) in TARGETS {
            target(&input);
        }
    }
}
