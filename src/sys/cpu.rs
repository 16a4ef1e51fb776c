//! What this processor can do beyond the least that every one of its kind can.

#![allow(unsafe_code)] // To call a function for instructions that are found at run time only.

use crate::pow::scrypt::Mixer;

/// The fastest way to mix several scrypts at a time here, if there is one.
#[must_use]
pub fn mixer() -> Option<Mixer> {
    mixers().into_iter().next()
}

/// Every way to mix several scrypts at a time here, the fastest first.
#[must_use]
pub fn mixers() -> Vec<Mixer> {
    #[cfg(target_arch = "x86_64")]
    {
        x86_64::mixers()
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use crate::pow::scrypt::Mixer;
    use crate::pow::scrypt::lanes::{self, Block, Slot};

    /// Every mixer that this processor can run, the fastest first.
    pub(super) fn mixers() -> Vec<Mixer> {
        let mut found = Vec::new();
        if is_x86_feature_detected!("avx512f") {
            found.push(Mixer { name: "AVX-512", lanes: 4, one: four, two: eight });
        }
        if is_x86_feature_detected!("avx2") {
            found.push(Mixer { name: "AVX2", lanes: 2, one: two, two: two_by_two });
        }
        // Every x86-64 has it.
        found.push(Mixer { name: "SSE2", lanes: 1, one, two: one_by_two });
        found
    }

    // Nobody but `mixers` names these six.

    fn eight(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        // SAFETY: `mixers` hands this out only where the processor has AVX-512F.
        unsafe { lanes::avx512_eight(blocks, pad, log_n) }
    }

    fn four(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        // SAFETY: `mixers` hands this out only where the processor has AVX-512F.
        unsafe { lanes::avx512_four(blocks, pad, log_n) }
    }

    fn one_by_two(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        // SAFETY: every x86-64 processor has SSE2.
        unsafe { lanes::sse2_two(blocks, pad, log_n) }
    }

    fn one(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        // SAFETY: every x86-64 processor has SSE2.
        unsafe { lanes::sse2_one(blocks, pad, log_n) }
    }

    fn two_by_two(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        // SAFETY: `mixers` hands this out only where the processor has AVX2.
        unsafe { lanes::avx2_four(blocks, pad, log_n) }
    }

    fn two(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        // SAFETY: `mixers` hands this out only where the processor has AVX2.
        unsafe { lanes::avx2_two(blocks, pad, log_n) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::mixers;
    use crate::chain::Header;
    use crate::pow::scrypt::{Several, hash};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// Any number of headers at a time, by every mixer, is what one at a time is.
        #[test]
        fn several_at_a_time_are_as_one_at_a_time(
            headers in prop::collection::vec(prop::array::uniform32(any::<u8>()), 0..20),
            log_n in 1_u8..9,
        ) {
            let headers: Vec<Header> = headers
                .iter()
                .map(|seed| std::array::from_fn(|i| seed[i % 32] ^ u8::try_from(i / 32).unwrap()))
                .collect();
            let one: Vec<_> = headers.iter().map(|header| hash(header, log_n)).collect();
            for mixer in mixers().into_iter().map(Some).chain([None]) {
                prop_assert_eq!(&Several::new(mixer).hash_many(&headers, log_n), &one);
            }
        }
    }

    /// The N of every coin, and a smaller one after it: the pad keeps the larger's rest.
    #[test]
    fn every_n_of_the_coins_agrees() {
        let headers: Vec<Header> = (0..9).map(|i| [i; 80]).collect();
        for mixer in mixers() {
            let mut several = Several::new(Some(mixer));
            for log_n in [13, 11, 10, 6] {
                let one: Vec<_> = headers.iter().map(|header| hash(header, log_n)).collect();
                assert_eq!(several.hash_many(&headers, log_n), one);
            }
        }
    }
}
