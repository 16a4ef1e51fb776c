//! pwxform, SMix and the filling of S-boxes: what yespower (openwall.com/yespower) mixes with.
//!
//! Each look-up in an S-box waits for the one before: yescrypt is a chain of 260,000, which wider
//! vectors do not make shorter. That leaves to win: few steps in each, Salsa20 with the processor's
//! rotations, and rows of the pad that are there when they are needed.

use super::rows::Words;
use multiversion::multiversion;

/// Words of 64 bits in an S-box of version 0.5.
const SMALL: usize = 1 << 9;

/// Words in an S-box of version 1.0.
const LARGE: usize = 1 << 12;

macro_rules! mixing {
    ($how:ident $(, $feature:literal)?) => {
        mod $how {
            use super::super::rows::$how::{
                Block, Row, both, diagonals_from_words, diagonals_to_words, first, from_two,
                multiply, salsa, sum, to_two, xor,
            };
            use super::{LARGE, SMALL, Words, wrap};
            use std::cell::Cell;
            use std::hint::black_box;
            use std::mem::swap;

            thread_local! {
                /// The memory that is mixed, 2 to 8 MiB, kept so that the system need not clear it
                /// for each hash.
                static PAD: Cell<Vec<Block>> = const { Cell::new(Vec::new()) };

                /// S-boxes, kept likewise.
                static BOXES: Cell<Vec<u64>> = const { Cell::new(Vec::new()) };
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn core<const ROUNDS: usize>(block: Block) -> Block {
                let mut after = block;
                for _ in 0..ROUNDS / 2 {
                    after = salsa(after);
                }
                sum(after, block)
            }

            /// What happens to a row in each round of pwxform: its first word says where to look
            /// up, in bytes.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn step<const SIZE: usize>(x: Row, a: &[u64; SIZE], b: &[u64; SIZE]) -> Row {
                let [word, _] = to_two(x);
                let at = (word >> 3) as usize & (SIZE - 2);
                let other = (word >> 35) as usize & (SIZE - 2);
                multiply(x, [a[at], a[at | 1]], [b[other], b[other | 1]])
            }

            /// BlockMix: each block takes in the one before, the first one the last, and is
            /// transformed; the last one goes through Salsa20 at the end.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn block_mix<const ROUNDS: usize>(
                length: usize,
                mut from: impl FnMut(usize) -> Block,
                to: &mut [Block],
                transform: &mut impl FnMut(Block) -> Block,
            ) {
                let mut last = from(length - 1);
                for (i, to) in to[..length].iter_mut().enumerate() {
                    last = transform(both(last, from(i)));
                    *to = last;
                }
                to[length - 1] = core::<ROUNDS>(to[length - 1]);
            }

            /// Reads a word of each block, so that all are on the way from memory before the first
            /// one is mixed: 3 % of yescrypt.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn touch(blocks: &[Block]) {
                let mut words = 0;
                for block in blocks {
                    words ^= first(block[0]);
                }
                black_box(words);
            }

            /// SMix: fills memory for `n` times `x`, then takes in `all` places of it at random, of
            /// which it changes the first `writing`.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn mix<const ROUNDS: usize>(
                x: &mut [Block],
                n: usize,
                writing: usize,
                all: usize,
                transform: &mut impl FnMut(Block) -> Block,
            ) {
                let length = x.len();
                let mut pad = PAD.take();
                if pad.len() < length * n + length {
                    pad.resize(length * n + length, x[0]);
                }
                pad[..length].copy_from_slice(x);
                for i in 0..n {
                    let (before, to) = pad.split_at_mut((i + 1) * length);
                    let last = &before[i * length..];
                    if i > 1 {
                        let j = wrap(first(last[length - 1][0]) as usize, i);
                        let other = &before[j * length..][..length];
                        touch(other);
                        block_mix::<ROUNDS>(length, |k| both(last[k], other[k]), to, transform);
                    } else {
                        block_mix::<ROUNDS>(length, |k| last[k], to, transform);
                    }
                }
                let (pad_n, rest) = pad.split_at_mut(n * length);
                let (mut last, mut to) = (&mut rest[..length], &mut x[..]);
                for i in 0..all {
                    let j = first(last[length - 1][0]) as usize & (n - 1);
                    let other = &mut pad_n[j * length..][..length];
                    touch(other);
                    if i < writing {
                        for (other, last) in other.iter_mut().zip(&*last) {
                            *other = both(*other, *last);
                        }
                        block_mix::<ROUNDS>(length, |k| other[k], to, transform);
                    } else {
                        block_mix::<ROUNDS>(length, |k| both(last[k], other[k]), to, transform);
                    }
                    (last, to) = (to, last);
                }
                if all % 2 == 0 {
                    to.copy_from_slice(last);
                }
                PAD.set(pad);
            }

            /// Fills boxes from the first two blocks, and leaves what follows in these.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn fill<const ROUNDS: usize>(x: &mut [Block], boxes: &mut Vec<u64>, words: usize) {
                let mut now = [x[0], x[1]];
                boxes.clear();
                for i in 0..words / 16 {
                    for row in now.as_flattened() {
                        boxes.extend(to_two(*row));
                    }
                    if i > 1 {
                        let j = wrap(first(now[1][0]) as usize, i);
                        let (earlier, _) = boxes[16 * j..].as_chunks::<2>();
                        for (row, earlier) in now.as_flattened_mut().iter_mut().zip(earlier) {
                            *row = xor(*row, from_two(*earlier));
                        }
                    }
                    now[0] = core::<ROUNDS>(both(now[0], now[1]));
                    now[1] = core::<ROUNDS>(both(now[1], now[0]));
                }
                x[..2].copy_from_slice(&now);
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) fn version_0_5(words: &mut [Words], n: usize) {
                let mut x = Vec::with_capacity(words.len());
                for words in &*words {
                    x.push(diagonals_from_words(words));
                }
                let mut kept = BOXES.take();
                fill::<8>(&mut x, &mut kept, 2 * SMALL);
                let (boxes, _) = kept.as_chunks::<SMALL>();
                let [first, second] = boxes else { return };
                let third = n.div_ceil(3);
                // Reads go on for as many as are even; of writes the last odd one is left out.
                mix::<8>(&mut x, n, third / 2 * 2, third.next_multiple_of(2), &mut |mut x: Block| {
                    for _ in 0..6 {
                        for row in &mut x {
                            *row = step(*row, first, second);
                        }
                    }
                    x
                });
                BOXES.set(kept);
                for (words, block) in words.iter_mut().zip(x) {
                    *words = diagonals_to_words(block);
                }
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) fn version_1_0(words: &mut [Words], n: usize) {
                let mut x = Vec::with_capacity(words.len());
                for words in &*words {
                    x.push(diagonals_from_words(words));
                }
                let mut kept = BOXES.take();
                fill::<2>(&mut x, &mut kept, 3 * LARGE);
                let (boxes, _) = kept.as_chunks_mut::<LARGE>();
                let [first, second, third] = boxes else { return };
                let (mut first, mut second, mut third) = (first, second, third);
                let mut at = 0;
                // Three rounds, which write results into the boxes that they read. The boxes
                // change round after each block.
                let mut transform = |mut x: Block| {
                    for round in 0..3 {
                        for i in 0..4 {
                            x[i] = step(x[i], first, second);
                            if round == 0 || i < 2 {
                                let written = if i % 2 == 0 { &mut *first } else { &mut *second };
                                let place = at & (LARGE - 2);
                                [written[place], written[place | 1]] = to_two(x[i]);
                                at += 2 * (i % 2);
                            }
                        }
                    }
                    swap(&mut first, &mut third);
                    swap(&mut second, &mut third);
                    x
                };
                for i in (2..x.len()).step_by(2) {
                    let before = [x[i - 2], x[i - 1]];
                    block_mix::<2>(2, |k| before[k], &mut x[i..], &mut transform);
                }
                let all = n.div_ceil(3).next_multiple_of(2);
                mix::<2>(&mut x, n, all, all, &mut transform);
                BOXES.set(kept);
                for (words, block) in words.iter_mut().zip(x) {
                    *words = diagonals_to_words(block);
                }
            }
        }
    };
}

