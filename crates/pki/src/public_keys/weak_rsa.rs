//! Signs of weakness in an RSA modulus (BR 6.1.6 and 6.1.1.3).
//!
//! Everything starts from the residues of the modulus by the primes below 752. They tell small factors;
//! they tell ROCA keys, whose modulus is a power of 65537 modulo the product of many small primes; and they
//! rule out most perfect powers, so that the costly exact tests are seldom run.

use std::sync::LazyLock;

use num_bigint::BigUint;

use super::KeyError;

/// Rounds of Fermat's method; BR 6.1.1.3(5) asks for 100.
const FERMAT_ROUNDS: u64 = 110;

/// The primes of the smallest generator modulus of ROCA keys end here; those of larger keys are multiples.
const ROCA_LAST_PRIME: u64 = 167;

/// Applies every test to a modulus, given as big-endian octets.
pub(super) fn check(modulus: &[u8]) -> Result<(), KeyError> {
    let residues = residues(modulus);
    if let Some((prime, _)) = residues.iter().find(|(_, residue)| *residue == 0) {
        return Err(KeyError::SmallFactor(*prime));
    }
    if has_roca_fingerprint(&residues) {
        return Err(KeyError::Roca);
    }
    let modulus = BigUint::from_bytes_be(modulus);
    if has_close_factors(&modulus) {
        return Err(KeyError::ClosePrimes);
    }
    if is_odd_power(&modulus, &residues) {
        return Err(KeyError::PrimePower);
    }
    Ok(())
}

