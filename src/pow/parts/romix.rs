//! ROMix and BlockMix (RFC 7914, sections 4 and 5) over ChaCha and Salsa20, for scrypt-jane and
//! NeoScrypt; scrypt itself has its own (`scrypt::lanes`).

use super::rows::Words;
use multiversion::multiversion;

/// N of NeoScrypt.
const N: usize = 128;

macro_rules! mixing {
    ($how:ident $(, $feature:literal)?) => {
        mod $how {
            use super::super::rows::$how::{
                Block, both, chacha, diagonals_from_words, diagonals_to_words, first, from_words,
                salsa, sum, to_words,
            };
            use super::{N, Words};
            use std::array::from_fn;
            use std::cell::Cell;

            /// The blocks of some chains that are mixed side by side.
            type Chains<const BLOCKS: usize, const CHAINS: usize> = [[Block; CHAINS]; BLOCKS];

            thread_local! {
                /// 64 KiB, kept for NeoScrypt's next header.
                static PAD: Cell<Vec<Chains<4, 2>>> = const { Cell::new(Vec::new()) };
            }

            /// ROMix with N = `n`, a power of two, of chains that have nothing to do with each
            /// other. `core` steps a block of each.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn romix<const BLOCKS: usize, const CHAINS: usize>(
                x: &mut Chains<BLOCKS, CHAINS>,
                pad: &mut Vec<Chains<BLOCKS, CHAINS>>,
                n: usize,
                core: impl Fn([Block; CHAINS]) -> [Block; CHAINS],
            ) {
                pad.clear();
                for _ in 0..n {
                    pad.push(*x);
                    block_mix(x, &core);
                }
                for _ in 0..n {
                    for chain in 0..CHAINS {
                        // The first word of the last block. It is first among diagonals, too.
                        let j = first(x[BLOCKS - 1][chain][0]) as usize & (n - 1);
                        for (blocks, earlier) in x.iter_mut().zip(&pad[j]) {
                            blocks[chain] = both(blocks[chain], earlier[chain]);
                        }
                    }
                    block_mix(x, &core);
                }
            }

            /// Each block takes in the one before, the first one the last; then those of even
            /// number go before those of odd number.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn block_mix<const BLOCKS: usize, const CHAINS: usize>(
                x: &mut Chains<BLOCKS, CHAINS>,
                core: &impl Fn([Block; CHAINS]) -> [Block; CHAINS],
            ) {
                let before = *x;
                let mut last = x[BLOCKS - 1];
                for i in 0..BLOCKS {
                    for chain in 0..CHAINS {
                        last[chain] = both(last[chain], before[i][chain]);
                    }
                    last = core(last);
                    x[i / 2 + i % 2 * BLOCKS / 2] = last;
                }
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) fn jane([low, high]: [Words; 2], n: usize) -> [Words; 2] {
                let mut x = [[from_words(low)], [from_words(high)]];
                romix(&mut x, &mut Vec::with_capacity(n), n, |[before]| {
                    let mut block = before;
                    for _ in 0..4 {
                        block = chacha(block);
                    }
                    [sum(block, before)]
                });
                let [[low], [high]] = x;
                [to_words(low), to_words(high)]
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) fn neo(words: &[Words; 4]) -> [Words; 4] {
                let mut x: Chains<4, 2> =
                    from_fn(|i| [from_words(words[i]), diagonals_from_words(&words[i])]);
                let mut pad = PAD.take();
                // Rounds take turns: while a processor waits for the one, it works on the other.
                romix(&mut x, &mut pad, N, |before| {
                    let [mut x, mut y] = before;
                    for _ in 0..10 {
                        x = chacha(x);
                        y = salsa(y);
                    }
                    [sum(x, before[0]), sum(y, before[1])]
                });
                PAD.set(pad);
                from_fn(|i| {
                    let (x, y) = (to_words(x[i][0]), diagonals_to_words(x[i][1]));
                    from_fn(|row| from_fn(|column| x[row][column] ^ y[row][column]))
                })
            }
        }
    };
}

mixing!(portable);
#[cfg(target_arch = "x86_64")]
mixing!(ssse3, "ssse3");
#[cfg(target_arch = "x86_64")]
mixing!(avx512, "avx512f,avx512vl");

/// scrypt-jane's: ChaCha20/8, r = 1, N = `n`, a power of two.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+ssse3"))]
pub(crate) fn jane(x: [Words; 2], n: usize) -> [Words; 2] {
    let mix = multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl" => avx512::jane,
        "x86_64+ssse3" => ssse3::jane,
        _ => portable::jane,
    };
    mix(x, n)
}

/// NeoScrypt's, r = 2: once over ChaCha20/20, once over Salsa20/20, and the results' difference.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+ssse3"))]
pub(crate) fn neo(x: &[Words; 4]) -> [Words; 4] {
    let mix = multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl" => avx512::neo,
        "x86_64+ssse3" => ssse3::neo,
        _ => portable::neo,
    };
    mix(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As processors without AVX-512 do it.
    #[multiversion(targets("x86_64+ssse3"))]
    fn second(x: &[Words; 4], n: usize) -> ([Words; 4], [Words; 2]) {
        let (neo, jane) = multiversion::target::match_target! {
            "x86_64+ssse3" => (ssse3::neo, ssse3::jane),
            _ => (portable::neo, portable::jane),
        };
        (neo(x), jane([x[0], x[1]], n))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// What uses the processor's vectors does the same without them.
        #[test]
        fn portable_twins_agree(x: [Words; 4], log_n in 0_u8..7) {
            let n = 1 << log_n;
            let plain = (portable::neo(&x), portable::jane([x[0], x[1]], n));
            prop_assert_eq!((neo(&x), jane([x[0], x[1]], n)), plain);
            prop_assert_eq!(second(&x, n), plain);
        }
    }
}