mixing!(portable);
#[cfg(target_arch = "x86_64")]
mixing!(ssse3, "ssse3");
#[cfg(target_arch = "x86_64")]
mixing!(avx512, "avx512f,avx512vl");

/// SMix of version 0.5 with N = `n`, a power of two.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+ssse3"))]
pub(crate) fn smix_0_5(x: &mut [Words], n: usize) {
    let mix = multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl" => avx512::version_0_5,
        "x86_64+ssse3" => ssse3::version_0_5,
        _ => portable::version_0_5,
    };
    mix(x, n);
}

/// SMix of version 1.0 with N = `n`, a power of two.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+ssse3"))]
pub(crate) fn smix_1_0(x: &mut [Words], n: usize) {
    let mix = multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl" => avx512::version_1_0,
        "x86_64+ssse3" => ssse3::version_1_0,
        _ => portable::version_1_0,
    };
    mix(x, n);
}

/// `x` wrapped into the last power of two of numbers below `i`.
const fn wrap(x: usize, i: usize) -> usize {
    let power = 1 << i.ilog2();
    (x & (power - 1)) + (i - power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As processors without AVX-512 do it.
    #[multiversion(targets("x86_64+ssse3"))]
    fn second(x: &mut [Words], y: &mut [Words], n: usize) {
        let (mix_0_5, mix_1_0) = multiversion::target::match_target! {
            "x86_64+ssse3" => (ssse3::version_0_5, ssse3::version_1_0),
            _ => (portable::version_0_5, portable::version_1_0),
        };
        mix_0_5(x, n);
        mix_1_0(y, n);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// What uses the processor's vectors does the same without them.
        #[test]
        fn portable_twins_agree(
            x in prop::collection::vec(any::<[Words; 2]>(), 1..9),
            log_n in 1_u8..7,
        ) {
            let (x, n) = (x.into_flattened(), 1 << log_n);
            let [mut a, mut b, mut c] = [x.clone(), x.clone(), x.clone()];
            let [mut d, mut e, mut f] = [x.clone(), x.clone(), x];
            smix_0_5(&mut a, n);
            portable::version_0_5(&mut b, n);
            smix_1_0(&mut d, n);
            portable::version_1_0(&mut e, n);
            second(&mut c, &mut f, n);
            prop_assert_eq!(a, b.clone());
            prop_assert_eq!(b, c);
            prop_assert_eq!(d, e.clone());
            prop_assert_eq!(e, f);
        }
    }
}