/// Primes below 752, in groups whose product fits in 64 bits.
static PRIME_GROUPS: LazyLock<Vec<(u64, Vec<u64>)>> = LazyLock::new(|| {
    let is_prime = |n: &u64| {
        (2..*n)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    let mut groups = vec![(1_u64, Vec::new())];
    for prime in (2..752).filter(is_prime) {
        match groups.last_mut() {
            Some((product, primes)) if product.checked_mul(prime).is_some() => {
                *product *= prime;
                primes.push(prime);
            }
            _ => groups.push((prime, vec![prime])),
        }
    }
    groups
});

/// The residue of the modulus by each prime below 752, in order.
fn residues(modulus: &[u8]) -> Vec<(u64, u64)> {
    let limbs: Vec<u64> = modulus
        .rchunks(8)
        .rev()
        .map(|octets| {
            octets
                .iter()
                .fold(0, |limb, octet| limb << 8 | u64::from(*octet))
        })
        .collect();
    let mut residues = Vec::with_capacity(133);
    for (product, primes) in PRIME_GROUPS.iter() {
        let modulo = |rest: u64, limb: &u64| {
            ((u128::from(rest) << 64 | u128::from(*limb)) % u128::from(*product)) as u64
        };
        let rest = limbs.iter().fold(0, modulo);
        residues.extend(primes.iter().map(|prime| (*prime, rest % prime)));
    }
    residues
}

/// Discrete logarithms to the base 65537: for each prime, the order of the base and, by residue, the
/// exponent, if there is one.
static ROCA_LOGARITHMS: LazyLock<Vec<(u64, Vec<Option<u64>>)>> = LazyLock::new(|| {
    let primes = PRIME_GROUPS.iter().flat_map(|(_, primes)| primes);
    let logarithms = |prime: &u64| {
        let mut exponents = vec![None; *prime as usize];
        let (mut power, mut order) = (1 % prime, 0);
        while exponents[power as usize].is_none() {
            exponents[power as usize] = Some(order);
            power = power * 65537 % prime;
            order += 1;
        }
        (order, exponents)
    };
    primes
        .take_while(|prime| **prime <= ROCA_LAST_PRIME)
        .map(logarithms)
        .collect()
});

/// Whether the modulus is a power of 65537 modulo the product of the small primes.
///
/// Modulo each prime the exponent is known modulo the order of 65537 there. One exponent for all exists
/// exactly where any two agree modulo the greatest common divisor of their orders, so this is the
/// discrete-logarithm test, with no large number in it.
fn has_roca_fingerprint(residues: &[(u64, u64)]) -> bool {
    let mut seen: Vec<(u64, u64)> = Vec::with_capacity(ROCA_LOGARITHMS.len());
    for ((order, exponents), (_, residue)) in ROCA_LOGARITHMS.iter().zip(residues) {
        let Some(exponent) = exponents[*residue as usize] else {
            return false;
        };
        let agrees = |(other_order, other): &(u64, u64)| {
            exponent.abs_diff(*other) % greatest_common_divisor(*order, *other_order) == 0
        };
        if !seen.iter().all(agrees) {
            return false;
        }
        seen.push((*order, exponent));
    }
    true
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Moduli by which few residues are squares, with the table of those that are.
static SQUARE_FILTERS: LazyLock<Vec<(u64, Vec<bool>)>> = LazyLock::new(|| {
    let squares = |modulus: u64| {
        let mut table = vec![false; modulus as usize];
        (0..modulus).for_each(|root| table[(root * root % modulus) as usize] = true);
        (modulus, table)
    };
    [64, 63, 65, 11, 17, 19, 23, 29, 31, 37].map(squares).into()
});

/// Fermat's method: looks for a and b with modulus = a² − b², a from the root upwards. A perfect square
/// counts, with b = 0.
fn has_close_factors(modulus: &BigUint) -> bool {
    let mut root = modulus.sqrt();
    if &root * &root == *modulus {
        return true;
    }
    root += 1_u32;
    let starts: Vec<(u64, u64)> = SQUARE_FILTERS
        .iter()
        .map(|(by, _)| (remainder(&root, *by), remainder(modulus, *by)))
        .collect();
    (0..FERMAT_ROUNDS).any(|round| {
        let may_be_square =
            SQUARE_FILTERS
                .iter()
                .zip(&starts)
                .all(|((by, squares), (root, modulus))| {
                    let a = (root + round) % by;
                    squares[((a * a + by - modulus) % by) as usize]
                });
        may_be_square && {
            let a = &root + round;
            let square = &a * &a - modulus;
            let b = square.sqrt();
            &b * &b == square
        }
    })
}

fn remainder(number: &BigUint, by: u64) -> u64 {
    u64::try_from(number % by).unwrap_or_default()
}

/// Whether the modulus is a number to the power of an odd prime. (Squares fall to Fermat.)
fn is_odd_power(modulus: &BigUint, residues: &[(u64, u64)]) -> bool {
    // A root below 752 would have a factor below 752.
    let largest = modulus.bits() / 9;
    let odd_primes = residues.iter().skip(1).map(|(prime, _)| *prime);
    odd_primes
        .take_while(|power| *power <= largest)
        .any(|power| {
            if modulus.bits() / power < 60 {
                return has_short_root(modulus, power);
            }
            let may_be_power = residues
                .iter()
                .filter(|(prime, _)| prime % power == 1)
                .all(|(prime, residue)| power_modulo(*residue, (prime - 1) / power, *prime) == 1);
            may_be_power && {
                let power = power as u32;
                modulus.nth_root(power).pow(power) == *modulus
            }
        })
}

/// Whether there is a root that fits in 64 bits.
///
/// Modulo 2⁶⁴ an odd number has exactly one root of each odd degree: the number to the power of the
/// degree's inverse modulo the order of the group, 2⁶². It is the only candidate, and almost never of the
/// right size.
fn has_short_root(modulus: &BigUint, degree: u64) -> bool {
    // Newton's iteration doubles the correct bits, of which any odd number has three.
    let inverse = (0..5).fold(degree, |x, _| {
        x.wrapping_mul(2_u64.wrapping_sub(degree.wrapping_mul(x)))
    });
    let mut exponent = inverse % (1 << 62);
    let mut base = modulus.iter_u64_digits().next().unwrap_or_default();
    let mut root = 1_u64;
    while exponent > 0 {
        if exponent % 2 == 1 {
            root = root.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent /= 2;
    }
    let size = (root as f64).log2() * degree as f64;
    (size - modulus.bits() as f64).abs() < 2.0 && BigUint::from(root).pow(degree as u32) == *modulus
}

fn power_modulo(mut base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let mut power = 1;
    while exponent > 0 {
        if exponent % 2 == 1 {
            power = power * base % modulus;
        }
        base = base * base % modulus;
        exponent /= 2;
    }
    power
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(modulus: &BigUint) -> Result<(), KeyError> {
        check(&modulus.to_bytes_be())
    }

    /// A number of about `bits` bits without a factor below 752.
    fn rough(bits: u64, seed: u64) -> BigUint {
        let mut number = (BigUint::from(1_u8) << (bits - 1)) + BigUint::from(seed | 1);
        while residues(&number.to_bytes_be())
            .iter()
            .any(|(_, residue)| *residue == 0)
        {
            number += 2_u32;
        }
        number
    }

    #[test]
    fn the_primes_are_all_there() {
        let primes: Vec<u64> = residues(&[1]).into_iter().map(|(prime, _)| prime).collect();
        assert_eq!((primes.len(), primes[0], primes[132]), (133, 2, 751));
    }

    #[test]
    fn small_factors_are_found() {
        let number = rough(2037, 77) * 751_u32;
        assert_eq!(verdict(&number), Err(KeyError::SmallFactor(751)));
        assert_eq!(
            verdict(&(rough(2047, 1) * 2_u32)),
            Err(KeyError::SmallFactor(2))
        );
    }

    #[test]
    fn powers_are_found() {
        for (bits, power) in [
            (1024, 2),
            (683, 3),
            (410, 5),
            (187, 11),
            (41, 50),
            (11, 199),
        ] {
            let number = rough(bits, 777).pow(power);
            let found = verdict(&number);
            assert!(
                matches!(found, Err(KeyError::PrimePower | KeyError::ClosePrimes)),
                "{bits} {power} {found:?}"
            );
        }
    }

    #[test]
    fn close_factors_are_found_to_the_last_round() {
        let p = rough(1024, 99);
        let near = rough(1024, 99) + 2_u32;
        let found = verdict(&(&p * near));
        assert!(
            found == Err(KeyError::ClosePrimes) || matches!(found, Err(KeyError::SmallFactor(_)))
        );

        // The factors a − b and a + b are found in round a − ⌈√(a² − b²)⌉.
        let a = BigUint::from(1_u8) << 1023_u32;
        let gap = |rounds: u64| {
            let b = (BigUint::from(2 * rounds) << 1023_u32).sqrt();
            &a * &a - &b * &b
        };
        assert!(has_close_factors(&gap(FERMAT_ROUNDS - 1)));
        assert!(!has_close_factors(&gap(FERMAT_ROUNDS + 1)));
    }

    #[test]
    fn the_structure_of_roca_keys_is_found() {
        let product = |last: u64| {
            let primes = PRIME_GROUPS.iter().flat_map(|(_, primes)| primes);
            primes
                .take_while(|prime| **prime <= last)
                .map(|prime| BigUint::from(*prime))
                .product::<BigUint>()
        };
        // As the faulty library made them: k·M + 65537^a mod M, M the product of the first 126 primes.
        let m = product(701);
        let base = BigUint::from(65537_u32);
        let factor = |k: u64, a: u64| &m * BigUint::from(k) + base.modpow(&BigUint::from(a), &m);
        let modulus = factor(0x1ff_ffff_ffff, 0xdead_beef) * factor(0x1ff_ffff_fffe, 0xfeed_f00d);
        assert_eq!(verdict(&modulus), Err(KeyError::Roca));

        // From the test data of the tool roca-detect.
        let known = "\
            9dcd7420e420c270a68060eb8b5aa7457a9f6648f86fafed2775cc1f79ae962f1e63f1b9e51c55f9ea6fdc73\
            32e9b0058c9ff2eb1fc89855029cf6aafe21e689feb38ac9ffb12f1ce371bb5d0e9aae64161abce74b4244bf\
            68f1edb4411f756a097c8929c14740245ea355f8332d1aa36bb50c7dcb4505da8de02e4e53d38f8df06097da\
            7524df0df93db48eac8cc4af2d3a16257eb2b2adca6ba464e5974fa92550d31b1babf161e7692d00b86e3dd8\
            86ecab4abfbe1a8f8cc263ff4af55cdb45f4249a5193925f5e983d762f0b6800943eb0267b08f42ed311ce1f\
            5c86eacbc8ce4d3cb7a2fee1ef5641423a1cf4114e5ecf50034a60a412523af9e6f4aa11";
        let known = BigUint::parse_bytes(known.as_bytes(), 16).unwrap();
        assert_eq!(verdict(&known), Err(KeyError::Roca));

        // Each residue alone is a power of 65537, but not all are the same power.
        let mut residues = residues(&known.to_bytes_be());
        let of_seven = residues.iter().position(|(prime, _)| *prime == 7).unwrap();
        residues[of_seven].1 = residues[of_seven].1 * 65537 % 7;
        assert!(!has_roca_fingerprint(&residues));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn residues_agree_with_big_division(octets in prop::collection::vec(any::<u8>(), 1..70)) {
            let number = BigUint::from_bytes_be(&octets);
            for (prime, residue) in residues(&octets) {
                prop_assert_eq!(remainder(&number, prime), residue);
            }
        }

        #[test]
        fn checking_never_panics(octets in prop::collection::vec(any::<u8>(), 256..=512)) {
            let _ = check(&octets);
        }
    }
}
